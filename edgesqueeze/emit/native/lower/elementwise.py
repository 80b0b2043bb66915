"""MUL, MINIMUM, MAXIMUM and PRELU as kernel calls; with ADD and SUB, all operators of two inputs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.lower.pairs import (
    HEADER,
    clamp_after,
    lookup_with_constant,
    loops_struct,
    multiplier_struct,
    pair_call,
    pair_tensors,
)
from edgesqueeze.emit.native.numerics import (
    INT8_MAX,
    INT8_MIN,
    multiply_by_quantized_multiplier,
    quantization_of,
    quantize_multiplier,
)
from edgesqueeze.emit.native.records import (
    Call,
    Operation,
    Placement,
    Struct,
    UnsupportedOperationError,
    Value,
)
from edgesqueeze.graph import Tensor

Integers = npt.NDArray[np.int64]


def lower_mul(operation: Operation) -> tuple[Call | Placement, ...]:
    """MUL."""
    tensors = pair_tensors(operation)
    (scale1, zero1), (scale2, zero2), (scale, zero) = (quantization_of(tensor) for tensor in tensors)
    multiplier, shift = quantize_multiplier(scale1 * scale2 / scale)

    def results(x1: Integers, x2: Integers) -> Integers:
        return multiply_by_quantized_multiplier((x1 - zero1) * (x2 - zero2), multiplier, shift) + zero

    _require_room(_reach(tensors[0]) * _reach(tensors[1]), shift)
    members: dict[str, Value] = {
        "loops": loops_struct(operation),
        "scale": multiplier_struct(multiplier, shift),
        "zero_point1": zero1,
        "zero_point2": zero2,
        "output_zero_point": zero,
    }
    return lookup_with_constant(operation, results) or (
        pair_call(operation, "es_mul_s8", HEADER, Struct("es_mul", members)),
        *clamp_after(operation),
    )


def lower_minimum(operation: Operation) -> tuple[Call | Placement, ...]:
    """MINIMUM; TFLM compares the integers and asks for one quantization of all tensors."""
    return _lower_extremum(operation, np.minimum, "es_minimum_s8")


def lower_maximum(operation: Operation) -> tuple[Call | Placement, ...]:
    """MAXIMUM; see ``lower_minimum``."""
    return _lower_extremum(operation, np.maximum, "es_maximum_s8")


def lower_prelu(operation: Operation) -> tuple[Call | Placement, ...]:
    """PRELU; its second input, the slopes, is repeated along the dimensions that it lacks."""
    tensors = pair_tensors(operation)
    (scale1, zero1), (scale2, zero2), (scale, zero) = (quantization_of(tensor) for tensor in tensors)
    positive = quantize_multiplier(scale1 / scale)
    negative = quantize_multiplier(scale1 * scale2 / scale)

    def results(x1: Integers, x2: Integers) -> Integers:
        value, slope = x1 - zero1, x2 - zero2
        above = multiply_by_quantized_multiplier(value, *positive)
        below = multiply_by_quantized_multiplier(value * slope, *negative)
        return np.where(value >= 0, above, below) + zero

    _require_room(_reach(tensors[0]), positive[1])
    _require_room(_reach(tensors[0]) * _reach(tensors[1]), negative[1])
    members: dict[str, Value] = {
        "loops": loops_struct(operation),
        "scale_positive": multiplier_struct(*positive),
        "scale_negative": multiplier_struct(*negative),
        "zero_point1": zero1,
        "zero_point2": zero2,
        "output_zero_point": zero,
    }
    return lookup_with_constant(operation, results) or (
        pair_call(operation, "es_prelu_s8", HEADER, Struct("es_prelu", members)),
    )


def _lower_extremum(operation: Operation, results: np.ufunc, function: str) -> tuple[Call, ...]:
    tensors = pair_tensors(operation)
    if len({quantization_of(tensor) for tensor in tensors}) > 1:
        raise UnsupportedOperationError(
            "inputs and output are quantized differently, expected one scale and zero point"
        )
    return lookup_with_constant(operation, results) or (
        pair_call(operation, function, HEADER, loops_struct(operation)),
    )


def _reach(tensor: Tensor) -> int:
    """The largest distance of an int8 from a tensor's zero point."""
    _, zero_point = quantization_of(tensor)
    return max(INT8_MAX - zero_point, zero_point - INT8_MIN)


def _require_room(reach: int, shift: int) -> None:
    """Raise ``UnsupportedOperationError`` where TFLite's left shift would overflow 31 bits."""
    if reach << max(shift, 0) >= 1 << 30:
        raise UnsupportedOperationError("the output's scale is too small for those of the inputs")
