"""Weights on the integer grid that int8 conversion maps them to. NumPy only.

TFLite quantizes a kernel symmetrically, with one scale per output channel: the channel's largest magnitude
becomes 127 (TensorFlow Lite 8-bit quantization specification). A kernel whose channels are all multiples of
the same few levels k/127, each channel holding at least one level of magnitude 127, therefore arrives in the
file as exactly those integers, whatever the channel's scale. That is how a bound on the number of distinct
values survives per-channel quantization.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
LevelArray = npt.NDArray[np.int8]

TOP_LEVEL = 127
"""The largest magnitude of a narrow-range int8 weight."""

LLOYD_ITERATIONS = 50


class Grid(NamedTuple):
    """Which weights of a kernel share a scale.

    Attributes:
        shape: the kernel's shape, in which those that share a scale are whole axes: an LSTM's columns are
            divided into its gates where each gate has one scale.
        scales: ``shape`` with 1 in every dimension that the scale is shared over.
    """

    shape: tuple[int, ...]
    scales: tuple[int, ...]


NEGLIGIBLE = np.float32(0.1)
"""Weights below this share of a quantization step count as zero."""


def channel_maximum(kernel: FloatArray, channel_shape: tuple[int, ...]) -> FloatArray:
    """Largest magnitude of each channel, as an array of ``channel_shape`` that broadcasts over ``kernel``.

    Args:
        kernel: weights of any rank.
        channel_shape: the kernel's shape with 1 in every dimension that the scale is shared over.

    Returns:
        float32 of ``channel_shape``; 1 for a channel of zeros, so that it can be divided by.
    """
    axes = _shared_axes(channel_shape)
    largest = np.abs(kernel).max(axis=axes, keepdims=True)
    return np.where(largest > 0, largest, 1).astype(np.float32)


def _shared_axes(channel_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Axes that a scale of this shape is shared over."""
    return tuple(axis for axis, size in enumerate(channel_shape) if size == 1)


def lloyd(values: FloatArray, centroids: FloatArray) -> FloatArray:
    """Move centroids to the means of the values nearest to them (Lloyd's algorithm, one dimension).

    Args:
        values: the values to represent, any shape.
        centroids: where to start, ``[n]``.

    Returns:
        ``[n]`` float32, ascending. A centroid that no value is nearest to stays where it was.
    """
    ordered = np.sort(values, axis=None).astype(np.float64)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    current = np.sort(centroids).astype(np.float64)
    for _ in range(LLOYD_ITERATIONS):
        edges = np.searchsorted(ordered, (current[1:] + current[:-1]) / 2)
        bounds = np.concatenate([[0], edges, [ordered.size]])
        counts = np.diff(bounds)
        means = np.diff(sums[bounds]) / np.maximum(counts, 1)
        moved = np.where(counts > 0, means, current)
        if np.array_equal(moved, current):
            break
        current = moved
    return current.astype(np.float32)


def levels_from_centroids(centroids: FloatArray) -> LevelArray:
    """Integer levels for centroids: scaled so that the outermost on each side becomes 127 or -127.

    Moving the outermost centroids of both signs to full magnitude is what lets a channel whose largest
    weight is negative have the same scale rule as one whose largest is positive.

    Returns:
        int8, ascending, without duplicates, at most as many as ``centroids``.
    """
    largest = float(np.abs(centroids).max(initial=0.0))
    if largest == 0:
        return np.zeros(1, np.int8)
    levels = np.rint(centroids.astype(np.float64) * (TOP_LEVEL / largest)).astype(np.int64)
    if (levels > 0).any():
        levels[levels == levels.max()] = TOP_LEVEL
    if (levels < 0).any():
        levels[levels == levels.min()] = -TOP_LEVEL
    return np.unique(levels).astype(np.int8)


def project(
    kernel: FloatArray, levels: LevelArray, channel_shape: tuple[int, ...], *, keep_zeros: bool
) -> tuple[LevelArray, FloatArray]:
    """Represent a kernel as ``levels / 127 * scale`` with one scale per channel.

    Args:
        kernel: weights.
        levels: allowed integers, ascending, with 127 or -127 on every side that has weights.
        channel_shape: shape of the scale (see ``channel_maximum``).
        keep_zeros: exact zeros stay zero and nothing else becomes zero, so that sparsity is kept exactly.
            ``levels`` must then hold 0 and a level other than 0.

    Returns:
        The integer of every weight, int8 in the kernel's shape, and the scale, float32 of
        ``channel_shape``. In every channel that is not all zeros the largest magnitude is 127.
    """
    normal = kernel / channel_maximum(kernel, channel_shape)
    # Each channel's largest weight is now 1 or -1, so it is given a level of magnitude 127 on its own side.
    if keep_zeros:
        chosen = _nearest_levels(normal, levels[levels != 0])
        chosen = np.where(kernel == 0, 0, chosen).astype(np.int8)
    else:
        chosen = _nearest_levels(normal, levels)
    return chosen, fit_scale(kernel, chosen, channel_shape)


def nearest(values: FloatArray, points: FloatArray) -> npt.NDArray[np.intp]:
    """Index of the point nearest to each value; ``points`` are ascending."""
    return np.searchsorted((points[1:] + points[:-1]) / 2, values)


def _nearest_levels(values: FloatArray, levels: LevelArray) -> LevelArray:
    chosen: LevelArray = levels[nearest(values, levels.astype(np.float32) / np.float32(TOP_LEVEL))]
    return chosen


def fit_scale(kernel: FloatArray, levels: LevelArray, channel_shape: tuple[int, ...]) -> FloatArray:
    """The scale of each channel with which ``levels / 127 * scale`` is nearest to ``kernel`` (least squares).

    Returns:
        float32 of ``channel_shape``, positive; 1 for a channel whose levels are all zero.
    """
    axes = _shared_axes(channel_shape)
    unit = levels.astype(np.float64) / TOP_LEVEL
    dot = (kernel.astype(np.float64) * unit).sum(axis=axes, keepdims=True)
    norm = (unit * unit).sum(axis=axes, keepdims=True)
    scale = np.divide(dot, norm, out=np.ones_like(dot), where=norm > 0)
    return np.where(scale > 0, scale, 1).astype(np.float32)


def rebuild(levels: LevelArray, scale: FloatArray) -> FloatArray:
    """The float kernel that ``levels`` and ``scale`` stand for."""
    return (levels.astype(np.float32) / TOP_LEVEL * scale).astype(np.float32)


def lift_survivors(kernel: FloatArray, channel_shape: tuple[int, ...]) -> FloatArray:
    """Raise weights that int8 rounding would turn into zero to the smallest magnitude that it keeps.

    Pruning decides which weights are zero; a survivor below half a quantization step would join them in
    the file and make the tensor sparser than was asked for. Weights below a tenth of a step become zero
    here: strong weight decay leaves many of those, and a full step in their place would be noise.

    Args:
        kernel: pruned weights; exact zeros are left alone.
        channel_shape: shape of the scale (see ``channel_maximum``).

    Returns:
        A kernel of the same shape in which no weight has moved by half a step.
    """
    step = channel_maximum(kernel, channel_shape) / np.float32(TOP_LEVEL)
    magnitude = np.abs(kernel)
    # A hair above the tie, so that float32 rounding in the converter cannot fall back to zero.
    smallest = step * np.float32(0.5001)
    lifted = np.where(magnitude < smallest, np.sign(kernel) * smallest, kernel)
    return np.where(magnitude < step * NEGLIGIBLE, 0, lifted).astype(np.float32)
