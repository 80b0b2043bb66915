"""How to read an output: as scores of classes, as labels that are on or off, as class ids, or as values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.errors import DataError

Task = Literal["classes", "pixels", "binary", "mask", "labels", "ids", "values"]

SUM_TOLERANCE = 0.03
"""How far the classes' probabilities may be from a sum of 1, at least: int8 softmax is further off with many
classes."""
NEAR = 0.1
"""So near to 0 or 1 a probability is decided ..."""
LEAST_SAMPLES = 8
"""With fewer samples one class may well be right for all."""
DECIDED_SHARE = 0.7
"""... and where so many are, an output without labels is taken for labels that are on or off."""


def task_of(scores: Array, labels: Array | None = None, input_shapes: Sequence[tuple[int, ...]] = ()) -> Task:
    """How to read an output ``[n, ...]``: by its type and its labels where there are any, else by its values.

    * Integers are class ids that the model chose itself: ``ids``, or ``pixels`` where each sample is a map.
    * With labels, one score a sample is ``binary`` for labels 0 and 1. Class ids or one-hot rows make it
      ``classes``, or ``pixels`` where each sample is a map; rows of 0 and 1 make it ``labels``, and maps of
      them, for one score a pixel, a ``mask``. All else is ``values``.
    * Without labels, rows of scores are ``classes`` when the output is two-dimensional or sums to 1 in the
      last dimension; probabilities that do not sum to 1 and are nearly all decided are ``labels`` or a
      ``mask``; one probability is ``binary`` if both sides of 0.5 occur. An output in the shape of an input
      (``input_shapes``, without the batch) is a reconstruction: ``values``.
    """
    if scores.dtype == np.bool_ or np.issubdtype(scores.dtype, np.integer):
        return "pixels" if _is_map(scores.shape[1:]) else "ids"
    if labels is not None:
        return _by_labels(scores, labels)
    return _by_values(scores, input_shapes)


def _by_labels(scores: Array, labels: Array) -> Task:
    on_off = bool(np.isin(labels, (0, 1)).all())
    if scores[0].size == 1:
        return "binary" if on_off else "values"
    if _is_mask(scores):
        return "mask" if on_off and labels.size == scores.size else "values"
    if class_ids(scores, labels) is not None:
        return _of_classes(scores)
    return "labels" if on_off and labels.size == scores.size else "values"


def _by_values(scores: Array, input_shapes: Sequence[tuple[int, ...]]) -> Task:
    single = scores[0].size == 1
    shares = bool(scores.min() >= 0 and scores.max() <= 1)
    if single:
        return "binary" if shares and scores.min() <= 0.5 < scores.max() else "values"
    if scores.shape[1:] in input_shapes:
        return "values"
    if _is_mask(scores):
        return "mask" if shares and _is_decided(scores) else "values"
    if scores.shape[-1] < 2:
        return "values"
    classes = scores.shape[-1]
    tolerance = max(SUM_TOLERANCE, classes / 512)
    if scores.min() >= 0 and bool(np.all(np.abs(scores.sum(axis=-1) - 1) < tolerance)):
        return _of_classes(scores)
    if shares:
        return "labels" if scores.ndim == 2 and _is_decided(scores) else "values"
    return "classes" if scores.ndim == 2 else "values"


def _of_classes(scores: Array) -> Task:
    return "pixels" if _is_map(scores.shape[1:-1]) else "classes"


def _is_map(places: tuple[int, ...]) -> bool:
    return len([size for size in places if size > 1]) >= 2


def _is_mask(scores: Array) -> bool:
    return scores.shape[-1] == 1 and _is_map(scores.shape[1:])


def _is_decided(scores: Array) -> bool:
    """Whether most probabilities are near 0 or 1, and both sides occur."""
    decided = float(np.mean((scores < NEAR) | (scores > 1 - NEAR)))
    return decided >= DECIDED_SHARE and bool(scores.min() < NEAR and scores.max() > 1 - NEAR)


def never_chooses(scores: Array) -> bool:
    """Whether numbers ``[n, m]``, which are no probabilities, have the same one highest in every sample.

    So do real numbers in units of their own, as 20 degrees beside 1013 hPa. To call that a class would say
    nothing about them.
    """
    if scores.ndim != 2 or len(scores) < LEAST_SAMPLES or (scores.min() >= 0 and scores.max() <= 1):
        return False
    return bool(np.all(scores.argmax(axis=-1) == scores[0].argmax()))


def threshold_of(scores: Array) -> float:
    """Above it a score means yes: 0.5 for scores from 0 to 1, and 0 for logits."""
    return 0.5 if scores.min() >= 0 and scores.max() <= 1 else 0.0


def classes_of(scores: Array, task: Task, threshold: float | None = None) -> Array:
    """What an output chooses: the class of the highest score, or for each score whether it means yes.

    Args:
        scores: the output, ``[n, ...]``.
        task: how it is read; not ``values``.
        threshold: above it a score means yes; by default that of the scores themselves.

    Returns:
        Class ids ``[n, ...]`` without the last dimension for ``classes`` and ``pixels``; ``[n]`` for
        ``binary``; as the scores for the others.
    """
    if scores.dtype == np.bool_ or np.issubdtype(scores.dtype, np.integer):
        return scores.astype(np.int64)
    if task in ("classes", "pixels"):
        return np.asarray(scores.argmax(axis=-1))
    shaped = scores.reshape(len(scores)) if task == "binary" else scores
    limit = threshold_of(scores) if threshold is None else threshold
    return (shaped > limit).astype(np.int64)


def labels_as_choices(labels: Array, scores: Array, task: Task) -> Array:
    """Labels in the form in which ``classes_of`` gives what an output chooses.

    Raises:
        DataError: they do not fit the output.
    """
    if task in ("classes", "pixels") and not _chooses_itself(scores):
        ids = class_ids(scores, labels)
        assert ids is not None  # that is how the task was found
        return ids
    places = (len(scores),) if task == "binary" else scores.shape
    if labels.size != np.prod(places):
        raise _misfit(labels, scores, "class ids")
    return labels.reshape(places).astype(np.int64)


def class_ids(scores: Array, labels: Array) -> Array | None:
    """Labels as class ids in the shape of ``scores`` without its last dimension, or None if they are not.

    Raises:
        DataError: they are class ids, but of classes that the output does not have.
    """
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


def labels_as_values(labels: Array, scores: Array) -> Array:
    """Labels as real numbers in the shape of the output.

    Raises:
        DataError: they do not fit the output.
    """
    if labels.size != scores.size:
        raise _misfit(labels, scores, "class ids, one-hot rows, or real numbers")
    return labels.reshape(scores.shape).astype(np.float64)


def _misfit(labels: Array, scores: Array, expected: str) -> DataError:
    return DataError(
        "the labels fit neither classes nor values of the output",
        expected=f"{expected} in the shape {list(scores.shape)}",
        got=f"{labels.dtype} in the shape {list(labels.shape)}",
        hint="see that the labels belong to this output; in an .npz of several they are y_test/NAME",
    )


def _chooses_itself(scores: Array) -> bool:
    return scores.dtype == np.bool_ or bool(np.issubdtype(scores.dtype, np.integer))


def _whole(labels: Array) -> bool:
    return bool(np.issubdtype(labels.dtype, np.integer) or np.all(labels == np.floor(labels)))
