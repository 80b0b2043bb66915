"""The detector of words in Python: what ``firmware/voice.c`` finds in a stream of sound, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from examples.voice_mcu import features
from examples.voice_mcu.features import HOP, STEPS, WINDOW, Ints

BEFORE, PAUSE, LEAST = 2, 8, 4
LOUDER, NOISE_PLACES, NOISE_RISE = 850, 4, 24
MOST = STEPS + PAUSE
"""Frames that are kept."""


class Heard(NamedTuple):
    """Something between two pauses.

    Attributes:
        frame: the frame at which the pause behind it was long enough.
        features: of the word [40, 13], in 1/256 decibels; None for what was too long to be one.
    """

    frame: int
    features: Ints | None


def listen(samples: npt.NDArray[np.int16]) -> Iterator[Heard]:
    """What is heard in a stream: whole hops of 200 samples, silence before them."""
    hops = len(samples) // HOP
    stream = np.concatenate([np.zeros(WINDOW - HOP, np.int16), samples[: hops * HOP]])
    levels = features.bands(np.lib.stride_tricks.sliding_window_view(stream, WINDOW)[::HOP])
    loudness = levels.sum(1, dtype=np.int64) // features.BANDS
    speech = _speech(loudness)
    first = count = speaking = pause = 0
    too_long = False
    for frame, loud in enumerate(speech):
        if count == MOST:
            too_long, first, count = True, first + 1, count - 1
        count += 1
        if loud:
            speaking, pause = speaking + 1, 0
        elif speaking:
            pause += 1
        elif count > BEFORE:
            first, count = frame + 1 - BEFORE, BEFORE
        if pause == PAUSE:
            length = min(count - pause + 1, STEPS)
            if too_long:
                yield Heard(frame, None)
            elif speaking >= LEAST:
                word = features.coefficients(levels[first : first + length])
                yield Heard(frame, features.word_features(word))
            speaking = pause = 0
            too_long = False
            first, count = frame + 1 - BEFORE, BEFORE


def _speech(loudness: Ints) -> list[bool]:
    """Which frames are louder than the background, which is followed quickly down and slowly up."""
    found = []
    noise = int(loudness[0]) << NOISE_PLACES if len(loudness) else 0
    for number, level in enumerate(loudness.tolist()):
        fine = level << NOISE_PLACES
        if number and fine < noise:
            noise -= (noise - fine) // 4
        elif number:
            noise += NOISE_RISE
        found.append(fine > noise + (LOUDER << NOISE_PLACES))
    return found
