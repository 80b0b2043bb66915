"""Ten small tasks with little data: what they learn from, and the networks that learn them.

scikit-learn's digits in noise, as images and as rows, and eight that are drawn: each class has a prototype,
and a sample is the prototype as a sensor might see it, shifted, stretched, mixed with others and buried in
noise, so that networks of this size are right in 75 to 97 of 100 cases.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Samples = tuple[Array, Array]

TEST = 2000
"""Samples that a network is judged on, where they are drawn: one of them is a twentieth of a point."""
BESIDES = 4700
"""Samples that a float network learns besides."""


class Task(NamedTuple):
    """One row of the table of tasks.

    Attributes:
        name: what is to be told apart.
        samples: samples to train on.
        draw: ``draw(count, rng)``: that many samples ``[n, ...]`` float32, and their classes.
        build: ``build(inputs, classes)``: the network from its input tensor to the probabilities.
        epochs: passes over the data of the float network's training.
        besides: draws what the float network learns besides and is judged on, as where the people who use a
            device are none of those whose samples are at hand.
    """

    name: str
    samples: int
    draw: Callable[[int, np.random.Generator], Samples]
    build: Callable[[Any, int], Any]
    epochs: int = 25
    besides: Callable[[int, np.random.Generator], Samples] | None = None


class Split(NamedTuple):
    """The samples of a task.

    Attributes:
        x_train: what the float network and the compressed one learn from.
        y_train: their classes.
        x_test: what both are judged on.
        y_test: their classes.
        x_besides: what only the float network learns from; None for nothing.
        y_besides: their classes.
    """

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
    x_besides: Array | None = None
    y_besides: Array | None = None


def split_of(task: Task, seed: int) -> Split:
    """The samples of a task, drawn anew for each seed."""
    rng = np.random.default_rng([seed, *task.name.encode()])
    if task.besides is not None:
        own, besides, test = (
            task.draw(task.samples, rng),
            task.besides(BESIDES, rng),
            task.besides(TEST, rng),
        )
        return Split(*own, *test, *besides)
    x, y = task.draw(task.samples + TEST, rng)
    return Split(x[: task.samples], y[: task.samples], x[task.samples :], y[task.samples :])


# --- samples ----------------------------------------------------------------------------------------------


def _noisy(x: Array, noise: float, rng: np.random.Generator) -> Array:
    return np.asarray(x + rng.normal(0, noise, x.shape), np.float32)


def _digits(noise: float, *, rows: bool = False) -> Callable[[int, np.random.Generator], Samples]:
    """Handwritten digits of scikit-learn, ``[8, 8, 1]`` or rows ``[8, 8]``, 0 to 1 and noise."""

    def draw(count: int, rng: np.random.Generator) -> Samples:
        from sklearn.datasets import load_digits

        found = load_digits()
        order = rng.permutation(len(found.target))[:count]
        x = _noisy(found.images[order] / 16, noise, rng)
        return (x if rows else x[..., np.newaxis]), found.target[order].astype(np.int64)

    return draw


def _words(count: int, rng: np.random.Generator, *, strangers: bool = False) -> Samples:
    """Ten spoken words as spectra over time ``[40, 13, 1]``: three formants that glide.

    Args:
        count: number of words.
        rng: what the speakers and words are drawn from.
        strangers: speak lower or higher than others, at any pace, through another microphone in more noise.
    """
    fixed = np.random.default_rng(1)
    start, end = fixed.uniform(1, 12, (2, 10, 3))
    bend = fixed.normal(0, 2, (10, 3))
    y = rng.integers(0, 10, count)
    # Every speaker has a pitch, a pace and a moment to begin.
    wide = 2.3 if strangers else 1.0
    pace, begin = (
        rng.uniform(0.9 - 0.25 * wide, 0.9 + 0.25 * wide, count),
        rng.uniform(-3, 3 + 5 * wide, count),
    )
    pitch = rng.normal(0, 0.7 * wide, count)
    time = np.clip((np.arange(40) - begin[:, None]) / (28 * pace[:, None]), -0.05, 1.05)
    spoken = (time > 0) & (time < 1)
    t = time[..., None]
    places = start[y][:, None] * (1 - t) + end[y][:, None] * t + bend[y][:, None] * np.sin(np.pi * t)
    places = places + pitch[:, None, None]
    bands = np.exp(-np.square((np.arange(13) - places[..., None]) / 1.1))
    x = (bands * rng.uniform(0.5, 1.2, (count, 1, 3, 1))).sum(axis=2) * spoken[..., None]
    if strangers:
        tilt = rng.normal(0, 0.05, (count, 1, 1)) * (np.arange(13) - 6)
        x = x * np.exp(tilt) + rng.normal(0, 0.3, (count, 1, 13))
    return _noisy(x, 0.75 if strangers else 0.4, rng)[..., np.newaxis], y


def _tones(count: int, rng: np.random.Generator) -> Samples:
    """One of eight pitches in a wave ``[128, 1]``, with an overtone, a second tone and noise."""
    y = rng.integers(0, 8, count)
    time = np.arange(128) / 128

    def tone(pitch: Array, loud: Array) -> Array:
        phase = rng.uniform(0, 2 * np.pi, (len(pitch), 1))
        return np.asarray(loud[:, None] * np.sin(2 * np.pi * pitch[:, None] * time + phase))

    pitch = 6 * 1.25**y * rng.uniform(0.95, 1.05, count)
    x = tone(pitch, rng.uniform(0.7, 1.3, count)) + tone(2 * pitch, rng.uniform(0, 0.7, count))
    x += tone(rng.uniform(4, 40, count), rng.uniform(0, 0.6, count))
    return _noisy(x, 1.6, rng)[..., np.newaxis], y


def _activity(count: int, rng: np.random.Generator) -> Samples:
    """What somebody does, from accelerometer and gyroscope ``[64, 6]``: six gaits."""
    fixed = np.random.default_rng(2)
    strength, phases = fixed.uniform(0.1, 1.0, (6, 3, 6)), fixed.uniform(0, 2 * np.pi, (6, 3, 6))
    rhythm = np.array([1.6, 1.9, 2.2, 1.7, 2.1, 2.5])
    y = rng.integers(0, 6, count)
    time = np.arange(64)[:, None] / 32
    rate = rhythm[y] * rng.uniform(0.85, 1.15, count)
    begin = rng.uniform(0, 2 * np.pi, count)
    x = np.zeros((count, 64, 6))
    for overtone in range(3):
        angle = (overtone + 1) * (2 * np.pi * rate[:, None, None] * time + begin[:, None, None])
        x += strength[y, overtone][:, None] * np.sin(angle + phases[y, overtone][:, None])
    tilt = rng.normal(0, 0.6, (count, 1, 6))
    return _noisy(x * rng.uniform(0.5, 1.5, (count, 1, 6)) + tilt, 2.2, rng), y


def _gestures(count: int, rng: np.random.Generator) -> Samples:
    """Signs drawn in the air ``[40, 3]``: ten paths, at any pace, a little turned and with a shaking hand."""
    fixed = np.random.default_rng(3)
    anchors = np.cumsum(fixed.normal(0, 1, (10, 6, 3)), axis=1)
    y = rng.integers(0, 10, count)
    bent = anchors[y] + rng.normal(0, 0.55, (count, 6, 3))
    pace = np.sort(rng.uniform(0, 5, (count, 40)), axis=1)
    below = np.minimum(pace.astype(int), 4)
    part = (pace - below)[..., None]
    who = np.arange(count)[:, None]
    path = bent[who, below] * (1 - part) + bent[who, below + 1] * part
    turned = path @ (np.eye(3) + rng.normal(0, 0.25, (count, 3, 3)))
    return _noisy(turned - turned.mean(axis=1, keepdims=True), 0.3, rng), y


def _vibration(count: int, rng: np.random.Generator) -> Samples:
    """Spectra of a machine ``[96]``: sound, or one of four faults that show at multiples of a rate."""
    y = rng.integers(0, 5, count)
    rate = np.array([0, 5.2, 6.7, 8.1, 9.3])[y] * rng.uniform(0.94, 1.06, count)
    bins = np.arange(96)
    x = np.zeros((count, 96))
    for multiple in range(1, 6):
        place = multiple * np.where(y > 0, rate, -100.0)
        loud = rng.uniform(0.1, 1.1, count) * (y > 0)
        x += loud[:, None] * np.exp(-np.square((bins - place[:, None]) / 0.9))
    hum = rng.uniform(0, 95, (count, 4))
    x += (0.7 * np.exp(-np.square((bins - hum[..., None]) / 0.9))).sum(axis=1)
    return _noisy(x, 0.18, rng), y


def _heartbeats(count: int, rng: np.random.Generator) -> Samples:
    """One heartbeat ``[96, 1]``: five shapes, somewhere in the window, on a baseline that drifts."""
    # Place, width and height of five waves in each kind of beat.
    places = np.array([[-26, -5, 0, 5, 24]] * 5, float)
    widths = np.array([[5, 1.5, 2, 1.5, 7]] * 5, float)
    heights = np.array([[0.25, -0.2, 1.2, -0.3, 0.4]] * 5)
    heights[1, 0], heights[2, 4], widths[3, 2], widths[4, 4] = 0.0, -0.15, 4.0, 11.0
    places[4, 4] = 17
    y = rng.integers(0, 5, count)
    centre = 48 + rng.normal(0, 7, count)
    where = centre[:, None] + places[y] + rng.normal(0, 1.5, (count, 5))
    high = heights[y] + rng.normal(0, 0.09, (count, 5))
    time = np.arange(96)
    shape = np.square((time - where[..., None]) / widths[y][..., None])
    waves = high[..., None] * np.exp(-shape / 2)
    drift = rng.normal(0, 0.25, (count, 1)) * np.sin(time / 96 * np.pi + rng.uniform(0, 6, (count, 1)))
    return _noisy(waves.sum(axis=1) + drift, 0.13, rng)[..., np.newaxis], y


def _gases(count: int, rng: np.random.Generator) -> Samples:
    """Sixteen gas sensors ``[16]``, six gases in any strength: sensors saturate, and differ by day."""
    fixed = np.random.default_rng(4)
    answers = fixed.uniform(0.1, 1.0, (6, 16))
    y = rng.integers(0, 6, count)
    strength = rng.uniform(0.4, 2.5, (count, 1))
    x = np.tanh(answers[y] * strength * rng.uniform(0.55, 1.45, (count, 16)))
    return _noisy(x + rng.normal(0, 0.15, (count, 1)), 0.12, rng), y


def _textures(count: int, rng: np.random.Generator) -> Samples:
    """Gratings ``[16, 16, 1]`` of eight directions, at any phase and two widths, in noise."""
    y = rng.integers(0, 8, count)
    angle = np.pi * (y + rng.uniform(-0.3, 0.3, count)) / 8
    rate = rng.uniform(0.7, 1.3, count)
    down, right = np.mgrid[:16, :16]
    along = np.cos(angle)[:, None, None] * right + np.sin(angle)[:, None, None] * down
    x = np.sin(rate[:, None, None] * along + rng.uniform(0, 2 * np.pi, (count, 1, 1)))
    x *= rng.uniform(0.5, 1.2, (count, 1, 1))
    return _noisy(x, 1.3, rng)[..., np.newaxis], y


# --- networks ---------------------------------------------------------------------------------------------


def _normed(layer: Any, x: Any) -> Any:
    from keras import layers

    return layers.ReLU()(layers.BatchNormalization()(layer(x)))


def _separable(*widths: int) -> Callable[[Any, int], Any]:
    """A convolution, and depthwise and pointwise ones, as keyword networks are made of."""

    def build(inputs: Any, classes: int) -> Any:
        from keras import layers

        x = _normed(layers.Conv2D(widths[0], 3, strides=2, padding="same", use_bias=False), inputs)
        for width in widths[1:]:
            x = _normed(layers.DepthwiseConv2D(3, padding="same", use_bias=False), x)
            x = _normed(layers.Conv2D(width, 1, use_bias=False), x)
        x = layers.GlobalAveragePooling2D()(x)
        return layers.Dense(classes, activation="softmax")(x)

    return build


def _keywords(inputs: Any, classes: int) -> Any:
    """A DS-CNN as keyword networks are: long windows over time at first, and three separable blocks."""
    from keras import layers

    x = _normed(layers.Conv2D(48, (8, 4), strides=2, padding="same", use_bias=False), inputs)
    for width in (48, 48, 64):
        x = _normed(layers.DepthwiseConv2D(3, padding="same", use_bias=False), x)
        x = _normed(layers.Conv2D(width, 1, use_bias=False), x)
    return layers.Dense(classes, activation="softmax")(layers.GlobalAveragePooling2D()(x))


def _images(*widths: int, dense: int) -> Callable[[Any, int], Any]:
    """Convolutions with pooling between, and a dense layer."""

    def build(inputs: Any, classes: int) -> Any:
        from keras import layers

        x = inputs
        for width in widths:
            x = layers.MaxPooling2D()(layers.Conv2D(width, 3, padding="same", activation="relu")(x))
        x = layers.Dense(dense, activation="relu")(layers.Flatten()(x))
        return layers.Dense(classes, activation="softmax")(x)

    return build


def _waves(*widths: int, size: int = 5) -> Callable[[Any, int], Any]:
    """Convolutions over time, each of half as many steps."""

    def build(inputs: Any, classes: int) -> Any:
        from keras import layers

        x = inputs
        for width in widths:
            x = _normed(layers.Conv1D(width, size, strides=2, padding="same", use_bias=False), x)
        x = layers.GlobalAveragePooling1D()(x)
        return layers.Dense(classes, activation="softmax")(x)

    return build


def _dense(*widths: int) -> Callable[[Any, int], Any]:
    """Dense layers."""

    def build(inputs: Any, classes: int) -> Any:
        from keras import layers

        x = layers.Flatten()(inputs)
        for width in widths:
            x = layers.Dense(width, activation="relu")(x)
        return layers.Dense(classes, activation="softmax")(x)

    return build


TASKS = (
    Task("keywords", 4000, _words, _keywords, 8, besides=functools.partial(_words, strangers=True)),
    Task("digits", 500, _digits(0.25), _images(8, 16, dense=24), 40),
    Task("digit rows", 1000, _digits(0.3, rows=True), _waves(16, 20, 24, 24, size=3), 30),
    Task("tones", 2000, _tones, _waves(12, 16, 20, 24), 25),
    Task("activity", 3000, _activity, _waves(12, 16, 20, 24), 20),
    Task("gestures", 1000, _gestures, _waves(16, 20, 24, size=3), 30),
    Task("vibration", 800, _vibration, _dense(24, 16, 12), 40),
    Task("heartbeats", 1500, _heartbeats, _waves(8, 12, 16, 20), 30),
    Task("gases", 500, _gases, _dense(20, 16, 12), 60),
    Task("textures", 2000, _textures, _separable(16, 24, 24, 32), 20),
)
