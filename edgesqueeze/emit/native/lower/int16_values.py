"""Operators on int16 values one by one, in pairs, over windows and rows, as kernel calls."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.lower.add import common_scales
from edgesqueeze.emit.native.lower.int16 import (
    HEADER,
    INT16_MAX,
    INT16_MIN,
    clamp_range,
    range_of,
    require_int16,
)
from edgesqueeze.emit.native.lower.lstm import scale_struct, sigmoid_table
from edgesqueeze.emit.native.lower.pairs import broadcast_pair, loops_struct, multiplier_struct, pair_call
from edgesqueeze.emit.native.lower.pool import MAX_SCALE_DIFFERENCE, pool_sizes
from edgesqueeze.emit.native.numerics import quantization_of, round_half_away
from edgesqueeze.emit.native.operands import computed, require_shape, same_sized, value_call
from edgesqueeze.emit.native.records import (
    Blob,
    Call,
    Operation,
    Placement,
    Struct,
    UnsupportedOperationError,
    Value,
)
from edgesqueeze.graph import Tensor

Floats = npt.NDArray[np.float32]

ADD_SHIFT = 15
"""Bits by which TFLite scales int16 inputs up before it adds them."""

OUTPUT_SCALE = 1 / 32768
"""Of SOFTMAX, LOGISTIC and TANH."""

STEPS = 512
"""Pieces of the tables between which kernels interpolate."""

EXPONENT_RANGE = 10.0


def lower_add_int16(operation: Operation) -> tuple[Call | Placement, ...]:
    """ADD of two tensors that broadcast.

    Raises:
        UnsupportedOperationError: not int16, shapes that do not broadcast, or scales too far apart.
    """
    return (_sum(operation, 1),)


def lower_sub_int16(operation: Operation) -> tuple[Call | Placement, ...]:
    """SUB; raises what ``lower_add_int16`` does."""
    return (_sum(operation, -1),)


def lower_mul_int16(operation: Operation) -> tuple[Call | Placement, ...]:
    """MUL; raises what ``lower_add_int16`` does."""
    first, second, output = broadcast_pair(operation, require_int16)
    ratio = quantization_of(first)[0] * quantization_of(second)[0] / quantization_of(output)[0]
    members: dict[str, Value] = {
        "loops": loops_struct(operation),
        "scale": scale_struct(ratio),
        **range_of(operation),
    }
    return (pair_call(operation, "es_mul_s16", HEADER, Struct("es_mul_wide", members)),)


def lower_extremum_int16(operation: Operation) -> tuple[Call | Placement, ...]:
    """MAXIMUM and MINIMUM, which compare the integers.

    Raises:
        UnsupportedOperationError: not int16 of one scale, or shapes that do not broadcast.
    """
    tensors = broadcast_pair(operation, require_int16)
    if len({quantization_of(tensor) for tensor in tensors}) > 1:
        raise UnsupportedOperationError("inputs and output are quantized differently, expected one scale")
    function = f"es_{operation.operator.opcode.lower()}_s16"
    return (pair_call(operation, function, HEADER, loops_struct(operation)),)


def lower_max_pool_int16(operation: Operation) -> tuple[Call | Placement, ...]:
    """MAX_POOL_2D.

    Raises:
        UnsupportedOperationError: not int16, a batch, sizes beyond int16, or scales that differ.
    """
    return (_pool(operation, "es_max_pool_s16"),)


def lower_average_pool_int16(operation: Operation) -> tuple[Call | Placement, ...]:
    """AVERAGE_POOL_2D; raises what ``lower_max_pool_int16`` does."""
    return (_pool(operation, "es_average_pool_s16"),)


def lower_leaky_relu_int16(operation: Operation) -> tuple[Call | Placement, ...]:
    """LEAKY_RELU with a slope of 0 or more."""
    source, output = same_sized(operation, require_int16)
    ratio = quantization_of(source)[0] / quantization_of(output)[0]
    slope = quantization_of(source)[0] * float(operation.option("alpha")) / quantization_of(output)[0]
    if slope < 0:
        raise UnsupportedOperationError("a negative slope, expected 0 or more")
    members: dict[str, Value] = {
        "positive": scale_struct(ratio),
        "negative": scale_struct(slope),
        "count": output.elements,
    }
    return (value_call("es_leaky_relu_s16", HEADER, Struct("es_leaky_relu_wide", members), source, output),)


def lower_quantize_int16(operation: Operation) -> tuple[Call | Placement, ...]:
    """QUANTIZE from int16 to int16."""
    source, output = same_sized(operation, require_int16)
    return (_requantize(source, output, clamp_range("NONE", output)),)


def lower_relu_int16(operation: Operation) -> tuple[Call | Placement, ...]:
    """RELU, also to another scale."""
    source, output = same_sized(operation, require_int16)
    return (_requantize(source, output, clamp_range("RELU", output)),)


def lower_relu6_int16(operation: Operation) -> tuple[Call | Placement, ...]:
    """RELU6; TFLM clamps the integers by the input's scale and does not look at the output's."""
    source, output = same_sized(operation, require_int16)
    return (
        _requantize(source, replace(output, quantization=source.quantization), clamp_range("RELU6", source)),
    )


def _requantize(source: Tensor, output: Tensor, limits: dict[str, Value]) -> Call:
    ratio = quantization_of(source)[0] / quantization_of(output)[0]
    members: dict[str, Value] = {"scale": scale_struct(ratio), "count": output.elements, **limits}
    return value_call(
        "es_requantize_values_s16", HEADER, Struct("es_requantize_wide", members), source, output
    )


def lower_logistic_int16(operation: Operation) -> tuple[Call | Placement, ...]:
    """LOGISTIC; the output's scale is 1/32768."""
    return (_sigmoid(operation, "es_logistic_s16"),)


def lower_tanh_int16(operation: Operation) -> tuple[Call | Placement, ...]:
    """TANH; the output's scale is 1/32768."""
    return (_sigmoid(operation, "es_tanh_s16"),)


def lower_softmax_int16(operation: Operation) -> tuple[Call | Placement, ...]:
    """SOFTMAX over the last dimension; the output's scale is 1/32768."""
    source, output = same_sized(operation, require_int16)
    require_shape(output, source.shape)
    _require_scale(output)
    depth = source.shape[-1] if source.shape else 1
    ratio = quantization_of(source)[0] * float(operation.option("beta")) / (EXPONENT_RANGE / 65535)
    members: dict[str, Value] = {
        "exponentials": Blob(
            _table(EXPONENT_RANGE, INT16_MAX, np.exp), "e^x for x from -10 to 0, with interpolation"
        ),
        "reciprocals": Blob(
            _table(1.0, INT16_MIN, _reciprocal), "1 / (1 + x) for x from 0 to 1, with interpolation"
        ),
        "scale": scale_struct(ratio),
        "rows": source.elements // depth,
        "depth": depth,
    }
    return (value_call("es_softmax_s16", HEADER, Struct("es_softmax_wide", members), source, output),)


def _sum(operation: Operation, sign: int) -> Call:
    scales = [quantization_of(tensor)[0] for tensor in broadcast_pair(operation, require_int16)]
    multipliers = common_scales(scales[0], scales[1], scales[2], ADD_SHIFT)
    structs = [
        multiplier_struct(*one, extra_left=left)
        for one, left in zip(multipliers, (ADD_SHIFT, ADD_SHIFT, 0), strict=True)
    ]
    members: dict[str, Value] = {
        "loops": loops_struct(operation),
        "scale1": structs[0],
        "scale2": structs[1],
        "scale_output": structs[2],
        "sign2": sign,
        **range_of(operation),
    }
    return pair_call(operation, "es_add_s16", HEADER, Struct("es_add_wide", members))


def _pool(operation: Operation, function: str) -> Call:
    source, output = operation.input(0), operation.output()
    require_int16(source, output)
    if abs(quantization_of(source)[0] - quantization_of(output)[0]) > MAX_SCALE_DIFFERENCE:
        raise UnsupportedOperationError("input and output are quantized differently, expected one scale")
    members: dict[str, Value] = {**pool_sizes(operation), **range_of(operation)}
    return Call(function, HEADER, Struct("es_pool_wide", members), (computed(source),), (output.index,))


def _sigmoid(operation: Operation, function: str) -> Call:
    """Three times the argument in Q3.12 is what the table is for; TFLite takes 16 bits of the factor."""
    source, output = same_sized(operation, require_int16)
    _require_scale(output)
    scale = quantization_of(source)[0]
    fraction, exponent = math.frexp(scale)
    multiplier, shift = scale * 4096 * 3, 0
    if fraction == 0.5 and exponent - 1 == -12:
        multiplier = 3.0
    else:
        while multiplier <= INT16_MAX / 2 and shift <= 30:
            multiplier, shift = multiplier * 2, shift + 1
    if multiplier >= 1 << 16:
        raise UnsupportedOperationError(f"the input's scale is {scale:g}, expected less than 4")
    members: dict[str, Value] = {
        "sigmoid": sigmoid_table(),
        "count": output.elements,
        "multiplier": int(multiplier),
        "shift": shift,
    }
    return value_call(function, HEADER, Struct("es_sigmoid_wide", members), source, output)


def _require_scale(output: Tensor) -> None:
    if quantization_of(output)[0] != OUTPUT_SCALE:
        raise UnsupportedOperationError("the output has another scale, expected 1/32768")


def _reciprocal(x: Floats) -> Floats:
    return np.float32(1) / (np.float32(1) + x)


def _table(reach: float, zero: int, function: Callable[[Floats], Floats]) -> npt.NDArray[np.int16]:
    """TFLite's table of a function, in float32: entries are moved so that chords miss by less.

    Args:
        reach: length of the range of arguments.
        zero: the int16 that stands for the argument 0.
        function: what the table is of.
    """
    one = np.float32
    scale, out_scale = one(reach) / one(65535), one(2.0) / one(65535)
    low, high = scale * one(INT16_MIN - zero), scale * one(INT16_MAX - zero)
    step = (high - low) / one(STEPS)
    inverse = one(65536) / (out_scale * one(INT16_MAX) - out_scale * one(INT16_MIN))
    places = np.arange(STEPS, dtype=np.float32)

    def at(x: Floats) -> Floats:
        scaled: Floats = function(x.astype(np.float32)).astype(np.float32) * inverse
        return scaled

    here = _round(at(low + places * step))
    chord = _round((at(low + (places + one(1)) * step) + here) / one(2))
    middle = _round(at(low + places * step + step / one(2)))
    moved = here - _round((chord - middle) / one(2))
    last = _round(at(np.array([high], np.float32)))
    table: npt.NDArray[np.int16] = np.concatenate([moved, last]).clip(INT16_MIN, INT16_MAX).astype(np.int16)
    return table


def _round(values: Floats) -> Floats:
    return np.array([round_half_away(float(value)) for value in values], np.float32)
