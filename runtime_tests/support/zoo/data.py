"""Data that small models learn from in seconds: scikit-learn's digits, and some that are drawn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from edgesqueeze.base.arrays import Array
from runtime_tests.support.zoo.made import Split, split

TEST = 600
"""How many samples a model is judged on, at least: one of them is a sixth of a point."""
SHAPES = 3
STEPS, CHANNELS = 20, 3
VOCABULARY, TOKENS = 19, 12


def digits() -> Split:
    """Handwritten digits: images ``[n, 8, 8, 1]`` from 0 to 1, and class ids."""
    from sklearn.datasets import load_digits

    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    images = (found.images[order, ..., np.newaxis] / 16).astype(np.float32)
    return split(images, found.target[order].astype(np.int64), TEST)


def digit_pairs() -> Split:
    """Two digits, and whether they are the same."""
    images = digits()
    rng = np.random.default_rng(1)

    def pairs(x: Array, y: Array, count: int) -> tuple[dict[str, Array], Array]:
        left = rng.integers(0, len(x), count)
        right = rng.integers(0, len(x), count)
        for number in range(0, count, 2):  # every second pair is of one class
            right[number] = rng.choice(np.flatnonzero(y == y[left[number]]))
        same = (y[left] == y[right]).astype(np.float32)
        return {"left": x[left], "right": x[right]}, same[:, np.newaxis]

    assert isinstance(images.x_train, np.ndarray)
    assert isinstance(images.x_test, np.ndarray)
    x_train, y_train = pairs(images.x_train, np.asarray(images.y_train), 4000)
    x_test, y_test = pairs(images.x_test, np.asarray(images.y_test), 1000)
    return Split(x_train, y_train, x_test, y_test)


def waves(count: int = 2600, *, masked: bool = False) -> Split:
    """Sequences ``[n, 20, 3]`` of four kinds: slow, fast, getting faster, getting slower.

    Args:
        count: number of sequences.
        masked: whether they have 8 to 20 steps, with zeros behind the last.
    """
    rng = np.random.default_rng(2)
    kinds = rng.integers(0, 4, count)
    time = np.linspace(0, 1, STEPS)
    rates = np.stack([np.full(STEPS, 1.5), np.full(STEPS, 4.5), 1 + 4 * time, 5 - 4 * time])
    phase = 2 * np.pi * np.cumsum(rates[kinds] / STEPS * rng.uniform(0.95, 1.05, (count, 1)), axis=1)
    phase = phase[..., np.newaxis] + rng.uniform(0, 2 * np.pi, (count, 1, CHANNELS))
    x = (rng.uniform(0.7, 1.3, (count, 1, CHANNELS)) * np.sin(phase)).astype(np.float32)
    x += rng.normal(0, 0.5, x.shape).astype(np.float32)
    if masked:
        lengths = rng.integers(12, STEPS + 1, count)
        x[np.arange(STEPS) >= lengths[:, np.newaxis]] = 0
    return split(x, kinds, TEST)


def running_sums(count: int = 2000) -> Split:
    """Sequences ``[n, 20, 1]``, and for each step whether the sum so far is positive."""
    rng = np.random.default_rng(3)
    x = rng.normal(0, 1, (count, STEPS, 1)).astype(np.float32)
    return split(x, (np.cumsum(x[..., 0], axis=1) > 0).astype(np.int64), TEST)


def sentences(count: int = 3000) -> Split:
    """Token ids ``[n, 12]`` of 5 to 12 words with zeros behind; the class is the kind of most words."""
    rng = np.random.default_rng(4)
    kinds = rng.integers(0, 3, count)
    own = rng.random((count, TOKENS)) < 0.75
    groups = np.where(own, kinds[:, np.newaxis], rng.integers(0, 3, (count, TOKENS)))
    x = (1 + 6 * groups + rng.integers(0, 6, groups.shape)).astype(np.int32)
    lengths = rng.integers(5, TOKENS + 1, count)
    x[np.arange(TOKENS) >= lengths[:, np.newaxis]] = 0
    return split(x, kinds, TEST)


def sensors(count: int = 3000) -> Split:
    """Pressure in hPa, light in lux, temperature and humidity, ``[n, 4]``; a real number ``[n, 1]``."""
    rng = np.random.default_rng(5)
    z = rng.normal(0, 1, (count, 4))
    low, high = np.array([990.0, 0, -10, 0]), np.array([1035.0, 50_000, 40, 100])
    x = np.clip((low + high) / 2 + z * (high - low) / 6, low, high)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    y = 20 + 6 * np.tanh(z[:, 0]) + 4 * z[:, 2] + 2 * z[:, 1] * z[:, 3]
    return split(x.astype(np.float32), y[:, np.newaxis].astype(np.float32), TEST)


def clock(count: int = 1600) -> Split:
    """A time near 1,000,000 that says nothing, and a number from -1 to 1 whose sign is the class."""
    rng = np.random.default_rng(6)
    signal = rng.uniform(-1, 1, count)
    x = np.stack([1e6 + rng.uniform(-50, 50, count), signal], axis=1).astype(np.float32)
    return split(x, (signal > 0).astype(np.int64), TEST)


def features(count: int = 3000) -> Split:
    """Eight numbers; a real number that is a smooth function of them."""
    rng = np.random.default_rng(7)
    x = rng.normal(0, 1, (count, 8)).astype(np.float32)
    y = np.sin(x[:, 0]) + x[:, 1] * 0.7 + 0.5 * x[:, 2] * x[:, 3] + 0.3 * np.abs(x[:, 4])
    return split(x, y[:, np.newaxis].astype(np.float32), TEST)


def ratings(count: int = 6000) -> Split:
    """Ids of a user and of an item, ``[n, 1]`` each, and how much the one likes the other, more or less."""
    rng = np.random.default_rng(8)
    users, items = rng.normal(0, 1, (40, 3)), rng.normal(0, 1, (30, 3))
    user, item = rng.integers(0, 40, count), rng.integers(0, 30, count)
    liked = (users[user] * items[item]).sum(axis=1) + rng.normal(0, 0.5, count)
    x = {"user": user[:, np.newaxis].astype(np.int32), "item": item[:, np.newaxis].astype(np.int32)}
    return split(x, liked[:, np.newaxis].astype(np.float32), TEST)


class Scenes(NamedTuple):
    """Drawn images, and what is in them.

    Attributes:
        images: ``[n, 16, 16, 1]``, from 0 to 1.
        classes: the shape of each image's first object, ``[n]``: a disc, a square or a cross.
        boxes: centre and size of the first object, ``[n, 4]``, as shares of the image.
        present: which of the shapes are there, ``[n, 3]``.
        pixels: class of each pixel, ``[n, 16, 16]``: 0 is none, else one more than the shape.
    """

    images: Array
    classes: Array
    boxes: Array
    present: Array
    pixels: Array


def scenes(count: int, most: int, size: int = 16) -> Scenes:
    """Images with one to ``most`` shapes of different kinds."""
    rng = np.random.default_rng(9)
    rows, columns = np.mgrid[0:size, 0:size]
    images = rng.normal(0, 0.03, (count, size, size))
    classes, boxes = np.zeros(count, np.int64), np.zeros((count, 4))
    present, pixels = np.zeros((count, SHAPES)), np.zeros((count, size, size), np.int64)
    for number in range(count):
        for place, kind in enumerate(rng.permutation(SHAPES)[: rng.integers(1, most + 1)]):
            radius = int(rng.integers(2, 4))
            y, x = rng.integers(radius, size - radius, 2)
            down, right = np.abs(rows - y), np.abs(columns - x)
            drawn = (
                down**2 + right**2 <= radius**2,
                (down <= radius) & (right <= radius) & ~((down < radius) & (right < radius)),
                ((down == 0) | (right == 0)) & (down + right <= radius),
            )[kind]
            images[number][drawn] = rng.uniform(0.6, 1)
            pixels[number][drawn] = kind + 1
            present[number, kind] = 1
            if place == 0:
                classes[number] = kind
                boxes[number] = np.array([y + 0.5, x + 0.5, 2 * radius + 1, 2 * radius + 1]) / size
    return Scenes(
        images[..., np.newaxis].clip(0, 1).astype(np.float32),
        classes,
        boxes.astype(np.float32),
        present.astype(np.float32),
        pixels,
    )


def films(count: int = 2000) -> Split:
    """Films ``[n, 4, 8, 8, 1]`` of a spot that moves up, down, left or right."""
    rng = np.random.default_rng(10)
    kinds = rng.integers(0, 4, count)
    steps = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)])[kinds]
    x = rng.normal(0, 0.05, (count, 4, 8, 8)).astype(np.float32)
    place = rng.integers(3, 5, (count, 2))
    for frame in range(4):
        x[np.arange(count), frame, place[:, 0], place[:, 1]] += 1
        place = place + steps
    return split(x[..., np.newaxis], kinds, TEST)
