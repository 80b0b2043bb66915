"""Convolutions and fully connected layers in portable C against TFLite Micro."""

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower.table import LOWERINGS
from edgesqueeze.emit.native.pack.table import PACKING
from edgesqueeze.emit.native.records import Operation
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, tflm
from runtime_tests.support.random_layers import random_convolutions, random_inputs
from runtime_tests.support.tools import require_tool

LAYERS = 40


@pytest.mark.parametrize("seed", range(6))
def test_random_layers_equal_tflm(seed):
    require_tool("gcc", "gcc")
    model = parse_tflite(random_convolutions(seed, LAYERS))
    source = emit_native(model)
    samples = random_inputs([tensor.shape for tensor in model.main.input_tensors], seed)
    got = host_c.host_program(source, sanitize=True).run(samples)
    for row, expected in zip(got, tflm.run(model, samples), strict=True):
        for layer, one, other in zip(model.main.operators, row, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=f"seed {seed}, {layer}")


def calls(graph, output, kernel_set="reference"):
    model = parse_tflite(graph.build([output]))
    operator = model.main.operators[-1]
    return LOWERINGS[operator.opcode](Operation(model.main, operator, kernel_set))


def test_a_kernel_of_one_pixel_has_its_own_function():
    graph = GraphBuilder()
    (call,) = calls(graph, graph.conv2d(graph.input((1, 4, 4, 8)), 8, kernel=1))
    assert call.function == "es_conv2d_1x1_s8"
    assert call.overlap == {0: 0}


def test_a_kernel_that_covers_the_input_is_fully_connected():
    graph = GraphBuilder()
    (call,) = calls(graph, graph.conv2d(graph.input((1, 3, 4, 2)), 5, kernel=(3, 4), padding="VALID"))
    assert call.function == "es_fully_connected_s8"


def test_depthwise_of_one_channel_is_a_convolution():
    graph = GraphBuilder()
    x = graph.input((1, 6, 6, 1))
    (call,) = calls(graph, graph.depthwise_conv2d(x, multiplier=4))
    assert call.function == "es_conv2d_s8"


@pytest.mark.parametrize("kernel_set", PACKING)
def test_depthwise_with_stride_1_runs_in_place(kernel_set):
    graph = GraphBuilder()
    (call,) = calls(graph, graph.depthwise_conv2d(graph.input((1, 6, 6, 8))), kernel_set)
    assert call.function == "es_depthwise_conv2d_3x3_s8"
    assert call.in_place == (0,)
    (call,) = calls(graph, graph.depthwise_conv2d(graph.input((1, 6, 6, 8)), stride=2), kernel_set)
    assert call.in_place == ()


def test_a_narrow_activation_is_a_pass_of_its_own():
    graph = GraphBuilder()
    x = graph.conv2d(graph.input((1, 4, 4, 2)), 3, activation="RELU")  # the output's zero point is -1
    assert [call.function for call in calls(graph, x)] == ["es_conv2d_s8", "es_clamp_s8"]
