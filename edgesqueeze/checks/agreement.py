"""Figures of agreement: between two sets of outputs, and of each with the labels. NumPy only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.records import Record
from edgesqueeze.checks.metrics import Figure, Output, figure_of_user, figures_of
from edgesqueeze.checks.tasks import Task, classes_of, threshold_of
from edgesqueeze.checks.user_metric import UserMetric
from edgesqueeze.errors import DataError
from edgesqueeze.runners.samples import per_output

Plain = Literal["accuracy", "label_accuracy", "mean_absolute_error"]
PLAIN: Mapping[str, Plain] = MappingProxyType(
    {
        "accuracy": "accuracy",
        "pixel_accuracy": "accuracy",
        "label_accuracy": "label_accuracy",
        "mean_absolute_error": "mean_absolute_error",
    }
)
"""Metrics that ``Accuracy`` has, and what it calls them."""


class Accuracy(Record):
    """How well outputs match the labels.

    Attributes:
        metric: ``accuracy`` (share of right classes, 0 to 1; higher is better), ``label_accuracy`` (share of
            labels that are rightly on or off) or ``mean_absolute_error`` in the labels' unit (lower is
            better).
        original: the float original's accuracy or error; None when the original was not given.
        compressed: the .tflite's accuracy or error.
    """

    metric: Plain
    original: float | None
    compressed: float


class OutputFidelity(Record):
    """How one output of the .tflite compares with the original's.

    Attributes:
        output: position among the model's outputs, from 0.
        task: how the output was read: ``classes`` (scores in the last dimension), ``pixels`` (the same, or
            class ids, for each place of a map), ``binary`` (one score), ``mask`` (one score for each place of
            a map), ``labels`` (scores that are on or off each), ``ids`` (classes that the model chose itself)
            or ``values`` (anything else).
        top1_agreement: share of samples, or of places, on which both models choose the same class, 0 to 1;
            None for ``values`` and ``labels``, and without an original.
        normalized_error: root mean square difference from the original, over the original's standard
            deviation; None when the original is constant or was not given.
        max_error: largest absolute difference from the original, in the output's unit; None without an
            original.
        accuracy: how well both models match the labels; None without labels.
    """

    output: int
    task: Task
    top1_agreement: float | None = None
    normalized_error: float | None = None
    max_error: float | None = None
    accuracy: Accuracy | None = None


class Fidelity(Record):
    """How a .tflite compares with its float original, and with the labels.

    Attributes:
        samples: number of samples that the figures rest on.
        outputs: one entry for each output of the model, in the model's order.
        figures: every output in every metric that is a figure of it, the user's own metric first.
    """

    samples: int
    outputs: tuple[OutputFidelity, ...]
    figures: tuple[Figure, ...] = ()


def fidelity(
    original: Sequence[Array] | None,
    compressed: Sequence[Array],
    labels: Array | Sequence[Array | None] | None = None,
    input_shapes: Sequence[tuple[int, ...]] = (),
    *,
    names: Sequence[str] = (),
    metric: UserMetric | None = None,
    places: Sequence[int] = (),
) -> Fidelity:
    """Compare the outputs of an original and a compressed model on the same samples.

    Args:
        original: per output, real numbers ``[n, ...]``, or integers where the model gives class ids; None
            when only labels are at hand.
        compressed: the same of the .tflite, dequantized.
        labels: class ids, one-hot rows or real targets: an array for the first output, or one per output.
        input_shapes: shapes of the model's inputs without the batch; see ``tasks.task_of``.
        names: names of the outputs.
        metric: the user's own metric, which then decides alone; it needs labels.
        places: place of each output among the original's, for that metric; the same order if empty.

    Raises:
        DataError: the outputs, or the labels, do not correspond; or the metric lacks labels.
        UsageError: the metric fails.
    """
    if original is not None:
        _check_outputs(original, compressed)
    per = per_output(labels)
    rows: list[OutputFidelity] = []
    figures: list[Figure] = []
    for i, values in enumerate(compressed):
        reference = None if original is None else original[i].reshape(values.shape)
        truth = per[i] if i < len(per) else None
        _check_labels(truth, len(values))
        output = Output(i, names[i] if names else "", reference, values, truth, input_shapes)
        found = figures_of(output)
        rows.append(_output_fidelity(output, found))
        figures += found
    if metric is not None:
        figures = [one.model_copy(update={"decides": False}) for one in figures]
        figures.insert(0, _of_user(metric, original, compressed, per, places))
    return Fidelity(samples=len(compressed[0]), outputs=tuple(rows), figures=tuple(figures))


def _of_user(
    metric: UserMetric,
    original: Sequence[Array] | None,
    compressed: Sequence[Array],
    labels: Sequence[Array | None],
    places: Sequence[int],
) -> Figure:
    known = [one for one in labels if one is not None]
    if len(known) != len(compressed):
        raise DataError(
            f"the metric {metric.name} needs labels",
            expected=f"labels for {'each of the outputs' if len(compressed) > 1 else 'the output'}",
            got=f"{len(known)} of {len(compressed)}",
            hint="give data with labels (y_test in an .npz), or leave the metric out",
        )
    order = sorted(range(len(compressed)), key=lambda i: places[i] if places else i)
    before = None if original is None else [original[i] for i in order]
    return figure_of_user(metric, before, [compressed[i] for i in order], [known[i] for i in order])


def _check_labels(labels: Array | None, samples: int) -> None:
    if labels is not None and len(labels) != samples:
        raise DataError(
            "there are not as many labels as samples",
            expected=str(samples),
            got=str(len(labels)),
            hint="give one label for each sample, in the same order",
        )


def agreement(original: Array, compressed: Array, task: Task) -> float:
    """Share of samples (or of positions, where each has scores) on which both choose the same class."""
    threshold = threshold_of(original)
    return float(np.mean(classes_of(original, task, threshold) == classes_of(compressed, task, threshold)))


def normalized_error(original: Array, compressed: Array) -> float | None:
    """Root mean square difference over the original's standard deviation; None for a constant original."""
    spread = float(np.std(original.astype(np.float64)))
    if spread == 0:
        return None
    difference = compressed.astype(np.float64) - original.astype(np.float64)
    return float(np.sqrt(np.mean(difference**2))) / spread


def _output_fidelity(output: Output, figures: Sequence[Figure]) -> OutputFidelity:
    original, compressed, task = output.original, output.compressed, output.task
    accuracy = _accuracy(figures)
    if original is None:
        return OutputFidelity(output=output.index, task=task, accuracy=accuracy)
    return OutputFidelity(
        output=output.index,
        task=task,
        top1_agreement=None if task in ("values", "labels") else agreement(original, compressed, task),
        normalized_error=normalized_error(original, compressed),
        max_error=float(np.abs(compressed.astype(np.float64) - original).max()),
        accuracy=accuracy,
    )


def _accuracy(figures: Sequence[Figure]) -> Accuracy | None:
    """The plainest figure against the labels."""
    for one in figures:
        name = PLAIN.get(one.metric)
        if one.truth == "labels" and one.part is None and name is not None:
            return Accuracy(metric=name, original=one.original, compressed=one.compressed)
    return None


def _check_outputs(original: Sequence[Array], compressed: Sequence[Array]) -> None:
    shapes = [[list(values.shape) for values in outputs] for outputs in (original, compressed)]
    if [values.size for values in original] != [values.size for values in compressed]:
        raise DataError(
            "the two models do not give the same outputs",
            expected=str(shapes[0]),
            got=str(shapes[1]),
            hint="give the model that the .tflite was made from",
        )
