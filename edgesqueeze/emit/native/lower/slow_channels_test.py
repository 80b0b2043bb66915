"""A channel that no fast kernel has does not make its whole layer slow."""

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, qemu, tflm
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool


def slow_in_places(seed, slow=2):
    """Layers of every kind with some channels of a multiplier above 1/2, and one with a weight of -128."""
    graph = GraphBuilder(seed)
    outputs = []
    for kind in ("conv", "pointwise", "depthwise", "depthwise_3x3", "column", "dense", "rows"):
        channels = 8
        if kind in ("dense", "rows"):
            x = graph.input((1 if kind == "dense" else 3, 12), "int8", 0.02, 5)
            y = graph.fully_connected(x, channels, "RELU", per_channel=True)
        elif kind.startswith("depthwise") or kind == "column":
            window = {"depthwise": (2, 3), "depthwise_3x3": (3, 3), "column": (5, 1)}[kind]
            shape = (1, 9, 1, channels) if kind == "column" else (1, 6, 7, channels)
            y = graph.depthwise_conv2d(graph.input(shape, "int8", 0.02, -3), window, activation="RELU6")
        else:
            x = graph.input((1, 6, 7, 5), "int8", 0.02, 9)
            y = graph.conv2d(x, channels, 1 if kind == "pointwise" else 3, dilation=1, activation="RELU")
        weights = graph.tensors[graph.operators[-1].inputs[1]]
        scales = np.array(weights.quantization.scale, np.float32)
        scales[graph.rng.permutation(channels)[:slow]] = 3.0  # times 0.02 / 0.047: a multiplier above 1
        weights.quantization.scale = scales
        buffer = graph.buffers[weights.buffer]
        data = buffer.data.copy()
        data[graph.rng.integers(data.size)] = 128  # -128
        buffer.data = data
        outputs.append(y)
    return graph.build(outputs)


def assert_equal(got, expected):
    for row, wanted in zip(got, expected, strict=True):
        for number, (one, other) in enumerate(zip(row, wanted, strict=True)):
            np.testing.assert_array_equal(one, other, err_msg=f"layer {number}")


@pytest.mark.parametrize("seed", range(4))
def test_results_are_those_of_tflm_under_sanitizers(seed):
    model = parse_tflite(slow_in_places(seed))
    source = emit_native(model)
    used = [layer.kernels for layer in source.layers]
    assert all("es_conv2d_channels_s8" in kernels for kernels in used)
    assert not any("general" in name for kernels in used for name in kernels)
    samples = random_inputs([tensor.shape for tensor in model.main.input_tensors], seed)
    expected = tflm.run(model, samples)
    assert all(len(np.unique(values)) > 1 for values in expected[0])
    assert_equal(host_c.host_program(source, sanitize=True).run(samples), expected)


@pytest.mark.parametrize("core", PROCESSORS)
def test_results_on_each_core_are_those_of_tflm(core):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    model = parse_tflite(slow_in_places(5))
    samples = random_inputs([tensor.shape for tensor in model.main.input_tensors], 5)
    assert_equal(qemu.runner(PROCESSORS[core])(model, samples), tflm.run(model, samples))


def test_a_layer_of_slow_channels_alone_is_left_to_the_general_kernels():
    model = parse_tflite(slow_in_places(1, slow=8))
    names = {name for layer in emit_native(model).layers for name in layer.kernels}
    assert names == {
        "es_conv2d_general_s8",
        "es_depthwise_conv2d_general_s8",
        "es_fully_connected_general_s8",
    }
