import json

import pytest
from click.testing import CliRunner

from edgesqueeze.cli.emit import emit
from edgesqueeze.emit.arena import Arena
from edgesqueeze.errors import EdgeSqueezeError, FitError, OutputError, TfliteError, UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.metadata import Metadata, PortMetadata
from edgesqueeze.graph.metadata_write import with_metadata
from edgesqueeze.runners import firmware_sources
from edgesqueeze.target.load import list_targets
from runtime_tests.support.packed_layers import small_images
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_compiled, tiny_dense

ARENA = Arena(
    bytes=2960, measured_bytes=2448, scratch_bytes=256, margin_bytes=256, measured_on="here", method="so"
)


@pytest.fixture
def cores(monkeypatch):
    """A fixed arena; the cores that it was asked for."""
    asked = []
    monkeypatch.setattr(firmware_sources, "find_arena", lambda model, core: asked.append(core) or ARENA)
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
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["edgesqueeze.sha256", "my_model.cc", "my_model.h"]
    assert "its name in C is my_model" in result.output
    assert "arena: 2960 bytes" in result.output
    assert cores == [target.cpu.core]


@pytest.mark.parametrize("output_format", ["tflm", "c"])
def test_the_scale_of_raw_data_goes_into_a_header(tmp_path, cores, output_format):
    (tmp_path / "a.tflite").write_bytes(tiny_cnn())
    (tmp_path / "recipe.toml").write_text("[data]\nscale = 0.25\noffset = 3.0\n")
    target = microcontroller()
    arguments = (tmp_path / "a.tflite", "--target", target.name, "--format", output_format, "--name", "door")
    plain = invoke(*arguments, "--out", tmp_path / "plain")
    scaled = invoke(*arguments, "--out", tmp_path / "scaled", "--scaling", tmp_path / "recipe.toml")
    assert (plain.exit_code, scaled.exit_code) == (0, 0), scaled.output
    new = {path.name for path in (tmp_path / "scaled").iterdir()}
    assert new - {path.name for path in (tmp_path / "plain").iterdir()} == {"door_scaling.h"}
    for path in (tmp_path / "plain").glob("door*"):
        assert path.read_bytes() == (tmp_path / "scaled" / path.name).read_bytes()
    text = (tmp_path / "scaled" / "door_scaling.h").read_text()
    assert "0.25f" in text and "3.0f" in text


def test_the_scale_of_raw_data_comes_from_the_models_own_metadata(tmp_path, cores):
    said = PortMetadata(mean=(8.0,), std=(4.0,))
    told = with_metadata(parse_tflite(tiny_cnn()), Metadata(inputs=(said,), outputs=(PortMetadata(),)))
    arguments = ("--target", microcontroller().name, "--format", "tflm", "--name", "door")
    (tmp_path / "a.tflite").write_bytes(told.content)
    assert invoke(tmp_path / "a.tflite", *arguments, "--out", tmp_path / "out").exit_code == 0
    text = (tmp_path / "out" / "door_scaling.h").read_text()
    assert "0.25f" in text and "-2.0f" in text
    (tmp_path / "b.tflite").write_bytes(told.content.replace(b"M001", b"M002"))
    result = invoke(tmp_path / "b.tflite", *arguments, "--out", tmp_path / "other")
    assert result.exit_code == 0
    assert "are damaged" in result.stderr
    assert not (tmp_path / "other" / "door_scaling.h").exists()


def test_a_scaling_of_another_model_is_refused(tmp_path, cores):
    (tmp_path / "a.tflite").write_bytes(tiny_cnn())
    (tmp_path / "recipe.toml").write_text("[data]\nscale = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]\n")
    result = invoke(
        tmp_path / "a.tflite",
        *("--target", microcontroller().name, "--format", "tflm", "--out", tmp_path / "out"),
        *("--scaling", tmp_path / "recipe.toml"),
    )
    assert isinstance(result.exception, UsageError)
    assert "does not fit the input" in str(result.exception)
    assert not (tmp_path / "out").exists()


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
    names = ("door_model.h", "door_model.cc", "edgesqueeze.sha256")
    assert document["files"] == [str(tmp_path / name) for name in names]
    assert document["arena"]["bytes"] == 2960
    assert "AddConv2D" in document["operators"]


@pytest.mark.parametrize("output_format", ["tflm", "c"])
def test_a_file_that_was_changed_is_not_replaced(tmp_path, cores, output_format):
    (tmp_path / "a.tflite").write_bytes(tiny_cnn())
    options = ("--target", microcontroller().name, "--format", output_format, "--out", tmp_path / "out")
    assert invoke(tmp_path / "a.tflite", *options).exit_code == 0
    assert invoke(tmp_path / "a.tflite", *options).exit_code == 0
    header = next((tmp_path / "out").glob("*.h"))
    header.write_text(header.read_text() + "// mine\n")
    result = invoke(tmp_path / "a.tflite", *options)
    assert isinstance(result.exception, OutputError)
    assert header.read_text().endswith("// mine\n")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (["--format", "c", "--name", "while"], UsageError, "cannot be a name in C"),
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


def test_native_c_for_a_microcontroller(tmp_path):
    (tmp_path / "My Model.tflite").write_bytes(tiny_cnn())
    out = tmp_path / "out"
    result = invoke(tmp_path / "My Model.tflite", "--target", "nucleo-l4r5zi", "--format", "c", "--out", out)
    assert result.exit_code == 0, result.output
    assert (out / "my_model.c").is_file()
    assert (out / "kernels" / "es_conv2d_s8.c").is_file()
    assert "-mcpu=cortex-m4" in (out / "Makefile").read_text()
    assert "kernels for the DSP extension: " in result.output


def test_native_c_for_a_computer_is_portable(tmp_path):
    (tmp_path / "a.tflite").write_bytes(tiny_cnn())
    result = invoke(
        tmp_path / "a.tflite", "--target", "rpi4", "--format", "c", "--out", tmp_path / "out", "--json"
    )
    document = json.loads(result.output)
    assert document["native"]["kernel_set"] == "reference"
    assert "arm-none-eabi" not in (tmp_path / "out" / "Makefile").read_text()


def test_native_c_that_does_not_fit_is_not_written(tmp_path):
    graph = GraphBuilder()
    x = graph.conv2d(graph.input((1, 200, 200, 1)), 16)
    (tmp_path / "a.tflite").write_bytes(graph.build([x]))
    out = tmp_path / "out"
    result = invoke(tmp_path / "a.tflite", "--target", "nucleo-l4r5zi", "--format", "c", "--out", out)
    assert isinstance(result.exception, FitError)
    assert "RAM" in str(result.exception)
    assert not out.exists()


def test_what_native_c_refuses_is_a_failed_fit(tmp_path):
    (tmp_path / "real.tflite").write_bytes(tiny_dense(dtype="float32"))
    out = tmp_path / "out"
    result = invoke(tmp_path / "real.tflite", "--target", "nucleo-l4r5zi", "--format", "c", "--out", out)
    assert isinstance(result.exception, FitError)
    assert result.exception.exit_code == 1
    assert "operator FULLY_CONNECTED: operator 0: input_0 is float32, expected int8" in str(result.exception)
    assert not out.exists()


def unknown_operator():
    graph = GraphBuilder()
    x, y = graph.input((1, 2)), graph.tensor((1, 2), "int8", 0.1, 0)
    graph.op("CUSTOM", [x], [y], custom_name="Unheard")
    return graph.build([y])


@pytest.mark.parametrize(
    ("content", "output_format", "said"),
    [
        (unknown_operator(), "tflm", "Unheard"),
        (unknown_operator(), "c", "Unheard"),
        (tiny_compiled("edgetpu-custom-op"), "tflm", "was compiled for a Google Edge TPU"),
        (tiny_compiled("edgetpu-custom-op"), "c", "was compiled for a Google Edge TPU"),
        (tiny_compiled("ethos-u"), "c", "was compiled for an Arm Ethos-U"),
    ],
)
def test_a_model_that_is_not_taken_is_the_same_failure_everywhere(tmp_path, content, output_format, said):
    (tmp_path / "a.tflite").write_bytes(content)
    out = tmp_path / "out"
    result = invoke(
        tmp_path / "a.tflite", "--target", "corstone-300", "--format", output_format, "--out", out
    )
    assert result.exception.exit_code == 1
    assert said in str(result.exception)
    assert not out.exists()


def test_layers_whose_weights_are_packed_are_listed(tmp_path):
    (tmp_path / "a.tflite").write_bytes(small_images())
    options = ("--target", "nucleo-l4r5zi", "--format", "c", "--optimize", "size", "--out", tmp_path / "out")
    text = invoke(tmp_path / "a.tflite", *options).output
    assert "weights packed in flash, layer by layer:" in text
    assert "CONV_2D 1x1: 2x2x64: palette, 4,096 -> 2,064 bytes, " in text
    document = json.loads(invoke(tmp_path / "a.tflite", *options, "--json").output)
    layers = {layer["index"]: layer["packing"] for layer in document["native"]["layers"]}
    assert (layers[2]["encoding"], layers[2]["plain_bytes"], layers[2]["bytes"]) == ("palette", 4096, 2064)
    assert "es_unpack_palette_pairs_s8" in document["native"]["kernels"]


def test_layers_that_run_by_turns_are_listed(tmp_path):
    graph = GraphBuilder(name="pooled")
    x = graph.conv2d(graph.input((1, 20, 20, 4)), 16, 3, padding="VALID")
    (tmp_path / "a.tflite").write_bytes(graph.build([graph.max_pool(x, 2)]))
    options = ("--target", "nucleo-l4r5zi", "--format", "c", "--out", tmp_path / "out")
    text = invoke(tmp_path / "a.tflite", *options, "--optimize", "ram").output
    assert "layers that run by turns: 0 to 1 (" in text
    documents = [
        json.loads(invoke(tmp_path / "a.tflite", *options, "--optimize", way, "--json").output)
        for way in ("balance", "ram")
    ]
    assert documents[0]["native"]["chains"] == []
    (chain,) = documents[1]["native"]["chains"]
    assert (chain["first"], chain["last"]) == (0, 1)
    assert documents[1]["arena_bytes"] < documents[0]["arena_bytes"] / 2


def test_optimize_is_for_native_c(tmp_path, cores):
    (tmp_path / "a.tflite").write_bytes(tiny_cnn())
    options = ("--target", microcontroller().name, "--format", "tflm", "--optimize", "size")
    result = invoke(tmp_path / "a.tflite", *options, "--out", tmp_path / "out")
    assert isinstance(result.exception, UsageError)
    assert not (tmp_path / "out").exists()
