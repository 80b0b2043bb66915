"""Names in a model that want to be more than names: on a terminal, in C, C++, Make, CMake and SVG."""

import json
import subprocess
import xml.etree.ElementTree as ET

import pytest
from click.testing import CliRunner

from edgesqueeze.cli.inspect import command as inspect
from edgesqueeze.emit.arena import Arena
from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.tflm import emit_tflm
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.latency.predict import predict
from edgesqueeze.report.chart import chart
from runtime_tests.support.tools import require_tool

NAMES = {
    "escape": "\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "c1": "\x9b31m\x90\x85",
    "bidi": "\u202egpj.exe\u2066\u2069\u200f",
    "lines": "a\nok: it fits\r\n\u2028b",
    "comment": "*/ #error out /*",
    "line comment": "x\\\n#error out",
    "backslash": "ends with \\",
    "trigraph": "??/\n#error ??/",
    "quote": '"; #error "\\"',
    "markup": "</text><script>alert(1)</script>]]><!--",
    "entity": "&lt;&bogus;&#0;",
    "make": "$(shell false) $(error x) #",
    "cmake": "${ENV} ]] ) message(FATAL_ERROR x)",
    "format": "%s%n{0}{{ x }}{% x %}",
    "rich": "[red]x[/] [[bold]",
    "not text": "\udcff\udc80",
    "long": "x" * 5000,
}
ARENA = Arena(
    bytes=2960, measured_bytes=2448, scratch_bytes=256, margin_bytes=256, measured_on="x", method="y"
)


def hostile(name):
    """A model whose input, layers and file are called so."""
    graph = GraphBuilder()
    x = graph.conv2d(graph.input((1, 6, 6, 1)), 2, name=name.encode("utf-8", "replace").decode())
    y = graph.softmax(
        graph.reshape(graph.mean(x, name=_safe(name)), (1, 2), name=_safe(name)), name=_safe(name)
    )
    return graph.build([y])


def _safe(name):
    return name.encode("utf-8", "replace").decode()


def plain_lines(text):
    return all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("what", NAMES)
def test_a_terminal_gets_text_and_nothing_else(tmp_path, what):
    path = tmp_path / "model.tflite"
    path.write_bytes(hostile(NAMES[what]))
    shown = CliRunner().invoke(inspect, [str(path)])
    assert shown.exit_code == 0, shown.exception
    assert plain_lines(shown.output)
    assert not any(line.startswith("ok: it fits") for line in shown.output.split("\n"))
    as_json = CliRunner().invoke(inspect, [str(path), "--json"])
    assert plain_lines(as_json.output)
    assert json.loads(as_json.output)["schema_version"]


@pytest.mark.parametrize("what", NAMES)
def test_generated_c_is_well_formed(tmp_path, what):
    gcc = require_tool("gcc", "gcc")
    source = emit_native(parse_tflite(hostile(NAMES[what]), name=NAMES[what]))
    for name, text in source.files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    flags = ["-std=c99", "-Wall", "-Wextra", "-Wcomment", "-Wtrigraphs", "-Werror", "-fsyntax-only"]
    files = [name for name in source.files if name.endswith(".c") and "/" not in name]
    subprocess.run([gcc, *flags, "-I.", "-Ikernels", *files], cwd=tmp_path, check=True)
    subprocess.run([require_tool("make", "make"), "-n"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    cmake = require_tool("cmake", "cmake")
    subprocess.run([cmake, "-S", ".", "-B", "build"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("what", NAMES)
def test_generated_cpp_is_well_formed(tmp_path, what):
    gxx = require_tool("g++", "g++")
    source = emit_tflm(parse_tflite(hostile(NAMES[what]), name=NAMES[what]), ARENA)
    for name, text in source.files.items():
        (tmp_path / name).write_text(text)
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Wcomment", "-Werror", "-fsyntax-only"]
    files = [name for name in source.files if name.endswith(".cc")]
    subprocess.run([gxx, *flags, "-I.", *files], cwd=tmp_path, check=True)


@pytest.mark.parametrize("what", NAMES)
def test_a_chart_is_well_formed(what):
    model = parse_tflite(hostile(NAMES[what]), name=NAMES[what])
    root = ET.fromstring(chart(predict(model, "rpi4")))
    assert not [element for element in root.iter() if element.tag.endswith("script")]
