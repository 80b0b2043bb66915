"""The .tflite files that a device is calibrated with: single operators, and small networks of them.

Single operators give the costs of each kind. The networks give what only shows between operators: weights and
activations that are no longer in the cache. Shapes are spread over what image and audio models have; no
published network is among them, so that any of those can be used to check a calibration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from edgesqueeze.graph.builder import GraphBuilder

Arithmetic = Literal["float32", "int8"]
ARITHMETICS: tuple[Arithmetic, ...] = ("float32", "int8")
Layer = Callable[[GraphBuilder, int], int]
MOST_MACS = 80_000_000


class Benchmark(NamedTuple):
    """A model that is run on the device.

    Attributes:
        name: name of the benchmark.
        arithmetic: arithmetic of its activations.
        network: whether it has several operators that matter.
        content: content of the .tflite file.
    """

    name: str
    arithmetic: Arithmetic
    network: bool
    content: bytes


class _Plan(NamedTuple):
    name: str
    shape: tuple[int, ...]
    layer: Layer


def benchmarks(arithmetic: Arithmetic) -> Iterator[Benchmark]:
    """All models for one arithmetic, single operators first."""
    for network, plans in ((False, _operators()), (True, _networks())):
        for plan in plans:
            graph = GraphBuilder(seed=1, name=plan.name)
            output = plan.layer(graph, graph.input(plan.shape, arithmetic))
            yield Benchmark(plan.name, arithmetic, network, graph.build([output]))


def _operators() -> Iterator[_Plan]:
    yield from _pointwise()
    yield from _convolutions()
    yield from _depthwise()
    yield from _dense()
    yield from _elementwise()
    yield from _pooling()


def _pointwise() -> Iterator[_Plan]:
    sizes = {7: (64, 256, 960), 14: (24, 128, 576), 28: (16, 48, 192), 56: (16, 72, 144), 112: (16, 64)}
    widths = {7: (96, 320, 1000), 14: (24, 96, 384), 28: (8, 40, 240), 56: (24, 100, 160), 112: (8, 24, 72)}
    for size, depths in sizes.items():
        for depth in depths:
            for width in widths[size]:
                if size * size * depth * width <= MOST_MACS:
                    yield _plan(f"conv_1x1_{size}_{depth}_{width}", (size, size, depth), _conv(width, 1))
    for size, depth, width in ((3, 128, 256), (5, 64, 64), (10, 40, 120), (20, 80, 80), (40, 20, 60)):
        yield _plan(f"conv_1x1_{size}_{depth}_{width}", (size, size, depth), _conv(width, 1))


def _convolutions() -> Iterator[_Plan]:
    cases = (
        *((200, 3, 24, 3, 2), (160, 3, 48, 7, 2), (96, 3, 8, 3, 2), (64, 3, 16, 5, 1), (48, 1, 8, 5, 1)),
        *((40, 12, 12, 3, 1), (32, 16, 40, 3, 2), (16, 32, 32, 3, 1), (8, 64, 64, 3, 1), (48, 48, 48, 3, 1)),
        *(
            (24, 96, 96, 3, 1),
            (12, 192, 192, 3, 1),
            (6, 384, 384, 3, 1),
            (24, 24, 32, 5, 1),
            (24, 64, 96, 3, 2),
        ),
        *((24, 16, 16, 3, 1), (20, 24, 24, 3, 1), (12, 32, 48, 3, 2), (10, 56, 56, 3, 1)),
        *((12, 40, 64, 5, 1), (56, 16, 24, 3, 1), (28, 8, 96, 3, 1), (49, 1, 64, 10, 2), (112, 8, 16, 3, 1)),
    )
    for size, depth, width, kernel, stride in cases:
        name = f"conv_{kernel}x{kernel}_{stride}_{size}_{depth}_{width}"
        yield _plan(name, (size, size, depth), _conv(width, kernel, stride))


def _depthwise() -> Iterator[_Plan]:
    channels = {7: (64, 480, 1152), 14: (40, 256, 672), 28: (24, 128, 240), 56: (24, 96), 112: (16, 48)}
    for size, widths in channels.items():
        for width in widths:
            for kernel, stride in ((3, 1), (3, 2), (5, 1), (5, 2)):
                name = f"depthwise_{kernel}x{kernel}_{stride}_{size}_{width}"
                yield _plan(name, (size, size, width), _depth(kernel, stride))


def _dense() -> Iterator[_Plan]:
    for depth, width in ((64, 16), (100, 100), (256, 64), (320, 320), (600, 128), (512, 1000), (1500, 1000)):
        yield _plan(f"dense_{depth}_{width}", (depth,), _fully_connected(width))
    for depth, width in ((96, 24), (24, 96), (480, 120), (1152, 48)):
        yield _plan(f"conv_1x1_1_{depth}_{width}", (1, 1, depth), _conv(width, 1))


def _elementwise() -> Iterator[_Plan]:
    shapes = ((7, 7, 160), (14, 14, 96), (28, 28, 240), (112, 112, 16))
    for shape in shapes:
        size = "x".join(map(str, shape))
        yield _plan(f"add_{size}", shape, lambda g, x: g.add(x, x))
        yield _plan(f"mul_{size}", shape, lambda g, x: multiply(g, x, x))
        for opcode in ("RELU", "RELU6", "HARD_SWISH", "LOGISTIC", "TANH", "LEAKY_RELU"):
            yield _plan(f"{opcode.lower()}_{size}", shape, _unary(opcode))
        yield _plan(f"pad_{size}", shape, pad)
        yield _plan(f"concatenation_{size}", shape, lambda g, x: g.concatenate([x, x]))
        yield _plan(f"resize_{size}", shape, resize)
        yield _plan(f"convert_{size}", shape, _convert)
    for width in (12, 200, 1000):
        yield _plan(f"softmax_{width}", (width,), lambda g, x: g.softmax(x))


def _pooling() -> Iterator[_Plan]:
    for size, width, window in (
        (112, 24, 2),
        (28, 64, 2),
        (16, 32, 4),
        (14, 200, 2),
        (8, 64, 8),
        (7, 500, 7),
    ):
        shape = (size, size, width)
        name = f"{window}x{window}_{size}_{width}"
        yield _plan(f"average_{name}", shape, _pool("average", window))
        yield _plan(f"max_{name}", shape, _pool("max", window))
    for size, width in ((56, 48), (28, 120), (14, 480), (7, 1000)):
        yield _plan(f"mean_{size}_{width}", (size, size, width), lambda g, x: g.mean(x, keep_dims=True))


def _networks() -> Iterator[_Plan]:
    for size, depth, width, count in (
        (112, 16, 24, 2),
        (56, 32, 64, 3),
        (28, 128, 128, 4),
        (14, 384, 384, 5),
    ):
        yield _plan(f"separable_{size}_{depth}", (size, size, depth), _separable(width, count))
    for size, depth, factor, count in ((56, 24, 6, 3), (28, 40, 5, 4), (14, 80, 6, 5), (7, 192, 5, 4)):
        yield _plan(f"inverted_{size}_{depth}", (size, size, depth), _inverted(factor, count))
    for size, depth, count in ((48, 48, 3), (24, 128, 3), (12, 224, 3), (6, 448, 4)):
        yield _plan(f"residual_{size}_{depth}", (size, size, depth), _residual(count))
    for size, depth, count in ((40, 192, 3), (20, 448, 4), (10, 896, 4)):
        yield _plan(f"bottleneck_{size}_{depth}", (size, size, depth), _bottleneck(count))
    for depth, count in ((96, 8), (320, 8), (768, 8), (1500, 3), (1500, 8)):
        yield _plan(f"dense_{depth}x{count}", (depth,), _repeat(_fully_connected(depth), count))
    yield _plan("squeeze_28_120", (28, 28, 120), _repeat(_squeeze, 4))
    yield _plan("small_24_5_48", (24, 5, 48), _separable(48, 5))
    yield from _rows()


def _rows() -> Iterator[_Plan]:
    """Short operators again and again, and the tiny networks that they make."""
    for count in (1, 16):
        yield _plan(f"tiny_32x{count}", (32,), _repeat(_fully_connected(32), count))
    for size, depth in ((4, 16), (8, 8), (10, 32)):
        shape = (size, size, depth)
        yield _plan(f"row_conv_{size}_{depth}", shape, _repeat(_conv(depth, 3), 8))
        yield _plan(f"row_conv_1x1_{size}_{depth}", shape, _repeat(_conv(depth, 1), 8))
        yield _plan(f"row_depthwise_{size}_{depth}", shape, _repeat(_depth(3, 1), 8))
    for size, depth, width in ((16, 1, 8), (12, 4, 12), (20, 3, 6), (32, 1, 4)):
        yield _plan(f"tiny_cnn_{size}_{depth}", (size, size, depth), _tiny_cnn(width))
    for widths in ((64, 24, 12), (200, 40, 20, 10), (16, 16, 16)):
        name = "x".join(map(str, widths))
        yield _plan(f"tiny_mlp_{name}", (widths[0],), _mlp(widths))


def _plan(name: str, shape: tuple[int, ...], layer: Layer) -> _Plan:
    return _Plan(name, (1, *shape), layer)


def _conv(width: int, kernel: int, stride: int = 1) -> Layer:
    return lambda graph, x: graph.conv2d(x, width, kernel, stride, activation="RELU6")


def _fully_connected(width: int) -> Layer:
    return lambda graph, x: graph.fully_connected(x, width)


def _depth(kernel: int, stride: int) -> Layer:
    return lambda graph, x: graph.depthwise_conv2d(x, kernel, stride, activation="RELU6")


def _pool(kind: str, window: int) -> Layer:
    if kind == "max":
        return lambda graph, x: graph.max_pool(x, window)
    return lambda graph, x: graph.average_pool(x, window)


def _unary(opcode: str) -> Layer:
    def layer(graph: GraphBuilder, x: int) -> int:
        if opcode != "LEAKY_RELU":
            return graph.unary(opcode, x)
        y = graph.activation(graph.shapes[x], graph.dtypes[x], 6.0)
        graph.op(opcode, [x], [y], alpha=0.1)
        return y

    return layer


def multiply(graph: GraphBuilder, x: int, y: int) -> int:
    """MUL; ``y`` may have a height and width of one."""
    z = graph.activation(graph.shapes[x], graph.dtypes[x], 10.0)
    graph.op("MUL", [x, y], [z], fusedActivationFunction="NONE")
    return z


def pad(graph: GraphBuilder, x: int) -> int:
    """PAD by one on both sides of height and width."""
    batch, height, width, depth = graph.shapes[x]
    paddings = graph.constant(np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))
    y = graph.like(x, (batch, height + 2, width + 2, depth))
    graph.op("PAD", [x, paddings], [y])
    return y


def resize(graph: GraphBuilder, x: int) -> int:
    """RESIZE_BILINEAR to twice the height and width."""
    batch, height, width, depth = graph.shapes[x]
    size = graph.constant(np.array([2 * height, 2 * width], np.int32))
    y = graph.like(x, (batch, 2 * height, 2 * width, depth))
    graph.op("RESIZE_BILINEAR", [x, size], [y], alignCorners=False, halfPixelCenters=True)
    return y


def _convert(graph: GraphBuilder, x: int) -> int:
    """To the other type and back."""
    if graph.dtypes[x] == "float32":
        return graph.dequantize(graph.quantize(x))
    return graph.quantize(graph.dequantize(x))


def _repeat(layer: Layer, count: int) -> Layer:
    """A layer again and again with the same weights: once in the file, while runtimes pack each anew."""

    def layers(graph: GraphBuilder, x: int) -> int:
        for _ in range(count):
            graph.rng = np.random.default_rng(1)
            x = layer(graph, x)
        return x

    return layers


def _separable(width: int, count: int) -> Layer:
    return _repeat(lambda graph, x: _conv(width, 1)(graph, _depth(3, 1)(graph, x)), count)


def _inverted(factor: int, count: int) -> Layer:
    def block(graph: GraphBuilder, x: int) -> int:
        depth = graph.shapes[x][-1]
        y = _depth(3, 1)(graph, _conv(depth * factor, 1)(graph, x))
        return graph.add(x, graph.conv2d(y, depth, 1))

    return _repeat(block, count)


def _residual(count: int) -> Layer:
    def block(graph: GraphBuilder, x: int) -> int:
        depth = graph.shapes[x][-1]
        return graph.add(x, graph.conv2d(_conv(depth, 3)(graph, x), depth, 3), activation="RELU")

    return _repeat(block, count)


def _bottleneck(count: int) -> Layer:
    def block(graph: GraphBuilder, x: int) -> int:
        depth = graph.shapes[x][-1]
        y = _conv(depth // 4, 3)(graph, _conv(depth // 4, 1)(graph, x))
        return graph.add(x, graph.conv2d(y, depth, 1), activation="RELU")

    return _repeat(block, count)


def _tiny_cnn(width: int) -> Layer:
    def layers(graph: GraphBuilder, x: int) -> int:
        x = _conv(width, 3, 2)(graph, x)
        x = _conv(2 * width, 1)(graph, _depth(3, 1)(graph, x))
        x = graph.mean(_conv(2 * width, 3, 2)(graph, x))
        return graph.softmax(graph.fully_connected(x, 5))

    return layers


def _mlp(widths: Sequence[int]) -> Layer:
    def layers(graph: GraphBuilder, x: int) -> int:
        for width in widths[1:]:
            x = graph.fully_connected(x, width, activation="RELU")
        return graph.softmax(graph.fully_connected(x, 4))

    return layers


def _squeeze(graph: GraphBuilder, x: int) -> int:
    """Squeeze and excitation around a depthwise convolution."""
    depth = graph.shapes[x][-1]
    x = graph.depthwise_conv2d(x, activation="RELU6")
    y = graph.conv2d(graph.mean(x, keep_dims=True), depth // 4, 1, activation="RELU")
    return multiply(graph, x, graph.unary("LOGISTIC", graph.conv2d(y, depth, 1)))
