"""Leaving out constant channels changes no output byte, and leaves out what can be left out."""

from dataclasses import replace

import numpy as np
import pytest

from edgesqueeze.emit.native.constant_channels import without_constant_channels
from edgesqueeze.emit.native.intervals import intervals_of
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.expose import with_outputs
from edgesqueeze.graph.macs import operator_macs
from edgesqueeze.runners import host_c, tflm
from runtime_tests.support.packed_layers import in_blocks
from runtime_tests.support.random_layers import random_inputs


def sparse(graph, channels, kernel, depth, share=0.5):
    """Random weights in which whole filters are zero."""
    weights = graph.rng.integers(-127, 128, (channels, kernel, kernel, depth))
    weights[graph.rng.random(channels) < share] = 0
    return weights


def requantized(graph, x, scale, zero_point):
    """The tensor with another quantization: what its operator gives saturates sooner or later."""
    quantization = graph.tensors[x].quantization
    quantization.scale, quantization.zeroPoint = [scale], [zero_point]
    return x


def pruned_network(seed):
    """Convolutions, depthwise ones and a pool, with zero filters, saturated clamps and paddings."""
    graph = GraphBuilder(seed)
    x = graph.input((1, 11, 9, 3), "int8", 0.03, int(graph.rng.integers(-128, 128)))
    for number in range(4):
        depth, kernel = graph.shapes[x][3], int(graph.rng.choice([1, 3]))
        padding, activation = (str(graph.rng.choice(pair)) for pair in (["SAME", "VALID"], ["RELU", "RELU6"]))
        weights = sparse(graph, 12, kernel, depth)
        x = graph.conv2d(
            x, 12, kernel, padding=padding if number < 2 else "SAME", activation=activation, weights=weights
        )
        x = requantized(
            graph, x, float(graph.rng.choice([0.03, 0.002])), int(graph.rng.choice([-128, -128, 5]))
        )
        filters = graph.rng.integers(-127, 128, (1, 3, 3, 12))
        filters[..., graph.rng.random(12) < 0.2] = 0
        x = graph.depthwise_conv2d(x, 3, padding="SAME", activation="RELU", weights=filters)
    x = graph.conv2d(x, 10, 1, activation="RELU", weights=sparse(graph, 10, 1, 12))
    size = graph.shapes[x][1:3]
    y = graph.like(x, (1, 1, 1, 10))
    window = {"filterHeight": size[0], "filterWidth": size[1], "strideH": 1, "strideW": 1}
    graph.op("AVERAGE_POOL_2D", [x], [y], padding="VALID", fusedActivationFunction="NONE", **window)
    return graph.build([graph.fully_connected(graph.reshape(y, (1, 10)), 4)])


@pytest.mark.parametrize("seed", range(12))
def test_outputs_stay_the_same(seed):
    model = parse_tflite(pruned_network(seed))
    slim = without_constant_channels(model.main)
    assert slim.left_out.channels > 10
    assert macs(slim.graph) < 0.8 * macs(model.main)
    samples = random_inputs([model.main.input_tensors[0].shape], seed)
    np.testing.assert_array_equal(host_c.run(model, samples), tflm.run(model, samples))


@pytest.mark.parametrize("seed", range(4))
def test_values_lie_in_their_intervals_and_constants_are_met(seed):
    model = parse_tflite(pruned_network(seed))
    found = intervals_of(model.main)
    exposed = with_outputs(model, list(found))
    samples = random_inputs([model.main.input_tensors[0].shape], seed)
    for row in tflm.run(exposed, samples):
        for values, interval in zip(row, found.values(), strict=True):
            channels = values.reshape(-1, values.shape[-1])
            assert (channels >= interval.low).all()
            assert (channels <= interval.high).all()
    assert sum(int(one.constant.sum()) for one in found.values()) > 10


def macs(graph):
    return sum(operator_macs(graph, one) for one in graph.operators)


def two_convolutions(second_kernel, zero_point, padding="SAME"):
    """A convolution whose channels 1 and 3 are constant, and one that reads it."""
    graph = GraphBuilder(3)
    weights = graph.rng.integers(-127, 128, (4, 1, 1, 2))
    weights[[1, 3]] = 0
    x = requantized(graph, graph.conv2d(graph.input((1, 6, 6, 2)), 4, 1, weights=weights), 0.02, zero_point)
    x = graph.conv2d(x, 3, second_kernel, padding=padding)
    return parse_tflite(graph.build([x]))


def test_before_padding_only_the_zero_point_can_be_left_out():
    # The biases make the constants, which are not the zero point.
    assert without_constant_channels(two_convolutions(3, 0).main).left_out.channels == 0
    assert without_constant_channels(two_convolutions(3, 0, "VALID").main).left_out.channels == 2
    assert without_constant_channels(two_convolutions(1, 0).main).left_out.channels == 2


def test_biases_take_what_constants_add():
    model = two_convolutions(1, 7)
    slim = without_constant_channels(model.main).graph
    first, second = slim.operators
    assert slim.tensors[first.outputs[0]].shape == (1, 6, 6, 2)
    assert [slim.tensors[index].shape for index in second.inputs[1:]] == [(3, 1, 1, 2), (3,)]
    old = model.main.tensors[model.main.operators[1].inputs[2]].data
    assert not np.array_equal(slim.tensors[second.inputs[2]].data, old)
    samples = random_inputs([(1, 6, 6, 2)], 1)
    np.testing.assert_array_equal(host_c.run(model, samples), tflm.run(model, samples))


def test_outputs_of_the_graph_and_what_others_read_stay_whole():
    model = two_convolutions(1, 0)
    middle = model.main.operators[0].outputs[0]
    assert (
        without_constant_channels(with_outputs(model, [*model.main.outputs, middle]).main).left_out.channels
        == 0
    )
    graph = GraphBuilder(3)
    x = graph.conv2d(graph.input((1, 6, 6, 2)), 4, 1, weights=np.zeros((4, 1, 1, 2)))
    y = graph.conv2d(graph.add(x, x), 3, 1)
    assert without_constant_channels(parse_tflite(graph.build([y])).main).left_out.channels == 0


def test_a_layer_keeps_a_channel():
    graph = GraphBuilder(3)
    x = graph.conv2d(graph.input((1, 6, 6, 2)), 4, 1, weights=np.zeros((4, 1, 1, 2)))
    model = parse_tflite(graph.build([graph.conv2d(x, 3, 1)]))
    slim = without_constant_channels(model.main)
    assert slim.left_out.channels == 3
    samples = random_inputs([(1, 6, 6, 2)], 1)
    np.testing.assert_array_equal(host_c.run(model, samples), tflm.run(model, samples))


def test_a_channel_that_only_a_zero_filter_reads_is_not_computed():
    graph = GraphBuilder(3)
    x = graph.conv2d(graph.input((1, 6, 6, 2)), 4, 1)
    filters = graph.rng.integers(1, 128, (1, 3, 3, 4))
    filters[..., 2] = 0
    x = graph.depthwise_conv2d(x, 3, weights=filters)
    model = parse_tflite(graph.build([graph.conv2d(x, 3, 1)]))
    slim = without_constant_channels(model.main)
    assert (slim.left_out.channels, slim.left_out.layers) == (2, 2)
    samples = random_inputs([(1, 6, 6, 2)], 1)
    np.testing.assert_array_equal(host_c.run(model, samples), tflm.run(model, samples))


def test_a_graph_without_constants_is_the_same():
    graph = GraphBuilder(3)
    model = parse_tflite(graph.build([graph.conv2d(graph.conv2d(graph.input((1, 6, 6, 2)), 4), 3)]))
    assert without_constant_channels(model.main).graph is model.main


def test_a_damaged_layer_is_left_to_those_who_refuse_it():
    model = two_convolutions(1, 0)
    tensors = list(model.main.tensors)
    tensors[model.main.operators[0].inputs[1]] = replace(
        tensors[model.main.operators[0].inputs[1]], quantization=None
    )
    assert without_constant_channels(replace(model.main, tensors=tuple(tensors))).left_out.channels == 0


def test_input_channels_stay_where_leaving_them_out_would_break_blocks_up():
    graph = GraphBuilder(0, name="blocks")
    rng = np.random.default_rng(0)
    first = in_blocks(rng, (32, 1, 1, 8), (2, 4), zeros=0.2)
    first[[2, 3, 8, 9, 10, 11, 20, 21]] = 0  # half of two blocks, and a whole one
    second = in_blocks(rng, (64, 1, 1, 32), (2, 4), zeros=0.8)
    x = graph.conv2d(graph.input((1, 5, 5, 8)), 32, 1, activation="RELU", weights=first)
    model = parse_tflite(graph.build([graph.conv2d(x, 64, 1, weights=second)]))
    channels = [
        without_constant_channels(model.main, block).graph.operators[0].outputs[0] for block in (None, (2, 4))
    ]
    slim = [without_constant_channels(model.main, block).graph for block in (None, (2, 4))]
    widths = [one.tensors[index].shape[-1] for one, index in zip(slim, channels, strict=True)]
    assert widths[1] - widths[0] == 4
    assert widths[1] % 4 == 0
