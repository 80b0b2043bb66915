"""A user's ``tf.data.Dataset`` as a source of samples: of samples or batches, with labels or without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from edgesqueeze.base.findings import Finding
from edgesqueeze.errors import DataError
from edgesqueeze.recipe.sections import DataOptions
from edgesqueeze.squeeze.data.items import Reader
from edgesqueeze.squeeze.data.source import Source, dataset_source


def open_dataset(
    dataset: Any, model: Any, reader: Reader, options: DataOptions
) -> tuple[Source, tuple[Finding, ...]]:
    """A data set as a source of single samples; its first element tells what it gives, whatever it declares.

    Args:
        dataset: of ``x``, ``(x, y)`` or ``(x, y, weights)``; samples or batches.
        model: the model that takes them.
        reader: what that is.
        options: scale and offset.

    Raises:
        DataError: it is empty, never ends, cannot be read, or gives something else than the model takes.
    """
    spec = dataset.element_spec
    labelled = isinstance(spec, tuple) and len(spec) in (2, 3)
    first = _first(dataset, reader)
    x = first[0] if labelled else first
    shown = x if isinstance(x, dict) else [np.asarray(part) for part in tf.nest.flatten(x)]
    if len(shown) != len(reader.specs) and not isinstance(x, dict):
        raise reader.misfit(shown)
    kind, _ = reader.checked(shown[0] if isinstance(shown, list) and len(shown) == 1 else shown)

    def arrange(*parts: Any) -> Any:
        x: Any = parts[0] if labelled or len(parts) == 1 else parts
        named = isinstance(x, dict)
        inputs = tuple(x[one.name] for one in reader.specs) if named else tuple(tf.nest.flatten(x))
        return inputs, _labels(parts[1], reader) if labelled else ()

    ranks = tf.nest.map_structure(lambda one: len(one.shape), arrange(*_as_parts(first)))
    arranged = dataset.map(arrange).map(lambda *parts: tf.nest.map_structure(_with_rank, parts, ranks))
    if kind == "batch":
        arranged = arranged.unbatch()
    usable = labelled and len(model.outputs) == len(arranged.element_spec[1])
    findings = _findings(reader, spec, ignored=labelled and not usable)
    return dataset_source(arranged, _count(arranged, reader), usable, reader.specs, options), findings


def _first(dataset: Any, reader: Reader) -> Any:
    with _readable(reader):
        first = next(iter(dataset.take(1)), None)
    if first is None:
        raise DataError(f"{reader.name} is empty", expected="at least one sample")
    return first


def _as_parts(element: Any) -> tuple[Any, ...]:
    """An element as ``Dataset.map`` hands it over."""
    return element if isinstance(element, tuple) else (element,)


def _labels(y: Any, reader: Reader) -> tuple[Any, ...]:
    """Labels in the order of the model's outputs."""
    if isinstance(y, dict) and all(name in y for name in reader.outputs):
        return tuple(y[name] for name in reader.outputs)
    return tuple(tf.nest.flatten(y))


def _with_rank(value: Any, rank: int) -> Any:
    """A tensor whose rank is known, also where the data set does not declare it."""
    return tf.ensure_shape(value, [None] * rank) if value.shape.rank is None else value


def _count(arranged: Any, reader: Reader) -> int:
    count = int(arranged.cardinality())
    if count == tf.data.INFINITE_CARDINALITY:
        raise DataError(
            f"{reader.name} never ends", expected="one pass over the samples", hint="leave out .repeat()"
        )
    with _readable(reader):
        return count if count >= 0 else sum(1 for _ in arranged)


@contextmanager
def _readable(reader: Reader) -> Iterator[None]:
    """Have what TensorFlow raises over an element be told as an error of the data."""
    try:
        yield
    except tf.errors.OpError as error:
        raise DataError(
            f"{reader.name} cannot be read", got=str(error.message)[:300], expected="samples that decode"
        ) from None


def _findings(reader: Reader, spec: Any, *, ignored: bool) -> tuple[Finding, ...]:
    found = []
    if isinstance(spec, tuple) and len(spec) == 3:
        message = "the weights of its samples are not used"
        found.append(Finding(code="weights-unused", subject=reader.name, message=message))
    if ignored:
        message = f"there are not labels for every output ({', '.join(reader.outputs)}): they are not used"
        found.append(Finding(code="labels-ignored", subject=reader.name, message=message, severity="warning"))
    return tuple(found)
