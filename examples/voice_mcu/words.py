"""From sounds of words to training data: rooms, microphones and noises are added, pauses are cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.signal import fftconvolve, lfilter

from examples.voice_mcu import features
from examples.voice_mcu.features import RATE, UNIT
from examples.voice_mcu.voices import (
    FLITE_VOICES,
    SILENCE,
    SPELLINGS,
    UNKNOWN,
    Sound,
    Spoken,
    espeak_variants,
    espeak_words,
    flite_words,
)

LEAST_FRAMES = 4
HELD_OUT = frozenset({"Hugo", "f2", "m5", "anika", "klatt4", "ed", "travis", "linda", "flite-awb"})
"""Voices that judge and never train: the threshold of what counts as clear is chosen on them."""


class Words(NamedTuple):
    """Words as the network sees them.

    Attributes:
        features: [n, 40, 13], decibels.
        classes: a digit, unknown or silence [n].
        held_out: whether the voice is one of ``HELD_OUT`` [n].
    """

    features: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]
    held_out: npt.NDArray[np.bool_]


class Amount(NamedTuple):
    """How much is made.

    Attributes:
        variants: of espeak-ng, in each language.
        others: words that are no digits, by each variant.
        manners: tempos and pitches of each voice of flite.
        takes: recordings of each spoken word; three times as many of flite and of noises.
    """

    variants: int = 48
    others: int = 8
    manners: int = 4
    takes: int = 2


QUICK = Amount(variants=8, others=4, manners=1, takes=1)


def make_words(engines: Path, amount: Amount, processes: int | None = None) -> Words:
    """All training data, made in as many processes as there are cores, or as asked for."""
    jobs: list[Callable[[], Words]] = [
        *(partial(_of_language, engines, language, amount, seed) for seed, language in enumerate(SPELLINGS)),
        *(partial(_of_flite, engines, voice, amount, 100 + seed) for seed, voice in enumerate(FLITE_VOICES)),
        partial(_of_noises, amount, 200),
    ]
    with ProcessPoolExecutor(processes) as pool:
        parts = list(pool.map(_call, jobs))
    return Words(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def balanced(words: Words, seed: int) -> Words:
    """The words that train: unknown and noises no more often than a digit, or people's digits end there."""
    rng = np.random.default_rng(seed)
    known = np.flatnonzero(~words.held_out)
    counts = np.bincount(words.classes[known])
    most = int(counts[:UNKNOWN].max())
    places = [known[words.classes[known] == one] for one in range(len(counts))]
    chosen = np.sort(np.concatenate([rng.permutation(one)[:most] for one in places]))
    return Words(*(array[chosen] for array in words))


def _call(job: Callable[[], Words]) -> Words:
    return job()


def _of_language(engines: Path, language: str, amount: Amount, seed: int) -> Words:
    rng = np.random.default_rng(seed)
    variants = espeak_variants(engines)
    chosen = [variants[number] for number in np.linspace(0, len(variants) - 1, amount.variants).astype(int)]
    spoken = espeak_words(engines, language, chosen, amount.others, rng)
    return gather(spoken, amount.takes, rng)


def _of_flite(engines: Path, voice: str, amount: Amount, seed: int) -> Words:
    rng = np.random.default_rng(seed)
    return gather(flite_words(engines, voice, amount.manners, 10, rng), 3 * amount.takes, rng)


def _of_noises(amount: Amount, seed: int) -> Words:
    """Noises: what is heard that is no word."""
    rng = np.random.default_rng(seed)
    spoken = [Spoken("noise", SILENCE, _burst(rng)) for _ in range(amount.variants * amount.others)]
    return gather(spoken, 3 * amount.takes, rng)


def gather(spoken: Iterable[Spoken], takes: int, rng: np.random.Generator) -> Words:
    """The features of words, each recorded a few times under other circumstances."""
    found, classes, held_out = [], [], []
    for voice, digit, sound in spoken:
        for _ in range(takes):
            frames = features.frames_of(features.to_samples(recorded(sound, rng)))
            if len(frames) >= LEAST_FRAMES:
                found.append(features.word_features(features.coefficients(features.bands(frames))))
                classes.append(digit)
                held_out.append(voice in HELD_OUT)
    stacked = np.stack(found).astype(np.float32) / np.float32(UNIT)
    return Words(stacked, np.array(classes, np.int64), np.array(held_out))


def recorded(sound: Sound, rng: np.random.Generator) -> Sound:
    """A sound as some microphone in some room would record it, cut where it begins and ends."""
    sound = _coloured(_paced(sound, rng), rng)
    if rng.random() < 0.5:
        length = int(rng.integers(200, 1600))
        echo = (
            np.exp(-np.arange(length) / rng.uniform(60, 500))
            * rng.normal(size=length)
            * rng.uniform(0.02, 0.25)
        )
        echo[0] = 1
        sound = fftconvolve(sound, echo)
    sound = np.pad(sound, (200, 400))
    sound = sound + _noise(len(sound), float(np.sqrt(np.mean(sound**2))) + 1e-9, rng)
    sound *= 10 ** (-rng.uniform(0, 32) / 20) / (np.abs(sound).max() + 1e-9)
    if rng.random() < 0.1:
        peak = np.abs(sound).max()
        sound = np.clip(sound * 3, -peak, peak)
    if rng.random() < 0.15:
        sound = np.rint(sound * 127) / 127
    return trimmed(sound.astype(np.float32), 10 ** (-rng.uniform(22, 45) / 20), rng)


def trimmed(sound: Sound, share: float, rng: np.random.Generator) -> Sound:
    """From where a sound first has a share of its loudest 20 ms to where it last has, and a little around."""
    sums = np.cumsum(np.pad(sound.astype(np.float64) ** 2, (81, 79)))
    loudness = np.sqrt(np.maximum(sums[160:] - sums[:-160], 0))
    loud = np.flatnonzero(loudness > share * loudness.max())
    first = max(0, int(loud[0]) - int(rng.integers(0, 500))) if len(loud) else 0
    last = int(loud[-1]) + int(rng.integers(0, 900)) if len(loud) else len(sound)
    return sound[first:last]


def _paced(sound: Sound, rng: np.random.Generator) -> Sound:
    """Faster and higher, or slower and lower."""
    places = np.arange(0, len(sound) - 1, rng.uniform(0.85, 1.2))
    return np.interp(places, np.arange(len(sound)), sound).astype(np.float32)


def _coloured(sound: Sound, rng: np.random.Generator) -> Sound:
    """Through a tilt, a resonance, and a high-pass."""
    sound = lfilter([1, rng.uniform(-0.6, 0.6)], [1], sound)
    if rng.random() < 0.6:
        turn = np.cos(2 * np.pi * rng.uniform(200, 3600) / RATE)
        pole, zero = 0.9 * rng.uniform(0.5, 0.93), rng.uniform(0.1, 0.9)
        sound = lfilter([1, -2 * zero * turn, zero**2], [1, -2 * pole * turn, pole**2], sound)
    if rng.random() < 0.5:
        sound = lfilter([1, -1], [1, -rng.uniform(0.9, 0.995)], sound)
    return np.asarray(sound, np.float32)


def _noise(length: int, level: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """White or darker noise 8 to 55 dB below a level, and now and then the hum of the mains."""
    noise = rng.normal(size=length)
    if rng.random() < 0.5:
        noise = lfilter([1], [1, -rng.uniform(0.3, 0.97)], noise)
    noise *= level * 10 ** (-rng.uniform(8, 55) / 20) / np.sqrt(np.mean(noise**2))
    if rng.random() < 0.4:
        hum = level * 10 ** (-rng.uniform(5, 45) / 20)
        hertz = rng.choice([50, 60, 100, 120])
        noise += hum * np.sin(2 * np.pi * hertz * np.arange(length) / RATE + rng.uniform(0, 6))
    return noise


def _burst(rng: np.random.Generator) -> Sound:
    """A noise that swells and dies away, a click, or a tone."""
    length = int(rng.integers(800, 6000))
    time = np.arange(length)
    swell = np.exp(-time / rng.uniform(50, 3000)) * (1 - np.exp(-time / rng.uniform(1, 400)))
    kind = rng.integers(0, 3)
    if kind == 2:
        return (swell * np.sin(2 * np.pi * rng.uniform(80, 3500) * time / RATE)).astype(np.float32)
    noise = rng.normal(size=length)
    if kind == 1:
        noise = lfilter([1], [1, -rng.uniform(-0.9, 0.97)], noise)
    return (swell * noise).astype(np.float32)


def human_words(recordings: Sequence[features.Ints]) -> npt.NDArray[np.float32]:
    """MFCCs [frames, 13] of recordings as the network sees them [n, 40, 13], in decibels."""
    return np.stack([features.word_features(one) for one in recordings]).astype(np.float32) / np.float32(UNIT)
