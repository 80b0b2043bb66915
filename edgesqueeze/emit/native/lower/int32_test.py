"""int32 arithmetic: equal to TensorFlow Lite Micro, or LiteRT where it has none, on every core."""

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower.graph import lower
from edgesqueeze.emit.native.records import Refused
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, litert, qemu, tflm
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.random_layers import extreme_inputs
from runtime_tests.support.tools import require_tool

FUSING = ("ADD", "SUB", "MUL", "DIV")
REACH = 30_000
"""Whose products fit into 32 bits."""


def pair(graph, opcode, shapes, activation="NONE", constant=None):
    x = graph.input(shapes[0], "int32")
    y = graph.input(shapes[1], "int32") if constant is None else graph.constant(np.array(constant, np.int32))
    return joined(graph, opcode, x, y, activation)


def joined(graph, opcode, x, y, activation="NONE"):
    z = graph.tensor(np.broadcast_shapes(graph.shapes[x], graph.shapes[y]), "int32")
    options = {"fusedActivationFunction": activation} if opcode in FUSING else {}
    options |= {"potScaleInt16": False} if opcode in ("ADD", "SUB") else {}
    graph.op(opcode, [x, y], [z], **options)
    return z


def of_tflm(graph):
    return [
        pair(graph, "ADD", ((1, 9), (1, 9))),
        pair(graph, "ADD", ((2, 3, 4), (4,)), constant=[1, -2, 3, -4]),
        pair(graph, "SUB", ((1, 7), (1, 7)), "RELU"),
        pair(graph, "SUB", ((2, 3), (3,)), constant=[5, 0, -5]),
        pair(graph, "MUL", ((1, 9), (1, 9))),
        pair(graph, "MUL", ((2, 1, 4), (3, 1)), "RELU6"),
        pair(graph, "DIV", ((1, 9), ()), constant=-7),
        pair(graph, "DIV", ((3, 4), (4,)), constant=[3, -5, 1, -1]),
        pair(graph, "MAXIMUM", ((1, 9), (1, 9))),
        pair(graph, "MAXIMUM", ((3, 4), ()), constant=11),
        pair(graph, "MINIMUM", ((3, 1, 2), (1, 4, 1))),
    ]


def of_litert(graph):
    return [
        pair(graph, "FLOOR_DIV", ((3, 4), (4,)), constant=[3, -5, 1, -1]),
        pair(graph, "FLOOR_MOD", ((3, 4), (4,)), constant=[3, -5, 1, -1]),
    ]


def keypoint(graph):
    """Row and column of the highest value of a map, as a network for key points computes them."""
    x = graph.conv2d(graph.input((1, 6, 8, 2)), 3)
    flat = graph.reshape(x, (1, 48, 3))
    place = graph.tensor((1, 3), "int32")
    graph.op("ARG_MAX", [flat, graph.constant(np.array(1, np.int32))], [place], outputType=2)
    width = graph.constant(np.array(8, np.int32))
    return [joined(graph, "FLOOR_DIV", place, width), joined(graph, "FLOOR_MOD", place, width)]


def model_of(layers):
    graph = GraphBuilder(1)
    return parse_tflite(graph.build(layers(graph)))


def whole_numbers(model, seed=0):
    rng = np.random.default_rng(seed)
    shapes = [tensor.shape for tensor in model.main.input_tensors]
    return [
        [rng.integers(-reach, reach, shape, np.int32, endpoint=True) for shape in shapes]
        for reach in (REACH, 9, 1)
    ]


def equal(got, expected):
    for row, other in zip(got, expected, strict=True):
        for place, (one, wanted) in enumerate(zip(row, other, strict=True)):
            np.testing.assert_array_equal(one, wanted, err_msg=str(place))


@pytest.mark.parametrize(("layers", "oracle"), [(of_tflm, tflm.run), (of_litert, litert.run_reference)])
def test_results_are_those_of_the_runtime_under_sanitizers(layers, oracle):
    model = model_of(layers)
    samples = whole_numbers(model)
    equal(host_c.host_program(emit_native(model), sanitize=True).run(samples), oracle(model, samples))


@pytest.mark.parametrize("core", PROCESSORS)
def test_results_on_each_core_are_those_of_the_runtime(core):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    model = model_of(lambda graph: [*of_tflm(graph), *of_litert(graph)])
    samples = whole_numbers(model)
    equal(qemu.runner(PROCESSORS[core])(model, samples), litert.run_reference(model, samples))


def test_a_place_becomes_a_row_and_a_column():
    model = model_of(keypoint)
    samples = extreme_inputs(model, 2)
    got = host_c.host_program(emit_native(model), sanitize=True).run(samples)
    equal(got, litert.run_reference(model, samples))


def test_what_overflows_wraps_and_divisions_by_zero_have_a_result():
    model = model_of(
        lambda graph: [
            pair(graph, opcode, ((1, 4), (1, 4)))
            for opcode in ("ADD", "SUB", "MUL", "DIV", "FLOOR_DIV", "FLOOR_MOD")
        ]
    )
    low, high = -(1 << 31), (1 << 31) - 1
    first, second = np.array([[low, high, -7, 0]], np.int32), np.array([[-1, 2, 0, 0]], np.int32)
    (row,) = host_c.host_program(emit_native(model), sanitize=True).run([[first, second] * 6])
    assert [one.reshape(-1).tolist() for one in row] == [
        [high, low + 1, -7, 0],
        [low + 1, high - 2, -7, 0],
        [low, -2, 0, 0],
        [low, high // 2, low, 0],
        [low, high // 2, low, 0],
        [0, 1, 0, 0],
    ]


def test_what_the_runtimes_do_not_agree_on_is_refused():
    result = lower(model_of(lambda graph: [pair(graph, "ADD", ((1, 9), (1, 9)), "RELU")]), "reference")
    assert isinstance(result, Refused)
    assert "RELU of int32, which TensorFlow Lite Micro ignores" in result.refusals[0].reason
