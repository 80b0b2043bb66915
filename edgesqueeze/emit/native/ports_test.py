"""What the caller gives and gets, with the scale of the integers behind it."""

import numpy as np

from edgesqueeze.emit.native.ports import ports_of
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder


def ports(graph, *outputs):
    return ports_of(parse_tflite(graph.build(list(outputs))).main)


def test_int8_as_it_is():
    graph = GraphBuilder()
    x = graph.input((1, 8), "int8", 0.5, 3, name="x")
    (source,), (output,) = ports(graph, graph.fully_connected(x, 4, name="y"))
    assert (source.name, source.dtype, source.converts, source.suffix) == ("x", "int8", False, "")
    assert (source.scale, source.zero_point, source.elements, source.shape) == (0.5, 3, 8, (1, 8))
    assert (output.name, output.converts, output.elements) == ("y", False, 4)


def test_float32_has_the_scale_of_the_int8_behind_it():
    graph = GraphBuilder()
    x = graph.quantize(graph.input((1, 8), "float32"), real_range=12.7)
    y = graph.softmax(graph.fully_connected(x, 4))
    (source,), (output,) = ports(graph, graph.dequantize(y))
    assert (source.dtype, source.converts, source.zero_point) == ("float32", True, -1)
    assert source.scale == float(np.float32(0.1))
    assert (output.dtype, output.converts, output.scale, output.zero_point) == (
        "float32",
        True,
        1 / 256,
        -128,
    )


def test_uint8_has_its_own_scale():
    graph = GraphBuilder()
    x = graph.quantize(graph.input((1, 8), "uint8", 0.25, 100))
    (source,), (output,) = ports(graph, graph.quantize(graph.fully_connected(x, 4), "uint8"))
    assert (source.scale, source.zero_point, source.converts) == (0.25, 100, True)
    assert (output.dtype, output.zero_point, output.converts) == ("uint8", 127, True)


def test_the_first_of_several_conversions_counts():
    graph = GraphBuilder()
    x = graph.input((1, 8), "float32")
    one, other = graph.quantize(x, real_range=12.7), graph.quantize(x, real_range=6.35)
    (source,), _ = ports(graph, graph.add(one, other))
    assert source.scale == float(np.float32(0.1))


def test_several_are_numbered():
    graph = GraphBuilder()
    x, y = graph.input((1, 8)), graph.input((1, 8))
    sources, (output,) = ports(graph, graph.add(x, y))
    assert [(one.index, one.suffix) for one in sources] == [(0, "_0"), (1, "_1")]
    assert output.suffix == ""


def test_an_input_that_nothing_reads_has_no_scale():
    graph = GraphBuilder()
    graph.input((1, 8), "float32")
    (unread, _), _ = ports(graph, graph.softmax(graph.input((1, 4))))
    assert (unread.scale, unread.zero_point, unread.dtype) == (1.0, 0, "float32")
