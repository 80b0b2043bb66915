"""Activations that clip at 6, as ReLU6 does, without the clip where samples hardly reach it.

A factor passes through ReLU, but not through ReLU6 (Nagel et al., 2019, arXiv:1906.04721).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from edgesqueeze.squeeze.layers.rewrite import clone_layer, replay, rewrite
from edgesqueeze.squeeze.opening.activations import OWN
from edgesqueeze.squeeze.passes.held_out import fed
from edgesqueeze.squeeze.passes.scaled import copied

layers = tf_keras.layers
CLIP = 6.0


def clips(layer: Any) -> bool:
    """Whether a layer is, or ends with, a ReLU that clips at 6."""
    if type(layer) is layers.ReLU:
        return layer.max_value == CLIP and not layer.threshold
    return getattr(layer, "activation", None) in (OWN["relu6"], tf.nn.relu6)


def clipped_shares(model: Any, batches: Iterator[Any]) -> Mapping[str, float]:
    """For each layer that clips, the share of the positive values that its clip changes.

    Args:
        model: a flat tf_keras model of plain layers.
        batches: its inputs, a tuple of tensors for each batch.
    """
    clipped: dict[str, int] = {}
    positive: dict[str, int] = {}

    def apply(layer: Any, args: Any, kwargs: Any) -> Any:
        made = layer(*args, **kwargs)
        if clips(layer):
            # What is cut off ends at 6 exactly.
            clipped[layer.name] = clipped.get(layer.name, 0) + int(tf.math.count_nonzero(made >= CLIP))
            positive[layer.name] = positive.get(layer.name, 0) + int(tf.math.count_nonzero(made > 0))
        return made

    for inputs in batches:
        replay(model, list(inputs), apply)
    return {name: clipped[name] / max(1, count) for name, count in positive.items()}


def without_clips(model: Any, names: frozenset[str]) -> Any:
    """A copy of a model in which some layers clip no longer.

    Args:
        model: a flat tf_keras model of plain layers; it is not changed.
        names: layers that clip.
    """

    def replace(layer: Any) -> Any:
        if layer.name not in names:
            return None
        if type(layer) is layers.ReLU:
            return clone_layer(layer, max_value=None)
        plain = copied(layer)
        plain.activation = tf_keras.activations.relu
        return plain

    return rewrite(model, replace)


def outputs_of(model: Any, batches: Iterator[Any]) -> list[Any]:
    """What a model gives, ``[samples, ...]`` for each output."""
    rows = [tf.nest.flatten(model(fed(inputs), training=False)) for inputs in batches]
    return [np.concatenate([row[i].numpy() for row in rows]) for i in range(len(rows[0]))]
