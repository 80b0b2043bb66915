"""The original and the .tflite side by side on test data, a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.checks.agreement import task_of
from edgesqueeze.checks.original import output_places, real_outputs
from edgesqueeze.graph import TfliteModel
from edgesqueeze.runners import litert
from edgesqueeze.runners.samples import EvalData, data_samples
from edgesqueeze.squeeze.data.source import Source
from edgesqueeze.squeeze.opening.load import LoadedModel, predict

BATCH = 64


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Outputs of both models on the same samples.

    Attributes:
        original: per output in the .tflite's order, ``[n, ...]``.
        compressed: the same of the .tflite, as real numbers.
        labels: per output, or None.
        first: the first batch, for a closer look.
    """

    original: list[Array]
    compressed: list[Array]
    labels: tuple[Array, ...] | None
    first: EvalData


def evaluate(loaded: LoadedModel, tflite: TfliteModel, source: Source, limit: int) -> Evaluation:
    """Run both models.

    Args:
        loaded: the original.
        tflite: the compressed model; it runs on LiteRT.
        source: test samples.
        limit: at most so many of them.
    """
    names = tuple(loaded.model.input_names)
    originals: list[list[Array]] = []
    compressed: list[list[Array]] = []
    labels: list[list[Array]] = []
    first: EvalData | None = None
    for inputs, targets in source.stream(BATCH, None).take(-(-limit // BATCH)).as_numpy_iterator():
        room = limit - BATCH * len(originals)
        inputs, targets = [one[:room] for one in inputs], [one[:room] for one in targets]
        batch = EvalData(tuple(inputs), names=names)
        first = first or batch
        outputs = predict(loaded, dict(zip(names, inputs, strict=True)))
        places = output_places(tflite, outputs)
        originals.append([outputs[place] for place in places])
        compressed.append(real_outputs(tflite, litert.run(tflite, data_samples(tflite, batch))))
        labels.append([targets[place] for place in places] if source.labelled else [])
    assert first is not None
    whole = tuple(np.concatenate(parts) for parts in zip(*labels, strict=True)) if source.labelled else None
    return Evaluation(_joined(originals), _joined(compressed), whole, first)


def chooses_classes(loaded: LoadedModel, source: Source) -> bool:
    """Whether the original's first output holds scores of classes, judged on the first test samples."""
    for inputs, labels in source.stream(BATCH, None).take(1).as_numpy_iterator():
        outputs = predict(loaded, dict(zip(loaded.model.input_names, inputs, strict=True)))
        shapes = [array.shape[1:] for array in inputs]
        return task_of(outputs[0], labels[0] if source.labelled else None, shapes) != "values"
    return False


def _joined(batches: list[list[Array]]) -> list[Array]:
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]
