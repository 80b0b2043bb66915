"""ADD and SUB as kernel calls.

TFLite scales both inputs to a common scale with 20 more bits, adds them, and scales the sum to the output:
three multiplications, each rounded twice. For inputs of one shape the generator looks for three integers
that give the same int8 with one short multiplication an input, and compares all 65536 pairs of inputs. It
finds them nearly always; otherwise, and for inputs of different shapes, the kernel takes TFLite's own steps.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.lower.pairs import (
    HEADER,
    PairFunction,
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
)

Integers = npt.NDArray[np.int64]

LEFT_SHIFT = 20
"""Bits by which TFLite scales int8 inputs up before it adds them."""

FACTOR_SHIFT = 8
SUM_SHIFT = 20
"""Binary places of the short form's factors, beyond those of the sum, and of the sum."""

OFFSETS_TRIED = 64

SPARE = 1 << SUM_SHIFT
"""What kernels may add to a sum, for their own way of rounding, without an overflow."""


class Sum(NamedTuple):
    """The parameters of TFLite's ADD or SUB.

    Attributes:
        scales: real scales of the two inputs and of the output.
        zero_points: zero points of the two inputs and of the output.
        multipliers: multiplier and shift by which the two inputs and then their sum are scaled.
        sign: 1 to add the second input, -1 to subtract it.
    """

    scales: tuple[float, float, float]
    zero_points: tuple[int, int, int]
    multipliers: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    sign: int

    def results(self, x1: npt.ArrayLike, x2: npt.ArrayLike) -> Integers:
        """What TFLite computes for int8 inputs, before it clamps."""
        scaled = [
            multiply_by_quantized_multiplier(
                (np.asarray(x, np.int64) - zero_point) << LEFT_SHIFT, *multiplier
            )
            for x, zero_point, multiplier in zip(
                (x1, x2), self.zero_points[:2], self.multipliers[:2], strict=True
            )
        ]
        total = scaled[0] + self.sign * scaled[1]
        return multiply_by_quantized_multiplier(total, *self.multipliers[2]) + self.zero_points[2]


class ShortSum(NamedTuple):
    """``saturate((offset + floor(factor1 * x1 / 2^8) + floor(factor2 * x2 / 2^8)) >> 20)``."""

    factor1: int
    factor2: int
    offset: int


def lower_add(operation: Operation) -> tuple[Call | Placement, ...]:
    """ADD."""
    return _lower(operation, _sum(operation, 1))


def lower_sub(operation: Operation) -> tuple[Call | Placement, ...]:
    """SUB."""
    return _lower(operation, _sum(operation, -1))


def short_sum(total: Sum) -> ShortSum | None:
    """Integers that give TFLite's result for every pair of int8 inputs, or None where none were found."""
    x = np.arange(INT8_MIN, INT8_MAX + 1)
    expected = np.clip(total.results(x[:, None], x[None, :]), INT8_MIN, INT8_MAX)
    ratios = total.scales[0] / total.scales[2], total.sign * total.scales[1] / total.scales[2]
    factors = [round(ratio * (1 << (SUM_SHIFT + FACTOR_SHIFT))) for ratio in ratios]
    centre = total.zero_points[2] + 0.5
    centre -= sum(ratio * zero for ratio, zero in zip(ratios, total.zero_points[:2], strict=True))
    # The two floors take half a unit each on average.
    offset = math.floor(centre * (1 << SUM_SHIFT)) + 1
    products = [(factor * x) >> FACTOR_SHIFT for factor in factors]
    sums = products[0][:, None] + products[1][None, :] + offset
    reach = max(*map(abs, factors), *(int(np.abs(part).max()) for part in (*products, sums)), abs(offset))
    if reach >= (1 << 31) - SPARE:
        return None
    for step in sorted(range(-OFFSETS_TRIED, OFFSETS_TRIED), key=abs):
        if np.array_equal(np.clip((sums + step) >> SUM_SHIFT, INT8_MIN, INT8_MAX), expected):
            return ShortSum(factors[0], factors[1], offset + step)
    return None


def common_scales(
    scale1: float, scale2: float, scale: float, left_shift: int
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Multipliers and shifts of two inputs that have been shifted to the left, and of their sum.

    Raises:
        UnsupportedOperationError: the output's scale is too small.
    """
    twice = 2 * max(scale1, scale2)
    output = twice / ((1 << left_shift) * scale)
    if output >= 1:
        raise UnsupportedOperationError("the output's scale is too small for those of the inputs")
    return (
        quantize_multiplier(scale1 / twice),
        quantize_multiplier(scale2 / twice),
        quantize_multiplier(output),
    )


def _sum(operation: Operation, sign: int) -> Sum:
    tensors = pair_tensors(operation)
    (scale1, zero1), (scale2, zero2), (scale, zero) = (quantization_of(tensor) for tensor in tensors)
    multipliers = common_scales(scale1, scale2, scale, LEFT_SHIFT)
    return Sum((scale1, scale2, scale), (zero1, zero2, zero), multipliers, sign)


def _lower(operation: Operation, total: Sum) -> tuple[Call, ...]:
    function: PairFunction = total.results
    table = lookup_with_constant(operation, function)
    if table is not None:
        return table
    clamp = clamp_after(operation)
    if operation.input(0).elements == operation.input(1).elements == operation.output().elements:
        short = short_sum(total)
        if short is not None:
            members = {**short._asdict(), "count": operation.output().elements}
            return (pair_call(operation, "es_add_s8", HEADER, Struct("es_add", members)), *clamp)
    scales = [
        multiplier_struct(multiplier, shift, extra_left=left)
        for (multiplier, shift), left in zip(total.multipliers, (LEFT_SHIFT, LEFT_SHIFT, 0), strict=True)
    ]
    members = {
        "loops": loops_struct(operation),
        "scale1": scales[0],
        "scale2": scales[1],
        "scale_output": scales[2],
        "zero_point1": total.zero_points[0],
        "zero_point2": total.zero_points[1],
        "output_zero_point": total.zero_points[2],
        "sign2": total.sign,
    }
    return (pair_call(operation, "es_add_broadcast_s8", HEADER, Struct("es_add_broadcast", members)), *clamp)
