"""Memory that CMSIS-NN's kernels need and TFLM's reference kernels do not, by operator.

Sizes follow from shapes alone and differ between three families of cores: plain ones, those with the DSP
extension, and those with vectors (MVE). Where versions or compilers differ (1x1 convolutions with Arm
Compiler, int16 convolutions in older releases), the largest figure is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from edgesqueeze.emit.rounding import round_up
from edgesqueeze.graph import Graph, Operator, Tensor

Family = Literal["plain", "dsp", "mve"]

# Channels that the vectorised depthwise kernel works on at once, and the rows that it keeps.
MVE_CHANNEL_BLOCK = 124
MVE_ROWS = 4
# Transposed convolutions with more input channels than this run as ordinary ones.
REVERSE_CONVOLUTION_CHANNELS = 16


@dataclass(frozen=True)
class Extra:
    """What the kernels add.

    Attributes:
        scratch: index of an operator -> bytes of scratch memory while it runs.
        persistent: bytes that are taken for as long as the interpreter lives.
    """

    scratch: Mapping[int, int] = field(default_factory=dict)
    persistent: int = 0


def cmsis_nn_extra(graph: Graph, family: Family) -> Extra:
    """The memory that CMSIS-NN's kernels add to a graph on a family of cores."""
    scratch = {}
    persistent = 0
    for operator in graph.operators:
        inputs = [graph.tensor(index) for index in operator.inputs]
        data, weights = [*inputs, None, None][:2]
        output = graph.tensors[operator.outputs[0]] if operator.outputs else None
        if data is None or output is None or data.dtype not in ("int8", "int16"):
            continue
        if operator.opcode == "FULLY_CONNECTED" and weights is not None:
            persistent += _fully_connected_persistent(data, weights, output, family)
        sizer = SIZERS.get(operator.opcode)
        if sizer is not None:
            scratch[operator.index] = sizer(operator, data, weights, output, family)
    return Extra(MappingProxyType({index: size for index, size in scratch.items() if size}), persistent)


def _columns(taps: int, dtype: str, family: Family) -> int:
    """Image patches laid out as columns for a matrix product: two of int16, or four vectors with MVE."""
    if family == "mve":
        return 4 * round_up(taps, 16) if dtype == "int8" else 4 * round_up(taps, 8) * 2
    return 2 * round_up(taps, 4) * 2


def _dilated(operator: Operator) -> bool:
    # Readers spell the schema's dilation_w_factor differently.
    return any(value != 1 for key, value in operator.options.items() if key.startswith("dilation"))


def _conv(operator: Operator, data: Tensor, weights: Tensor | None, output: Tensor, family: Family) -> int:
    if weights is None:
        return 0
    _, height, width, _ = weights.shape
    depth = data.shape[3]
    strides = (operator.options["stride_h"], operator.options["stride_w"])
    if (height, width) == (1, 1) and data.dtype == "int8" and not _dilated(operator):
        # Only Arm Compiler's DSP code needs any.
        return 4 * depth if family == "dsp" and strides == (1, 1) else 0
    return _columns(height * width * depth, data.dtype, family)


def _depthwise(
    operator: Operator, data: Tensor, weights: Tensor | None, output: Tensor, family: Family
) -> int:
    if weights is None or family == "plain" or _dilated(operator) or data.shape[3] != output.shape[3]:
        return 0
    _, height, width, _ = weights.shape
    taps = height * width * data.shape[3]
    if data.dtype == "int16":
        return 8 * taps + 8 if family == "mve" else 2 * taps
    if family == "mve":
        return MVE_ROWS * MVE_CHANNEL_BLOCK * height * width
    return 0 if (height, width) == (3, 3) else 2 * taps


def _fully_connected(
    operator: Operator, data: Tensor, weights: Tensor | None, output: Tensor, family: Family
) -> int:
    # On tensors of three and more dimensions it may run as a 1x1 convolution.
    convolves = len(output.shape) > 2 and data.dtype == "int8" and family == "dsp"
    return 4 * data.shape[-1] if convolves else 0


def _fully_connected_persistent(data: Tensor, weights: Tensor, output: Tensor, family: Family) -> int:
    if data.dtype != "int8":
        return 0
    sums = round_up(4 * weights.shape[0], 16) if family == "mve" else 0
    per_channel = 2 * round_up(4 * weights.shape[0], 16) if len(output.shape) > 2 else 0
    return sums + per_channel


def _average_pool(
    operator: Operator, data: Tensor, weights: Tensor | None, output: Tensor, family: Family
) -> int:
    return 4 * data.shape[3] if family == "dsp" else 0


def _transpose_conv(
    operator: Operator, data: Tensor, weights: Tensor | None, output: Tensor, family: Family
) -> int:
    """Scratch for an int8 transposed convolution; its inputs are shape, weights, data."""
    if weights is None or weights.dtype != "int8" or len(weights.shape) != 4:
        return 0
    channels, height, width, depth = weights.shape
    strides = (int(operator.options["stride_h"]), int(operator.options["stride_w"]))
    if max(strides) <= 2 and depth > REVERSE_CONVOLUTION_CHANNELS:
        return round_up(_columns(height * width * depth, "int8", family), 16) + math.prod(weights.shape)
    row = (output.shape[2] + max(width, *strides)) * channels
    return 4 * row * max(height, *strides)


Sizer = Callable[[Operator, Tensor, "Tensor | None", Tensor, Family], int]
SIZERS: Mapping[str, Sizer] = MappingProxyType(
    {
        "CONV_2D": _conv,
        "DEPTHWISE_CONV_2D": _depthwise,
        "FULLY_CONNECTED": _fully_connected,
        "AVERAGE_POOL_2D": _average_pool,
        "TRANSPOSE_CONV": _transpose_conv,
    }
)
"""Operators whose CMSIS-NN kernels need scratch memory of their own."""
