"""Which classes both models choose, sample by sample: what a confusion matrix is made of. NumPy only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.records import Record
from edgesqueeze.checks.tasks import Task, classes_of, labels_as_choices, threshold_of

MOST_CHANGED = 24
"""Samples that are listed one by one."""


class Choice(Record):
    """Samples of which the same is true and said.

    Attributes:
        label: class that is right, from 0; null without labels.
        original: class that the original chooses.
        compressed: class that the .tflite chooses.
        samples: number of these samples.
    """

    label: int | None
    original: int
    compressed: int
    samples: int


class ChangedSample(Record):
    """A sample for which the .tflite chooses another class than the original.

    Attributes:
        sample: position among the test samples, from 0.
        label: class that is right, from 0; null without labels.
        original: class that the original chooses.
        compressed: class that the .tflite chooses.
        original_score: score that the original gives to its choice.
        compressed_score: score that the .tflite gives to its own.
        picture: the first input as PNG in base64, where it is a picture and a page was asked for; else empty.
    """

    sample: int
    label: int | None
    original: int
    compressed: int
    original_score: float
    compressed_score: float
    picture: str = ""


class OutputChoices(Record):
    """The classes that both models choose on the test samples, for an output with one choice a sample.

    Attributes:
        output: position among the model's outputs, from 0.
        names: names of the classes, in order; empty where they are not known.
        classes: number of classes.
        counts: every combination that occurs, with its number of samples.
        changed: samples whose class changed, those first that the original has right; at most 24.
    """

    output: int
    names: tuple[str, ...] = ()
    classes: int
    counts: tuple[Choice, ...]
    changed: tuple[ChangedSample, ...]


def choices_of(
    tasks: Sequence[Task],
    original: Sequence[Array],
    compressed: Sequence[Array],
    labels: Sequence[Array] | None,
    names: Sequence[str] = (),
) -> tuple[OutputChoices, ...]:
    """The choices of every output that is read as ``classes`` or as ``binary``.

    Args:
        tasks: how each output is read.
        original: per output of the .tflite, the original's, ``[n, ...]``.
        compressed: the same of the .tflite.
        labels: per output, ``[n, ...]``; None without labels.
        names: names of the classes, for outputs that have as many.
    """
    found = []
    for place, task in enumerate(tasks):
        before, after = original[place].reshape(compressed[place].shape), compressed[place]
        if task not in ("classes", "binary"):
            continue
        first, second = (classes_of(one, task, threshold_of(before)) for one in (before, after))
        if first.ndim != 1:
            continue
        truth = None if labels is None else labels_as_choices(labels[place], before, task)
        classes = 2 if task == "binary" else int(before.shape[-1])
        found.append(
            OutputChoices(
                output=place,
                names=tuple(names) if len(names) == classes else (),
                classes=classes,
                counts=_counts(truth, first, second),
                changed=_changed(truth, first, second, before, after),
            )
        )
    return tuple(found)


def _counts(truth: Array | None, before: Array, after: Array) -> tuple[Choice, ...]:
    right = [None] * len(before) if truth is None else truth.tolist()
    rows = Counter(zip(right, before.tolist(), after.tolist(), strict=True))
    order = sorted(rows, key=lambda row: (-1 if row[0] is None else row[0], *row[1:]))
    return tuple(Choice(label=row[0], original=row[1], compressed=row[2], samples=rows[row]) for row in order)


def _changed(
    truth: Array | None, before: Array, after: Array, scores: Array, new_scores: Array
) -> tuple[ChangedSample, ...]:
    """Those that became wrong, then the others, each in the order of the samples."""
    differ = np.flatnonzero(before != after)
    lost = np.zeros(len(differ), bool) if truth is None else before[differ] == truth[differ]
    order = differ[np.argsort(~lost, kind="stable")][:MOST_CHANGED]
    return tuple(
        ChangedSample(
            sample=int(one),
            label=None if truth is None else int(truth[one]),
            original=int(before[one]),
            compressed=int(after[one]),
            original_score=_score(scores[one], int(before[one])),
            compressed_score=_score(new_scores[one], int(after[one])),
        )
        for one in order
    )


def _score(scores: Array, chosen: int) -> float:
    flat = scores.reshape(-1)
    return float(flat[chosen if len(flat) > 1 else 0])
