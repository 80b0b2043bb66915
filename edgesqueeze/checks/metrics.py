"""What a model is judged by: the table of metrics, and a metric of the user's own. NumPy only.

Each output is read in one way (``tasks.py``), and each metric says of which readings it is a figure. The
truth is the labels, or without labels what the original says: then a figure is one of agreement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.records import Record
from edgesqueeze.checks.tasks import (
    Task,
    classes_of,
    labels_as_choices,
    labels_as_values,
    never_chooses,
    task_of,
    threshold_of,
)
from edgesqueeze.checks.user_metric import UserMetric

Truth = Literal["labels", "original"]
Unit = Literal["share", "ratio", "own"]


class Figure(Record):
    """How good an output is in one metric, before and after.

    Attributes:
        metric: name of the metric: a row of the table of metrics, or ``MODULE:CALLABLE`` of the user's own.
        title: name of the metric for a person.
        output: position among the model's outputs, from 0; null for a metric of all outputs.
        name: name of the output; may be empty.
        part: the label that the figure is about; null for all of the output.
        truth: what the outputs were compared with: the ``labels``, or the outputs of the ``original``.
        unit: ``share`` (1 is all, or the whole spread of the truth), ``ratio`` (a plain number, 1 is
            perfect) or ``own``, the unit of the output or of the user's metric.
        higher_is_better: whether a larger figure is a better one.
        decides: whether a limit on the accuracy drop applies to it.
        original: figure of the original; null where it was not given.
        compressed: figure of the .tflite.
        drop: by how much the .tflite is worse, in the figure's unit; negative where it is better, null
            where the original was not given.
    """

    metric: str
    title: str
    output: int | None
    name: str = ""
    part: int | None = None
    truth: Truth
    unit: Unit
    higher_is_better: bool
    decides: bool
    original: float | None
    compressed: float
    drop: float | None


@dataclass(frozen=True)
class Metric:
    """A row of the table of metrics.

    Attributes:
        name: what reports call it.
        title: what a person calls it.
        agreement: what a person calls it where the truth is the original.
        tasks: readings of an output that it is a figure of.
        measure: the figure, of the truth and the outputs: choices ``[n, ...]`` as integers, or for
            ``values`` real numbers.
        higher_is_better: whether a larger figure is a better one.
        unit: see ``Figure``.
        decides: whether a limit on the accuracy drop applies to it.
        by_label: whether each label, in the last dimension, has a figure of its own as well.
    """

    name: str
    title: str
    agreement: str
    tasks: frozenset[Task]
    measure: Callable[[Array, Array], float]
    higher_is_better: bool = True
    unit: Unit = "share"
    decides: bool = True
    by_label: bool = False


def share_of_same(truth: Array, chosen: Array) -> float:
    """Share of choices that are right."""
    return float(np.mean(truth == chosen))


def mean_iou(truth: Array, chosen: Array) -> float:
    """Intersection over union of each class that occurs, over all samples together, on average."""
    classes = int(max(truth.max(), chosen.max())) + 1
    pairs = np.bincount(truth.reshape(-1) * classes + chosen.reshape(-1), minlength=classes**2)
    counts = pairs.reshape(classes, classes)
    both = np.diag(counts)
    either = counts.sum(axis=0) + counts.sum(axis=1) - both
    seen = either > 0
    return float(np.mean(both[seen] / either[seen]))


def relative_error(truth: Array, values: Array) -> float:
    """Root mean square difference over the truth's standard deviation; over its size where it is constant."""
    exact = truth.astype(np.float64)
    spread = float(exact.std()) or float(np.sqrt(np.mean(exact**2))) or 1.0
    return float(np.sqrt(np.mean((values.astype(np.float64) - exact) ** 2))) / spread


def correlation(truth: Array, values: Array) -> float:
    """Pearson's correlation; where one of the two is constant, 1 if both are the same and else 0."""
    left, right = (one.astype(np.float64).reshape(-1) for one in (truth, values))
    left, right = left - left.mean(), right - right.mean()
    size = float(np.sqrt(np.sum(left**2) * np.sum(right**2)))
    if size == 0:
        return float(np.array_equal(truth, values))
    return float(np.sum(left * right)) / size


def mean_absolute_error(truth: Array, values: Array) -> float:
    """Mean absolute difference, in the output's unit."""
    return float(np.abs(values.astype(np.float64) - truth).mean())


_MAPS: frozenset[Task] = frozenset({"pixels", "mask"})
_VALUES: frozenset[Task] = frozenset({"values"})

METRICS: tuple[Metric, ...] = (
    Metric("accuracy", "accuracy", "same class", frozenset({"classes", "binary", "ids"}), share_of_same),
    Metric(
        "label_accuracy",
        "accuracy of labels",
        "same labels",
        frozenset({"labels"}),
        share_of_same,
        by_label=True,
    ),
    Metric("pixel_accuracy", "pixel accuracy", "same class of pixels", _MAPS, share_of_same),
    Metric("mean_iou", "mean IoU", "overlap (mean IoU)", _MAPS, mean_iou),
    Metric(
        "normalized_error",
        "normalized error",
        "normalized error",
        _VALUES,
        relative_error,
        higher_is_better=False,
    ),
    Metric("correlation", "correlation", "correlation with the original", _VALUES, correlation, unit="ratio"),
    Metric(
        "mean_absolute_error",
        "mean absolute error",
        "mean absolute difference",
        _VALUES,
        mean_absolute_error,
        higher_is_better=False,
        unit="own",
        decides=False,
    ),
)
"""Every metric, with the readings of an output that it is a figure of."""


@dataclass(frozen=True, eq=False)
class Output:
    """One output of both models, with what it should be.

    Attributes:
        index: position among the model's outputs, from 0.
        name: its name; may be empty.
        original: the original's, ``[n, ...]``; None where it was not given.
        compressed: the .tflite's, ``[n, ...]``.
        labels: as ``agreement.fidelity`` takes them; None without labels.
        input_shapes: shapes of the model's inputs without the batch.
    """

    index: int
    name: str
    original: Array | None
    compressed: Array
    labels: Array | None
    input_shapes: Sequence[tuple[int, ...]] = ()

    @property
    def task(self) -> Task:
        """How the output is read."""
        reference = self.compressed if self.original is None else self.original
        task = task_of(reference, self.labels, self.input_shapes)
        return "values" if self.labels is None and task == "classes" and never_chooses(reference) else task


def figures_of(output: Output) -> tuple[Figure, ...]:
    """One output in every metric that is a figure of it: against the labels, and against the original.

    Those against the labels decide where there are labels, else those against the original.

    Raises:
        DataError: the labels do not fit the output.
    """
    task = output.task
    before, after = _as_judged(output, task)
    found: list[Figure] = []
    if output.labels is not None:
        reference = output.compressed if output.original is None else output.original
        read = labels_as_values if task == "values" else None
        truth = read(output.labels, reference) if read else labels_as_choices(output.labels, reference, task)
        found += _figures(output, task, "labels", truth, before, after, decides=True)
    if before is not None:
        decides = output.labels is None
        found += _figures(output, task, "original", before, before, after, decides=decides)
    return tuple(found)


def _as_judged(output: Output, task: Task) -> tuple[Array | None, Array]:
    """Both models' choices, or their values."""
    if task == "values":
        return output.original, output.compressed
    # One threshold for both: that of the model which has not been rounded.
    reference = output.compressed if output.original is None else output.original
    threshold = threshold_of(reference)
    before = None if output.original is None else classes_of(output.original, task, threshold)
    return before, classes_of(output.compressed, task, threshold)


def _figures(
    output: Output,
    task: Task,
    truth: Truth,
    expected: Array,
    before: Array | None,
    after: Array,
    *,
    decides: bool,
) -> list[Figure]:
    found = []
    for row in METRICS:
        if task not in row.tasks:
            continue
        for part in (None, *(range(after.shape[-1]) if row.by_label else ())):
            chosen = slice(None) if part is None else part
            sides = [None if one is None else one[..., chosen] for one in (before, after)]
            figures = [None if one is None else row.measure(expected[..., chosen], one) for one in sides]
            assert figures[1] is not None
            found.append(
                Figure(
                    metric=row.name,
                    title=row.title if truth == "labels" else row.agreement,
                    output=output.index,
                    name=output.name,
                    part=part,
                    truth=truth,
                    unit=row.unit,
                    higher_is_better=row.higher_is_better,
                    decides=decides and row.decides,
                    original=figures[0],
                    compressed=figures[1],
                    drop=drop_of(figures[0], figures[1], higher_is_better=row.higher_is_better),
                )
            )
    return found


def drop_of(original: float | None, compressed: float, *, higher_is_better: bool) -> float | None:
    """By how much the compressed model is worse, to ten digits.

    Floats would make a drop from 0.9205 to 0.9105 a little more than 0.01, and miss a limit of 0.01.
    """
    if original is None:
        return None
    drop = original - compressed if higher_is_better else compressed - original
    return float(f"{drop:.10g}")


def figure_of_user(
    metric: UserMetric,
    original: Sequence[Array] | None,
    compressed: Sequence[Array],
    labels: Sequence[Array],
) -> Figure:
    """All outputs in the user's own metric, in the order of the original's outputs.

    Raises:
        UsageError: the metric fails, or gives no number.
    """
    before = None if original is None else metric(labels, original)
    after = metric(labels, compressed)
    return Figure(
        metric=metric.name,
        title=metric.name,
        output=None,
        truth="labels",
        unit="own",
        higher_is_better=metric.higher_is_better,
        decides=True,
        original=before,
        compressed=after,
        drop=drop_of(before, after, higher_is_better=metric.higher_is_better),
    )


def worst(figures: Sequence[Figure]) -> Figure | None:
    """The figure that a limit on the accuracy drop is held against: the largest drop of those that decide."""
    deciding = [one for one in figures if one.decides and one.drop is not None]
    return max(deciding, key=lambda one: one.drop or 0.0, default=None)
