import os
import time
from pathlib import Path

import pytest

from edgesqueeze.errors import OutputError
from edgesqueeze.runners import build_cache
from edgesqueeze.runners.build_cache import cached


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setattr(build_cache, "cache_folder", lambda: tmp_path / "builds")
    return tmp_path / "builds"


def writer(text, calls=None):
    def make(path):
        if calls is not None:
            calls.append(text)
        (path / "a").write_text(text)

    return make


def test_the_same_parts_are_made_once(folder):
    calls = []
    first = cached(["a", b"b"], writer("x", calls))
    assert cached(["a", b"b"], writer("x", calls)) == first
    assert (calls, (first / "a").read_text()) == (["x"], "x")
    assert cached(["ab"], writer("y", calls)) != first
    assert [path for path in folder.iterdir() if path.name.startswith(".")] == []


def test_a_failure_leaves_nothing(folder):
    def fail(path):
        (path / "half").write_text("")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        cached(["a"], fail)
    assert list(folder.iterdir()) == []


def test_another_process_may_be_faster(folder):
    place = cached(["a"], writer("first"))
    keep = place.rename(folder / "aside")

    def slow(path):
        (path / "a").write_text("second")
        keep.rename(place)

    assert cached(["a"], slow) == place
    assert (place / "a").read_text() == "first"


def test_the_longest_unused_go_first(folder, monkeypatch):
    monkeypatch.setattr(build_cache, "KEPT", 2)
    old, used = cached(["1"], writer("1")), cached(["2"], writer("2"))
    for age, path in ((200, old), (100, used)):
        os.utime(path, (time.time() - age, time.time() - age))
    for name in (".making-x", f".making-{int(time.time()) - 4000}-x"):
        (folder / name).mkdir()
    new = cached(["3"], writer("3"))
    build_cache._tidy(folder)
    assert sorted(folder.iterdir()) == sorted([used, new])


def test_what_is_being_made_stays_whatever_its_times_are(folder):
    def unpack(path):
        os.utime(path, (0, 0))
        build_cache._tidy(folder)
        (path / "a").write_text("unpacked")

    assert (cached(["1"], unpack) / "a").read_text() == "unpacked"


def test_a_folder_that_cannot_be_made(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(build_cache, "cache_folder", lambda: tmp_path / "file" / "builds")
    with pytest.raises(OutputError, match="cannot write to the cache") as caught:
        cached(["a"], writer("a"))
    assert "XDG_CACHE_HOME" in caught.value.hint


def test_a_folder_that_cannot_be_renamed(folder, monkeypatch):
    def refuse(path, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError, match="cache of builds: No space left on device"):
        cached(["a"], writer("a"))
    assert list(folder.iterdir()) == []
