"""What a layer's kernel is multiplied by: moments of the windows that it reads, in two versions of a model.

For a kernel as a matrix ``[window, outputs]`` these moments say all about the squared error of its outputs.
A depthwise kernel is one such matrix for each channel that it reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from edgesqueeze.squeeze.layers.kernels import DEPTHWISE

layers = tf_keras.layers
Doubles = npt.NDArray[np.float64]

CHUNK = 16
"""Samples whose windows are in memory at a time."""
ROWS = 65_536
"""Windows that are looked at, at most, unless a window is large."""
ROWS_A_WEIGHT = 12
"""Windows that are looked at for each value of a window, at least, where there are so many."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Of windows ``x`` of the model as it was, and ``y`` of the one that is rounded so far.

    Attributes:
        x_mean: mean of ``x``, ``[groups, window]``; groups are the channels of a depthwise kernel, else one.
        y_mean: mean of ``y``, the same.
        yy: covariance of ``y``, ``[groups, window, window]``.
        yx: covariance of ``y`` and ``x``, ``[groups, window, window]``.
    """

    x_mean: Doubles
    y_mean: Doubles
    yy: Doubles
    yx: Doubles

    def around_zero(self) -> Moments:
        """Moments around zero in place of the means, for a layer that has no bias to make up for these."""
        none = np.zeros_like(self.x_mean)
        return Moments(
            none,
            none,
            self.yy + self.y_mean[:, :, None] * self.y_mean[:, None, :],
            self.yx + self.y_mean[:, :, None] * self.x_mean[:, None, :],
        )


def moments(layer: Any, before: Any, after: Any, seed: int) -> Moments:
    """The moments of what a layer reads.

    Args:
        layer: a Conv1D, Conv2D, DepthwiseConv1D, DepthwiseConv2D or Dense layer.
        before: its input in the model as it was, ``[samples, ..., channels]``.
        after: its input in the model that is rounded so far.
        seed: of the choice of windows, where there are very many.
    """
    kernel = layer.weights[0].shape
    depthwise = isinstance(layer, DEPTHWISE)
    window = int(np.prod(kernel[:-2] if depthwise else kernel[:-1]))
    rng = np.random.default_rng(seed)
    total, sums = 0, [0.0, 0.0, 0.0, 0.0]
    most = max(ROWS, ROWS_A_WEIGHT * window)
    for x, y in _windows(layer, before, after, window, most, rng):
        total += x.shape[1]
        swapped = y.transpose(0, 2, 1)
        parts = (x.sum(axis=1), y.sum(axis=1), swapped @ y, swapped @ x)
        sums = [one + part for one, part in zip(sums, parts, strict=True)]
    x_mean, y_mean, yy, yx = (np.asarray(one, np.float64) / total for one in sums)
    return Moments(
        x_mean,
        y_mean,
        yy - y_mean[:, :, None] * y_mean[:, None, :],
        yx - y_mean[:, :, None] * x_mean[:, None, :],
    )


def _windows(
    layer: Any, before: Any, after: Any, window: int, most: int, rng: np.random.Generator
) -> Iterator[tuple[Doubles, Doubles]]:
    """Windows of both models at the same places, ``[groups, places, window]`` float64."""
    count = int(before.shape[0])
    chunks = -(-count // CHUNK)
    for start in range(0, count, CHUNK):
        pair = [
            _groups(layer, _patches(layer, one[start : start + CHUNK]), window) for one in (before, after)
        ]
        rows = pair[0].shape[0]
        share = -(-most // chunks)
        places = np.sort(rng.choice(rows, share, replace=False)) if rows > share else slice(None)
        x, y = (one[places].astype(np.float64).transpose(2, 0, 1) for one in pair)
        yield x, y


def _groups(layer: Any, patches: Any, window: int) -> npt.NDArray[np.float32]:
    """Windows as ``[places, window, groups]``."""
    groups = int(layer.weights[0].shape[-2]) if isinstance(layer, DEPTHWISE) else 1
    found: npt.NDArray[np.float32] = np.asarray(patches, np.float32).reshape(-1, window, groups)
    return found


def _patches(layer: Any, values: Any) -> Any:
    """What the kernel is laid over, in the order of the kernel's own values."""
    if isinstance(layer, layers.Dense):
        return values
    padding, flat = layer.padding, isinstance(layer, layers.Conv1D | layers.DepthwiseConv1D)
    if padding == "causal":
        reach = layer.dilation_rate[0] * (layer.kernel_size[0] - 1)
        values, padding = tf.pad(values, ((0, 0), (reach, 0), (0, 0))), "valid"
    wide = (layer.kernel_size, layer.strides, layer.dilation_rate)
    sizes, strides, rates = ((1, *(1,) * flat, *one, 1) for one in wide)
    values = values[:, tf.newaxis] if flat else values
    return tf.image.extract_patches(values, sizes, strides, rates, padding.upper())
