"""Some of the training samples, looked at by passes that train nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from edgesqueeze.squeeze.data.source import Source
from edgesqueeze.squeeze.layers.rewrite import nodes_in_order

BATCH = 64
FEWEST = 16
"""Samples that are looked at together, however large their tensors are."""


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


def samples_of(model: Any, source: Source, samples: int, most_bytes: int, seed: int) -> Any:
    """Inputs for a model in one batch, a tuple of tensors.

    Args:
        model: a flat tf_keras model of any batch.
        source: training samples.
        samples: how many, at most.
        most_bytes: what the largest tensor of the model may take for all of them.
        seed: which of them.
    """
    made = [one for node in nodes_in_order(model) for one in tf.nest.flatten(node.outputs)]
    largest = max(int(np.prod([size or 1 for size in one.shape[1:]])) for one in (*model.inputs, *made))
    count = max(FEWEST, min(samples, most_bytes // (4 * largest)))
    return next(iter(source.stream(count, seed)))[0]
