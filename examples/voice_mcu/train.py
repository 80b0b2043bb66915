"""Train the network of spoken digits on synthetic voices; nothing here knows of EdgeSqueeze.

Input: the features of a word [40, 13] of ``features.word_features``, each coefficient scaled by its mean and
deviation. Output: a digit, or unknown (a word that is none), or silence (a noise).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from examples.voice_mcu.features import BANDS, COEFFICIENTS, RATE, STEPS
from examples.voice_mcu.voices import CLASSES

BATCH = 128
SMOOTHING = 0.1
TRACTS, LONGEST = 21, 1.12
"""How many lengths of vocal tracts there are, and how many times as long the longest is; or as short."""

Words = npt.NDArray[np.float32]


class Scaling(NamedTuple):
    """Mean and deviation of each coefficient over the training data, in decibels: arrays [13]."""

    mean: npt.NDArray[np.float64]
    deviation: npt.NDArray[np.float64]

    def __call__(self, words: npt.NDArray[np.floating]) -> Words:
        """Words [n, 40, 13] in decibels as the network takes them."""
        return ((words - self.mean) / self.deviation).astype(np.float32)


def scaling_of(words: npt.NDArray[np.floating]) -> Scaling:
    """The scaling that the training data ask for."""
    return Scaling(words.mean((0, 1), dtype=np.float64), words.std((0, 1), dtype=np.float64))


def build_model() -> keras.Model:
    """Four convolutions over time, 61,400 parameters; every frame counts, and nothing is padded."""
    word = keras.Input((STEPS, COEFFICIENTS), name="word")
    x = word
    for number, (filters, width, stride) in enumerate(((48, 6, 1), (64, 3, 2), (96, 3, 2), (96, 3, 1))):
        x = layers.Conv1D(filters, width, stride, use_bias=False, name=f"conv{number + 1}")(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.95)(x))
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling1D()(x))
    return keras.Model(word, layers.Dense(CLASSES, activation="softmax", name="digit")(x), name="digits")


def tracts(scaling: Scaling) -> Words:
    """Matrices [21, 13, 13] that give a scaled word's speaker another vocal tract.

    A longer one has all resonances lower (Jaitly and Hinton, 2013). The bands that coefficients stand for are
    read elsewhere on the mel scale then.
    """
    angle = np.pi / BANDS * (np.arange(BANDS) + 0.5) * np.arange(COEFFICIENTS)[:, None]
    cosines = np.where(np.arange(COEFFICIENTS) == 0, 1, np.sqrt(2))[:, None] * np.cos(angle) / np.sqrt(BANDS)
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    hertz = 700 * (10 ** (np.arange(1, BANDS + 1) / (BANDS + 1) * top / 2595) - 1)
    found = []
    for factor in np.linspace(2 - LONGEST, LONGEST, TRACTS):
        place = 2595 * np.log10(1 + factor * hertz / 700) / top * (BANDS + 1) - 1
        place = np.clip(place, 0, BANDS - 1)
        bands = np.maximum(1 - np.abs(place[:, None] - np.arange(BANDS)), 0)
        found.append(cosines @ bands @ cosines.T * scaling.deviation / scaling.deviation[:, None])
    return np.array(found, np.float32)


def batches(
    words: Words, classes: npt.NDArray[np.int64], scaling: Scaling, rng: np.random.Generator
) -> Iterator[tuple[Words, Words]]:
    """Batches without end, each word varied anew every time."""
    lengths = tracts(scaling)
    # The label is spread a little: synthetic voices are too easy to be sure of.
    targets = np.eye(CLASSES, dtype=np.float32) * (1 - SMOOTHING) + np.float32(SMOOTHING / CLASSES)
    while True:
        order = rng.permutation(len(words))
        for first in range(0, len(words) - BATCH + 1, BATCH):
            chosen = order[first : first + BATCH]
            spoken = words[chosen] @ lengths[rng.integers(0, TRACTS, BATCH)].transpose(0, 2, 1)
            yield vary(spoken, rng), targets[classes[chosen]]


def vary(words: Words, rng: np.random.Generator) -> Words:
    """Words in other tempo and place, with other microphones' colours, noise, and parts that are missing."""
    count = len(words)
    tempo = np.where(rng.random(count) < 0.4, rng.uniform(0.8, 1.25, count), 1.0)
    shift = np.where(rng.random(count) < 0.5, rng.integers(-3, 4, count), 0)
    middle = STEPS / 2
    places = (np.arange(STEPS) - middle) * tempo[:, None] + middle + shift[:, None]
    places = np.clip(places, 0, STEPS - 1.001)
    before = places.astype(np.int64)
    part = (places - before)[..., None].astype(np.float32)
    row = np.arange(count)[:, None]
    varied = words[row, before] * (1 - part) + words[row, before + 1] * part
    colour = rng.normal(0, 0.25, (count, 1, COEFFICIENTS)) * (rng.random((count, 1, 1)) < 0.7)
    varied += (colour + rng.normal(0, 0.1, varied.shape)).astype(np.float32)
    # SpecAugment (Park et al., 2019): a stretch of time, or a coefficient, is gone.
    start, length = rng.integers(0, STEPS - 6, count), rng.integers(1, 6, count)
    step = np.arange(STEPS)
    hidden = (step >= start[:, None]) & (step < (start + length)[:, None]) & (rng.random((count, 1)) < 0.3)
    varied = np.where(hidden[..., None], varied.mean(1, keepdims=True), varied)
    lost = (np.arange(COEFFICIENTS) == rng.integers(0, COEFFICIENTS, (count, 1))) & (
        rng.random((count, 1)) < 0.3
    )
    return np.where(lost[:, None, :], 0, varied).astype(np.float32)


def train(
    words: Words, classes: npt.NDArray[np.int64], scaling: Scaling, *, epochs: int, seed: int
) -> keras.Model:
    """A trained network.

    Args:
        words: scaled features [n, 40, 13].
        classes: of the words [n].
        scaling: that the words have.
        epochs: how often every word is seen.
        seed: of the weights at the beginning, of the order and of the variations.
    """
    keras.utils.set_random_seed(seed)
    model = build_model()
    steps = len(words) // BATCH
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps * epochs)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3), "categorical_crossentropy")
    batch = batches(words, classes, scaling, np.random.default_rng(seed))
    model.fit(batch, steps_per_epoch=steps, epochs=epochs, shuffle=False, verbose=0)
    return model
