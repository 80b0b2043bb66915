"""DIV: by a constant of one value as a table, else a kernel.

TFLite shifts by more than the 31 bits of its integers where a quotient is small: what it gives there is no
quotient. So scales must be such that this never happens, whatever is divided by whatever.
"""

from __future__ import annotations

import numpy as np

from edgesqueeze.emit.native.lower.fixed_point import INT32_MAX, one_over_one_plus
from edgesqueeze.emit.native.lower.pairs import (
    HEADER,
    clamp_after,
    fused_range,
    lookup_call,
    loops_struct,
    pair_call,
    pair_tensors,
)
from edgesqueeze.emit.native.numerics import (
    INT8_MAX,
    INT8_MIN,
    Integers,
    doubling_high_mul,
    quantization_of,
    quantize_multiplier,
    rounding_divide_by_pot,
)
from edgesqueeze.emit.native.operands import computed
from edgesqueeze.emit.native.records import (
    Call,
    Operation,
    Placement,
    Struct,
    UnsupportedOperationError,
    Value,
)

MOST_BITS = 31
"""By which TFLite's integers can be shifted to the right."""

LEAST_ROOM = 23
"""Bits by which the largest distance of an int8 from a zero point can be shifted to the left."""


def lower_div(operation: Operation) -> tuple[Call | Placement, ...]:
    """DIV.

    Raises:
        UnsupportedOperationError: not int8, shapes that do not broadcast, constants that divide by zero, or
            scales with which TFLite's result is not defined.
    """
    source, divisor, output = pair_tensors(operation)
    (scale1, zero1), (scale2, zero2), (scale, zero) = map(quantization_of, (source, divisor, output))
    by = np.arange(INT8_MIN, INT8_MAX + 1) if divisor.data is None else np.int64(divisor.data).reshape(-1)
    by = by - zero2
    if divisor.data is not None and not by.all():
        raise UnsupportedOperationError("it divides by zero")
    multiplier, shift = quantize_multiplier(scale1 / (scale2 * scale))
    if divisor.data is not None and divisor.elements == 1:
        distance = np.sign(by) * (np.arange(INT8_MIN, INT8_MAX + 1) - zero1)
        results = _quotients(distance, abs(int(by[0])), multiplier, shift) + zero
        return lookup_call(computed(source), output, np.clip(results, *fused_range(operation)))
    _require_shifts(abs(by[by != 0]), shift)
    members: dict[str, Value] = {
        "loops": loops_struct(operation),
        "multiplier": multiplier,
        "shift": shift,
        "zero_point1": zero1,
        "zero_point2": zero2,
        "output_zero_point": zero,
    }
    return (
        pair_call(operation, "es_div_s8", HEADER, Struct("es_div", members)),
        *clamp_after(operation),
    )


def _require_shifts(divisors: Integers, shift: int) -> None:
    """Raise ``UnsupportedOperationError`` where some quotient is shifted too far, or not at all."""
    places = [int(size).bit_length() - 1 for size in (divisors.min(), divisors.max())]
    least, most = LEAST_ROOM + places[0] - shift, MOST_BITS + places[1] - shift
    if least < 1 or most > MOST_BITS:
        raise UnsupportedOperationError(
            f"quotients are shifted by {least} to {most} bits, expected 1 to {MOST_BITS}: "
            "no runtime defines them for these scales"
        )


def _quotients(dividends: Integers, divisor: int, multiplier: int, shift: int) -> Integers:
    """Dividends over a divisor of 1 to 255, times a real factor."""
    places = divisor.bit_length() - 1
    inverse = one_over_one_plus(np.array((divisor << (31 - places)) - (1 << 31), np.int64))
    results = []
    for dividend in dividends.tolist():
        # As far to the left as an int32 has room.
        room = MOST_BITS - (dividend if dividend >= 0 else -dividend - 1).bit_length()
        right = room + places - shift
        if dividend and not 0 <= right <= MOST_BITS:
            raise UnsupportedOperationError(
                f"a quotient is shifted by {right} bits, expected 0 to {MOST_BITS}: "
                "no runtime defines it for these scales"
            )
        quotient = np.minimum(doubling_high_mul(dividend << room, int(inverse)), INT32_MAX)
        results.append(
            int(rounding_divide_by_pot(doubling_high_mul(quotient, multiplier), right)) if dividend else 0
        )
    return np.array(results, np.int64)
