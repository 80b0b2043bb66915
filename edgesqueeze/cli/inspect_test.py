import json

import pytest
from click.testing import CliRunner

from edgesqueeze.cli.inspect import command
from edgesqueeze.errors import TargetError, TfliteError, UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.metadata import Metadata, PortMetadata
from edgesqueeze.graph.metadata_write import with_metadata
from edgesqueeze.runners import memory as target_fit
from edgesqueeze.target.load import list_targets
from runtime_tests.support.native_board import write_native_board
from runtime_tests.support.tflite_builder import (
    tiny_cnn,
    tiny_dense,
    tiny_open,
    tiny_residual,
    tiny_two_heads,
)

MCU = next(target.name for target in list_targets() if target.runtime.name == "tflm")


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_cnn())
    return path


def invoke(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.mark.parametrize("columns", ["80", "120"])
@pytest.mark.parametrize("content", [tiny_cnn(), tiny_residual(), tiny_two_heads(), tiny_cnn(io="float32")])
def test_tables_fit_the_terminal(monkeypatch, model, columns, content):
    model.write_bytes(content)
    monkeypatch.setenv("COLUMNS", columns)
    result = invoke(model)
    assert result.exit_code == 0, result.exception
    rows = [line for line in result.stdout.splitlines() if not line.startswith(("note", "warning", "bytes:"))]
    assert max(len(line) for line in rows) <= int(columns)
    assert "FULLY_CONNECTED" in result.stdout
    assert ("DEPTHWISE_CONV_2D" in result.stdout) is (b"cnn" in content)
    assert ("4x8 int8" in result.stdout or "weights  " in result.stdout) or columns == "80"


def test_figures_are_in_the_summary(model):
    result = invoke(model)
    assert f"{len(tiny_cnn()):,} bytes" in result.stdout
    assert "full int8" in result.stdout
    assert "3,424 MACs in 7 operators" in result.stdout


def test_names_are_not_markup(tmp_path):
    graph = GraphBuilder(name="[red]x[/red]")
    path = tmp_path / "[bold].tflite"
    path.write_bytes(graph.build([graph.fully_connected(graph.input((1, 4), name="[blue]in"), 2)]))
    output = invoke(path).stdout
    assert "[bold] ([red]x[/red])" in output
    assert "[blue]in" in output


def test_json(model):
    document = json.loads(invoke(model, "--json").stdout)
    assert document["schema_version"] == 1
    assert document["totals"]["macs"] == 3424
    assert document["fit"] is None
    keys = {
        "name",
        "shape",
        "dtype",
        "bytes",
        "sparsity",
        "distinct_values",
        "distinct_values_per_channel_max",
    }
    assert all(keys <= set(one) for one in document["weights"])


@pytest.mark.parametrize(("arena", "status"), [(1000, 0), (1 << 40, 1), (None, 0)])
def test_a_target_decides_the_exit_status(monkeypatch, model, arena, status):
    monkeypatch.setattr(target_fit, "_arena", lambda *_: (arena, "as the test says"))
    result = invoke(model, "--target", MCU)
    assert result.exit_code == status
    unknown = "nothing speaks against it, but not all was checked: RAM"
    said = "does not fit" if status else "fits" if arena else unknown
    assert f"on {MCU} with tflm: {said}\n" in result.stdout
    assert "as the test says" in result.stdout
    result = invoke(model, "--target", MCU, "--json")
    assert result.exit_code == status
    assert json.loads(result.stdout)["fit"]["ok"] is (status == 0)


def test_what_native_c_refuses_does_not_fit(tmp_path):
    (tmp_path / "real.tflite").write_bytes(tiny_dense(dtype="float32"))
    result = invoke(tmp_path / "real.tflite", "--target", write_native_board(tmp_path))
    assert result.exit_code == 1
    assert "with c: does not fit" in result.stdout
    words = "missing: FULLY_CONNECTED: operator 0: input_0 is float32, expected int8 (1 more of this kind)"
    assert words in result.stdout


def test_wrong_input(model, tmp_path):
    assert isinstance(invoke(tmp_path / "none.tflite").exception, TfliteError)
    assert isinstance(invoke(model, "--target", "no-such-board").exception, TargetError)


def test_an_open_shape_is_chosen(tmp_path):
    path = tmp_path / "open.tflite"
    path.write_bytes(tiny_open())
    done = invoke(path, "--input-shape", "1,32,32,3", "--json")
    document = json.loads(done.stdout)
    assert document["inputs"][0]["shape"] == [1, 32, 32, 3]
    assert document["totals"]["macs"] == 9 * 3 * 4 * 16 * 16 + 4 * 3
    assert "open-dimension" in invoke(path, "--json").stdout
    assert isinstance(invoke(path, "--input-shape", "1,32,32").exception, UsageError)


def test_equal_operators_that_follow_each_other_are_shown_once(tmp_path):
    graph = GraphBuilder()
    x = graph.conv2d(graph.input((1, 4, 4, 2)), 2)
    for _ in range(10):
        x = graph.unary("ABS", graph.unary("LOGISTIC", x))
    path = tmp_path / "deep.tflite"
    path.write_bytes(graph.build([x]))
    said = " ".join(invoke(path).stdout.split())  # the table may be narrow
    assert (said.count("ABS"), said.count("LOGISTIC")) == (1, 1)
    assert "the 2 above 9 times more, to 20" in said
    assert "in 21 operators" in said


def test_what_the_file_says_to_an_app(tmp_path):
    said = Metadata(
        name="door[bold]",
        inputs=(PortMetadata(name="x", mean=(8.0,), std=(4.0,)),),
        outputs=(PortMetadata(name="who", labels=tuple("abcd")),),
    )
    content = with_metadata(parse_tflite(tiny_cnn()), said).content
    (tmp_path / "a.tflite").write_bytes(content)
    output = invoke(tmp_path / "a.tflite").output
    assert "metadata      door[bold]" in output
    assert "input x: (raw - mean) / std with mean 8, std 4" in output
    assert "output who: 4 labels: a, b, c, d" in output
    (tmp_path / "b.tflite").write_bytes(content.replace(b"M001", b"M002"))
    damaged = invoke(tmp_path / "b.tflite")
    assert damaged.exit_code == 0
    assert "warning: b: the metadata of b are damaged" in damaged.output
