"""Train a compressed model to do its job again: from its original as the teacher, or from labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import tensorflow as tf
import tf_keras

from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.recipe.sections import Finetune
from edgesqueeze.squeeze.data.augment import Augment, augmenter, widener
from edgesqueeze.squeeze.data.sequences import part_sequence
from edgesqueeze.squeeze.data.source import Source
from edgesqueeze.squeeze.layers.rewrite import needs_autograph
from edgesqueeze.squeeze.layers.streams import is_stateful
from edgesqueeze.squeeze.passes.features import feature_loss, watched
from edgesqueeze.squeeze.passes.held_out import SHARE, HeldOut, fed, part_samples, sample_bytes
from edgesqueeze.squeeze.passes.losses import BatchLoss, batch_loss, says_little
from edgesqueeze.squeeze.passes.rounds import Round, goes_on, next_steps, round_of
from edgesqueeze.squeeze.passes.state import Trained, Trainer

RATES = (3e-4, 1e-3, 2e-3, 5e-3, 1e-2)
"""Learning rates that are tried."""
USUAL_RATE = 5e-3
"""The learning rate where there are too few steps to try several."""
TRIAL_SHARE = 0.05
"""Steps for which a rate is tried, as a share of the first round's."""
TRIAL_STEPS = (6, 25)
"""Fewest and most steps for which a rate is tried; where the share is fewer, none is tried."""
STEERED_FROM = 20
"""A training of fewer steps does not look at held-out samples: that would take as long as the training."""
CLOSING = 0.4
"""Last part of every round in which a student learns from samples as they are, after others."""
FEATURES = 10.0
"""What the error of the values inside counts beside that of the outputs."""
CHECKED_EVERY = 50
"""Steps between two looks at the training loss; each look waits for the step to end."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Lesson:
    """What all trainings of one model have in common.

    Attributes:
        teacher: the model before compression, with the same inputs and outputs.
        samples: what is learned from.
        spared: what a training is steered by.
        loss: the loss of a batch.
        learned: the loss that is learned from in its place.
        augment: what is done to the inputs of a batch before they are learned from.
        closing: last part of every round in which nothing is done to them.
        inside: whether what layers inside the student give is held against the teacher's.
        options: batch size, learning rate and loss.
        seed: seed of the shuffling.
    """

    teacher: Any
    samples: Source
    spared: Source
    loss: BatchLoss
    learned: BatchLoss
    augment: Augment
    closing: float
    inside: bool
    options: Finetune
    seed: int

    @cached_property
    def held_out(self) -> HeldOut:
        """The held-out samples with what the teacher says about them, read when they are first needed."""
        return HeldOut(self.teacher, self.spared, self.options, self.loss)


def lesson(teacher: Any, source: Source, options: Finetune, seed: int, *, inside: bool = True) -> Lesson:
    """Part the samples and make the loss.

    From a teacher whose outputs say little about the samples more is learned than those: softened outputs,
    what its layers give, and what it says of samples that are not at hand.

    Args:
        teacher: the model before compression.
        source: training samples.
        options: batch size, learning rate and loss.
        seed: seed of the shuffling.
        inside: whether layers inside students of the teacher may be held against its own.

    Raises:
        RecipeError: an unknown loss, or one that needs labels without any; augmentation without images.
    """
    chosen = augmenter(teacher, options.augment or ())
    if is_stateful(teacher):
        samples, spared = part_sequence(source, int(teacher.inputs[0].shape[0]), SHARE)
        shown = samples
    else:
        samples, spared = part_samples(source, sample_bytes(teacher), seed)
        shown = source
    loss = batch_loss(teacher, shown, options)
    broad = options.loss == "distill" and says_little(teacher, shown)
    learned = batch_loss(teacher, shown, options, soft=True) if broad else loss
    wide = broad and options.augment is None and not options.labels
    return Lesson(
        teacher=teacher,
        samples=samples,
        spared=spared,
        loss=loss,
        learned=learned,
        augment=widener(teacher) if wide else chosen,
        closing=CLOSING if wide else 0.0,
        inside=broad and inside,
        options=options,
        seed=seed,
    )


def steps_per_epoch(source: Source, batch_size: int) -> int:
    """Optimizer steps that see as many samples as there are."""
    return math.ceil(source.count / batch_size)


def trainer(taught: Lesson, most: int, progress: Progress | None) -> Trainer:
    """The training service of one pass.

    Args:
        taught: teacher, samples and loss.
        most: steps that the pass may take in all: the last of its trainings goes on until they are used up,
            or the held-out loss stops falling.
        progress: called with the number of steps done and of steps in all.
    """
    used = 0

    def train(
        student: Any,
        steps: int,
        *,
        whole_from: int = 0,
        hasten: Callable[[], None] | None = None,
        last: bool = True,
    ) -> Trained | None:
        nonlocal used
        if not steps:
            return None
        before, room = used, max(steps, most - used) if last else steps
        told = None if progress is None else lambda done: progress(before + done, max(most, before + room))
        trained = Training(student, taught, told).run(steps, room, whole_from, hasten)
        used += trained.steps
        return trained

    return train


class Training:
    """One student in training.

    Args:
        student: a flat tf_keras model, possibly with TFMOT wrappers; it is trained in place. One with a state
            begins with zeros for every pass over the samples.
        taught: teacher, samples and loss.
        progress: called with the number of steps done.
    """

    def __init__(self, student: Any, taught: Lesson, progress: Callable[[int], None] | None = None) -> None:
        freeze_batch_norms(student)
        self._student, self._taught, self._progress = student, taught, progress
        # Taken before the first call: TFMOT's wrappers put tensors in the place of variables then.
        self._variables = list({id(one): one for one in student.variables}.values())
        trained = student.trainable_variables
        self._rate = tf.Variable(0.0, trainable=False)
        self._closing = tf.Variable(False, trainable=False)
        # The older Adam is one fused kernel per variable: less to trace, and faster.
        self._optimizer = tf_keras.optimizers.legacy.Adam(lambda: self._rate, clipnorm=1.0)
        self._optimizer._create_all_weights(trained)
        step = _training_step(student, taught, self._optimizer, trained, self._closing)
        # With the signature, one trace serves the smaller last batch of a pass too.
        signature = self._stream().element_spec
        self.step = tf.function(step, input_signature=signature, autograph=needs_autograph(student))

    def run(
        self, steps: int, most: int, whole_from: int = 0, hasten: Callable[[], None] | None = None
    ) -> Trained:
        """Train, and leave the student in the best state that was seen.

        Args:
            steps: steps of the first round.
            most: steps of all rounds; see ``rounds.py`` for when another one follows.
            whole_from: steps after which the student is what was asked for; no state before is kept.
            hasten: makes the student at once what it is after ``whole_from``, to try learning rates on.

        Raises:
            UnsupportedModelError: the training diverged.
        """
        steered = steps >= STEERED_FROM
        highest = self._taught.options.learning_rate or self._find_rate(steps, hasten)
        batches = iter(self._stream().repeat())
        coming = round_of(steps, whole_from)
        kept, state = math.inf, None
        rounds: list[int] = []
        while True:
            before, losses = kept, []
            for done, loss in self._round(coming, batches, highest, sum(rounds)):
                losses.append(loss)
                if steered and done in coming.looks and (found := self._measure()) < kept:
                    kept, state = found, self._snapshot()
            rounds.append(coming.steps)
            falling = steered and goes_on(before, kept)
            following = next_steps(rounds, most - sum(rounds))
            if not (falling and following):
                break
            coming = round_of(following)
        if steered:
            self._restore(self._finite(state, sum(rounds)))
        last = [float(loss) for loss in losses[-max(1, coming.steps // 10) :]]
        return Trained(
            sum(rounds),
            sum(last) / len(last),
            kept if steered else None,
            highest,
            falling and len(rounds) > 1,
        )

    def _round(
        self, coming: Round, batches: Iterator[Any], highest: float, before: int
    ) -> Iterator[tuple[int, Any]]:
        """The steps of a round as they are done, with the loss of each."""
        for done in range(1, coming.steps + 1):
            self._forget(before + done)
            self._rate.assign(highest * coming.rate(done))
            self._closing.assign(done > coming.steps * (1 - self._taught.closing))
            loss = self.step(*next(batches))
            if done % CHECKED_EVERY == 0 or done == coming.steps:
                _check_finite(float(loss), before + done)
                if self._progress:
                    self._progress(before + done)
            yield done, loss

    def _find_rate(self, steps: int, hasten: Callable[[], None] | None) -> float:
        """The learning rate that lowers the held-out loss most in a few steps, which are made undone."""
        fewest, most = TRIAL_STEPS
        trial = min(most, int(steps * TRIAL_SHARE))
        if trial < fewest:
            return USUAL_RATE
        optimizer = self._optimizer.variables()
        start, blank = self._snapshot(), [one.numpy() for one in optimizer]
        if hasten is not None:
            hasten()
        tried, plan, found = self._snapshot(), round_of(trial), []
        for rate in RATES:
            for done, batch in enumerate(self._stream().repeat().take(trial), 1):
                self._forget(done)
                self._rate.assign(rate * plan.rate(done))
                self.step(*batch)
            loss = self._measure()
            found.append(loss if math.isfinite(loss) else math.inf)
            self._restore(tried)
            _assign(optimizer, blank)
        self._restore(start)
        return RATES[found.index(min(found))]

    def _forget(self, step: int) -> None:
        """Let what has a state begin with zeros where a step is the first of a pass over the samples."""
        size = self._taught.options.batch_size
        if is_stateful(self._student) and (step - 1) % (self._taught.samples.count // size) == 0:
            self._taught.teacher.reset_states()
            self._student.reset_states()

    @cached_property
    def _measure(self) -> Callable[[], float]:
        return self._taught.held_out.measure(self._student)

    def _stream(self) -> Any:
        return self._taught.samples.stream(self._taught.options.batch_size, self._taught.seed)

    def _snapshot(self) -> list[Any]:
        return [one.numpy() for one in self._variables]

    def _restore(self, values: Sequence[Any]) -> None:
        _assign(self._variables, values)

    def _finite(self, state: list[Any] | None, steps: int) -> list[Any]:
        """The state to keep; there is none where every held-out loss was no number."""
        if state is None:
            _check_finite(math.nan, steps)
        return state or []


def _assign(variables: Sequence[Any], values: Sequence[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _training_step(
    student: Any, taught: Lesson, optimizer: Any, variables: Sequence[Any], closing: Any
) -> Callable[[Any, Any], Any]:
    """One optimizer step as a function of a batch; it returns the loss, without what is learned besides.

    Args:
        student: what is trained.
        taught: what it learns.
        optimizer: of its variables.
        variables: those that are trained.
        closing: variable that says whether samples stay as they are.
    """
    count = len(student.outputs)
    teaching, learning = watched(taught.teacher, student) if taught.inside else (taught.teacher, student)

    def step(inputs: Any, labels: Any) -> Any:
        # Drawn anew for each step, and the same for the same seed.
        key = tf.stack([tf.constant(taught.seed, tf.int32), tf.cast(optimizer.iterations, tf.int32)])
        if taught.closing:
            inputs = tf.cond(closing, lambda: tuple(inputs), lambda: taught.augment(inputs, key))
        else:
            inputs = taught.augment(inputs, key)
        wanted = tf.nest.flatten(teaching(fed(inputs), training=False))
        known = (wanted[:count], list(labels))
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            given = tf.nest.flatten(learning(fed(inputs), training=True))
            learned = taught.learned(*known, given[:count])
            if given[count:]:
                learned += FEATURES * feature_loss(wanted[count:], given[count:])
        pairs = zip(tape.gradient(learned, variables), variables, strict=True)
        optimizer.apply_gradients([(gradient, one) for gradient, one in pairs if gradient is not None])
        return taught.loss(*known, given[:count])

    return step


def _check_finite(loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise UnsupportedModelError(
            f"the training diverged: the loss is {loss} after {step} steps",
            hint="lower finetune.learning_rate in the recipe, or check the data for extreme values",
        )


def freeze_batch_norms(model: Any) -> None:
    """Let batch norms that could not be folded compute what they do at inference."""
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.trainable = False
