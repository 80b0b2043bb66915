"""What the opener does for a process that has used TensorFlow."""

import os

import keras
import pytest

from edgesqueeze.squeeze.opening import opener


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("models")
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(made / "model.keras")
    assert not opener.can_fork()  # TensorFlow has been used
    return made


def _sift(path, shelf):
    shelf.write_bytes(b"")
    return opener.ask("sift", str(path), str(shelf), (), False)


def test_names_are_relative_to_the_current_folder_of_the_caller(folder, tmp_path, monkeypatch):
    shelf = tmp_path / "shelf"
    assert "index" in _sift(folder / "model.keras", shelf)  # an opener runs from here on
    monkeypatch.chdir(folder)
    assert "index" in _sift("model.keras", shelf)
    monkeypatch.chdir(tmp_path)
    assert _sift("model.keras", shelf)["error"] == "ModelFileError"


def test_a_current_folder_that_was_removed_is_no_obstacle(folder, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "index" in _sift(folder / "model.keras", tmp_path / "shelf")


def test_an_opener_that_ended_is_replaced(folder, tmp_path):
    shelf = tmp_path / "shelf"
    _sift(folder / "model.keras", shelf)
    opener._running[os.getpid()].kill()
    opener._running[os.getpid()].wait()
    assert "index" in _sift(folder / "model.keras", shelf)
