"""HARD_SWISH, ``x * clamp(x + 3, 0, 6) / 6``, in the 16-bit arithmetic of TFLite's int8 kernel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.numerics import quantize_multiplier, rounding_divide_by_pot
from edgesqueeze.emit.native.records import UnsupportedOperationError

Integers = npt.NDArray[np.int64]

INT16_MIN, INT16_MAX = -(1 << 15), (1 << 15) - 1

GUARD_BITS = 7
"""Bits by which inputs are shifted up, so that the rest of the arithmetic rounds little."""


def hard_swish(x: Integers, source: tuple[float, int], output: tuple[float, int]) -> Integers:
    """Results for int8 inputs, before they are clamped to int8.

    Args:
        x: int8 values.
        source: scale and zero point of the input.
        output: scale and zero point of the output.

    Raises:
        UnsupportedOperationError: the output's scale is less than 1/128 of the input's, which TFLM refuses.
    """
    fine_scale = source[0] / (1 << GUARD_BITS)
    to_output, output_shift = _multiplier(fine_scale / output[0])
    to_gate, gate_shift = _multiplier(fine_scale / (3 / (1 << 15)))
    if output_shift > 0:
        raise UnsupportedOperationError(
            "the output's scale is less than 1/128 of the input's, expected a larger one"
        )
    fine = (x - source[1]) << GUARD_BITS
    # The gate, clamp(x / 3, -1, 1) as Q15, then moved to 0 to 1.
    gate = _saturate(fine << max(gate_shift - 1, 0))
    gate = _multiply(gate, to_gate)
    gate = _saturate(gate << 1) if gate_shift > 0 else rounding_divide_by_pot(gate, -gate_shift)
    gate = (gate + (1 << 15)) >> 1
    product = gate * _multiply(fine, to_output)
    towards_zero = np.sign(product) * (abs(product) >> 15)
    return rounding_divide_by_pot(towards_zero, -output_shift) + output[1]


def _multiplier(real: float) -> tuple[int, int]:
    """A real number as a Q15 number, rounded from Q31, and a shift."""
    multiplier, shift = quantize_multiplier(real)
    if multiplier >= INT16_MAX << 16:
        return INT16_MAX, shift
    return (multiplier + (1 << 15)) >> 16, shift


def _multiply(x: Integers, multiplier: int) -> Integers:
    """``round(x * multiplier / 2^15)``, ties towards plus infinity."""
    product: Integers = (x * multiplier + (1 << 14)) >> 15
    return product


def _saturate(x: Integers) -> Integers:
    return np.clip(x, INT16_MIN, INT16_MAX)
