"""Train the network that finds obstacles in what a drone's camera sees; nothing here knows of EdgeSqueeze.

Input: a frame [128, 128, 3] of 20 cm a pixel, colours of 0 to 1. Output: for each of its cells
of 1.6 m, [16, 16, 1], how likely there is an obstacle.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers
from PIL import Image

from examples.drone_obstacles.trees import FRAME, OCCUPIED, Picture, Place, cover

BATCH = 16
FARTHEST = 1.5
"""The ground that is squeezed into a frame is at most so many times as wide; or as narrow."""
AT_TREES = 0.7
"""Share of the frames that are drawn around a tree: most of the ground is bare, and teaches little."""
GREY = np.full((3, 3), 1 / 3)

Floats = npt.NDArray[np.float32]


def build_model() -> keras.Model:
    """Convolutions down to a pixel a cell, and more there that look at what is around; 81,633 parameters."""

    def conv(x: Any, filters: int, stride: int = 1) -> Any:
        x = layers.Conv2D(filters, 3, stride, "same", use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization(momentum=0.95)(x))

    frame = keras.Input((FRAME, FRAME, 3), name="frame")
    x = frame
    for filters, stride in ((16, 2), (24, 2), (24, 1), (32, 2), (32, 1), (48, 1), (48, 1), (48, 1)):
        x = conv(x, filters, stride)
    return keras.Model(frame, layers.Conv2D(1, 1, activation="sigmoid", name="obstacle")(x), name="obstacles")


def sample(place: Place, chance: np.random.Generator) -> tuple[Picture, Floats]:
    """A frame from anywhere, most often around a tree, and how far its cells are under crowns.

    The frame [128, 128, 3] is turned by any angle, perhaps mirrored, nearer or farther, and in another
    light. The cells are [16, 16], 0 to 1.
    """
    height, width = place.crowns.shape
    scale, angle = FARTHEST ** chance.uniform(-1, 1), chance.uniform(0, 2 * np.pi)
    across, down = scale * np.cos(angle), scale * np.sin(angle)
    reach = FRAME * (abs(across) + abs(down)) / 2
    middle = np.array([chance.uniform(reach, side - reach) for side in (width, height)])
    if chance.random() < AT_TREES:
        left, top, right, bottom = place.boxes[chance.integers(len(place.boxes))]
        near = np.array([left + right, top + bottom]) / 2 + chance.uniform(-FRAME / 3, FRAME / 3, 2)
        middle = np.clip(near, reach, np.array([width, height]) - reach)
    mirror = chance.choice([-1, 1])
    # From a pixel of the frame to one of the part of the picture that holds it.
    matrix = np.array([[mirror * across, -down], [mirror * down, across]])
    left, top = np.maximum(middle - reach - 2, 0).astype(int)
    right, bottom = (middle + reach + 3).astype(int)
    shift = middle - matrix @ [FRAME / 2, FRAME / 2] - [left, top]
    numbers = np.hstack([matrix, shift[:, None]]).reshape(-1).tolist()

    def seen(values: Picture) -> Image.Image:
        part = Image.fromarray(values[top:bottom, left:right])
        return part.transform((FRAME, FRAME), Image.Transform.AFFINE, numbers, Image.Resampling.BILINEAR)

    cells = cover(np.asarray(seen(place.crowns)))
    return in_another_light(seen(place.picture), chance), cells.astype(np.float32)


def in_another_light(frame: Image.Image, chance: np.random.Generator) -> Picture:
    """Other colours, brightness and contrast; every tenth frame is grey, every second one noisy."""
    colourful = 0.0 if chance.random() < 0.1 else chance.uniform(0.3, 1.6)
    mixed = colourful * np.eye(3) + (1 - colourful) * GREY
    matrix = np.hstack([mixed * np.exp(chance.normal(0, 0.12, (3, 1))), np.zeros((3, 1))])
    level = (np.arange(256) / 255) ** np.exp(chance.normal(0, 0.25))
    level = 0.5 + (level - 0.5) * chance.uniform(0.6, 1.4) + chance.normal(0, 0.08)
    curve = (np.clip(level, 0, 1) * 255).astype(int).tolist()
    picture = np.asarray(frame.convert("RGB", tuple(matrix.reshape(-1).tolist())).point(curve * 3))
    if chance.random() < 0.5:
        return picture
    noise = chance.uniform(0, 12) * chance.standard_normal(picture.shape, np.float32)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def samples(place: Place, count: int, chance: np.random.Generator) -> tuple[Picture, npt.NDArray[np.uint8]]:
    """So many frames [n, 128, 128, 3], and which of their cells are occupied [n, 16, 16, 1]."""
    pairs = [sample(place, chance) for _ in range(count)]
    occupied = np.stack([cells for _, cells in pairs]) >= OCCUPIED
    return np.stack([frame for frame, _ in pairs]), occupied[..., None].astype(np.uint8)


def batches(place: Place, chance: np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
    """Batches without end; no frame comes twice."""
    while True:
        frames, occupied = samples(place, BATCH, chance)
        yield frames.astype(np.float32) / 255, occupied.astype(np.float32)


def train(place: Place, *, steps: int, seed: int) -> keras.Model:
    """A trained network.

    Args:
        place: what is learned from; every frame is drawn from it anew.
        steps: of 16 frames each.
        seed: of the weights at the beginning and of the frames.
    """
    keras.utils.set_random_seed(seed)
    model = build_model()
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3), "binary_crossentropy")
    model.fit(batches(place, np.random.default_rng(seed)), steps_per_epoch=steps, shuffle=False, verbose=0)
    return model
