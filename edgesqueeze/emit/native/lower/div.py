"""DIV by a constant, as a table.

Only TensorFlow Lite Micro divides int8, and it shifts by more than the 31 bits of its integers where a
quotient is small: what it gives there is no quotient. So a divisor must be a constant with which that never
happens.
"""

from __future__ import annotations

import numpy as np

from edgesqueeze.emit.native.lower.fixed_point import INT32_MAX, one_over_one_plus
from edgesqueeze.emit.native.lower.pairs import fused_range, lookup_call, pair_tensors
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
from edgesqueeze.emit.native.records import Call, Operation, Placement, UnsupportedOperationError

MOST_BITS = 31
"""By which TFLite's integers can be shifted to the right."""


def lower_div(operation: Operation) -> tuple[Call | Placement, ...]:
    """DIV by a constant of one value.

    Raises:
        UnsupportedOperationError: not int8, shapes that do not broadcast, another divisor, or one with which
            TensorFlow Lite Micro's result is not defined.
    """
    source, divisor, output = pair_tensors(operation)
    if divisor.data is None or divisor.elements != 1:
        raise UnsupportedOperationError(
            "the divisor is computed or has several values, expected a constant of one: no runtime defines "
            "other quotients of int8 for all inputs"
        )
    (scale1, zero1), (scale2, zero2), (scale, zero) = map(quantization_of, (source, divisor, output))
    by = int(divisor.data.reshape(-1)[0]) - zero2
    if by == 0:
        raise UnsupportedOperationError("it divides by zero")
    distance = np.arange(INT8_MIN, INT8_MAX + 1) - zero1
    multiplier, shift = quantize_multiplier(scale1 / (scale2 * scale))
    results = _quotients(distance if by > 0 else -distance, abs(by), multiplier, shift) + zero
    return lookup_call(computed(source), output, np.clip(results, *fused_range(operation)))


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
