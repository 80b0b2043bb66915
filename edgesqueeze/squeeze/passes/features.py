"""What layers inside a student give, held against what the teacher's give (Romero et al., 2015, FitNets).

Outputs that say the same for all samples at hand say little about others. What the layers before them give
says more, and a student that gives the same does so for samples that it has not seen, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras

SMALLEST_VARIANCE = 1e-9
"""Is added to what a layer's values vary by: a layer may give the same for all of a batch."""


def watched(teacher: Any, student: Any) -> tuple[Any, Any]:
    """Both models with the values of the layers that have weights as further outputs, of both the same.

    Layers are the same if they have one name and give one tensor of one shape: those that were cut are left
    out. Outputs of the model are not watched twice.

    Args:
        teacher: a flat tf_keras model.
        student: a compressed copy.
    """
    known = {layer.name: layer for layer in student.layers}
    ends = {id(tensor) for tensor in teacher.outputs}
    pairs = []
    for layer in teacher.layers:
        want, have = _given(layer), _given(known.get(layer.name))
        if not layer.trainable_weights or want is None or have is None or id(want) in ends:
            continue
        if want.shape.as_list() == have.shape.as_list() and want.dtype == have.dtype == tf.float32:
            pairs.append((want, have))
    return (
        tf_keras.Model(teacher.inputs, [*teacher.outputs, *(want for want, _ in pairs)]),
        tf_keras.Model(student.inputs, [*student.outputs, *(have for _, have in pairs)]),
    )


def _given(layer: Any) -> Any:
    """The one tensor that a layer gives; None where there is none, or more than one."""
    if layer is None or len(layer._inbound_nodes) != 1:
        return None
    given = tf.nest.flatten(layer.output)
    return given[0] if len(given) == 1 else None


def feature_loss(wanted: Sequence[Any], given: Sequence[Any]) -> Any:
    """The mean over the layers, one or more, of the squared error as a part of the variance; a scalar."""
    losses = [
        tf.reduce_mean(tf.math.squared_difference(want, have))
        / (tf.math.reduce_variance(want) + SMALLEST_VARIANCE)
        for want, have in zip(wanted, given, strict=True)
    ]
    return tf.add_n(losses) / len(losses)
