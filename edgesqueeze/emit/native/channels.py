"""Per-channel parameters of convolutions: zero points, weight sums and scales folded, packed for flash.

Kernels compute ``saturate(requantize(bias + sum(weight * input)))`` for a channel; this module finds the bias
and the scale, and stores them in the smallest of three forms that ``es_types.h`` describes. Each choice is
checked against TFLite's own arithmetic before it is taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.numerics import (
    INT8_MAX,
    INT8_MIN,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
)
from edgesqueeze.emit.native.records import Blob, Struct

MIN_SHIFT, MAX_SHIFT = 1, 22
ACCUMULATOR_LIMIT = (1 << 30) - (1 << 15)
NARROW_BIAS_LIMIT = 1 << 21
SHARED = "ES_CHANNELS_SHARED"
"""Form of channels that share all but their biases."""
NARROW_SHIFTS = 8


@dataclass(frozen=True, eq=False)
class Channels:
    """The parameters of a layer's output channels, before they are packed.

    Attributes:
        weights: int8 ``[channels, taps]``; zero in channels whose output never changes.
        bias: int64 ``[channels]``: where accumulators start; the input's zero point is folded in.
        multiplier: int64 ``[channels]``, Q31; 0 or 2^30 to 2^31 - 1.
        shift: int64 ``[channels]``; TFLite's sign: negative shifts to the right.
        constant: bool ``[channels]``: the output is the same for every input.
        value: int64 ``[channels]``: the output of channels where it is the same for every input.
        scales: the weights' scales as stored, float32, one or one per channel.
        input_scale: scale of the input's activations.
        output_scale: scale of the output's activations.
        output_zero_point: zero point of the output's activations.
    """

    weights: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int64]
    multiplier: npt.NDArray[np.int64]
    shift: npt.NDArray[np.int64]
    constant: npt.NDArray[np.bool_]
    value: npt.NDArray[np.int64]
    scales: npt.NDArray[np.float32]
    input_scale: float
    output_scale: float
    output_zero_point: int

    @property
    def fast(self) -> bool:
        """Whether the fast kernels' arithmetic gives TFLite's results in every channel."""
        return bool(np.all(self.fast_channels))

    @property
    def fast_channels(self) -> npt.NDArray[np.bool_]:
        """Per channel whether the fast kernels' arithmetic gives TFLite's results."""
        low, high = accumulator_range(self.weights, self.bias)
        right = -self.shift
        good: npt.NDArray[np.bool_] = (
            (right >= MIN_SHIFT)
            & (right <= MAX_SHIFT)
            & (low > -ACCUMULATOR_LIMIT)
            & (high < ACCUMULATOR_LIMIT)
        )
        return good | self.constant


def fold(
    weights: npt.NDArray[np.int8],
    bias: npt.NDArray[np.int32] | None,
    *,
    scales: npt.NDArray[np.float32],
    real_multipliers: Sequence[float],
    input_scale: float,
    input_zero_point: int,
    output_scale: float,
    output_zero_point: int,
) -> Channels:
    """Fold the input's zero point into the bias, and find channels whose output cannot change.

    Args:
        weights: ``[channels, taps]``.
        bias: ``[channels]``; None: zeros.
        scales: the weights' scales, float32, one or one per channel.
        real_multipliers: per channel what TFLite quantizes to multiplier and shift, as TFLite computes it.
        input_scale: scale of the input's activations.
        input_zero_point: zero point of the input's activations.
        output_scale: scale of the output's activations.
        output_zero_point: zero point of the output's activations.
    """
    count = weights.shape[0]
    wide = weights.astype(np.int64)
    start = np.zeros(count, np.int64) if bias is None else bias.astype(np.int64).reshape(-1)
    folded = start - input_zero_point * wide.sum(axis=1)
    pairs = [quantize_multiplier(real) for real in real_multipliers]
    multiplier = np.array([pair[0] for pair in pairs], np.int64)
    shift = np.array([pair[1] for pair in pairs], np.int64)
    low, high = accumulator_range(weights, folded)
    first = _requantize(low, multiplier, shift, output_zero_point)
    last = _requantize(high, multiplier, shift, output_zero_point)
    # Requantization is monotonous unless the accumulator overflows, which TFLite leaves undefined.
    constant = first == last
    return Channels(
        weights=np.where(constant[:, None], np.int8(0), weights),
        bias=folded,
        multiplier=multiplier,
        shift=shift,
        constant=constant,
        value=first,
        scales=scales.astype(np.float32).reshape(-1),
        input_scale=input_scale,
        output_scale=output_scale,
        output_zero_point=output_zero_point,
    )


def accumulator_range(
    weights: npt.NDArray[np.int8], bias: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Lowest and highest accumulator per channel over all int8 inputs."""
    wide = weights.astype(np.int64)
    positive = np.maximum(wide, 0).sum(axis=1)
    negative = np.minimum(wide, 0).sum(axis=1)
    return (
        bias + INT8_MIN * positive + INT8_MAX * negative,
        bias + INT8_MAX * positive + INT8_MIN * negative,
    )


def pack(channels: Channels) -> Struct:
    """The ``es_channels`` of a layer for the fast kernels: the smallest form that is exact.

    Call it only for channels that are ``fast``.
    """
    return _shared(channels) or _narrow(channels) or _wide(channels)


def rebuild_multiplier(mantissa: int, ratio: int) -> int:
    """What ``es_unpack_channels`` makes of a 24-bit mantissa and the 64-bit ratio."""
    product = mantissa * (ratio >> 32) + ((mantissa * (ratio & 0xFFFFFFFF)) >> 32)
    drop = 24 + (product >> 55)
    return (product + (1 << (drop - 1))) >> drop


def _requantize(
    accumulators: npt.NDArray[np.int64],
    multipliers: npt.NDArray[np.int64],
    shifts: npt.NDArray[np.int64],
    zero_point: int,
) -> npt.NDArray[np.int64]:
    scaled = [
        int(multiply_by_quantized_multiplier(accumulator, int(multiplier), int(shift)))
        for accumulator, multiplier, shift in zip(accumulators, multipliers, shifts, strict=True)
    ]
    return np.clip(np.array(scaled, np.int64) + zero_point, INT8_MIN, INT8_MAX)


def _shared(channels: Channels) -> Struct | None:
    """All channels with one scale: an int32 bias each."""
    moving = ~channels.constant
    pairs = set(zip(channels.multiplier[moving].tolist(), channels.shift[moving].tolist(), strict=True))
    if len(pairs) > 1:
        return None
    multiplier, shift = pairs.pop() if pairs else (1 << 30, -MIN_SHIFT)
    bias = channels.bias.copy()
    for index in np.flatnonzero(channels.constant):
        found = _constant_bias(
            int(channels.value[index]), channels.output_zero_point, multiplier, -shift, ACCUMULATOR_LIMIT
        )
        if found is None:
            return None
        bias[index] = found
    return _struct(
        Blob(bias.astype(np.int32), "biases"),
        ratio=multiplier << 32,
        form=SHARED,
        base_shift=-shift,
        zero_point=channels.output_zero_point,
    )


def _narrow(channels: Channels) -> Struct | None:
    """Six bytes a channel, when every multiplier can be rebuilt from the scale's mantissa."""
    count = len(channels.bias)
    moving = np.flatnonzero(~channels.constant)
    right = -channels.shift
    base = int(right[moving].min())
    if int(right[moving].max()) - base >= NARROW_SHIFTS:
        return None
    ratio = _ratio(channels.input_scale, channels.output_scale)
    scales = np.broadcast_to(channels.scales, (count,))
    records = np.zeros((count, 3), np.uint16)
    for index in range(count):
        mantissa, shift, bias = _mantissa(scales[index]), int(right[index]), int(channels.bias[index])
        if channels.constant[index]:
            mantissa, shift = 1 << 23, base
            found = _constant_bias(
                int(channels.value[index]),
                channels.output_zero_point,
                rebuild_multiplier(mantissa, ratio),
                shift,
                NARROW_BIAS_LIMIT,
            )
            if found is None:
                return None
            bias = found
        elif rebuild_multiplier(mantissa, ratio) != channels.multiplier[index]:
            return None
        if not -NARROW_BIAS_LIMIT <= bias < NARROW_BIAS_LIMIT:
            return None
        word = (mantissa & 0x7FFFFF) | (shift - base) << 23 | (bias & 0x3FFFFF) << 26
        records[index] = [word & 0xFFFF, word >> 16 & 0xFFFF, word >> 32]
    return _struct(
        Blob(records.reshape(-1), "biases and scales, 6 bytes a channel"),
        ratio=ratio,
        form="ES_CHANNELS_NARROW",
        base_shift=base,
        zero_point=channels.output_zero_point,
    )


def _wide(channels: Channels) -> Struct:
    """Bias, multiplier and shift as they are: twelve bytes a channel."""
    rows = np.stack([channels.bias, channels.multiplier, -channels.shift], axis=1)
    for index in np.flatnonzero(channels.constant):
        multiplier, shift = 1 << 30, 8
        bias = _constant_bias(
            int(channels.value[index]), channels.output_zero_point, multiplier, shift, ACCUMULATOR_LIMIT
        )
        assert bias is not None
        rows[index] = [bias, multiplier, shift]
    return _struct(
        Blob(rows.reshape(-1).astype(np.int32), "biases, multipliers and shifts"),
        ratio=0,
        form="ES_CHANNELS_WIDE",
        base_shift=0,
        zero_point=channels.output_zero_point,
    )


def _constant_bias(value: int, zero_point: int, multiplier: int, shift: int, limit: int) -> int | None:
    """An accumulator below ``limit`` that requantizes to ``value``, or None."""
    guess = round((value - zero_point) * Fraction(1 << (31 + shift), multiplier))
    for bias in range(guess - 2, guess + 3):
        scaled = int(multiply_by_quantized_multiplier(bias, multiplier, -shift)) + zero_point
        if -limit <= bias < limit and min(max(scaled, INT8_MIN), INT8_MAX) == value:
            return bias
    return None


def _ratio(input_scale: float, output_scale: float) -> int:
    """Input scale / output scale, normalized to [2^63, 2^64)."""
    exact = Fraction(input_scale) / Fraction(output_scale)
    exponent = exact.numerator.bit_length() - exact.denominator.bit_length()
    scaled = exact * Fraction(2) ** (63 - exponent)
    if scaled < 1 << 63:
        scaled *= 2
    return min(round(scaled), (1 << 64) - 1)


def _mantissa(scale: np.float32) -> int:
    """The 24 significant bits of a float32."""
    fraction, _ = math.frexp(float(scale))
    return int(fraction * (1 << 24))


def _struct(records: Blob, *, ratio: int, form: str, base_shift: int, zero_point: int) -> Struct:
    return Struct(
        "es_channels",
        {
            "records": records,
            "ratio_high": ratio >> 32,
            "ratio_low": ratio & 0xFFFFFFFF,
            "format": form,
            "base_shift": base_shift,
            "output_zero_point": zero_point,
        },
    )
