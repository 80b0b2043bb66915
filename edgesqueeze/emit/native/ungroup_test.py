"""Groups and depth multipliers are taken apart, and the results stay TensorFlow Lite Micro's."""

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.ungroup import MOST_GROUPS, without_groups
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, tflm
from runtime_tests.support.random_layers import random_inputs


def grouped(graph, x, groups, channels, kernel=3, *, bias=True):
    """A convolution with groups and a scale for each channel."""
    _, height, width, depth = graph.shapes[x]
    data = graph.rng.integers(-127, 128, (channels, kernel, kernel, depth // groups)).astype(np.int8)
    scales = graph.rng.uniform(0.001, 0.01, channels)
    weights = graph.tensor(data.shape, "int8", scales, [0] * channels, data=data)
    inputs = [x, weights]
    if bias:
        values = graph.rng.integers(-3000, 3000, channels).astype(np.int32)
        inputs.append(graph.tensor((channels,), "int32", scales * 0.02, [0] * channels, data=values))
    y = graph.tensor((1, height, width, channels), "int8", 0.05, 4)
    options = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    graph.op("CONV_2D", inputs, [y], version=3, padding="SAME", fusedActivationFunction="RELU", **options)
    return y


def layers(graph):
    """Layer -> the operators that it becomes."""

    def image(channels):
        return graph.input((1, 5, 6, channels), "int8", 0.02, int(graph.rng.integers(-128, 128)))

    apart = ["SPLIT", "CONV_2D", "CONV_2D", "CONCATENATION"]
    repeated = ["RESHAPE", "CONCATENATION", "RESHAPE", "DEPTHWISE_CONV_2D"]
    return {
        grouped(graph, image(8), 2, 6): apart,
        grouped(graph, image(6), 2, 2, 1, bias=False): apart,
        grouped(graph, image(6), 6, 6): ["DEPTHWISE_CONV_2D"],
        grouped(graph, image(4), 4, 8): repeated,
        grouped(graph, image(4 * MOST_GROUPS), 2 * MOST_GROUPS, 2 * MOST_GROUPS): ["CONV_2D"],
        graph.depthwise_conv2d(image(5), 3, multiplier=2): repeated,
        graph.depthwise_conv2d(image(3), (3, 1), 2, "VALID", multiplier=3): repeated,
        graph.depthwise_conv2d(image(1), 3, multiplier=4): ["DEPTHWISE_CONV_2D"],
    }


@pytest.mark.parametrize("seed", range(3))
def test_results_stay_the_same(seed):
    graph = GraphBuilder(seed)
    expected = layers(graph)
    model = parse_tflite(graph.build(list(expected)))
    made = [one.opcode for one in without_groups(model.main).operators]
    assert made == [kind for kinds in expected.values() for kind in kinds]
    source = emit_native(model)
    used = [name for layer in source.layers for name in layer.kernels]
    assert [name for name in used if "general" in name] == ["es_conv2d_general_s8"]
    samples = random_inputs([tensor.shape for tensor in model.main.input_tensors], seed)
    program = host_c.host_program(source, sanitize=True)
    for row, wanted in zip(program.run(samples), tflm.run(model, samples), strict=True):
        for number, (one, other) in enumerate(zip(row, wanted, strict=True)):
            np.testing.assert_array_equal(one, other, err_msg=f"layer {number}")


def test_a_graph_without_groups_is_the_same():
    graph = GraphBuilder()
    model = parse_tflite(graph.build([graph.depthwise_conv2d(graph.conv2d(graph.input((1, 5, 5, 2)), 4))]))
    assert without_groups(model.main) is model.main
