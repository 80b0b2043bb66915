"""What values a tensor takes, in bins of even ratio: a thousandfold outlier leaves the rest its detail.

A bin is a sign, an exponent and eight bits of the mantissa of float32, so that the values in it differ by
0.4 % at most; a step of int8 is as wide as two bins where values are largest, and wider than more of them
everywhere else. What a histogram takes in memory does not depend on the number of values.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edgesqueeze.base.arrays import Array

Doubles = npt.NDArray[np.float64]

SHIFT = 15
"""Bits of the mantissa that are left out, of 23."""
PER_OCTAVE = 1 << (23 - SHIFT)
WIDEST = 6
"""Bits by which bins may get wider than they are counted in: to eight an octave."""
ROOM = 4
"""Octaves above the largest value that is expected: other samples may show a larger one."""
OCTAVES = 28
"""What is smaller than the largest value by more octaves than these counts as zero."""
BINS = (ROOM + OCTAVES) * PER_OCTAVE


class Points(NamedTuple):
    """The values of a histogram, in order; one for each bin that holds some.

    Attributes:
        values: their mean in each bin, float64 ``[points]``; one of them is 0.
        counts: how many there are.
        weights: by how much they count: each sample as a whole by 1.
        widths: from the least to the greatest value that a bin may hold; 0 for zero.
    """

    values: Doubles
    counts: Doubles
    weights: Doubles
    widths: Doubles


def merged(points: Points, fewest: float) -> Points:
    """The same values in wider bins of even ratio, of which each holds so many in the mean.

    Args:
        points: the values.
        fewest: how many; where bins an eighth as wide as their values hold fewer, these are taken.
    """
    bits = points.values.astype(np.float32).view(np.int32)
    for more in range(1, WIDEST):
        if np.mean(points.counts) >= fewest:
            break
        _, places = np.unique(bits >> (SHIFT + more), return_inverse=True)
        points = _joined(points, places)
        bits = points.values.astype(np.float32).view(np.int32)
    return points


def _joined(points: Points, places: npt.NDArray[np.int64]) -> Points:
    """Points that lie together as one."""
    order = np.argsort(points.values, kind="stable")
    starts = np.flatnonzero(np.diff(places[order], prepend=-1))
    counts, weights, widths, sums = (
        np.add.reduceat(one[order], starts)
        for one in (points.counts, points.weights, points.widths, points.values * points.counts)
    )
    means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    return Points(means, counts, weights, widths)


class Histogram:
    """Counts the values of a tensor, sample by sample.

    Args:
        largest: the largest magnitude that is expected, above 0.
    """

    def __init__(self, largest: float) -> None:
        self._base = int(np.float32(largest).view(np.int32) >> SHIFT) + 1 + ROOM * PER_OCTAVE - BINS
        self._counts, self._sums, self._weights = (np.zeros((2, BINS)) for _ in range(3))

    def add(self, values: Array) -> None:
        """Count the values of one sample, float32 of any shape.

        By weight the squared magnitude of a whole sample is 1: a sample of a thousandfold size has no more
        to say of what an error costs than another.
        """
        flat = np.asarray(values, np.float32).reshape(-1)
        bits = flat.view(np.int32)
        places = np.clip(((bits & 0x7FFFFFFF) >> SHIFT) - self._base, 0, BINS - 1)
        places += np.where(bits < 0, BINS, 0)
        counts = np.bincount(places, minlength=2 * BINS).reshape(2, BINS)
        power = float(np.square(flat, dtype=np.float64).sum())
        self._counts += counts
        self._sums += np.bincount(places, flat, minlength=2 * BINS).reshape(2, BINS)
        self._weights += counts / power if power else 0.0

    def points(self) -> Points:
        """What was counted so far."""
        edges = self._edges()
        sides = []
        for sign in (1, 0):
            some = np.flatnonzero(self._counts[sign, 1:]) + 1
            some = some[::-1] if sign else some
            counts = self._counts[sign, some]
            sides.append(
                (
                    self._sums[sign, some] / counts,
                    counts,
                    self._weights[sign, some],
                    edges[some + 1] - edges[some],
                )
            )
        zero = (0.0, float(self._counts[:, 0].sum()), float(self._weights[:, 0].sum()), 0.0)
        below, above = sides
        joined = (
            np.concatenate([one, [middle], other])
            for one, middle, other in zip(below, zero, above, strict=True)
        )
        return Points(*joined)

    def _edges(self) -> Doubles:
        """The least magnitude of each bin, and the end of the last."""
        bits = np.clip(np.arange(BINS + 1, dtype=np.int64) + self._base, 0, 0xFF << (23 - SHIFT))
        edges = np.clip(bits << SHIFT, 0, 0x7F7FFFFF).astype(np.int32).view(np.float32)
        return edges.astype(np.float64)
