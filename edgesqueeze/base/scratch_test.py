import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from edgesqueeze.base.scratch import MAKING, PREFIX, scratch_folder


@pytest.fixture
def parent(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_temporary_files_lie_there_and_go(parent):
    with scratch_folder() as folder:
        assert folder.parent == parent
        assert folder.stat().st_mode & 0o077 == 0
        assert Path(tempfile.mkdtemp()).parent == folder
        assert os.environ["TMPDIR"] == str(folder)
    assert list(parent.iterdir()) == []
    assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(parent)


def test_ctrl_c_while_the_folder_is_removed_leaves_nothing(parent, monkeypatch):
    remove, asked = shutil.rmtree, []

    def removed(folder, **how):
        if not asked:
            asked.append(folder)
            signal.raise_signal(signal.SIGINT)
        remove(folder, **how)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(shutil, "rmtree", removed)
    try:
        with pytest.raises(KeyboardInterrupt), scratch_folder() as folder:
            (folder / "file").write_text("")
    finally:
        signal.signal(signal.SIGINT, before)
    assert asked == [folder]
    assert list(parent.iterdir()) == []
    assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(parent)


def test_the_folder_of_a_killed_process_goes_at_the_next_start(parent):
    child = os.fork()
    if child == 0:
        with scratch_folder():
            tempfile.mkdtemp()
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(list(parent.glob(f"{PREFIX}*"))) == 1
    with scratch_folder() as folder:
        assert list(parent.iterdir()) == [folder]


def test_the_folder_of_a_living_process_stays(parent):
    with scratch_folder() as one, scratch_folder() as two:
        assert one.is_dir() and two.is_dir()


def test_a_folder_that_never_got_its_name_goes_when_it_is_old(parent):
    young, old = parent / f"{MAKING}a", parent / f"{MAKING}b"
    young.mkdir()
    old.mkdir()
    os.utime(old, (1e9, 1e9))
    with scratch_folder():
        assert young.exists()
        assert not old.exists()


def test_links_are_not_followed(parent, tmp_path_factory):
    theirs = tmp_path_factory.mktemp("theirs")
    (theirs / "file").write_text("precious")
    (parent / f"{PREFIX}link").symlink_to(theirs)
    with scratch_folder():
        assert (theirs / "file").exists()


def test_where_no_folder_can_be_made_things_stay_as_they_are(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    with scratch_folder() as folder:
        assert folder is None
        assert tempfile.gettempdir() == "/proc"
