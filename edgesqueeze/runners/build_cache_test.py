import fcntl
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


def builds(folder):
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def test_the_same_parts_are_made_once(folder):
    calls = []
    first = cached(["a", b"b"], writer("x", calls))
    assert cached(["a", b"b"], writer("x", calls)) == first
    assert (calls, (first / "a").read_text()) == (["x"], "x")
    assert cached(["ab"], writer("y", calls)) != first
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == [".lock"]


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
    hour = build_cache.IN_USE_SECONDS
    for age, path in ((hour + 200, old), (hour + 100, used)):
        os.utime(path, (time.time() - age, time.time() - age))
    for name in (".making-x", f".making-{int(time.time()) - 4000}-x"):
        (folder / name).mkdir()
    new = cached(["3"], writer("3"))
    build_cache._tidy(folder)
    assert builds(folder) == sorted([used, new])


def test_what_another_process_may_be_using_stays_beyond_the_number_kept(folder, monkeypatch):
    monkeypatch.setattr(build_cache, "KEPT", 1)
    ages = {"1": 3000, "2": 4000, "3": 5000, "4": 6000}
    places = {name: cached([name], writer(name)) for name in ages}
    for name, age in ages.items():
        os.utime(places[name], (time.time() - age, time.time() - age))
    asked_again = cached(["3"], writer("3"))
    build_cache._tidy(folder)
    assert builds(folder) == sorted([places["1"], asked_again])


def test_a_build_is_not_removed_while_it_is_asked_for(folder, monkeypatch):
    """What is found is marked as used under a lock that removing waits for, and the other way round."""
    held = []

    def held_by_another(how):
        with (folder / ".lock").open("ab") as lock:
            try:
                fcntl.flock(lock, how | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    touch, rename = os.utime, Path.rename
    monkeypatch.setattr(build_cache, "KEPT", 0)
    place = cached(["1"], writer("1"))
    monkeypatch.setattr(os, "utime", lambda path: held.append(held_by_another(fcntl.LOCK_EX)) or touch(path))
    assert cached(["1"], writer("1")) == place
    monkeypatch.setattr(os, "utime", touch)
    os.utime(place, (0, 0))
    monkeypatch.setattr(
        Path, "rename", lambda path, to: held.append(held_by_another(fcntl.LOCK_SH)) or rename(path, to)
    )
    build_cache._tidy(folder)
    assert (held, builds(folder)) == ([True, True], [])
    assert not held_by_another(fcntl.LOCK_EX)


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
