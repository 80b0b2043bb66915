"""Models of many random, independent layers: what compares the kernels of native C with TFLite Micro."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.builder import GraphBuilder

KINDS = ("conv", "pointwise", "depthwise", "depthwise_3x3", "first", "dense", "rows")
EXTREMES = (-128, 127)


def random_convolutions(seed: int, layers: int) -> bytes:
    """An int8 model whose every layer has an input and an output of its own.

    Sizes, strides, dilations, paddings, activations, scales and zero points are drawn; so are layers that
    the fast kernels cannot take: scales of 1/2 and above, weights of -128, groups, depth multipliers.
    """
    graph = GraphBuilder(seed, name=f"convolutions_{seed}")
    outputs = [_layer(graph, KINDS[number % len(KINDS)]) for number in range(layers)]
    return graph.build(outputs)


def random_inputs(shapes: list[tuple[int, ...]], seed: int) -> list[list[npt.NDArray[np.int8]]]:
    """Four samples for int8 inputs: two random ones, the lowest and the highest value."""
    rng = np.random.default_rng(seed)
    samples = [[rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes] for _ in range(2)]
    return samples + [[np.full(shape, value, np.int8) for shape in shapes] for value in EXTREMES]


def extreme_inputs(model: TfliteModel, seed: int) -> list[list[npt.NDArray[Any]]]:
    """Four samples for integer inputs of any types: two random ones, the lowest and the highest values."""
    rng = np.random.default_rng(seed)
    ends = [(tensor.shape, np.iinfo(tensor.dtype)) for tensor in model.main.input_tensors]
    drawn = [
        [rng.integers(one.min, one.max, shape, one.dtype, endpoint=True) for shape, one in ends]
        for _ in range(2)
    ]
    lowest, highest = (
        [np.full(shape, getattr(one, side), one.dtype) for shape, one in ends] for side in ("min", "max")
    )
    return [*drawn, lowest, highest]


def _layer(graph: GraphBuilder, kind: str) -> int:
    if kind in ("dense", "rows"):
        return _dense(graph, 1 if kind == "dense" else int(graph.rng.integers(2, 9)))
    rng = graph.rng
    height, width = (int(size) for size in rng.integers(1, 15, 2))
    channels = 1 if kind == "first" else int(rng.choice([1, 2, 3, 4, 5, 8, 12, 16, 17, 20, 33]))
    depthwise = kind.startswith("depthwise")
    multiplier = int(rng.choice([1, 1, 1, 2])) if depthwise else 1
    out_channels = channels * multiplier if depthwise else int(rng.integers(1, 21))
    groups = 2 if kind == "conv" and channels % 2 == 0 and out_channels % 2 == 0 and rng.random() < 0.2 else 1
    if kind in ("pointwise", "depthwise_3x3"):
        kernel = (1, 1) if kind == "pointwise" else (3, 3)
    else:
        kernel = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    stride = 1 if kind == "pointwise" else int(rng.choice([1, 1, 2, 3]))
    dilation = 2 if stride == 1 and kind in ("conv", "depthwise") and rng.random() < 0.3 else 1
    extent = [(size - 1) * dilation + 1 for size in kernel]
    valid = rng.random() < 0.4 and extent[0] <= height and extent[1] <= width
    area = [
        (n - size) // stride + 1 if valid else -(-n // stride)
        for n, size in zip((height, width), extent, strict=True)
    ]
    shape = (1, *kernel, out_channels) if depthwise else (out_channels, *kernel, channels // groups)
    x = graph.input((1, height, width, channels), "int8", 0.02, _zero_point(rng))
    options: dict[str, Any] = {"depthMultiplier": multiplier} if depthwise else {}
    return _weighted(
        graph,
        "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D",
        x,
        shape,
        (1, *area, out_channels),
        3 if depthwise else 0,
        padding="VALID" if valid else "SAME",
        strideH=stride,
        strideW=stride,
        dilationHFactor=dilation,
        dilationWFactor=dilation,
        **options,
    )


def _dense(graph: GraphBuilder, rows: int) -> int:
    rng = graph.rng
    inputs, outputs = int(rng.integers(1, 150)), int(rng.integers(1, 40))
    x = graph.input((rows, inputs), "int8", 0.02, _zero_point(rng))
    return _weighted(graph, "FULLY_CONNECTED", x, (outputs, inputs), (rows, outputs), 0, keepNumDims=False)


def _weighted(
    graph: GraphBuilder,
    opcode: str,
    x: int,
    shape: tuple[int, ...],
    out_shape: tuple[int, ...],
    axis: int,
    **options: Any,
) -> int:
    rng = graph.rng
    channels = out_shape[-1]
    taps = int(np.prod(shape)) // channels
    weights = rng.integers(-127, 128, shape)
    if rng.random() < 0.15:
        weights.reshape(-1)[rng.integers(weights.size)] = -128
    per_channel = opcode != "FULLY_CONNECTED" or rng.random() < 0.5
    scales = rng.uniform(0.3, 1.5, channels if per_channel and rng.random() < 0.8 else 1) / 100
    if rng.random() < 0.15:
        scales[rng.integers(scales.size)] *= 1e-7  # a channel that is never seen
    spread = 128 * 73 * taps**0.5 * float(scales.max()) * 0.02  # of the sums, in real numbers
    # Mostly so that outputs use their range; sometimes so fine that they saturate, or hardly move.
    output_scale = max(spread / 90 * float(rng.choice([1, 1, 1, 1, 0.2, 0.02, 30])), 1e-7)
    if rng.random() < 0.1:
        output_scale = 0.02 * float(scales.max()) * float(rng.uniform(0.4, 3))  # beyond the fast kernels
    kernel = graph.tensor(
        shape,
        "int8",
        scales.tolist(),
        [0] * scales.size,
        axis=axis,
        data=weights.astype(np.int8),
        name="kernel",
    )
    inputs = [x, kernel]
    if rng.random() < 0.8:
        bias = rng.normal(0, 0.5 * spread, channels) / (0.02 * np.broadcast_to(scales, (channels,)))
        bias = np.clip(bias, -(2**29), 2**29).astype(np.int32)
        inputs.append(
            graph.tensor((channels,), "int32", (0.02 * scales).tolist(), [0] * scales.size, data=bias)
        )
    y = graph.tensor(out_shape, "int8", output_scale, _zero_point(rng))
    activation = str(rng.choice(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"], p=[0.4, 0.4, 0.15, 0.05]))
    graph.op(opcode, inputs, [y], version=4, fusedActivationFunction=activation, **options)
    return y


def _zero_point(rng: np.random.Generator) -> int:
    return int(rng.choice([-128, -128, 0, 3, 127, int(rng.integers(-128, 128))]))
