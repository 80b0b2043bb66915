"""Transcendental functions in the fixed-point arithmetic of TFLite's int8 kernels (gemmlowp).

A number of m integer bits is an int32 that counts units of 2^(m - 31): "Q4" stands for -16 to 16.
"""

from __future__ import annotations

import math

import numpy as np

from edgesqueeze.emit.native.numerics import Integers, doubling_high_mul, rounding_divide_by_pot

INT32_MAX = (1 << 31) - 1

ONE_THIRD = 715827883
"""1/3 in Q0."""

EXP_OF_MINUS_EIGHTH = 1895147668
"""e^(-1/8) in Q0."""

EXP_FACTORS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
"""e^(-1/4), e^(-1/2), e^-1 ... e^-16 in Q0."""

NEWTON_START = 1515870810, -1010580540
"""48/17 and -32/17 in Q2."""


def exp_of_negative(x: Integers, integer_bits: int) -> Integers:
    """e^x in Q0 for x <= 0."""
    quarter = 1 << (29 - integer_bits)
    remainder = (x & (quarter - 1)) - quarter
    t = (remainder << integer_bits) + (1 << 28)
    t2 = _multiply(t, t)
    t3, t4 = _multiply(t2, t), _multiply(t2, t2)
    series = doubling_high_mul(rounding_divide_by_pot(t4, 2) + t3, ONE_THIRD) + t2
    result = EXP_OF_MINUS_EIGHTH + doubling_high_mul(
        t + rounding_divide_by_pot(series, 1), EXP_OF_MINUS_EIGHTH
    )
    quarters = (remainder - x) // quarter
    for bit, factor in enumerate(EXP_FACTORS[: integer_bits + 2]):
        result = np.where(quarters >> bit & 1, doubling_high_mul(result, factor), result)
    return np.where(x == 0, INT32_MAX, result)


def logistic(x: Integers, integer_bits: int) -> Integers:
    """1 / (1 + e^-x) in Q0."""
    positive = one_over_one_plus(exp_of_negative(-abs(x), integer_bits))
    return np.where(x == 0, 1 << 30, np.where(x > 0, positive, INT32_MAX - positive))


def tanh(x: Integers, integer_bits: int) -> Integers:
    """The hyperbolic tangent in Q0."""
    # 2x is the same integer with one more integer bit.
    reciprocal = _reciprocal_of_half_one_plus(exp_of_negative(-abs(x), integer_bits + 1))
    positive = _shift_left_saturating(reciprocal - (1 << 29), 2)
    return np.where(x == 0, 0, np.where(x > 0, positive, -positive))


def one_over_one_plus(x: Integers) -> Integers:
    """1 / (1 + x) in Q0 for x in Q0 from 0 to 1."""
    return _shift_left_saturating(_reciprocal_of_half_one_plus(x), 1)


def input_scaling(real: float, integer_bits: int) -> tuple[int, int, int]:
    """How TFLite brings an int8's distance from its zero point into fixed-point form.

    Args:
        real: the input's scale, times softmax's beta.
        integer_bits: integer bits of the fixed-point form.

    Returns:
        Multiplier (Q31), left shift, and the largest distance that the form still holds.
    """
    fraction, shift = math.frexp(real * (1 << (31 - integer_bits)))
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    if multiplier > INT32_MAX:
        multiplier, shift = multiplier // 2, shift + 1
    radius = ((1 << integer_bits) - 1) * 2.0 ** (31 - integer_bits - shift)
    return multiplier, shift, math.floor(radius)


def _multiply(x: Integers, y: Integers) -> Integers:
    product: Integers = (x * y + (1 << 30)) >> 31
    return product


def _reciprocal_of_half_one_plus(x: Integers) -> Integers:
    """2 / (1 + x) in Q2 for x in Q0 from 0 to 1, by three steps of Newton's method."""
    denominator = (x + INT32_MAX + 1) >> 1
    y = NEWTON_START[0] + doubling_high_mul(denominator, NEWTON_START[1])
    for _ in range(3):
        y = y + (_multiply(y, (1 << 29) - _multiply(denominator, y)) << 2)
    return y


def _shift_left_saturating(x: Integers, bits: int) -> Integers:
    return np.where(x >= 1 << (31 - bits), INT32_MAX, x << bits)
