"""What the original model says about the test samples."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.checks.evaluate import Originals
from edgesqueeze.runners.samples import EvalData
from edgesqueeze.squeeze.data.source import Source
from edgesqueeze.squeeze.opening.load import LoadedModel, predict
from edgesqueeze.squeeze.opening.sameness import evaluate

BATCH = 64


Ask = Callable[[list[Array]], list[Array]]
"""Outputs of a model, for its inputs; batch first."""


def originals_of(loaded: LoadedModel, source: Source, limit: int) -> Originals:
    """Run the original.

    Args:
        loaded: the original.
        source: test samples.
        limit: at most so many of them are used.
    """
    names = tuple(loaded.model.input_names)
    return _asked(
        lambda inputs: predict(loaded, dict(zip(names, inputs, strict=True))), loaded.model, source, limit
    )


def originals_by(model: Any, source: Source, limit: int) -> Originals:
    """Run a flat tf_keras model that computes what the original does.

    Args:
        model: the model.
        source: samples as it takes them.
        limit: at most so many of them are used.
    """
    return _asked(lambda inputs: evaluate(model, inputs), model, source, limit)


def _asked(ask: Ask, model: Any, source: Source, limit: int) -> Originals:
    names = tuple(model.input_names)
    outputs: list[list[Array]] = []
    labels: list[list[Array]] = []
    first: EvalData | None = None
    for inputs, targets in source.stream(BATCH, None).take(-(-limit // BATCH)).as_numpy_iterator():
        room = limit - BATCH * len(outputs)
        inputs, targets = [one[:room] for one in inputs], [one[:room] for one in targets]
        first = first or EvalData(tuple(inputs), names=names)
        outputs.append(ask(inputs))
        labels.append(targets)
    assert first is not None  # a source is never empty
    truths = _joined(labels) if source.labelled else None
    return Originals(_joined(outputs), truths, first, tuple(model.output_names))


def input_batches(source: Source) -> Iterator[list[Array]]:
    """The inputs of test samples, in the order in which ``originals_of`` takes them."""
    for inputs, _ in source.stream(BATCH, None).as_numpy_iterator():
        yield list(inputs)


def outputs_of(model: Any, source: Source, limit: int) -> list[Array]:
    """Outputs of a float tf_keras model on the samples that ``originals_of`` takes, ``[n, ...]`` each."""
    parts: list[list[Array]] = []
    for inputs in itertools.islice(input_batches(source), -(-limit // BATCH)):
        room = limit - BATCH * len(parts)
        parts.append(evaluate(model, [one[:room] for one in inputs]))
    return list(_joined(parts))


def _joined(batches: list[list[Array]]) -> tuple[Array, ...]:
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))
