"""SQUARED_DIFFERENCE as a kernel call."""

from __future__ import annotations

from edgesqueeze.emit.native.lower.pairs import (
    HEADER,
    lookup_with_constant,
    loops_struct,
    multiplier_struct,
    pair_call,
    pair_tensors,
)
from edgesqueeze.emit.native.numerics import (
    Integers,
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

LEFT_SHIFT = 7
"""Bits by which TFLite scales int8 inputs up before it subtracts them."""


def lower_squared_difference(operation: Operation) -> tuple[Call | Placement, ...]:
    """SQUARED_DIFFERENCE of two inputs that broadcast."""
    tensors = pair_tensors(operation)
    (scale1, zero1), (scale2, zero2), (scale, zero) = (quantization_of(tensor) for tensor in tensors)
    twice = 2 * max(scale1, scale2)
    scales = [quantize_multiplier(one / twice) for one in (scale1, scale2)]
    total = quantize_multiplier(twice * twice / ((1 << (2 * LEFT_SHIFT)) * scale))
    if total[1] > 0:
        raise UnsupportedOperationError("the output's scale is too small for those of the inputs")

    def results(x1: Integers, x2: Integers) -> Integers:
        first, second = (
            multiply_by_quantized_multiplier((x - zero_point) << LEFT_SHIFT, *multiplier)
            for x, zero_point, multiplier in ((x1, zero1, scales[0]), (x2, zero2, scales[1]))
        )
        return multiply_by_quantized_multiplier((first - second) ** 2, *total) + zero

    members: dict[str, Value] = {
        "loops": loops_struct(operation),
        "scale1": multiplier_struct(*scales[0], extra_left=LEFT_SHIFT),
        "scale2": multiplier_struct(*scales[1], extra_left=LEFT_SHIFT),
        "scale_output": multiplier_struct(*total),
        "zero_point1": zero1,
        "zero_point2": zero2,
        "output_zero_point": zero,
    }
    parameters = Struct("es_squared_difference", members)
    call = pair_call(operation, "es_squared_difference_s8", HEADER, parameters)
    return lookup_with_constant(operation, results) or (call,)
