"""Figures of agreement: between two sets of outputs, and of each with the labels. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.records import Record
from edgesqueeze.errors import DataError
from edgesqueeze.runners.samples import per_output

Task = Literal["classes", "binary", "values"]

SUM_TOLERANCE = 0.03
"""How far the classes' probabilities may be from a sum of 1; int8 softmax is off by up to classes/256."""


class Accuracy(Record):
    """How well outputs match the labels.

    Attributes:
        metric: ``accuracy`` (share of right classes, 0 to 1; higher is better), or
            ``mean_absolute_error`` in the labels' unit (lower is better).
        original: the float original's accuracy or error; None when the original was not given.
        compressed: the .tflite's accuracy or error.
    """

    metric: Literal["accuracy", "mean_absolute_error"]
    original: float | None
    compressed: float


class OutputFidelity(Record):
    """How one output of the .tflite compares with the original's.

    Attributes:
        output: position among the model's outputs, from 0.
        task: how the output was read: ``classes`` (scores in the last dimension), ``binary`` (one score) or
            ``values`` (anything else).
        top1_agreement: share of samples on which both models choose the same class, 0 to 1; None for
            ``values`` and without an original.
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
    """

    samples: int
    outputs: tuple[OutputFidelity, ...]


def fidelity(
    original: Sequence[Array] | None,
    compressed: Sequence[Array],
    labels: Array | Sequence[Array | None] | None = None,
    input_shapes: Sequence[tuple[int, ...]] = (),
) -> Fidelity:
    """Compare the outputs of an original and a compressed model on the same samples.

    Args:
        original: per output, real numbers ``[n, ...]``; None when only labels are at hand.
        compressed: the same of the .tflite, dequantized.
        labels: class ids, one-hot rows or real targets: an array for the first output, or one per output.
        input_shapes: shapes of the model's inputs without the batch; see ``task_of``.

    Raises:
        DataError: the outputs, or the labels, do not correspond.
    """
    samples = len(compressed[0])
    if original is not None:
        _check_outputs(original, compressed)
    per = per_output(labels)
    rows = []
    for i, values in enumerate(compressed):
        reference = None if original is None else original[i].reshape(values.shape)
        rows.append(_output_fidelity(i, reference, values, per[i] if i < len(per) else None, input_shapes))
    return Fidelity(samples=samples, outputs=tuple(rows))


def task_of(scores: Array, labels: Array | None = None, input_shapes: Sequence[tuple[int, ...]] = ()) -> Task:
    """How to read an output ``[n, ...]``: by its labels where there are any, else by its values.

    Without labels, rows of two or more values are ``classes`` when the output is two-dimensional (scores
    or probabilities) or when the last dimension sums to 1, and a single value from 0 to 1 is ``binary``.
    An output in the shape of an input (``input_shapes``, without the batch) is a reconstruction: ``values``.
    """
    single = scores[0].size == 1
    if labels is not None:
        if single:
            return "binary" if np.isin(labels, (0, 1)).all() else "values"
        return "classes" if _class_ids(scores, labels) is not None else "values"
    if scores.shape[1:] in input_shapes and not single:
        return "values"
    if single:
        return "binary" if scores.min() >= 0 and scores.max() <= 1 else "values"
    if scores.shape[-1] < 2:
        return "values"
    sums = scores.sum(axis=-1)
    probabilities = scores.min() >= 0 and bool(np.all(np.abs(sums - 1) < SUM_TOLERANCE))
    return "classes" if scores.ndim == 2 or probabilities else "values"


def classes_of(scores: Array, task: Task) -> Array:
    """The chosen class: the highest score, or for one score whether it is above the threshold.

    The threshold is 0.5 for scores from 0 to 1 and 0 for logits.
    """
    if task == "classes":
        return np.asarray(scores.argmax(axis=-1))
    flat = scores.reshape(len(scores))
    threshold = 0.5 if flat.min() >= 0 and flat.max() <= 1 else 0.0
    return (flat > threshold).astype(np.int64)


def agreement(original: Array, compressed: Array, task: Task) -> float:
    """Share of samples (or of positions, where each has scores) on which both choose the same class."""
    return float(np.mean(classes_of(original, task) == classes_of(compressed, task)))


def normalized_error(original: Array, compressed: Array) -> float | None:
    """Root mean square difference over the original's standard deviation; None for a constant original."""
    spread = float(np.std(original.astype(np.float64)))
    if spread == 0:
        return None
    difference = compressed.astype(np.float64) - original.astype(np.float64)
    return float(np.sqrt(np.mean(difference**2))) / spread


def _output_fidelity(
    index: int,
    original: Array | None,
    compressed: Array,
    labels: Array | None,
    input_shapes: Sequence[tuple[int, ...]],
) -> OutputFidelity:
    task = task_of(compressed if original is None else original, labels, input_shapes)
    accuracy = None if labels is None else _accuracy(original, compressed, labels, task)
    if original is None:
        return OutputFidelity(output=index, task=task, accuracy=accuracy)
    return OutputFidelity(
        output=index,
        task=task,
        top1_agreement=None if task == "values" else agreement(original, compressed, task),
        normalized_error=normalized_error(original, compressed),
        max_error=float(np.abs(compressed.astype(np.float64) - original).max()),
        accuracy=accuracy,
    )


def _accuracy(original: Array | None, compressed: Array, labels: Array, task: Task) -> Accuracy:
    if len(labels) != len(compressed):
        raise DataError(
            "there are not as many labels as samples",
            expected=str(len(compressed)),
            got=str(len(labels)),
            hint="give one label for each sample, in the same order",
        )
    if task == "values":
        if labels.size != compressed.size:
            raise DataError(
                "the labels fit neither classes nor values of the output",
                expected=f"class ids, one-hot rows, or real numbers in the shape {list(compressed.shape)}",
                got=f"{labels.dtype} in the shape {list(labels.shape)}",
                hint="see that the labels belong to this output; in an .npz of several they are y_test/NAME",
            )
        truth = labels.reshape(compressed.shape).astype(np.float64)
        return Accuracy(
            metric="mean_absolute_error",
            original=None if original is None else _mean_error(original, truth),
            compressed=_mean_error(compressed, truth),
        )
    ids = np.asarray(labels.reshape(-1) if task == "binary" else _class_ids(compressed, labels))
    return Accuracy(
        metric="accuracy",
        original=None if original is None else _hits(original, task, ids),
        compressed=_hits(compressed, task, ids),
    )


def _mean_error(values: Array, truth: Array) -> float:
    return float(np.abs(values - truth).mean())


def _hits(scores: Array, task: Task, ids: Array) -> float:
    return float(np.mean(classes_of(scores, task) == ids))


def _class_ids(scores: Array, labels: Array) -> Array | None:
    """Labels as class ids in the shape of ``scores`` without its last dimension, or None if they are not."""
    places = scores.shape[:-1]
    if labels.shape == scores.shape:
        one_hot = np.isin(labels, (0, 1)).all() and bool(np.all(labels.sum(axis=-1) == 1))
        return np.asarray(labels.argmax(axis=-1)) if one_hot else None
    if labels.size != np.prod(places) or not _whole(labels):
        return None
    ids = labels.reshape(places).astype(np.int64)
    if ids.min() < 0 or ids.max() >= scores.shape[-1]:
        raise DataError(
            "the labels name classes that the model does not have",
            expected=f"class ids from 0 to {scores.shape[-1] - 1}",
            got=f"{ids.min()} to {ids.max()}",
            hint="number the classes from 0, as the model does",
        )
    return ids


def _whole(labels: Array) -> bool:
    return bool(np.issubdtype(labels.dtype, np.integer) or np.all(labels == np.floor(labels)))


def _check_outputs(original: Sequence[Array], compressed: Sequence[Array]) -> None:
    shapes = [[list(values.shape) for values in outputs] for outputs in (original, compressed)]
    if [values.size for values in original] != [values.size for values in compressed]:
        raise DataError(
            "the two models do not give the same outputs",
            expected=str(shapes[0]),
            got=str(shapes[1]),
            hint="give the model that the .tflite was made from",
        )
