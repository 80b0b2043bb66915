"""How far the values of both models are off, over all samples: what a histogram is made of. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.records import Record
from edgesqueeze.checks.metrics import Truth
from edgesqueeze.checks.tasks import Task, labels_as_values

BINS = 41
"""An odd number: one bin has no error in its middle."""
MOST_FAR = 12
"""Samples that are listed one by one."""
TAIL = 0.001
"""Share of the values, at most, that the outermost bins gather from beyond the others on both sides."""


class DeviationBin(Record):
    """Values whose deviation lies in one interval.

    Attributes:
        low: least deviation, in the output's unit.
        high: greatest deviation, in the output's unit.
        original: number of values of the original; null where it is what both are held against.
        compressed: number of values of the .tflite.
    """

    low: float
    high: float
    original: int | None
    compressed: int


class FarSample(Record):
    """A sample on which both models are far apart.

    Attributes:
        sample: position among the test samples, from 0.
        place: position of the value that is furthest off within the sample's output, from 0.
        label: value that is right there; null without labels.
        original: value of the original there.
        compressed: value of the .tflite there.
    """

    sample: int
    place: int
    label: float | None
    original: float
    compressed: float


class OutputDeviations(Record):
    """How far an output of values is off on the test samples.

    Attributes:
        output: position among the model's outputs, from 0.
        truth: what the values are held against: the ``labels``, or those of the ``original``.
        values: number of values, those of all samples.
        bins: intervals of equal width; the first and the last hold what lies beyond them as well.
        far: the samples on which the .tflite is furthest from the original, at most 12.
    """

    output: int
    truth: Truth
    values: int
    bins: tuple[DeviationBin, ...]
    far: tuple[FarSample, ...]


def deviations_of(
    tasks: Sequence[Task],
    original: Sequence[Array],
    compressed: Sequence[Array],
    labels: Sequence[Array] | None,
) -> tuple[OutputDeviations, ...]:
    """The deviations of every output that is read as ``values``.

    Args:
        tasks: how each output is read.
        original: per output of the .tflite, the original's, ``[n, ...]``.
        compressed: the same of the .tflite.
        labels: per output, ``[n, ...]``; None without labels.
    """
    found = []
    for place, task in enumerate(tasks):
        if task != "values" or not compressed[place].size:
            continue
        after = np.asarray(compressed[place], np.float64)
        before = np.asarray(original[place], np.float64).reshape(after.shape)
        truth = None if labels is None else labels_as_values(labels[place], after)
        expected = before if truth is None else truth
        found.append(
            OutputDeviations(
                output=place,
                truth="original" if truth is None else "labels",
                values=after.size,
                bins=_bins(None if truth is None else before - expected, after - expected),
                far=_far(truth, before, after),
            )
        )
    return tuple(found)


def _bins(before: Array | None, after: Array) -> tuple[DeviationBin, ...]:
    """A histogram around 0 of both; values that are no numbers have no bin."""
    sides = [None if one is None else one[np.isfinite(one)] for one in (before, after)]
    sizes = np.sort(np.abs(np.concatenate([one for one in sides if one is not None])))
    reach = float(sizes[-1 - int(TAIL * sizes.size)]) if sizes.size else 0.0
    reach = reach or float(sizes.max(initial=0.0)) or 1.0
    edges = np.linspace(-reach, reach, BINS + 1)
    counts = [
        None if one is None else np.histogram(np.clip(one, -reach, reach), edges)[0].tolist() for one in sides
    ]
    return tuple(
        DeviationBin(
            low=float(edges[i]),
            high=float(edges[i + 1]),
            original=None if counts[0] is None else counts[0][i],
            compressed=counts[1][i] if counts[1] is not None else 0,
        )
        for i in range(BINS)
    )


def _far(truth: Array | None, before: Array, after: Array) -> tuple[FarSample, ...]:
    first, second = (one.reshape(len(after), -1) for one in (before, after))
    right = None if truth is None else truth.reshape(len(after), -1)
    apart = np.abs(second - first)
    apart = np.where(np.isfinite(apart), apart, np.inf)
    places, worst = apart.argmax(axis=1), apart.max(axis=1)
    order = np.argsort(-worst, kind="stable")[:MOST_FAR]
    return tuple(
        FarSample(
            sample=int(one),
            place=int(places[one]),
            label=None if right is None else float(right[one, places[one]]),
            original=float(first[one, places[one]]),
            compressed=float(second[one, places[one]]),
        )
        for one in order
        if worst[one] > 0
    )
