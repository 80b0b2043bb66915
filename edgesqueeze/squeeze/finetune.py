"""Train a compressed model to do its job again: from its original as the teacher, or from labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
import tf_keras

from edgesqueeze.errors import RecipeError, UnsupportedModelError
from edgesqueeze.squeeze.source import Source
from edgesqueeze.suggest import nearest

WARM_UP_SHARE = 0.05
"""Share of the steps over which the learning rate rises, so that fresh optimizer state does no harm."""

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


def finetune(
    student: Any,
    teacher: Any,
    source: Source,
    training: Training,
    callbacks: Sequence[Any] = (),
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
        callbacks: what TFMOT needs.
        progress: called with the number of steps done.

    Returns:
        The mean loss over the last tenth of the steps.

    Raises:
        RecipeError: an unknown loss, or one that needs labels without any.
        UnsupportedModelError: the training diverged.
    """
    if not training.steps:
        return 0.0
    losses = _losses(teacher, source, training.loss)
    freeze_batch_norms(student)
    model = _Distilled(student, teacher, losses, by_labels=training.loss != "distill")
    model.compile(optimizer=tf_keras.optimizers.Adam(_schedule(training), clipnorm=1.0))
    recorder = _Recorder(training.steps, progress)
    batches = source.stream(training.batch_size, training.seed).repeat()
    model.fit(
        batches,
        steps_per_epoch=training.steps,
        epochs=1,
        verbose=0,
        callbacks=[*callbacks, recorder],
    )
    return recorder.mean()


def freeze_batch_norms(model: Any) -> None:
    """Let batch norms that could not be folded compute what they do at inference."""
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.trainable = False


class _Distilled(tf_keras.Model):  # type: ignore[misc]
    """A student and its teacher in one training step."""

    def __init__(self, student: Any, teacher: Any, losses: Sequence[Any], *, by_labels: bool) -> None:
        super().__init__()
        self.student = student
        # Hidden, so that Keras does not track, train or save it.
        self._teacher = _Untracked(teacher)
        self._losses_of_outputs = tuple(losses)
        self._by_labels = by_labels

    def call(self, inputs: Any, training: Any = None) -> Any:
        return self.student(inputs, training=training)

    def train_step(self, data: Any) -> dict[str, Any]:
        inputs, labels = data
        fed = inputs[0] if len(inputs) == 1 else list(inputs)
        targets = labels if self._by_labels else tf.nest.flatten(self._teacher.model(fed, training=False))
        with tf.GradientTape() as tape:
            outputs = tf.nest.flatten(self.student(fed, training=True))
            parts = [
                loss(target, output)
                for loss, target, output in zip(self._losses_of_outputs, targets, outputs, strict=True)
            ]
            loss = tf.add_n(parts) / len(parts)
        variables = self.student.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return {"loss": loss}


@dataclass(frozen=True, eq=False)
class _Untracked:
    """Hides a model from Keras's attribute tracking."""

    model: Any


class _Recorder(tf_keras.callbacks.Callback):  # type: ignore[misc]
    """Stops at the first loss that is not a number, reports progress, and remembers the last losses."""

    def __init__(self, steps: int, progress: Progress | None) -> None:
        super().__init__()
        self._first = steps - max(1, steps // 10)
        self._progress = progress
        self._last: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise UnsupportedModelError(
                f"the training diverged: the loss is {loss} after {batch + 1} steps",
                hint="lower finetune.learning_rate in the recipe, or check the data for extreme values",
            )
        if batch >= self._first:
            self._last.append(loss)
        if self._progress:
            self._progress(batch + 1)

    def mean(self) -> float:
        return sum(self._last) / len(self._last) if self._last else 0.0


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
    try:
        loss = tf_keras.losses.get(name)
    except ValueError:
        known = [key for key in dir(tf_keras.losses) if key.islower() and not key.startswith("_")]
        raise RecipeError(
            f"there is no loss {name!r}{nearest(name, known)}",
            expected="distill, or the name of a Keras loss such as sparse_categorical_crossentropy",
        ) from None
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
