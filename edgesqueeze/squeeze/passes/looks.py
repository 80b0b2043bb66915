"""Some of the training samples, looked at by passes that train nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgesqueeze.squeeze.data.source import Source

BATCH = 64


def batches(model: Any, source: Source, samples: int, seed: int) -> Iterator[Any]:
    """Inputs for a model, a tuple of tensors for each batch, the same at every call.

    Args:
        model: a flat tf_keras model, of any batch or a fixed one.
        source: training samples.
        samples: how many, at most.
        seed: which of them.
    """
    fixed = model.inputs[0].shape[0]
    size = min(fixed or BATCH, samples)
    for inputs, _ in source.stream(size, seed).take(max(1, samples // size)):
        if fixed is None or len(inputs[0]) == fixed:
            yield inputs
