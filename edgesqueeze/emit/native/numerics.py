"""TensorFlow Lite's fixed-point arithmetic, in Python: what the kernels compute and the generator folds.

All functions reproduce TFLite Micro's reference kernels to the bit (``tensorflow/lite/kernels/internal``:
``quantization_util.cc`` and ``common.h``, double rounding).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesqueeze.graph import Tensor

Integers = npt.NDArray[np.int64]

INT8_MIN, INT8_MAX = -128, 127

CLAMPS: Mapping[str, tuple[float | None, float | None]] = MappingProxyType(
    {"NONE": (None, None), "RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}
)
"""Fused activation by its name in the schema -> the least and the greatest real number that it lets pass."""


def quantize_multiplier(real: float) -> tuple[int, int]:
    """A positive real number as ``q / 2^31 * 2^shift``, with q from 2^30 to 2^31 - 1 (or 0).

    Returns:
        q and shift. Numbers below 2^-32 become (0, 0), as in TFLite.
    """
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    q = math.floor(fraction * (1 << 31) + 0.5)
    if q == 1 << 31:
        q //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    if shift > 30:
        return (1 << 31) - 1, 30
    return q, shift


def doubling_high_mul(x: npt.ArrayLike, multiplier: int) -> npt.NDArray[np.int64]:
    """``round(x * multiplier / 2^31)``, ties towards plus infinity; saturates at 2^31 - 1."""
    high: npt.NDArray[np.int64] = (np.asarray(x, np.int64) * multiplier + (1 << 30)) >> 31
    return np.minimum(high, (1 << 31) - 1)


def rounding_divide_by_pot(x: npt.ArrayLike, exponent: int) -> npt.NDArray[np.int64]:
    """``x / 2^exponent``, ties away from zero."""
    values = np.asarray(x, np.int64)
    if exponent == 0:
        return values
    rounded: npt.NDArray[np.int64] = (values + (1 << (exponent - 1)) - (values < 0)) >> exponent
    return rounded


def multiply_by_quantized_multiplier(x: npt.ArrayLike, multiplier: int, shift: int) -> npt.NDArray[np.int64]:
    """``x * multiplier / 2^31 * 2^shift`` in TFLite's two rounding steps.

    The left shift wraps at 32 bits, as the reference's does.
    """
    left, right = max(shift, 0), max(-shift, 0)
    shifted = (np.asarray(x, np.int64) << left).astype(np.int32).astype(np.int64)
    return rounding_divide_by_pot(doubling_high_mul(shifted, multiplier), right)


def activation_range(activation: str, output: Tensor) -> tuple[int, int]:
    """Lowest and highest int8 that a fused activation lets through.

    Args:
        activation: one of ``CLAMPS``.
        output: the operator's output; its scale and zero point count.

    Raises:
        KeyError: an activation that is not a clamp.
    """
    low, high = CLAMPS[activation]
    return (
        INT8_MIN if low is None else max(INT8_MIN, _quantize(low, output)),
        INT8_MAX if high is None else min(INT8_MAX, _quantize(high, output)),
    )


def _quantize(real: float, tensor: Tensor) -> int:
    """A real number in a tensor's integers, rounded as TFLite rounds: half away from zero, in float32."""
    assert tensor.quantization is not None
    ratio = np.float32(real) / np.float32(tensor.quantization.scale)
    return tensor.quantization.zero_point + round_half_away(float(ratio))


def round_half_away(value: float) -> int:
    """Nearest integer, ties away from zero: C's ``round``."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def quantization_of(tensor: Tensor) -> tuple[float, int]:
    """Scale (the float32's value) and zero point of a per-tensor quantized tensor."""
    assert tensor.quantization is not None
    return tensor.quantization.scale, tensor.quantization.zero_point


def int8_table(values: npt.NDArray[Any]) -> npt.NDArray[np.int8]:
    """256 results for the inputs -128 to 127 as a table that is indexed with the input as uint8."""
    saturated = np.clip(values, INT8_MIN, INT8_MAX).astype(np.int8)
    return np.roll(saturated, -128)
