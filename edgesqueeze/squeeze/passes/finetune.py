"""Train a compressed model to do its job again: from its original as the teacher, or from labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
import tf_keras

from edgesqueeze.base.suggest import nearest
from edgesqueeze.errors import RecipeError, UnsupportedModelError
from edgesqueeze.recipe import Finetune
from edgesqueeze.squeeze.data.source import Source
from edgesqueeze.squeeze.layers.rewrite import needs_autograph
from edgesqueeze.squeeze.passes.state import Trained, Trainer

WARM_UP_SHARE = 0.05
"""Share of the steps over which the learning rate rises, so that fresh optimizer state does no harm."""

CHECKED_EVERY = 50
"""Steps between two looks at the loss; each look waits for the step to end."""

NO_LOSSES = ("Loss", "Reduction", "deserialize", "get", "serialize")
"""What else there is in the module of Keras's losses."""

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Training:
    """How one stage is trained.

    Attributes:
        steps: optimizer steps.
        batch_size: samples per step.
        learning_rate: highest learning rate of Adam; it rises at first and falls to 0 along a cosine.
        loss: ``distill``, or the name of a Keras loss against the labels.
        seed: of the shuffling.
    """

    steps: int
    batch_size: int
    learning_rate: float
    loss: str
    seed: int


def steps_per_epoch(source: Source, batch_size: int) -> int:
    """Optimizer steps that see every sample once."""
    return math.ceil(source.count / batch_size)


def trainer(
    teacher: Any, source: Source, options: Finetune, seed: int, progress: Callable[[int, int], None] | None
) -> Trainer:
    """The training service that passes use.

    Args:
        teacher: the model before compression.
        source: training samples.
        options: batch size, learning rate and loss.
        seed: seed of the shuffling.
        progress: called with the number of steps done and of steps in all.
    """

    def train(student: Any, steps: int) -> Trained | None:
        if not steps:
            return None
        training = Training(steps, options.batch_size, options.learning_rate, options.loss, seed)
        told = None if progress is None else lambda done: progress(done, steps)
        return Trained(steps, finetune(student, teacher, source, training, told))

    return train


def finetune(
    student: Any,
    teacher: Any,
    source: Source,
    training: Training,
    progress: Progress | None = None,
) -> float:
    """Train ``student`` in place.

    With ``distill`` the student learns the teacher's outputs on the same samples (Hinton, Vinyals and Dean,
    2015, arXiv:1503.02531): cross-entropy against the teacher's probabilities for a softmax or sigmoid
    output (KL divergence up to a constant), mean squared error over the teacher's variance for any other.
    Labels are not needed, and every output counts the same.

    Args:
        student: a flat tf_keras model, possibly with TFMOT wrappers.
        teacher: the model before compression, with the same inputs and outputs.
        source: training samples.
        training: steps, rate and loss.
        progress: called with the number of steps done.

    Returns:
        The mean loss over the last tenth of the steps.

    Raises:
        RecipeError: an unknown loss, or one that needs labels without any.
        UnsupportedModelError: the training diverged.
    """
    if not training.steps:
        return 0.0
    freeze_batch_norms(student)
    batches = source.stream(training.batch_size, training.seed).repeat().take(training.steps)
    losses = _losses(teacher, source, training.loss)
    step = _training_step(student, teacher, losses, training, batches.element_spec)
    recent: list[Any] = []
    for done, (inputs, labels) in enumerate(batches, 1):
        recent.append(step(inputs, labels))
        if done % CHECKED_EVERY == 0 or done == training.steps:
            recent = recent[-max(CHECKED_EVERY, training.steps // 10) :]
            _check_finite(recent[-1], done)
            if progress:
                progress(done)
    last = [float(loss) for loss in recent[-max(1, training.steps // 10) :]]
    return sum(last) / len(last)


def _training_step(
    student: Any, teacher: Any, losses: Sequence[Any], training: Training, signature: Any
) -> Any:
    """One optimizer step as a compiled function of a batch; it returns the loss."""
    # The older Adam is one fused kernel per variable: less to trace, and faster.
    optimizer = tf_keras.optimizers.legacy.Adam(_schedule(training), clipnorm=1.0)
    variables = student.trainable_variables
    optimizer._create_all_weights(variables)

    def step(inputs: Any, labels: Any) -> Any:
        fed = inputs[0] if len(inputs) == 1 else list(inputs)
        targets = labels if training.loss != "distill" else tf.nest.flatten(teacher(fed, training=False))
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            outputs = tf.nest.flatten(student(fed, training=True))
            parts = [one(want, have) for one, want, have in zip(losses, targets, outputs, strict=True)]
            loss = tf.add_n(parts) / len(parts)
        pairs = zip(tape.gradient(loss, variables), variables, strict=True)
        optimizer.apply_gradients([(gradient, one) for gradient, one in pairs if gradient is not None])
        return loss

    # With the signature, one trace serves the smaller last batch of a pass too.
    return tf.function(step, input_signature=signature, autograph=needs_autograph(student))


def _check_finite(loss: Any, step: int) -> None:
    if not math.isfinite(float(loss)):
        raise UnsupportedModelError(
            f"the training diverged: the loss is {float(loss)} after {step} steps",
            hint="lower finetune.learning_rate in the recipe, or check the data for extreme values",
        )


def freeze_batch_norms(model: Any) -> None:
    """Let batch norms that could not be folded compute what they do at inference."""
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.trainable = False


def _schedule(training: Training) -> Any:
    warm_up = max(1, int(training.steps * WARM_UP_SHARE))
    return tf_keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=training.learning_rate / 10,
        decay_steps=max(1, training.steps - warm_up),
        warmup_target=training.learning_rate,
        warmup_steps=warm_up,
    )


def _losses(teacher: Any, source: Source, name: str) -> list[Any]:
    if name == "distill":
        return [_distillation(tensor, teacher, source) for tensor in teacher.outputs]
    known = [key for key in dir(tf_keras.losses) if not key.startswith("_") and key not in NO_LOSSES]
    if name not in known:
        raise RecipeError(
            f"there is no loss {name!r}{nearest(name, ['distill', *known])}",
            expected="distill, or the name of a Keras loss such as sparse_categorical_crossentropy",
            hint="leave the loss out to learn from the original model",
        )
    loss = tf_keras.losses.get(name)
    if not source.labelled:
        raise RecipeError(
            f"the loss {name!r} needs labels, and the data have none",
            hint="give labels, or leave finetune.loss at 'distill', which needs none",
        )

    def mean_loss(target: Any, output: Any) -> Any:
        return tf.reduce_mean(loss(target, output))

    return [mean_loss] * len(teacher.outputs)


def _distillation(tensor: Any, teacher: Any, source: Source) -> Any:
    kind = output_kind(tensor)
    if kind == "softmax":
        return lambda target, output: tf.reduce_mean(tf_keras.losses.categorical_crossentropy(target, output))
    if kind == "sigmoid":
        return lambda target, output: tf.reduce_mean(tf_keras.losses.binary_crossentropy(target, output))
    variance = _variance(teacher, source)[[id(one) for one in teacher.outputs].index(id(tensor))]
    return lambda target, output: tf.reduce_mean(tf.math.squared_difference(target, output)) / variance


def output_kind(tensor: Any) -> str:
    """How to read an output: ``softmax``, ``sigmoid``, or ``values``, by the layer that makes it."""
    layer = tensor._keras_history.layer
    if isinstance(layer, tf_keras.layers.Softmax):
        return "softmax"
    name = getattr(getattr(layer, "activation", None), "__name__", "")
    return name if name in ("softmax", "sigmoid") else "values"


def _variance(teacher: Any, source: Source) -> list[float]:
    """Variance of each output of the teacher on a few samples; 1 for a constant one."""
    for inputs, _ in source.stream(min(64, source.count), None).take(1):
        fed = inputs[0] if len(inputs) == 1 else list(inputs)
        outputs = tf.nest.flatten(teacher(fed, training=False))
        found = [float(tf.math.reduce_variance(tf.cast(output, tf.float32))) for output in outputs]
        return [one if one > 1e-12 else 1.0 for one in found]
    return [1.0] * len(teacher.outputs)
