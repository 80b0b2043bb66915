import json

import jsonschema
import pytest
from click.testing import CliRunner

from edgesqueeze.cli.bench import bench
from edgesqueeze.cli.bench_test import SCHEMA
from edgesqueeze.cli.prediction import SHOWN_LAYERS, milliseconds
from edgesqueeze.graph.builder import GraphBuilder
from runtime_tests.support.tflite_builder import tiny_cnn


def invoke(tmp_path, *words, content=None, columns="110"):
    (tmp_path / "tiny.tflite").write_bytes(content or tiny_cnn())
    words = [str(tmp_path / "tiny.tflite"), *words]
    result = CliRunner().invoke(bench, words, env={"COLUMNS": columns}, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize(("target", "runtime"), [("rpi4", "litert"), ("nucleo-l4r5zi", "tflm")])
def test_a_person_sees_layers_bounds_and_basis(tmp_path, target, runtime):
    text = invoke(tmp_path, "--target", target, "--runtime", runtime)
    for words in (": predicted", "DEPTHWISE_CONV_2D", "8x8x1->8x8x4", "latency  ", "runtime  ", "basis    "):
        assert words in text
    assert "90% of measured latencies are expected between the bounds" in text


def test_json_is_as_its_schema(tmp_path):
    document = json.loads(invoke(tmp_path, "--target", "rpi4", "--threads", "4", "--json"))
    jsonschema.validate(document, json.loads(SCHEMA.read_text()), jsonschema.Draft202012Validator)
    assert (document["method"], document["threads"], document["target"]) == ("predicted", 4, "rpi4")


def test_a_long_model_is_summed_up(tmp_path):
    graph = GraphBuilder(seed=1)
    x = graph.input((1, 8, 8, 4))
    for _ in range(SHOWN_LAYERS + 12):
        x = graph.conv2d(x, 4)
    text = invoke(tmp_path, "--target", "rpi4", content=graph.build([x]))
    assert "12 shorter" in text
    assert text.count("CONV_2D") == SHOWN_LAYERS


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 200])
def test_a_narrow_terminal_shows_fewer_columns_and_whole_figures(tmp_path, columns):
    document = json.loads(invoke(tmp_path, "--target", "rpi4", "--json"))
    lines = invoke(tmp_path, "--target", "rpi4", columns=str(columns)).splitlines()
    for layer in document["layers"]:
        row = next(line.split() for line in lines if line.split()[:1] == [str(layer["index"])])
        assert layer["opcode"] in row
        assert milliseconds(layer["latency_ms"]["estimate"]) in row
        assert f"{layer['share']:.1%}" in row
        assert ("to" in row) == (columns >= 60)
    assert any("weights" in line for line in lines[:4]) == (columns >= 100)


def test_names_cannot_reach_the_terminal_as_commands(tmp_path):
    graph = GraphBuilder(seed=1)
    x = graph.input((1, 8))
    y = graph.like(x, (1, 8))
    graph.op("CUSTOM", [x], [y], custom_name="My[red]\x1b[31m\nOp")
    text = invoke(tmp_path, "--target", "rpi4", content=graph.build([y]))
    assert "My[red] [31m Op" in text
    assert "\x1b" not in text


def test_a_chart_is_written(tmp_path):
    text = invoke(tmp_path, "--target", "rpi4", "--plot", str(tmp_path / "chart.svg"))
    assert f"wrote {tmp_path / 'chart.svg'}" in text
    assert "tiny on rpi4" in (tmp_path / "chart.svg").read_text()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (12345.6, "12,346"),
        (123.4, "123"),
        (12.34, "12.3"),
        (0.001234, "0.00123"),
        (0.0000123, "0.00001"),
    ],
)
def test_milliseconds(value, text):
    assert milliseconds(value) == text
