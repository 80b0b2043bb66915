"""Ranges for activations: what a few methods make of the values that calibration saw.

Each range has zero in it. Where a tensor never goes below zero, or above, its range does not either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from edgesqueeze.graph.ranges import STEPS, Range, nudged
from edgesqueeze.recipe.sections import CalibrationMethod
from edgesqueeze.squeeze.passes.histograms import Doubles, Points, merged

COARSE = tuple(2.0 ** (-step / 2) for step in range(28))
"""Parts of a range's end that are tried at first: down to a ten-thousandth."""
FINE = tuple(2.0 ** (step / 16) for step in range(-8, 9))
"""What the best of them is multiplied by then."""
TURNS = 2
"""How often each end is chosen for what the other is."""

KEPT = 0.99
"""Share of the values that stay inside where their distribution matters: ends would take any mass else."""
COUNTS = 16
"""Values that a bin holds in the mean, at least, where their distribution matters."""

Loss = Callable[[Points, Range], float]


def whole(points: Points, share: float) -> Range:
    """From the least to the greatest value."""
    return Range(min(0.0, float(points.values[0])), max(0.0, float(points.values[-1])))


def middle(points: Points, share: float) -> Range:
    """Where a share of all values is, with as many below it as above.

    Args:
        points: the values.
        share: above 0, and 1 at most.
    """
    total = float(points.counts.sum())
    outside = (1 - share) / 2 * total

    def end(counts: Doubles, values: Doubles) -> float:
        return float(values[np.searchsorted(np.cumsum(counts), outside, side="right")])

    low, high = (end(points.counts[::way], points.values[::way]) for way in (1, -1))
    return _inside(Range(min(0.0, low), max(0.0, high)), whole(points, share))


def least_error(points: Points, share: float) -> Range:
    """The least squared error, of each sample as a part of what it is in all."""
    return _narrowed(points, squared_error, whole(points, share))


def least_divergence(points: Points, share: float) -> Range:
    """The least divergence of Kullback and Leibler, of what integers tell of the values from the values.

    As TensorRT's calibration has it (Migacz, 2017), but with bins of even ratio.
    """
    return _narrowed(merged(points, COUNTS), divergence, whole(points, share))


METHODS: Mapping[CalibrationMethod, Callable[[Points, float], Range]] = MappingProxyType(
    {"minmax": whole, "percentile": middle, "mse": least_error, "entropy": least_divergence}
)
"""How a range is found from values and the share of them that ``percentile`` keeps."""


def squared_error(points: Points, wanted: Range) -> float:
    """What a range costs: the squared error of each sample over its squared magnitude, summed."""
    low, step = _grid(wanted)
    levels = np.clip(np.rint((points.values - low) / step), 0, STEPS)
    return float(points.weights @ np.square(low + step * levels - points.values))


def divergence(points: Points, wanted: Range) -> float:
    """How far the values are from what an integer tells: any value of its step that occurs, all the same.

    Zero is an integer itself and is left out. What is beyond an end counts as the last value before it.
    """
    low, step = _grid(wanted)
    levels = np.rint((points.values - low) / step).astype(np.int64)
    inside = np.flatnonzero((levels >= 0) & (levels <= STEPS) & (points.widths > 0) & (points.counts > 0))
    counts = np.where(points.widths > 0, points.counts, 0.0)
    if not len(inside) or counts[inside].sum() < KEPT * counts.sum():
        return float("inf")
    widths, kept, level = points.widths[inside], counts[inside], levels[inside]
    mass, width = (np.bincount(level, one, STEPS + 1) for one in (kept, widths))
    told = mass[level] * widths / width[level]
    real = kept.copy()
    real[0] += counts[: inside[0]].sum()
    real[-1] += counts[inside[-1] + 1 :].sum()
    # What counts of so few values differ from their step's mean by chance.
    chance = (len(inside) - np.count_nonzero(mass)) / (2 * real.sum())
    real, told = real / real.sum(), told / told.sum()
    return float(real @ np.log(real / told) - chance)


def _grid(wanted: Range) -> tuple[float, float]:
    """The value of the least integer, and the step from one to the next."""
    found = nudged(wanted)
    return found.low, (found.high - found.low) / STEPS


def _narrowed(points: Points, loss: Loss, most: Range) -> Range:
    """The range with the least loss: each end in turn, from all values and from less of both ends."""
    found = []
    for start in (most, _stepped(points, loss, most, most, ("low", "high"))):
        best = start
        for end in ("high", "low") * TURNS:
            best = _stepped(points, loss, best, most, (end,))
        found.append(best)
    return min(found, key=lambda one: loss(points, one))


def _stepped(points: Points, loss: Loss, found: Range, most: Range, ends: Sequence[str]) -> Range:
    """The best range with other ends, by large steps and then by small ones."""
    for parts in (COARSE, FINE):
        before = {end: getattr(found, end) for end in ends}
        tried = [found._replace(**{end: part * one for end, one in before.items()}) for part in parts]
        found = min((_inside(one, most) for one in tried), key=lambda one: loss(points, one))
    return found


def _inside(found: Range, most: Range) -> Range:
    """A range within another; as wide as that where nothing would be left."""
    cut = Range(max(found.low, most.low), min(found.high, most.high))
    return cut if cut.high > cut.low else most
