"""Functions of real numbers as tables of their 256 results: EXP, LOG, SQRT, RSQRT, GELU.

LiteRT computes such tables in float32 (TensorFlow Lite Micro has none of these for int8 but RSQRT, which both
compute in integers). Where a function has no real result, beyond what the runtimes take, the table has the
result of the nearest input that has one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.lower.activation import by_table
from edgesqueeze.emit.native.numerics import (
    INT8_MAX,
    INT8_MIN,
    Integers,
    multiply_by_quantized_multiplier,
    quantization_of,
    quantize_multiplier,
)
from edgesqueeze.emit.native.records import Call, Operation, Placement

Floats = npt.NDArray[np.float32]

RSQRT_SHIFT = 20
"""Binary places that TFLite keeps of 1 / sqrt(x) before it scales it to the output."""

HALF_SQRT_2 = 1518500250
"""sqrt(1/2) in Q0."""

_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def lower_exp(operation: Operation) -> tuple[Call | Placement, ...]:
    """EXP, by LiteRT's table."""
    return by_table(operation, lambda one, x: _rounded(one, _scaled(one, x, _exp)))


def lower_log(operation: Operation) -> tuple[Call | Placement, ...]:
    """LOG, by LiteRT's table; of zero and less it is the lowest int8."""
    return by_table(operation, lambda one, x: _rounded(one, _scaled(one, x, _log)))


def lower_gelu(operation: Operation) -> tuple[Call | Placement, ...]:
    """GELU, by LiteRT's table, exact or approximated by tanh."""
    function = _gelu_by_tanh if operation.operator.options.get("approximate") else _gelu
    return by_table(operation, lambda one, x: _rounded(one, _scaled(one, x, function)))


def lower_sqrt(operation: Operation) -> tuple[Call | Placement, ...]:
    """SQRT, by LiteRT's table, which cuts fractions off instead of rounding; of less than zero it is zero."""
    return by_table(operation, _sqrt)


def lower_rsqrt(operation: Operation) -> tuple[Call | Placement, ...]:
    """RSQRT; of zero and less it is the highest int8."""
    return by_table(operation, _rsqrt)


def _scaled(operation: Operation, x: Integers, function: Callable[[Floats], Floats]) -> Floats:
    """A function's results in steps of the output, in float32, before they are made integers."""
    (scale_in, zero_in), (scale_out, _) = map(quantization_of, (operation.input(0), operation.output()))
    real = (np.float32(scale_in) * (x - zero_in).astype(np.float32)).astype(np.float32)
    inverse = np.float32(1) / np.float32(scale_out)
    return (function(real).astype(np.float32) * inverse).astype(np.float32)


def _rounded(operation: Operation, steps: Floats) -> Integers:
    _, zero_out = quantization_of(operation.output())
    limited = np.clip(steps.astype(np.float64), -512, 512)
    rounded: Integers = np.copysign(np.floor(abs(limited) + 0.5), limited).astype(np.int64)
    return rounded + zero_out


def _exp(real: Floats) -> Floats:
    return np.exp(np.minimum(real, 88).astype(np.float64)).astype(np.float32)


def _log(real: Floats) -> Floats:
    positive = np.maximum(real, np.finfo(np.float32).tiny).astype(np.float64)
    return np.where(real > 0, np.log(positive), -np.inf).astype(np.float32)


def _gelu(real: Floats) -> Floats:
    argument = (real * np.float32(-math.sqrt(0.5))).astype(np.float32)
    result: Floats = np.float32(0.5) * real * _erfc(argument.astype(np.float64)).astype(np.float32)
    return result


def _gelu_by_tanh(real: Floats) -> Floats:
    one, cubic, factor = (np.float32(value) for value in (1, 0.044715, math.sqrt(2 / math.pi)))
    argument = factor * real * (one + cubic * real * real)
    return np.float32(0.5) * real * (one + np.tanh(argument.astype(np.float64)).astype(np.float32))


def _sqrt(operation: Operation, x: Integers) -> Integers:
    _, zero_out = quantization_of(operation.output())
    steps = _scaled(operation, x, lambda real: np.sqrt(np.maximum(real, 0)))
    whole: Integers = np.floor(np.minimum(steps, 512)).astype(np.int64)
    return whole + zero_out


def _rsqrt(operation: Operation, x: Integers) -> Integers:
    (scale_in, zero_in), (scale_out, zero_out) = map(
        quantization_of, (operation.input(0), operation.output())
    )
    root = float(np.sqrt(np.float32(scale_in)))
    multiplier, shift = quantize_multiplier(1 / (root * scale_out))
    inverses = np.array([_inverse_root(int(value)) for value in x - zero_in], np.int64)
    results = multiply_by_quantized_multiplier(inverses, multiplier, shift - RSQRT_SHIFT) + zero_out
    return np.where(x > zero_in, np.clip(results, INT8_MIN, INT8_MAX), INT8_MAX)


def _inverse_root(value: int) -> int:
    """1 / sqrt(value) with 20 binary places, by five steps of Newton's method in Q3."""
    if value <= 1:
        return int(multiply_by_quantized_multiplier(1, (1 << 31) - 1, RSQRT_SHIFT))
    pairs = (31 - value.bit_length()) // 2 - 1
    scaled = value << (2 * pairs)
    half = _halved(scaled >> 1)
    x = 1 << 28
    for _ in range(5):
        cube = _in_q3(_product(_product(x, x), x), 9)
        x = _in_q3(_product((1 << 28) + (1 << 27), x) - _product(half, cube), 6)
    return int(multiply_by_quantized_multiplier(1, int(_product(x, HALF_SQRT_2)), RSQRT_SHIFT - (11 - pairs)))


def _product(x: int, y: int) -> int:
    """Product of two fixed-point numbers; it has the integer bits of both."""
    return (x * y + (1 << 30)) >> 31


def _in_q3(value: int, bits: int) -> int:
    """A number of more integer bits in Q3, saturated."""
    return max(-(1 << 31), min((1 << 31) - 1, value << (bits - 3)))


def _halved(value: int) -> int:
    """Half of it, ties away from zero."""
    return (value + 1) >> 1
