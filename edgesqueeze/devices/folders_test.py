import os
import subprocess
import tempfile

from edgesqueeze.devices.folders import PREFIX, temporary_folder


def test_a_folder_is_private_short_and_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("long" * 10)))
    with temporary_folder() as folder:
        assert len(str(folder)) < 60
        assert folder.stat().st_mode & 0o77 == 0
        (folder / "file").touch()
    assert not folder.exists()


def test_what_a_killed_process_left_is_removed(tmp_path, monkeypatch):
    gone = subprocess.Popen(["true"])
    gone.wait()
    monkeypatch.setattr("edgesqueeze.devices.folders.SHORT", 1000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    other = tmp_path / "other"
    other.mkdir()
    abandoned, in_use, link = (
        tmp_path / f"{PREFIX}{name}" for name in (f"{gone.pid}-x", f"{os.getpid()}-x", "1-y")
    )
    abandoned.mkdir()
    (abandoned / "file").touch()
    in_use.mkdir()
    link.symlink_to(other)
    with temporary_folder():
        assert not abandoned.exists()
        assert in_use.exists()
        assert link.is_symlink()
        assert other.exists()
