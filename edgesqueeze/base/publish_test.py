import fcntl
import hashlib
import json
import os
import signal
import time

import pytest

from edgesqueeze.base import publish
from edgesqueeze.base.generated import check_replaceable, update_of
from edgesqueeze.base.output import staged, write_files
from edgesqueeze.base.publish import STAGE_PREFIX, digest
from edgesqueeze.errors import OutputError

OLD = {"a": "old a", "sub/b": "old b", "stale": "old", "mine": "mine"}
NEW = {"a": "new a", "sub/b": "new b", "sub/deep/c": "new c"}
AFTER = {**NEW, "mine": "mine"}


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def out(tmp_path):
    write_files(tmp_path, OLD)
    return tmp_path


def in_a_process_that_dies(work):
    """Run something in a child, which kills itself at a place of its choice."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def write_and_die_before(number, out, new=NEW):
    """Publish ``NEW`` over ``OLD``, and die before the rename of this number; the journal is the first."""
    replace = publish.Path.replace
    calls = iter(range(100))

    def counted(self, target):
        if next(calls) == number:
            die()
        return replace(self, target)

    publish.Path.replace = counted
    write_files(out, new, {"stale": digest(out, "stale")})


@pytest.mark.parametrize("number", range(5))
def test_what_a_killed_process_began_is_undone_or_finished_by_the_next(out, number):
    killed = in_a_process_that_dies(lambda: write_and_die_before(number, out))
    assert (killed == signal.SIGKILL) == (number < 4)
    write_files(out, {})
    assert tree(out) == (OLD if number == 0 else AFTER)
    assert not list(out.glob(f"{STAGE_PREFIX}*"))


@pytest.mark.parametrize("number", range(1, 4))
def test_files_that_a_killed_process_left_half_done_are_nobodys_own(out, number):
    listed = update_of(out, OLD, lambda name: True).files
    write_files(out, listed)
    new = update_of(out, NEW, lambda name: True).files
    assert in_a_process_that_dies(lambda: write_and_die_before(number, out, new)) == signal.SIGKILL
    check_replaceable(out, NEW)
    assert {name: text for name, text in tree(out).items() if name in new} == new
    assert not list(out.glob(f"{STAGE_PREFIX}*"))


def test_the_stage_of_a_killed_process_goes_at_the_next_start(out):
    def write():
        with staged(out) as stage:
            (stage / "a").write_text("half of")
            die()

    in_a_process_that_dies(write)
    assert len(list(out.glob(f"{STAGE_PREFIX}*"))) == 1
    write_files(out, {})
    assert tree(out) == OLD
    assert not list(out.glob(f"{STAGE_PREFIX}*"))


def test_the_stage_of_a_living_process_stays(out):
    with staged(out) as stage:
        (stage / "a").write_text("new a")
        write_files(out, {"sub/b": "new b"})
        assert (stage / "a").exists()
    assert tree(out) == {**OLD, "a": "new a", "sub/b": "new b"}


def test_without_locks_only_old_stages_go(out, monkeypatch):
    def no_locks(descriptor, how):
        raise OSError(95, "not supported")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    old, young = out / f"{STAGE_PREFIX}old", out / f"{STAGE_PREFIX}young"
    for folder in (old, young):
        folder.mkdir()
    day_before = time.time() - publish.LEFTOVER_SECONDS - 60
    os.utime(old, (day_before, day_before))
    write_files(out, {"x": "x"})
    assert (old.exists(), young.exists()) == (False, True)


def test_a_file_is_removed_only_if_it_is_still_the_same(out):
    write_files(out, {}, {"stale": digest(out, "stale"), "mine": "0" * 64, "absent": "0" * 64})
    assert tree(out) == {name: text for name, text in OLD.items() if name != "stale"}


def test_an_exception_brings_removed_files_back(out, monkeypatch):
    unlink = publish.Path.unlink

    def failing(self, missing_ok=False):
        unlink(self, missing_ok)
        if self.name == "stale":
            raise KeyboardInterrupt

    monkeypatch.setattr(publish.Path, "unlink", failing)
    with pytest.raises(KeyboardInterrupt):
        write_files(out, NEW, {"stale": digest(out, "stale")})
    assert tree(out) == OLD


@pytest.mark.parametrize("where", ["sub", "sub/deep"])
def test_a_folder_that_is_a_link_is_not_followed(tmp_path, where):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    out = tmp_path / "out"
    (out / where).parent.mkdir(parents=True)
    (out / where).symlink_to(elsewhere)
    with pytest.raises(OutputError) as caught:
        write_files(out, NEW)
    assert "a link" in caught.value.got
    assert tree(elsewhere) == {}
    assert not (out / "a").exists()


@pytest.mark.parametrize(
    "journal",
    [
        {"files": ["../evil"], "remove": {}},
        {"files": ["/evil"], "remove": {}},
        {"files": [], "remove": {"../victim": hashlib.sha256(b"precious").hexdigest()}},
        {"files": [[]], "remove": []},
        [],
        "x" * 100,
    ],
)
def test_a_forged_journal_leads_nowhere(tmp_path, journal):
    (tmp_path / "victim").write_text("precious")
    stage = tmp_path / "out" / f"{STAGE_PREFIX}forged"
    (stage / "new").mkdir(parents=True)
    (stage / "evil").write_text("evil")
    (stage / "journal.json").write_text(json.dumps(journal))
    write_files(tmp_path / "out", {"x": "x"})
    assert tree(tmp_path) == {"victim": "precious", "out/x": "x"}


def test_nothing_is_removed_behind_a_link(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "file").write_text("precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").symlink_to(tmp_path / "theirs")
    write_files(tmp_path / "out", {}, {"sub/file": hashlib.sha256(b"precious").hexdigest()})
    assert (tmp_path / "theirs" / "file").exists()


def test_a_link_among_the_leftovers_is_not_followed(tmp_path):
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "file").write_text("precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f"{STAGE_PREFIX}link").symlink_to(tmp_path / "victim")
    write_files(tmp_path / "out", {"x": "x"})
    assert tree(tmp_path / "victim") == {"file": "precious"}


def test_the_digest_of_what_is_no_regular_file_is_empty(tmp_path):
    (tmp_path / "file").write_text("text")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").symlink_to(tmp_path)
    assert [digest(tmp_path, name) for name in ("link", "pipe", "none", "folder/file")] == [""] * 4
    assert len(digest(tmp_path, "file")) == 64


@pytest.mark.parametrize("number", range(4))
def test_ctrl_c_between_two_renames_comes_after_the_last(out, monkeypatch, number):
    replace = publish.Path.replace
    calls = iter(range(100))

    def interrupted(self, target):
        if next(calls) == number:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        return replace(self, target)

    monkeypatch.setattr(publish.Path, "replace", interrupted)
    # What a script starts in the background ignores Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            write_files(out, NEW, {"stale": digest(out, "stale")})
    finally:
        signal.signal(signal.SIGINT, before)
    assert tree(out) == AFTER
    assert not list(out.glob(f"{STAGE_PREFIX}*"))
