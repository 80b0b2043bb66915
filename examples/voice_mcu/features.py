"""The front end in Python: MFCCs in integers, bit for bit those of ``firmware/mfcc.c``; and its tables for C.

The features are those of ``torchaudio.transforms.MFCC(8000, n_mfcc=13)``: a spectrum of 400 samples every
200, 128 triangles on HTK's mel scale, decibels no more than 80 below the loudest, an orthonormal DCT. The
recordings of people come as such. Sums of products stay below 2^53, so float64 holds them exactly and BLAS
computes them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

RATE = 8000
HOP, WINDOW, BANDS, COEFFICIENTS = 200, 400, 128, 13
HALF = WINDOW // 2
RADICES = (8, 5, 5)
STEPS = 40
"""Frames of the network's input: a second."""
WINDOW_SHIFT, TURN_SHIFT, POWER_SHIFT, COSINE_SHIFT, PLACES = 8, 20, 14, 12, 8
ONE = 1 << PLACES
WEIGHT = 1 << 14
FULL_SCALE = 46 * ONE
"""The logarithm of a power of 1 (sound from -1 to 1): 2 * (15 + 15 - 8) + 2 - 14 + 14 binary places."""
DECIBELS = 10 * np.log10(2)
RANGE = round(80 / DECIBELS * ONE)
LEAST = round((46 + np.log2(1e-10)) * ONE)
UNIT = 256
"""A decibel of the integers of ``coefficients``."""

Ints = npt.NDArray[np.int64]


class Shares(NamedTuple):
    """Which two bands each bin of the spectrum belongs to, and with what weights: arrays [199]."""

    falling: Ints
    rising: Ints
    falling_weight: Ints
    rising_weight: Ints


class Tables(NamedTuple):
    """Everything that is constant.

    Attributes:
        window: Hann's window [400], 15 binary places.
        turns: exp(-2 pi i n / 400) [400, 2], 20 binary places.
        shares: of the bins in the bands.
        cosines: of the orthonormal DCT [13, 128], times the decibels of an octave, 12 binary places.
        all_bands: sum of all 128 cosines of coefficient 0.
        logarithms: log2(1 + n / 256) [256], 8 binary places.
    """

    window: Ints
    turns: Ints
    shares: Shares
    cosines: Ints
    all_bands: int
    logarithms: Ints


def make_tables() -> Tables:
    """Compute them."""
    n = np.arange(WINDOW)
    window = np.rint(32768 * (0.5 - 0.5 * np.cos(2 * np.pi * n / WINDOW)))
    turns = np.rint(
        (1 << TURN_SHIFT) * np.stack([np.cos(2 * np.pi * n / 400), -np.sin(2 * np.pi * n / 400)], 1)
    )
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1)
    hertz = np.arange(1, HALF) * RATE / WINDOW
    place = np.searchsorted(edges, hertz, side="right") - 1
    rise = np.rint(WEIGHT * (hertz - edges[place]) / (edges[place + 1] - edges[place]))
    # Band b rises from edge b to edge b + 1 and falls to edge b + 2.
    shares = Shares(
        np.maximum(place - 1, 0),
        np.minimum(place, BANDS - 1),
        np.where(place > 0, WEIGHT - rise, 0).astype(np.int64),
        np.where(place < BANDS, rise, 0).astype(np.int64),
    )
    angle = np.pi / BANDS * (np.arange(BANDS) + 0.5) * np.arange(COEFFICIENTS)[:, None]
    scale = np.where(np.arange(COEFFICIENTS) == 0, 1, np.sqrt(2)) / np.sqrt(BANDS)
    cosines = np.rint((1 << COSINE_SHIFT) * DECIBELS * scale[:, None] * np.cos(angle)).astype(np.int64)
    logarithms = np.minimum(np.rint(ONE * np.log2(1 + (np.arange(ONE) + 0.5) / ONE)), ONE - 1)
    return Tables(
        np.minimum(window, 32767).astype(np.int64),
        turns.astype(np.int64),
        shares,
        cosines,
        int(cosines[0].sum()),
        logarithms.astype(np.int64),
    )


TABLES = make_tables()


def to_samples(sound: npt.NDArray[np.floating]) -> npt.NDArray[np.int16]:
    """Sound from -1 to 1 as a microphone gives it: int16."""
    return np.clip(np.rint(np.asarray(sound, np.float64) * 32768), -32768, 32767).astype(np.int16)


def frames_of(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Windows [frames, 400], the first and the last half mirrored at the ends, as torchaudio does."""
    padded = np.pad(samples, HALF, mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]


def bands(frames: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """``mfcc_bands`` for windows [frames, 400]: logarithms [frames, 128]."""
    windowed = (frames.astype(np.int64) * TABLES.window) >> WINDOW_SHIFT
    re, im = (windowed[:, part::2].astype(np.float64) for part in (0, 1))
    stride = 1
    for radix in RADICES:
        re, im = _step(re, im, radix, stride)
        stride *= radix
    power = _power(re.astype(np.int64), im.astype(np.int64))
    energies = np.zeros((len(frames), BANDS), np.uint64)
    shares = TABLES.shares
    for band, weight in (
        (shares.falling, shares.falling_weight),
        (shares.rising, shares.rising_weight),
    ):
        # Bins of a band lie side by side.
        some, first = np.unique(band, return_index=True)
        energies[:, some] += np.add.reduceat(power * weight.astype(np.uint64), first, axis=1)
    return _logarithms(energies)


def _step(
    re: npt.NDArray[np.float64], im: npt.NDArray[np.float64], radix: int, stride: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    parts = HALF // stride // radix
    p, k, j = np.ogrid[:parts, :radix, :radix]
    turn = TABLES.turns[2 * (stride * k * (p + parts * j) % HALF)].astype(np.float64)
    c, s = turn[..., 0], turn[..., 1]
    # in: [frame, j, p, q]; matrices [p, k, j]; out: [frame, p, k, q]
    x, y = (part.reshape(len(re), radix, parts, stride).transpose(0, 2, 1, 3) for part in (re, im))
    half = float(1 << (TURN_SHIFT - 1))
    out_re = np.floor((c @ x - s @ y + half) / (1 << TURN_SHIFT))
    out_im = np.floor((s @ x + c @ y + half) / (1 << TURN_SHIFT))
    return out_re.reshape(len(re), HALF), out_im.reshape(len(re), HALF)


def _power(re: Ints, im: Ints) -> npt.NDArray[np.uint64]:
    bins = np.arange(1, HALF)
    other = HALF - bins
    c, s = TABLES.turns[bins].T
    odd_re, odd_im = im[:, bins] + im[:, other], re[:, other] - re[:, bins]
    half = 1 << (TURN_SHIFT - 1)
    x = re[:, bins] + re[:, other] + ((odd_re * c - odd_im * s + half) >> TURN_SHIFT)
    y = im[:, bins] - im[:, other] + ((odd_re * s + odd_im * c + half) >> TURN_SHIFT)
    return ((x * x).astype(np.uint64) + (y * y).astype(np.uint64)) >> np.uint64(POWER_SHIFT)


def _logarithms(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.int16]:
    top = np.zeros(values.shape, np.uint64)
    for width in (32, 16, 8, 4, 2, 1):
        top += np.where((values >> top) >> np.uint64(width) != 0, width, 0).astype(np.uint64)
    places = np.uint64(PLACES)
    behind = np.where(
        top >= PLACES,
        values >> (np.maximum(top, places) - places),
        values << (places - np.minimum(top, places)),
    )
    part = TABLES.logarithms[(behind & np.uint64(ONE - 1)).astype(np.int64)]
    found = (top << places).astype(np.int64) + part
    return np.where(values == 0, 0, found).astype(np.int16)


def coefficients(levels: npt.NDArray[np.int16]) -> Ints:
    """``mfcc_coefficients``: MFCCs [frames, 13] of one word, in 1/256 decibels."""
    floor = max(int(levels.max(initial=0)), LEAST + RANGE) - RANGE
    above = np.maximum(levels.astype(np.int64) - floor, 0)
    sums = np.rint(above.astype(np.float64) @ TABLES.cosines.T.astype(np.float64)).astype(np.int64)
    sums[:, 0] += (floor - FULL_SCALE) * TABLES.all_bands
    return (sums + (1 << (COSINE_SHIFT - 1))) >> COSINE_SHIFT


def word_features(features: Ints) -> Ints:
    """MFCCs [frames, 13] of a word -> what the network sees of them [40, 13], in 1/256 decibels.

    The mean of every coefficient, which a microphone and a room shift, is taken away; of the first, the
    loudness, the maximum. A word stands in the middle of a second of its own quietest frame; of a longer one,
    the second where it is loudest is taken.
    """
    count = len(features)
    if count > STEPS:
        loudest = np.convolve(features[:, 0], np.ones(STEPS, np.int64), "valid").argmax()
        features, count = features[loudest : loudest + STEPS], STEPS
    sums = features.sum(0)
    # As C divides: towards zero.
    levels = np.sign(sums) * (np.abs(sums) // count)
    levels[0] = features[:, 0].max()
    places = np.full(STEPS, features[:, 0].argmin())
    before = (STEPS - count) // 2
    places[before : before + count] = np.arange(count)
    return features[places] - levels


def mfcc(sound: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Features [frames, 13] of a sound from -1 to 1, in decibels."""
    return (coefficients(bands(frames_of(to_samples(sound)))) / np.float32(UNIT)).astype(np.float32)


def tables_in_c() -> str:
    """``mfcc_tables.h``: the tables as C."""
    shares = [_braced(row) for row in np.stack(TABLES.shares, 1).tolist()]
    pairs = [_braced(pair) for pair in TABLES.turns.tolist()]
    rows = [_braced(row) for row in TABLES.cosines.tolist()]
    return f"""\
/* Written by features.py. */
#ifndef MFCC_TABLES_H
#define MFCC_TABLES_H

#include <stdint.h>

#define MFCC_RANGE {RANGE}
#define MFCC_LEAST {LEAST}
#define MFCC_FULL_SCALE {FULL_SCALE}
#define MFCC_ALL_BANDS {TABLES.all_bands}

/* What a bin adds to two neighbouring bands. */
typedef struct {{
  uint8_t falling, rising;
  uint16_t falling_weight, rising_weight;
}} mfcc_share;

static const int16_t mfcc_window[{WINDOW}] = {{{_lines(map(str, TABLES.window.tolist()))}}};
static const int32_t mfcc_turns[{WINDOW}][2] = {{{_lines(pairs)}}};
static const mfcc_share mfcc_shares[{HALF - 1}] = {{{_lines(shares)}}};
static const int16_t mfcc_cosines[{COEFFICIENTS}][{BANDS}] = {{{_lines(rows)}}};
static const uint8_t mfcc_logarithms[{ONE}] = {{{_lines(map(str, TABLES.logarithms.tolist()))}}};

#endif /* MFCC_TABLES_H */
"""


def _braced(numbers: Iterable[int]) -> str:
    return "{" + ", ".join(map(str, numbers)) + "}"


def _lines(items: Iterable[str]) -> str:
    return "\n" + textwrap.fill(", ".join(items), 98, initial_indent="    ", subsequent_indent="    ") + "\n"
