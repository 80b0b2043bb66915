"""Samples that are held out of training, by which a training is steered. They are never those of the test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edgesqueeze.recipe.sections import Finetune
from edgesqueeze.squeeze.data.source import Source
from edgesqueeze.squeeze.layers.rewrite import needs_autograph
from edgesqueeze.squeeze.layers.streams import forgetting
from edgesqueeze.squeeze.passes.losses import BatchLoss

SHARE = 0.1
"""Part of the training samples that is held out."""
MOST = 1000
"""Held-out samples, at most."""
MOST_BYTES = 64 << 20
"""What they may take; they stay in memory."""
TOO_FEW = 100
"""Of fewer samples none is held out: a training is steered by the samples that it learns from."""


def part_samples(source: Source, sample_bytes: int, seed: int) -> tuple[Source, Source]:
    """Samples to learn from, and samples to be steered by.

    Args:
        source: training samples.
        sample_bytes: what one of them takes in memory.
        seed: seed of the choice.
    """
    most = max(1, min(MOST, MOST_BYTES // max(1, sample_bytes)))
    order = np.random.default_rng(seed).permutation(source.count)
    held: npt.NDArray[np.bool_] = np.zeros(source.count, np.bool_)
    if source.count < TOO_FEW:
        held[order[:most]] = True
        return source, source.part(held)
    held[order[: min(most, round(source.count * SHARE))]] = True
    return source.part(~held), source.part(held)


def sample_bytes(model: Any) -> int:
    """What one sample for a model takes in memory, as float32."""
    return sum(4 * int(np.prod(tensor.shape[1:], dtype=np.int64)) for tensor in model.inputs)


def fed(inputs: Any) -> Any:
    """Input tensors as a model takes them."""
    return inputs[0] if len(inputs) == 1 else list(inputs)


class HeldOut:
    """The loss of students on held-out samples.

    Where a student learns from the teacher alone, it is the loss above the teacher's own: 0 for a student
    that does what the teacher does. The cross-entropy of an unsure teacher with itself is far from 0.

    Args:
        teacher: the model before compression.
        source: the samples; they are read once.
        options: batch size and loss.
        loss: the loss of a batch.
    """

    def __init__(self, teacher: Any, source: Source, options: Finetune, loss: BatchLoss) -> None:
        self._loss = loss
        self._batches: list[tuple[Any, Any, tuple[Any, ...]]] = []
        total = 0.0
        with forgetting(teacher):
            for inputs, labels in source.stream(options.batch_size, None):
                taught = tf.nest.flatten(teacher(fed(inputs), training=False))
                total += float(loss(taught, list(labels), taught)) * len(taught[0])
                self._batches.append((inputs, labels, tuple(taught)))
        self._count = sum(len(taught[0]) for _, _, taught in self._batches)
        from_labels = options.loss != "distill" or options.labels
        self._floor = 0.0 if from_labels else total / self._count

    def measure(self, student: Any) -> Callable[[], float]:
        """A function that gives a student's loss as the student is at the time: the mean over the samples."""

        def lose(inputs: Any, labels: Any, taught: Any) -> Any:
            outputs = tf.nest.flatten(student(fed(inputs), training=False))
            size = tf.cast(tf.shape(outputs[0])[0], tf.float32)
            return tf.cast(self._loss(list(taught), list(labels), outputs), tf.float32) * size

        # With a signature, one trace serves the smaller last batch too.
        signature = tf.nest.map_structure(
            lambda one: tf.TensorSpec((None, *one.shape[1:]), one.dtype), self._batches[0]
        )
        step = tf.function(lose, input_signature=signature, autograph=needs_autograph(student))

        def measure() -> float:
            with forgetting(student):
                return sum(float(step(*batch)) for batch in self._batches) / self._count - self._floor

        return measure
