"""Samples as small pictures, for a person to look at."""

from __future__ import annotations

import base64
from collections.abc import Collection

import numpy as np
import tensorflow as tf

from edgesqueeze.base.arrays import Array
from edgesqueeze.squeeze.data.source import Source

LARGEST = 64
"""Pixels of a picture's longer side."""
LEAST = 4
"""Pixels of a shorter side: less is a row of numbers, and no picture."""
BATCH = 64


def pictures_of(source: Source, places: Collection[int]) -> dict[int, str]:
    """Some samples' first inputs as PNG in base64; none where these are no pictures.

    Values from the least to the largest among these samples become black to white.

    Args:
        source: samples.
        places: positions of the samples that are wanted, from 0.
    """
    found: dict[int, Array] = {}
    last, begin = max(places, default=-1), 0
    if last < 0:
        return {}
    for inputs, _ in source.stream(BATCH, None).as_numpy_iterator():
        rows = inputs[0]
        if not _is_picture(rows.shape[1:]):
            return {}
        for place in places:
            if begin <= place < begin + len(rows):
                found[place] = rows[place - begin].astype(np.float32)
        begin += len(rows)
        if begin > last:
            break
    low = min((float(one.min()) for one in found.values()), default=0.0)
    high = max((float(one.max()) for one in found.values()), default=0.0)
    return {place: _png((one - low) / ((high - low) or 1.0)) for place, one in found.items()}


def _is_picture(shape: tuple[int, ...]) -> bool:
    flat = len(shape) == 2 or (len(shape) == 3 and shape[-1] in (1, 3))
    return flat and min(shape[:2]) >= LEAST


def _png(values: Array) -> str:
    """A picture ``[height, width]`` or ``[height, width, channels]`` of values from 0 to 1."""
    image = tf.constant(values if values.ndim == 3 else values[..., None])
    height, width = values.shape[:2]
    if max(height, width) > LARGEST:
        scale = LARGEST / max(height, width)
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        image = tf.image.resize(image, size, method="area")
    pixels = tf.cast(tf.round(tf.clip_by_value(image, 0.0, 1.0) * 255.0), tf.uint8)
    return base64.b64encode(tf.io.encode_png(pixels).numpy()).decode()
