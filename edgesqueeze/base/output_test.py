import errno
import os
from pathlib import Path

import pytest

from edgesqueeze.base.output import staged, write_files
from edgesqueeze.errors import OutputError


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_bytes_text_and_copies_are_written(tmp_path):
    source = tmp_path / "source.bin"
    source.write_bytes(b"\x00\xff")
    out = tmp_path / "a" / "b"

    write_files(out, {"one.bin": b"1", "two.txt": "zwei: ü\r\n", "deep/three.bin": source})

    assert tree(out) == {"one.bin": b"1", "two.txt": "zwei: ü\r\n".encode(), "deep/three.bin": b"\x00\xff"}
    assert source.exists()


def test_files_are_replaced_and_others_stay(tmp_path):
    (tmp_path / "model.tflite").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    write_files(tmp_path, {"model.tflite": "new"})
    assert tree(tmp_path) == {"model.tflite": b"new", "notes.txt": b"mine"}


def test_files_are_as_readable_as_any_other(tmp_path):
    (tmp_path / "plain").write_text("")
    write_files(tmp_path, {"ours": ""})
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("failure", [ValueError("no"), KeyboardInterrupt(), SystemExit(1)])
def test_an_interrupted_run_leaves_everything_as_it_was(tmp_path, failure):
    (tmp_path / "model.tflite").write_text("old")
    with pytest.raises(type(failure)), staged(tmp_path) as stage:
        (stage / "model.tflite").write_text("half of the n")
        raise failure
    assert tree(tmp_path) == {"model.tflite": b"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["model.tflite"]


def test_a_folder_made_for_a_failed_run_goes_again(tmp_path):
    with pytest.raises(KeyboardInterrupt), staged(tmp_path / "a" / "b") as stage:
        (stage / "x").write_text("x")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failure", [OSError(errno.EIO, "I/O error"), KeyboardInterrupt()])
def test_a_rename_that_fails_midway_takes_the_others_back(tmp_path, monkeypatch, failure):
    for name in ("a", "c"):
        (tmp_path / name).write_text(f"old {name}")
    replace = Path.replace

    def failing(self, target):
        if Path(target).name == "c" and "new" in self.read_text():
            raise failure
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    expected = OutputError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_files(tmp_path, {"a": "new a", "b/new": "new b", "c": "new c"})
    assert tree(tmp_path) == {"a": b"old a", "c": b"old c"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c"]


@pytest.mark.parametrize("below", ["file", "file/deeper"])
def test_a_file_in_place_of_the_folder_is_an_output_error(tmp_path, below):
    (tmp_path / "file").write_text("I am a file")
    with pytest.raises(OutputError, match="cannot write to"):
        write_files(tmp_path / below, {"x": "x"})
    assert tree(tmp_path) == {"file": b"I am a file"}


def test_a_folder_that_cannot_be_made_is_an_output_error():
    with pytest.raises(OutputError, match="/proc/edgesqueeze"):
        write_files(Path("/proc/edgesqueeze"), {"x": "x"})


def test_a_folder_in_place_of_a_file_is_an_output_error_and_nothing_is_written(tmp_path):
    (tmp_path / "b").mkdir()
    with pytest.raises(OutputError, match="a folder is in the way"):
        write_files(tmp_path, {"a": "a", "b": "b"})
    assert tree(tmp_path) == {}


def test_a_full_disk_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="No space left"), staged(tmp_path) as stage:
        (stage / "x").write_text("x")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []


def test_errors_that_are_not_about_the_output_pass(tmp_path):
    with pytest.raises(FileNotFoundError), staged(tmp_path):
        (tmp_path / "absent.tflite").read_bytes()
    with pytest.raises(ConnectionResetError), staged(tmp_path):
        raise ConnectionResetError(errno.ECONNRESET, "reset")


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", ""])
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path, name):
    with pytest.raises(OutputError):
        write_files(tmp_path / "out", {name: "x"})
    assert not (tmp_path / "out").exists()


def test_a_symbolic_link_is_replaced_and_its_target_stays(tmp_path):
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / "model").symlink_to("elsewhere")
    write_files(tmp_path, {"model": "new"})
    assert tree(tmp_path) == {"elsewhere": b"precious", "model": b"new"}
    assert not (tmp_path / "model").is_symlink()
