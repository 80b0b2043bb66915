"""How good the network is: on people, on synthetic voices that it never heard, on speech without digits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import edgesqueeze
from examples.voice_mcu.detector import listen
from examples.voice_mcu.features import HOP, RATE, to_samples
from examples.voice_mcu.firmware_folder import EMULATED_PARTS, Quantizer, emulated_files
from examples.voice_mcu.voices import CLASSES, UNKNOWN, Sound

NOTHING, TOO_LONG = -1, 12
"""What ``voice_push`` gives besides classes."""
PASSING = 0.8
"""The share of digits by held-out voices that must be clear enough: it decides what is."""

Scores = npt.NDArray[np.int8]


class Share(NamedTuple):
    """A share of so many, and where it lies with 95 % confidence (Wilson, 1927), in percent."""

    percent: float
    low: float
    high: float


def share(right: npt.NDArray[np.bool_]) -> Share:
    """The share of what is right. Recordings of one person count as independent, which they are not quite."""
    count, part, z = len(right), float(np.mean(right)), 1.96
    middle = (part + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(part * (1 - part) / count + z**2 / (4 * count**2))
    return Share(*(round(100 * float(one), 1) for one in (part, middle - half, middle + half)))


def scores_of(model: edgesqueeze.TfliteModel, words: npt.NDArray[np.int8]) -> Scores:
    """What the .tflite says about words [n, 40, 13]: scores [n, 12] as in the firmware, -128 to 127."""
    (probabilities,) = edgesqueeze.run(model, words)
    return (np.rint(probabilities * 256) - 128).astype(np.int8)


def decide(scores: Scores, least_score: int) -> npt.NDArray[np.int64]:
    """``voice_classify``: a digit if it is clear enough, else unknown or silence [n]."""
    best = scores.argmax(1)
    unclear = (best < UNKNOWN) & (scores.max(1) < least_score)
    return np.where(unclear, UNKNOWN, best)


def least_score(scores: Scores, classes: npt.NDArray[np.int64], passing: float = PASSING) -> int:
    """The highest bound with which this share of the digits still passes for digits, right or wrong."""
    digits = scores[classes < UNKNOWN]
    clear = np.where(digits.argmax(1) < UNKNOWN, digits.max(1), np.int8(-128))
    needed = int(np.ceil(passing * len(clear)))
    return int(np.sort(clear)[::-1][needed - 1]) if needed else 127


class Listened(NamedTuple):
    """What the firmware hears in sound that has no digits.

    Attributes:
        hours: of sound.
        words: that the detector found.
        sentences: that were too long to be a word.
        accepted: words that passed for digits.
    """

    hours: float
    words: int
    sentences: int
    accepted: int

    @property
    def an_hour(self) -> float:
        """False accepts in an hour."""
        return self.accepted / self.hours


def false_accepts(
    model: edgesqueeze.TfliteModel, quantizer: Quantizer, bounds: Sequence[int], prompts: Sequence[Sound]
) -> list[Listened]:
    """Listen to prompts one behind the other, half a second between them; for each least score."""
    stream = to_samples(joined(prompts))
    heard = list(listen(stream))
    words = [one.features for one in heard if one.features is not None]
    scores = scores_of(model, quantizer(np.stack(words))) if words else np.empty((0, CLASSES), np.int8)
    accepted = [int(np.sum(decide(scores, bound) < UNKNOWN)) for bound in bounds]
    hours = len(stream) / RATE / 3600
    return [Listened(hours, len(words), len(heard) - len(words), count) for count in accepted]


def joined(sounds: Sequence[Sound], pause: float = 0.5, seed: int = 0) -> Sound:
    """Sounds one behind the other, pauses of faint noise around them."""
    rng = np.random.default_rng(seed)
    length = int(pause * RATE)
    parts = [part for sound in sounds for part in (np.zeros(length, np.float32), sound)]
    stream = np.concatenate([*parts, np.zeros(length, np.float32)])
    return (stream + 1e-4 * rng.normal(size=len(stream))).astype(np.float32)


def heard_by_twin(
    model: edgesqueeze.TfliteModel, quantizer: Quantizer, least: int, samples: npt.NDArray[np.int16]
) -> npt.NDArray[np.int8]:
    """What ``voice_push`` gives for every 200 samples, found in Python [hops]."""
    result = np.full(len(samples) // HOP, NOTHING, np.int8)
    for one in listen(samples):
        if one.features is None:
            result[one.frame] = TOO_LONG
        else:
            result[one.frame] = decide(scores_of(model, quantizer(one.features[np.newaxis])), least)[0]
    return result


def emulated(
    files: dict[str, str], target: str, samples: npt.NDArray[np.int16]
) -> tuple[npt.NDArray[np.int8], edgesqueeze.ProgramRun]:
    """What the firmware hears on an emulated board, for every 200 samples, and what it costs there."""
    data = samples[: len(samples) // HOP * HOP].astype("<i2").tobytes()
    run = edgesqueeze.emulate_program(
        emulated_files(files), target, parts=EMULATED_PARTS, data=data, seconds=600
    )
    return np.frombuffer(run.output, np.int8), run


def statistics(words: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Mean and deviation of each coefficient in the four quarters of words [n, 40, 13]: [n, 104]."""
    quarters = words.reshape(len(words), 4, -1, words.shape[2])
    return np.concatenate([quarters.mean(2), quarters.std(2)], 1).reshape(len(words), -1)


def classical(
    words: npt.NDArray[np.float32], classes: npt.NDArray[np.int64], judged: npt.NDArray[np.float32]
) -> npt.NDArray[np.int64]:
    """The classical method: logistic regression on ``statistics``, which knows digits only [n].

    Args:
        words: features of the training words [m, 40, 13].
        classes: of them [m].
        judged: features [n, 40, 13].
    """
    from sklearn.linear_model import LogisticRegression

    known, asked = statistics(words[classes < UNKNOWN]), statistics(judged)
    mean, deviation = known.mean(0), known.std(0) + 1e-6
    model = LogisticRegression(max_iter=200).fit((known - mean) / deviation, classes[classes < UNKNOWN])
    return np.asarray(model.predict((asked - mean) / deviation))
