"""A graph as layers: what runs when, what lies inside what, and everything that is refused."""

import numpy as np
import pytest

from edgesqueeze.emit.native.lower.graph import Lowered, lower
from edgesqueeze.emit.native.records import Placement, Refused
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder

SHAPE = (1, 4, 4, 8)


def lowered(graph, *outputs, kernel_set="reference"):
    result = lower(parse_tflite(graph.build(list(outputs))), kernel_set)
    assert isinstance(result, Lowered), result
    return result


def refusals(graph, *outputs):
    result = lower(parse_tflite(graph.build(list(outputs))), "reference")
    assert isinstance(result, Refused)
    return [str(one) for one in result.refusals]


def test_conversions_at_the_border_are_named():
    graph = GraphBuilder()
    x = graph.quantize(graph.input(SHAPE, "float32"))
    x = graph.conv2d(x, 4)
    result = lowered(graph, graph.dequantize(x), x)
    assert [layer.opcode for layer in result.layers] == ["QUANTIZE", "CONV_2D", "DEQUANTIZE"]
    assert [layer.index for layer in result.layers] == [0, 1, 2]
    assert (result.entry, result.exit) == ({0}, {2})


def test_layers_that_convert_inputs_come_first_and_those_that_convert_outputs_last():
    graph = GraphBuilder()
    first = graph.conv2d(graph.quantize(graph.input(SHAPE, "float32")), 8)
    early = graph.dequantize(first)
    second = graph.quantize(graph.input(SHAPE, "uint8"))
    result = lowered(graph, early, graph.dequantize(graph.add(first, second)))
    kinds = ["QUANTIZE", "QUANTIZE", "CONV_2D", "ADD", "DEQUANTIZE", "DEQUANTIZE"]
    assert [layer.opcode for layer in result.layers] == kinds
    assert (result.entry, result.exit) == ({0, 1}, {4, 5})


def test_what_only_changes_the_shape_is_no_layer():
    graph = GraphBuilder()
    x = graph.conv2d(graph.input(SHAPE), 4)
    flat = graph.reshape(x, (1, 64))
    result = lowered(graph, graph.fully_connected(flat, 3))
    assert [layer.opcode for layer in result.layers] == ["CONV_2D", "FULLY_CONNECTED"]
    assert result.placements == (Placement(flat, x, 0),)


def test_layers_say_what_they_are():
    graph = GraphBuilder()
    x = graph.conv2d(graph.input(SHAPE), 4, kernel=(3, 1), stride=2, name="stem")
    x = graph.average_pool(x, 2)
    x = graph.fully_connected(graph.reshape(x, (1, 4)), 3)
    stem, pool, dense = lowered(graph, x).layers
    assert (stem.name, stem.summary, stem.macs) == ("stem", "3x1: 4x4x8->2x2x4", 2 * 2 * 4 * 3 * 8)
    assert (pool.summary, pool.macs) == ("2x2: 2x2x4->1x1x4", 0)
    assert (dense.summary, dense.macs) == ("4->3", 12)


def test_equal_shapes_are_said_once():
    graph = GraphBuilder()
    x = graph.input(SHAPE)
    (layer,) = lowered(graph, graph.add(x, graph.input(SHAPE))).layers
    assert layer.summary == "4x4x8"


def test_parts_of_a_concatenation_lie_in_the_whole():
    graph = GraphBuilder()
    parts = [graph.conv2d(graph.input(SHAPE), 8) for _ in range(2)]
    whole = graph.like(parts[0], (1, 8, 4, 8))
    graph.op("CONCATENATION", parts, [whole], axis=1, fusedActivationFunction="NONE")
    for part in parts:
        graph.tensors[part].quantization = graph.tensors[whole].quantization
    result = lowered(graph, whole)
    assert result.placements == (Placement(parts[0], whole, 0), Placement(parts[1], whole, 128))
    assert [layer.opcode for layer in result.layers] == ["CONV_2D", "CONV_2D"]


def test_a_tensor_lies_in_one_whole_only():
    """Joined twice, the first time in place; the second time it is copied."""
    graph = GraphBuilder()
    x, y, z = (graph.conv2d(graph.input(SHAPE), 8) for _ in range(3))
    first, second = (graph.like(x, (1, 8, 4, 8)) for _ in range(2))
    for part in (y, z):
        graph.tensors[part].quantization = graph.tensors[x].quantization
    graph.op("CONCATENATION", [x, y], [first], axis=1, fusedActivationFunction="NONE")
    graph.op("CONCATENATION", [y, z], [second], axis=1, fusedActivationFunction="NONE")
    result = lowered(graph, first, second)
    assert [(one.tensor, one.whole) for one in result.placements] == [(x, first), (y, first)]
    copies = result.layers[-1]
    assert [call.function for call in copies.calls] == ["es_copy_s8", "es_copy_s8"]


def test_refusals_come_all_at_once_with_their_operators():
    graph = GraphBuilder()
    y = graph.tensor(SHAPE, "int8", 0.1, 0)
    graph.op("COS", [graph.input(SHAPE)], [y])
    z = graph.dequantize(y)
    places = graph.tensor(SHAPE[:3], "int64")
    graph.op("ARG_MAX", [y, graph.constant(np.array([3], np.int32))], [places], outputType=4)
    again = graph.tensor(SHAPE[:3], "int32")
    graph.op("COS", [places], [again])
    both = graph.quantize(graph.fully_connected(z, 3))
    assert refusals(graph, graph.conv2d(both, 3), again) == [
        "COS (operator 0): native C does not have it",
        f"ARG_MAX (operator 2): t{places} is int64, expected int32 (output_type=tf.int32)",
        "COS (operator 3): native C does not have it",
        f"FULLY_CONNECTED (operator 4): t{z} is float32, expected int8",
    ]


@pytest.mark.parametrize(
    ("scale", "zero_point", "words"),
    [
        (1e-30, 0, "a scale that is no number from 1e-30 to 1e+30"),
        (1e30, 0, "a scale that is no number from 1e-30 to 1e+30"),
        (float("nan"), 0, "a scale that is no number from 1e-30 to 1e+30"),
        (0.1, 128, "a zero point outside of int8, expected -128 to 127"),
        (0.1, -129, "a zero point outside of int8, expected -128 to 127"),
    ],
)
def test_scales_and_zero_points_that_no_kernel_could_use(scale, zero_point, words):
    graph = GraphBuilder()
    x = graph.input(SHAPE, "int8", scale, zero_point, name="x")
    y = graph.tensor(SHAPE, "int8", 0.1, 0)
    graph.op("ADD", [x, x], [y], fusedActivationFunction="NONE", potScaleInt16=False)
    assert refusals(graph, y) == [f"ADD (operator 0): tensor 'x' has {words}"]


@pytest.mark.parametrize("zero_point", [127, -128])
def test_zero_points_at_the_ends_are_fine(zero_point):
    graph = GraphBuilder()
    x = graph.input(SHAPE, "int8", 0.1, zero_point)
    assert len(lowered(graph, graph.conv2d(x, 2)).layers) == 1


def test_tensors_without_elements_are_refused():
    graph = GraphBuilder()
    x = graph.input((1, 0), name="x")
    y = graph.tensor((1, 0), "int8", 0.1, 0)
    graph.op("ABS", [x], [y])
    assert refusals(graph, y) == [
        "ABS (operator 0): tensor 'x' has the shape [1, 0], expected 1 to 2,147,483,647 elements"
    ]


def test_tensors_beyond_int32_are_refused():
    graph = GraphBuilder()
    x = graph.input((1, 1 << 16, 1 << 15), name="x")
    y = graph.tensor((1, 1 << 16, 1 << 15), "int8", 0.1, 0)
    graph.op("ABS", [x], [y])
    assert refusals(graph, y) == [
        "ABS (operator 0): tensor 'x' has the shape [1, 65536, 32768], expected 1 to 2,147,483,647 elements"
    ]


def test_an_operator_that_contradicts_itself_is_refused():
    graph = GraphBuilder()
    x = graph.input(SHAPE)
    y = graph.tensor(SHAPE, "int8", 0.1, 0)
    graph.op("ADD", [x], [y])
    (text,) = refusals(graph, y)
    assert text.startswith("ADD (operator 0): its shapes, options and constants do not agree (")


def test_a_constant_that_a_kernel_would_look_for_in_the_arena_is_refused():
    graph = GraphBuilder()
    x = graph.tensor((1, 8), "int8", 0.02, 0, data=np.arange(8, dtype=np.int8).reshape(1, 8))
    y = graph.softmax(graph.input((1, 8)))
    z = graph.tensor((1, 8), "int8", 0.02, 0)
    graph.op("RELU", [x], [z])
    assert refusals(graph, graph.add(y, z)) == [
        "RELU (operator 1): the input is a constant, expected one that is computed"
    ]
