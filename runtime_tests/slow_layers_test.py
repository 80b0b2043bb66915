"""No layer of much work is slow: instructions for a multiply-accumulate, above 20,000 of them."""

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from runtime_tests.support.native_figures import PROCESSORS, layer_instructions
from runtime_tests.support.tools import require_tool

MOST = {"m4": 6, "m55": 5}
SMALLEST = 20_000


def transpose_conv(graph, x, channels, size=3):
    """Stride 2, as upsampling in a U-Net."""
    _, height, width, depth = graph.shapes[x]
    shape, area = (1, 2 * height, 2 * width, channels), (channels, size, size, depth)
    weights = graph.tensor(area, "int8", 0.002, 0, data=graph.rng.integers(-127, 128, area).astype(np.int8))
    y = graph.activation(shape, graph.dtypes[x])
    inputs = [graph.constant(np.array(shape, np.int32)), weights, x]
    graph.op("TRANSPOSE_CONV", inputs, [y], version=4, padding="SAME", strideW=2, strideH=2)
    return y


def int8_layers(graph):
    """Layers of many shapes: few channels, small maps, strides, dilations, windows that are not square."""

    def image(*shape):
        return graph.input((1, *shape), "int8", 6 / 127, 0)

    return [
        graph.conv2d(image(48, 48, 3), 8, 3, 2),
        graph.conv2d(image(32, 32, 1), 4, 5),
        graph.conv2d(image(49, 10, 1), 16, (10, 4), 2),
        graph.conv2d(image(24, 24, 8), 8, 1),
        graph.conv2d(image(24, 24, 4), 12, 1),
        graph.conv2d(image(3, 3, 96), 64, 1),
        graph.conv2d(image(24, 24, 16), 16, 1, 2),
        graph.conv2d(image(12, 12, 7), 9, 3, dilation=2),
        graph.conv2d(image(40, 1, 20), 20, (5, 1)),
        graph.depthwise_conv2d(image(24, 24, 16), 3),
        graph.depthwise_conv2d(image(32, 32, 16), 3, 2),
        graph.depthwise_conv2d(image(6, 6, 80), 3),
        graph.depthwise_conv2d(image(3, 3, 320), 3),
        graph.depthwise_conv2d(image(2, 2, 640), 3),
        graph.depthwise_conv2d(image(40, 40, 16), 2, 2),
        graph.depthwise_conv2d(image(24, 24, 16), (1, 3)),
        graph.depthwise_conv2d(image(180, 1, 80), (3, 1), 2),
        graph.depthwise_conv2d(image(1, 80, 96), (1, 3), dilation=4),
        graph.depthwise_conv2d(image(1, 80, 96), (1, 5), dilation=16),
        graph.depthwise_conv2d(image(12, 12, 24), 5),
        graph.depthwise_conv2d(image(24, 24, 6), 7, 2),
        graph.depthwise_conv2d(image(60, 1, 64), (9, 1)),
        graph.depthwise_conv2d(image(1, 60, 128), (1, 5)),
        graph.depthwise_conv2d(image(16, 16, 16), 3, dilation=2),
        graph.depthwise_conv2d(image(7, 7, 512), 7, padding="VALID"),
        transpose_conv(graph, image(8, 8, 24), 16),
        transpose_conv(graph, image(8, 8, 8), 8),
        transpose_conv(graph, image(16, 16, 16), 16, 2),
        transpose_conv(graph, image(16, 16, 8), 8, 2),
        transpose_conv(graph, image(12, 12, 16), 3, 2),
        transpose_conv(graph, image(10, 10, 16), 3),
        transpose_conv(graph, image(16, 16, 16), 1),
        graph.fully_connected(image(300), 80),
        graph.fully_connected(image(16, 32), 48),
    ]


def int16_layers(graph):
    """What is slow most easily: windows of few taps, few channels, small maps, several outputs an input."""

    def image(*shape):
        return graph.input((1, *shape), "int16", 6 / 32767, 0)

    return [
        graph.depthwise_conv2d(image(1, 60, 128), (1, 3)),
        graph.depthwise_conv2d(image(180, 1, 80), (3, 1), 2),
        graph.depthwise_conv2d(image(1, 80, 96), (1, 3), dilation=16),
        graph.depthwise_conv2d(image(24, 24, 16), 2),
        graph.depthwise_conv2d(image(10, 10, 32), 3, dilation=2),
        graph.depthwise_conv2d(image(3, 3, 320), 3),
        graph.depthwise_conv2d(image(2, 2, 640), 3),
        graph.depthwise_conv2d(image(7, 7, 512), 7, padding="VALID"),
        graph.depthwise_conv2d(image(12, 12, 8), 3, multiplier=4),
        graph.depthwise_conv2d(image(10, 10, 16), 3, multiplier=2),
        transpose_conv(graph, image(8, 8, 24), 16),
        transpose_conv(graph, image(8, 8, 8), 8),
        transpose_conv(graph, image(16, 16, 16), 16, 2),
        transpose_conv(graph, image(16, 16, 8), 8, 2),
        transpose_conv(graph, image(12, 12, 16), 3, 2),
        graph.fully_connected(image(300), 80),
    ]


def three_channels(graph):
    """Depthwise convolutions of int16 that leave most lanes of a vector empty."""

    def image(*shape):
        return graph.input((1, *shape), "int16", 6 / 32767, 0)

    return [
        graph.depthwise_conv2d(image(28, 28, 3), 3),
        graph.depthwise_conv2d(image(40, 40, 2), 3),
        graph.depthwise_conv2d(image(28, 28, 3), 3, dilation=2),
        graph.depthwise_conv2d(image(56, 56, 3), 3, 2),
        graph.depthwise_conv2d(image(20, 20, 3), 5),
    ]


CASES = [(core, layers) for core in MOST for layers in (int8_layers, int16_layers, three_channels)]


@pytest.mark.parametrize(("core", "layers"), CASES)
def test_layers_of_many_shapes(core, layers):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    graph = GraphBuilder(1)
    model = parse_tflite(graph.build(layers(graph)))
    rng = np.random.default_rng(1)
    values = [rng.integers(-100, 100, one.shape).astype(one.dtype) for one in model.main.input_tensors]
    source = emit_native(model, core=PROCESSORS[core].kernel_core)
    counts = layer_instructions(source, PROCESSORS[core], [values])
    rates = {
        f"{layer.index}: {layer.opcode} {layer.summary}": count / layer.macs
        for layer, count in zip(source.layers, counts, strict=False)
        if layer.macs > SMALLEST
    }
    assert len(rates) == len(source.layers)
    assert {name: rate for name, rate in rates.items() if rate > MOST[core]} == {}
