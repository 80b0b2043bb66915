"""Models of a few random layers behind each other, every one of which can run some rows at a time."""

from __future__ import annotations

from typing import Any

from edgesqueeze.graph.builder import GraphBuilder

KINDS = ("conv", "conv", "pointwise", "depthwise", "depthwise_3x3", "max", "average", "lookup")


def random_chain(seed: int, layers: int = 5) -> bytes:
    """An int8 model of convolutions, pools and tables: windows, strides, paddings and odd sizes are drawn.

    Rows are multiples of four bytes.
    """
    graph = GraphBuilder(seed, name=f"chain_{seed}")
    rng = graph.rng
    channels = int(rng.choice([1, 3, 4, 8]))
    width = int(rng.integers(5, 12)) * (1 if channels % 4 == 0 else 4)
    x = graph.input((1, int(rng.integers(9, 24)), width, channels), "int8", 0.05, int(rng.integers(-20, 20)))
    for _ in range(layers):
        _, height, width, channels = graph.shapes[x]
        small = min(height, width) < 6
        kind = str(rng.choice(KINDS[:5] if channels % 4 else KINDS))
        kind = "pointwise" if small else "conv" if channels % 4 and kind != "pointwise" else kind
        x = _layer(graph, x, kind)
    return graph.build([x])


def random_residuals(seed: int, blocks: int = 3) -> bytes:
    """An int8 model of blocks whose result is added to what they read, or to another convolution of it."""
    graph = GraphBuilder(seed, name=f"residuals_{seed}")
    rng = graph.rng
    x = graph.input((1, int(rng.integers(9, 20)), int(rng.integers(5, 12)), 4), "int8", 0.05)
    x = _layer(graph, x, "pointwise")
    for _ in range(blocks):
        x = _residual(graph, x)
        if rng.random() < 0.4 and graph.shapes[x][1] > 6:
            x = graph.max_pool(x, 2, "SAME")
    return graph.build([_layer(graph, x, "pointwise")])


def _residual(graph: GraphBuilder, x: int) -> int:
    rng, channels = graph.rng, graph.shapes[x][3]
    y = graph.conv2d(x, 8 * int(rng.integers(1, 4)), 1, activation="RELU6")
    for _ in range(int(rng.integers(1, 3))):
        y = graph.depthwise_conv2d(y, int(rng.choice([3, 5])), activation="RELU")
    y = graph.conv2d(y, channels, int(rng.choice([1, 3])))
    if rng.random() < 0.3:
        x = graph.conv2d(x, channels, 1)
    pair = (x, y) if rng.random() < 0.5 else (y, x)
    return graph.add(*pair, activation=str(rng.choice(["NONE", "RELU"])))


def _layer(graph: GraphBuilder, x: int, kind: str) -> int:
    rng = graph.rng
    window = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    stride, padding = int(rng.choice([1, 1, 2, 3])), str(rng.choice(["SAME", "VALID"]))
    activation = str(rng.choice(["NONE", "RELU", "RELU6"]))
    if kind in ("max", "average"):
        return _pool(graph, x, f"{kind.upper()}_POOL_2D", window, stride, padding)
    if kind == "lookup":
        return graph.unary("LOGISTIC", x)
    if kind == "depthwise":
        return graph.depthwise_conv2d(x, window, stride, padding, activation)
    if kind == "depthwise_3x3":
        return graph.depthwise_conv2d(x, 3, min(stride, 2), padding, activation)
    channels = 4 * int(rng.integers(1, 6))
    if kind == "pointwise":
        return graph.conv2d(x, channels, 1, 1, padding, activation)
    return graph.conv2d(x, channels, window, stride, padding, activation)


def _pool(
    graph: GraphBuilder, x: int, opcode: str, window: tuple[int, int], stride: int, padding: str
) -> int:
    _, height, width, depth = graph.shapes[x]
    sizes = [
        -(-size // stride) if padding == "SAME" else (size - reach) // stride + 1
        for size, reach in zip((height, width), window, strict=True)
    ]
    y = graph.like(x, (1, *sizes, depth))
    options: dict[str, Any] = {
        "strideW": stride,
        "strideH": stride,
        "filterWidth": window[1],
        "filterHeight": window[0],
    }
    graph.op(opcode, [x], [y], padding=padding, fusedActivationFunction="NONE", **options)
    return y
