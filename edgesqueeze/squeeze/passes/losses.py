"""What a student is trained for: its teacher's outputs, labels, or both."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras

from edgesqueeze.base.suggest import nearest
from edgesqueeze.errors import RecipeError
from edgesqueeze.recipe.sections import Finetune
from edgesqueeze.squeeze.data.source import Source

NO_LOSSES = ("Loss", "Reduction", "deserialize", "get", "serialize")
"""What else there is in the module of Keras's losses."""
LOOKED_AT = 256
"""Samples that show how the teacher's outputs vary."""
SMALLEST_VARIANCE = 1e-12
"""An output that varies less is a constant."""

SAYS_LITTLE = 0.02
"""Mean entropy, as a share of the most, below which probabilities say little more than a label."""
SOFTNESS = 4.0
"""Temperature at which probabilities are compared to learn from them."""
LEAST_PROBABILITY = 1e-7
"""A probability of which the logarithm is taken is raised to it."""

BatchLoss = Callable[[list[Any], list[Any], list[Any]], Any]
"""Of the teacher's outputs, the labels and the student's outputs of a batch: the mean loss, a scalar."""
_Part = Callable[[Any, Any], Any]


def batch_loss(teacher: Any, source: Source, options: Finetune, *, soft: bool = False) -> BatchLoss:
    """The loss of a batch, the mean over the outputs.

    With ``distill`` the student learns the teacher's outputs on the same samples (Hinton, Vinyals and Dean,
    2015, arXiv:1503.02531): cross-entropy against the teacher's probabilities for a softmax or sigmoid
    output (KL divergence up to a constant), mean squared error over the teacher's variance for any other.
    Labels are not needed, and every output counts the same. ``options.labels`` mixes them in.

    Softened, at the temperature ``SOFTNESS``, probabilities tell also those classes apart that the teacher
    rules out.

    Args:
        teacher: the model before compression.
        source: training samples.
        options: the loss, and the part of it that is of labels.
        soft: whether probabilities are softened; a loss that is named stays as it is.

    Raises:
        RecipeError: an unknown loss, or one that needs labels without any.
    """
    if options.loss != "distill":
        named = _named(options.loss)
        _check_labelled(source, f"the loss {options.loss!r}", "leave finetune.loss at 'distill'")
        return lambda taught, labels, outputs: _mean(named, labels, outputs)
    kinds = [output_kind(tensor) for tensor in teacher.outputs]
    variances = _variances(teacher, source)
    distance = _softened if soft else _distillation
    parts = [distance(kind, one) for kind, one in zip(kinds, variances, strict=True)]
    if not options.labels:
        return lambda taught, labels, outputs: _each(parts, taught, outputs)
    _check_labelled(source, f"finetune.labels = {options.labels:g}", "leave finetune.labels at 0")
    right = [_against_labels(kind, one) for kind, one in zip(kinds, variances, strict=True)]

    def mixed(taught: list[Any], labels: list[Any], outputs: list[Any]) -> Any:
        learned, known = _each(parts, taught, outputs), _each(right, labels, outputs)
        return (1.0 - options.labels) * learned + options.labels * known

    return mixed


def says_little(teacher: Any, source: Source) -> bool:
    """Whether a teacher is so sure of its samples that its outputs say little more than a label would.

    Args:
        teacher: the model before compression.
        source: training samples; a few are looked at.
    """
    shares = [
        _entropy_share(output_kind(tensor), given)
        for tensor, given in zip(teacher.outputs, _shown(teacher, source), strict=True)
    ]
    return max(shares) < SAYS_LITTLE


def _entropy_share(kind: str, given: Any) -> float:
    """The mean entropy of an output's probabilities as a share of the most; 1 for what are none."""
    if kind == "values" or (kind == "softmax" and given.shape[-1] < 2):
        return 1.0
    whole = given if kind == "softmax" else tf.stack([given, 1.0 - given], axis=-1)
    entropy = -tf.reduce_sum(tf.math.xlogy(whole, whole), axis=-1)
    return float(tf.reduce_mean(entropy)) / math.log(whole.shape[-1])


def output_kind(tensor: Any) -> str:
    """How to read an output: ``softmax``, ``sigmoid``, or ``values``, by the layer that makes it."""
    layer = tensor._keras_history.layer
    if isinstance(layer, tf_keras.layers.Softmax):
        return "softmax"
    name = getattr(getattr(layer, "activation", None), "__name__", "")
    return name if name in ("softmax", "sigmoid") else "values"


def _each(parts: list[_Part], targets: list[Any], outputs: list[Any]) -> Any:
    losses = [one(want, have) for one, want, have in zip(parts, targets, outputs, strict=True)]
    return tf.add_n(losses) / len(losses)


def _mean(loss: _Part, targets: list[Any], outputs: list[Any]) -> Any:
    return _each([lambda want, have: tf.reduce_mean(loss(want, have))] * len(outputs), targets, outputs)


def _named(name: str) -> _Part:
    known = [key for key in dir(tf_keras.losses) if not key.startswith("_") and key not in NO_LOSSES]
    if name not in known:
        raise RecipeError(
            f"there is no loss {name!r}{nearest(name, ['distill', *known])}",
            expected="distill, or the name of a Keras loss such as sparse_categorical_crossentropy",
            hint="leave the loss out to learn from the original model",
        )
    found: _Part = tf_keras.losses.get(name)
    return found


def _check_labelled(source: Source, what: str, instead: str) -> None:
    if not source.labelled:
        raise RecipeError(
            f"{what} needs labels, and the data have none",
            hint=f"give labels, or {instead}, which needs none",
        )


def _distillation(kind: str, variance: float) -> _Part:
    if kind == "softmax":
        return lambda target, output: tf.reduce_mean(tf_keras.losses.categorical_crossentropy(target, output))
    if kind == "sigmoid":
        return lambda target, output: tf.reduce_mean(tf_keras.losses.binary_crossentropy(target, output))
    return lambda target, output: tf.reduce_mean(tf.math.squared_difference(target, output)) / variance


def _softened(kind: str, variance: float) -> _Part:
    """The distillation of softened probabilities; times the temperature's square, its gradients are alike."""
    if kind == "softmax":
        return lambda target, output: (
            SOFTNESS**2
            * tf.reduce_mean(
                tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(_cooled(target)), _cooled(output))
            )
        )
    if kind == "sigmoid":
        return lambda target, output: (
            SOFTNESS**2
            * tf.reduce_mean(
                tf.nn.sigmoid_cross_entropy_with_logits(
                    tf.sigmoid(_cooled(target) - _cooled(1.0 - target)),
                    _cooled(output) - _cooled(1.0 - output),
                )
            )
        )
    return _distillation(kind, variance)


def _cooled(probabilities: Any) -> Any:
    """Logarithms of probabilities, divided by the temperature."""
    return tf.math.log(tf.maximum(probabilities, LEAST_PROBABILITY)) / SOFTNESS


def _against_labels(kind: str, variance: float) -> _Part:
    """The loss against labels: class ids or rows of an output's shape."""
    distance = _distillation(kind, variance)

    def loss(label: Any, output: Any) -> Any:
        # Known when the step is traced: labels of the output's size are rows, all others are class ids.
        whole = label.shape.rank == output.shape.rank and label.shape[-1] == output.shape[-1]
        if kind == "softmax" and not whole:
            ids = tf.reshape(tf.cast(label, tf.int32), tf.shape(output)[:-1])
            return tf.reduce_mean(tf_keras.losses.sparse_categorical_crossentropy(ids, output))
        return distance(tf.reshape(tf.cast(label, output.dtype), tf.shape(output)), output)

    return loss


def _variances(teacher: Any, source: Source) -> list[float]:
    """Variance of each output of the teacher on a few samples; 1 for a constant one."""
    variances = [float(tf.math.reduce_variance(one)) for one in _shown(teacher, source)]
    return [one if one > SMALLEST_VARIANCE else 1.0 for one in variances]


def _shown(teacher: Any, source: Source) -> list[Any]:
    """Each output of the teacher on a few samples."""
    found = []
    for inputs, _ in source.stream(min(64, source.count), None).take(LOOKED_AT // 64):
        fed = inputs[0] if len(inputs) == 1 else list(inputs)
        found.append([tf.cast(one, tf.float32) for one in tf.nest.flatten(teacher(fed, training=False))])
    return [tf.concat(parts, axis=0) for parts in zip(*found, strict=True)]
