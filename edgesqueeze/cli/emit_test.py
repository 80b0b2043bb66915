import json

import pytest
from click.testing import CliRunner

from edgesqueeze.cli.emit import emit
from edgesqueeze.emit import tflm
from edgesqueeze.emit.arena import Arena
from edgesqueeze.errors import EdgeSqueezeError, TfliteError, UsageError
from edgesqueeze.target import list_targets
from edgesqueeze.testing.tflite_builder import tiny_cnn

ARENA = Arena(
    bytes=2960, measured_bytes=2448, scratch_bytes=256, margin_bytes=256, measured_on="here", method="so"
)


@pytest.fixture
def cores(monkeypatch):
    """A fixed arena; the cores that it was asked for."""
    asked = []
    monkeypatch.setattr(tflm, "find_arena", lambda model, core: asked.append(core) or ARENA)
    return asked


def microcontroller():
    return next(target for target in list_targets() if target.device_class == "mcu")


def invoke(*arguments):
    return CliRunner().invoke(emit, [str(argument) for argument in arguments], catch_exceptions=True)


def test_writes_the_sources_and_says_how_the_model_is_called(tmp_path, cores):
    (tmp_path / "My Model.tflite").write_bytes(tiny_cnn())
    target = microcontroller()
    result = invoke(
        tmp_path / "My Model.tflite", "--target", target.name, "--format", "tflm", "--out", tmp_path / "out"
    )
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["my_model.cc", "my_model.h"]
    assert "its name in C is my_model" in result.output
    assert "arena: 2960 bytes" in result.output
    assert cores == [target.cpu.core]


def test_json_holds_everything(tmp_path, cores):
    (tmp_path / "a.tflite").write_bytes(tiny_cnn())
    target = microcontroller()
    result = invoke(
        tmp_path / "a.tflite",
        *("--target", target.name, "--format", "tflm", "--out", tmp_path, "--name", "door", "--json"),
    )
    document = json.loads(result.output)
    assert document["schema_version"] == 1
    assert document["name"] == "door"
    assert document["files"] == [str(tmp_path / "door_model.h"), str(tmp_path / "door_model.cc")]
    assert document["arena"]["bytes"] == 2960
    assert "AddConv2D" in document["operators"]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (["--format", "c"], UsageError, "not available in this version"),
        (["--format", "tflm", "--name", "9"], UsageError, "cannot be a name in C"),
    ],
)
def test_wrong_use_writes_nothing(tmp_path, cores, arguments, error, words):
    (tmp_path / "a.tflite").write_bytes(tiny_cnn())
    out = tmp_path / "out"
    result = invoke(tmp_path / "a.tflite", "--target", microcontroller().name, "--out", out, *arguments)
    assert isinstance(result.exception, error)
    assert words in str(result.exception)
    assert not out.exists()


def test_a_file_that_is_no_model_is_refused(tmp_path, cores):
    (tmp_path / "a.tflite").write_bytes(b"PK\x03\x04 not a model at all")
    result = invoke(
        tmp_path / "a.tflite", "--target", microcontroller().name, "--format", "tflm", "--out", tmp_path
    )
    assert isinstance(result.exception, TfliteError)


def test_a_target_that_is_not_a_microcontroller_is_refused(tmp_path, cores):
    (tmp_path / "a.tflite").write_bytes(tiny_cnn())
    board = next((target for target in list_targets() if target.device_class != "mcu"), None)
    if board is None:
        pytest.skip("no such target is shipped")
    result = invoke(
        tmp_path / "a.tflite", "--target", board.name, "--format", "tflm", "--out", tmp_path / "out"
    )
    assert isinstance(result.exception, EdgeSqueezeError)
    assert "not a microcontroller" in str(result.exception)
