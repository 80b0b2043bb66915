"""What the original model says about the test samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.checks.evaluate import Originals
from edgesqueeze.runners.samples import EvalData
from edgesqueeze.squeeze.data.source import Source
from edgesqueeze.squeeze.opening.load import LoadedModel, predict

BATCH = 64


def originals_of(loaded: LoadedModel, source: Source, limit: int) -> Originals:
    """Run the original.

    Args:
        loaded: the original.
        source: test samples.
        limit: at most so many of them are used.
    """
    names = tuple(loaded.model.input_names)
    outputs: list[list[Array]] = []
    labels: list[list[Array]] = []
    first: EvalData | None = None
    for inputs, targets in source.stream(BATCH, None).take(-(-limit // BATCH)).as_numpy_iterator():
        room = limit - BATCH * len(outputs)
        inputs, targets = [one[:room] for one in inputs], [one[:room] for one in targets]
        first = first or EvalData(tuple(inputs), names=names)
        outputs.append(predict(loaded, dict(zip(names, inputs, strict=True))))
        labels.append(targets)
    assert first is not None  # a source is never empty
    return Originals(_joined(outputs), _joined(labels) if source.labelled else None, first)


def input_batches(source: Source) -> Iterator[list[Array]]:
    """The inputs of test samples, in the order in which ``originals_of`` takes them."""
    for inputs, _ in source.stream(BATCH, None).as_numpy_iterator():
        yield list(inputs)


def _joined(batches: list[list[Array]]) -> tuple[Array, ...]:
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))
