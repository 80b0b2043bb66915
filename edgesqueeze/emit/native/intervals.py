"""The values that each channel of a tensor can take, by exact integer arithmetic: lowest and highest.

Whatever the input is. Operators that are not known here may give anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.conv_operands import (
    fold_channels,
    per_channel_product,
    per_tensor_product,
    weights_of,
)
from edgesqueeze.emit.native.images import one_image
from edgesqueeze.emit.native.lower.pairs import fused_range
from edgesqueeze.emit.native.numerics import (
    INT8_MAX,
    INT8_MIN,
    activation_range,
    multiply_by_quantized_multiplier,
    quantization_of,
)
from edgesqueeze.emit.native.records import Operation, UnsupportedOperationError
from edgesqueeze.emit.native.windows import window_shape
from edgesqueeze.graph import Graph, Tensor

Integers = npt.NDArray[np.int64]
MOST = (1 << 31) - 1
NOT_KNOWN = (UnsupportedOperationError, ArithmeticError, AssertionError, LookupError, TypeError, ValueError)
"""What an operator raises that does not fit together; it is refused when it is lowered."""


class Interval(NamedTuple):
    """Lowest and highest value of every channel, the last dimension of a tensor."""

    low: Integers
    high: Integers

    @property
    def constant(self) -> npt.NDArray[np.bool_]:
        """Whether a channel can take one value only."""
        equal: npt.NDArray[np.bool_] = self.low == self.high
        return equal


def anything(tensor: Tensor) -> Interval:
    """Any int8 in any channel."""
    count = channels_of(tensor)
    return Interval(np.full(count, INT8_MIN, np.int64), np.full(count, INT8_MAX, np.int64))


def channels_of(tensor: Tensor) -> int:
    """Size of the last dimension."""
    return tensor.shape[-1] if tensor.shape else 1


def intervals_of(graph: Graph) -> dict[int, Interval]:
    """The values of every int8 tensor that an operator computes and about which something is known."""
    found: dict[int, Interval] = {}
    for operator in graph.operators:
        rule = RULES.get(operator.opcode)
        if rule is None or len(operator.outputs) != 1 or graph.tensors[operator.outputs[0]].dtype != "int8":
            continue
        operation = Operation(graph, operator, "reference")
        try:
            source = operation.input(0)
            found[operator.outputs[0]] = rule(operation, found.get(source.index, anything(source)))
        except NOT_KNOWN:
            continue
    return found


def is_padded(operation: Operation, window: tuple[int, int], dilation: tuple[int, int] = (1, 1)) -> bool:
    """Whether some window of a convolution or pool reaches beyond its input."""
    shape = window_shape(one_image(operation), window, dilation)
    down = (shape.out_height - 1) * shape.stride_height + (window[0] - 1) * dilation[0] + 1
    across = (shape.out_width - 1) * shape.stride_width + (window[1] - 1) * dilation[1] + 1
    top, left = shape.pad_top, shape.pad_left
    return top > 0 or left > 0 or down - top > shape.in_height or across - left > shape.in_width


def is_padded_convolution(operation: Operation) -> bool:
    """The same for CONV_2D and DEPTHWISE_CONV_2D, by their weights and options."""
    height, width = operation.input(1).shape[1:3]
    dilation = operation.option("dilation_h_factor"), operation.option("dilation_w_factor")
    return is_padded(operation, (height, width), dilation)


def _conv(operation: Operation, source: Interval) -> Interval:
    weights = weights_of(operation)
    rows = weights.reshape(weights.shape[0], -1)
    if weights.shape[3] != channels_of(operation.input(0)):
        return anything(operation.output())
    source = _with_padding(operation, source)
    taps = rows.shape[1] // weights.shape[3]
    inputs = Interval(np.tile(source.low, taps), np.tile(source.high, taps))
    return _requantized(operation, rows, inputs, per_channel_product(operation))


def _depthwise(operation: Operation, source: Interval) -> Interval:
    weights = weights_of(operation)[0]
    rows = np.ascontiguousarray(weights.reshape(-1, weights.shape[2]).T)
    times = weights.shape[2] // channels_of(operation.input(0))
    source = _with_padding(operation, source)
    low, high = (np.repeat(side, times)[:, None] for side in source)
    return _requantized(operation, rows, Interval(low, high), per_channel_product(operation))


def _dense(operation: Operation, source: Interval) -> Interval:
    weights = weights_of(operation)
    if weights.shape[1] != channels_of(operation.input(0)):
        return anything(operation.output())
    scales = operation.input(1).quantization
    per_channel = scales is not None and scales.per_channel
    real = (
        per_channel_product(operation) if per_channel else [per_tensor_product(operation)] * weights.shape[0]
    )
    return _requantized(operation, weights, source, real)


def _with_padding(operation: Operation, source: Interval) -> Interval:
    """What a window sees: the input, and its zero point where it reaches beyond."""
    if not is_padded_convolution(operation):
        return source
    zero_point = quantization_of(operation.input(0))[1]
    return Interval(np.minimum(source.low, zero_point), np.maximum(source.high, zero_point))


def _requantized(
    operation: Operation, rows: npt.NDArray[np.int8], inputs: Interval, real_multipliers: list[float]
) -> Interval:
    """From sums of products to outputs; requantization is monotonous where nothing overflows."""
    folded = fold_channels(operation, rows, real_multipliers)
    wide = rows.astype(np.int64)
    below, above = np.minimum(wide, 0), np.maximum(wide, 0)
    low = folded.bias + (above * inputs.low).sum(axis=1) + (below * inputs.high).sum(axis=1)
    high = folded.bias + (above * inputs.high).sum(axis=1) + (below * inputs.low).sum(axis=1)
    if max(abs(low).max(), abs(high).max()) > MOST or folded.shift.max() > 0:
        return anything(operation.output())
    minimum, maximum = fused_range(operation)
    sides = []
    for sums in (low, high):
        scaled = [
            int(multiply_by_quantized_multiplier(value, int(multiplier), int(shift)))
            for value, multiplier, shift in zip(sums, folded.multiplier, folded.shift, strict=True)
        ]
        sides.append(np.clip(np.array(scaled, np.int64) + folded.output_zero_point, minimum, maximum))
    return Interval(*sides)


def _pool(operation: Operation, source: Interval) -> Interval:
    """The largest or the mean of some values lies between the lowest and the highest."""
    minimum, maximum = fused_range(operation)
    return Interval(np.clip(source.low, minimum, maximum), np.clip(source.high, minimum, maximum))


def _relu6(operation: Operation, source: Interval) -> Interval:
    minimum, maximum = activation_range("RELU6", operation.input(0))
    return Interval(np.clip(source.low, minimum, maximum), np.clip(source.high, minimum, maximum))


def _relu(operation: Operation, source: Interval) -> Interval:
    if quantization_of(operation.input(0)) != quantization_of(operation.output()):
        return anything(operation.output())
    minimum, maximum = activation_range("RELU", operation.output())
    return Interval(np.clip(source.low, minimum, maximum), np.clip(source.high, minimum, maximum))


def _same_channels(operation: Operation, source: Interval) -> Interval:
    same = channels_of(operation.input(0)) == channels_of(operation.output())
    return source if same else anything(operation.output())


RULES: Mapping[str, Callable[[Operation, Interval], Interval]] = MappingProxyType(
    {
        "AVERAGE_POOL_2D": _pool,
        "CONV_2D": _conv,
        "DEPTHWISE_CONV_2D": _depthwise,
        "FULLY_CONNECTED": _dense,
        "MAX_POOL_2D": _pool,
        "RELU": _relu,
        "RELU6": _relu6,
        "RESHAPE": _same_channels,
    }
)
"""Operator -> what is known of its output."""
