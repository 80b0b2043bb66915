"""Where tasks are done: a model and its data, opened once. No other module here starts TensorFlow."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from edgesqueeze.base.findings import errors_in
from edgesqueeze.base.signals import raise_if_asked_to_end
from edgesqueeze.checks.agreement import Fidelity, fidelity
from edgesqueeze.checks.metrics import worst
from edgesqueeze.errors import EdgeSqueezeError, FitError, UnsupportedModelError, UsageError
from edgesqueeze.explore.tasks import Answer, Facts, Order, Task
from edgesqueeze.graph import TfliteModel
from edgesqueeze.pipeline import agreement, judge, prepare, squeeze, traced
from edgesqueeze.recipe.filled import FilledRecipe
from edgesqueeze.report.closer import look_closer
from edgesqueeze.report.environment import environment
from edgesqueeze.report.figures import title_of
from edgesqueeze.report.folder import write_result
from edgesqueeze.report.front import AccuracyBasis, Takes
from edgesqueeze.report.provenance import Inputs, inputs_of
from edgesqueeze.report.report import accuracy_drop
from edgesqueeze.squeeze.layers.weights import kernel_layers
from edgesqueeze.squeeze.passes.trainings import steps_of
from edgesqueeze.squeeze.prepare import Prepared
from edgesqueeze.squeeze.trials import for_trials
from edgesqueeze.target.preferences import fill_preferences
from edgesqueeze.timing.budgets import figures_on, fit_of, latency_of

KIB = 1024


class Workshop:
    """A model and its data, with what has to be done to them.

    Attributes:
        facts: what is known of them.

    Args:
        order: what to work on.

    Raises:
        UsageError: bad input of any kind; see the exception tree in ``errors``.
        BridgeError: the rebuilt model differs from the original.
    """

    facts: Facts

    def __init__(self, order: Order) -> None:
        self._order = order
        self._whole = prepare(
            order.model,
            data=order.data,
            options=order.recipe.data,
            seed=order.recipe.seed,
            metric=order.metric,
            labels=order.labels,
            custom_objects=order.custom_objects,
            unsafe=order.unsafe,
        )
        self._trials = for_trials(self._whole)
        self.facts = _facts(self._whole, self._trials, order)

    def do(self, task: Task) -> Answer:
        """Do a task; an error is a part of the answer, and ends no search.

        Raises:
            Exception: what is raised by mistake with the recipe that all others are made from.
            KeyboardInterrupt: Ctrl-C was pressed a second time.
            Stopped: a signal asks to end.
        """
        start = time.perf_counter()
        try:
            answer = KINDS[task.kind](self, task)
        except EdgeSqueezeError as error:
            raise_if_asked_to_end()
            answer = Answer(error=error)
        except Exception as error:
            raise_if_asked_to_end()
            if task.recipe == self._order.recipe:
                raise
            answer = Answer(error=_mistake(error))
        return replace(answer, seconds=round(time.perf_counter() - start, 3))

    def look(self, task: Task) -> Answer:
        """What a model takes of the target when nothing was trained."""
        recipe = self._filled(task)
        few = recipe.quantize.model_copy(
            update={"calibration_samples": min(LOOK_SAMPLES, recipe.quantize.calibration_samples)}
        )
        recipe = recipe.model_copy(update={"quantize": few})
        target = self._order.target
        made = squeeze(self._trials, recipe, figures=figures_on(target), steps=0)
        return Answer(self._takes(made.tflite))

    def train(self, task: Task) -> Answer:
        """What a model loses after a short training."""
        target = self._order.target
        made = squeeze(self._trials, self._filled(task), figures=figures_on(target), steps=task.steps)
        _, found = agreement(self._trials, made.tflite)
        figure = worst(found.figures)
        return Answer(Takes(accuracy_drop=None if figure is None else figure.drop))

    def finish(self, task: Task) -> Answer:
        """What ``compress`` does with the recipe, and the files that it writes."""
        with tempfile.TemporaryDirectory(prefix="edgesqueeze-") as name:
            folder, target = Path(name), self._order.target
            squeezed = squeeze(self._whole, self._filled(task), figures=figures_on(target))
            made = traced(judge(self._whole, squeezed, target), self._inputs(task))
            if self._order.closer:
                made = look_closer(made, self._whole, squeezed, target)
            write_result(made, folder, folder, self._whole.loaded.family, self._order.custom_objects)
            files = {
                path.relative_to(folder).as_posix(): path.read_bytes()
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            }
        takes = self._takes(made.tflite).model_copy(update={"accuracy_drop": accuracy_drop(made.report)})
        return Answer(takes, problems=errors_in(made.report.findings), files=files)

    def _inputs(self, task: Task) -> Inputs:
        """What ``compress`` would start from, in hashes."""
        order = self._order
        return inputs_of(order.model, order.data, self._filled(task), order.target, order.labels)

    def _filled(self, task: Task) -> FilledRecipe:
        return fill_preferences(task.recipe, self._order.target)

    def _takes(self, tflite: TfliteModel) -> Takes:
        """What a model takes of the target.

        Raises:
            FitError: the runtime does not take it, or not with its stack.
            EdgeSqueezeError: the time of an inference is asked for and cannot be told.
        """
        target = self._order.target
        fit = fit_of(tflite, target)
        if not fit.ops.ok:
            reasons = [f"{one.kind}: {one.reason}" for one in fit.ops.missing]
            raise FitError(
                f"{target.runtime.name} does not take the model", got="; ".join([*reasons, *fit.ops.problems])
            )
        # What does not fit is not timed: an emulator refuses it.
        times = self._order.latency and fit.flash.ok and fit.ram.ok
        return Takes(
            latency_ms=latency_of(tflite, target) if times else None,
            flash_kib=_kib(fit.flash.needed_bytes),
            ram_kib=_kib(fit.ram.needed_bytes),
        )


KINDS: Mapping[str, Callable[[Workshop, Task], Answer]] = MappingProxyType(
    {"look": Workshop.look, "train": Workshop.train, "finish": Workshop.finish}
)
"""Kind of a task -> who does it."""

LOOK_SAMPLES = 32
"""Samples to calibrate on, at most, where a model is converted only to see what it takes."""


def _mistake(error: Exception) -> EdgeSqueezeError:
    """An error that nobody meant: it costs the search one recipe, and is named there."""
    return UnsupportedModelError(
        f"something went wrong inside EdgeSqueeze: {type(error).__name__}: {error}",
        hint="please report it, with what compress prints with this recipe",
    )


def _kib(count: int | None) -> float | None:
    return None if count is None else count / KIB


def _facts(whole: Prepared, trials: Prepared, order: Order) -> Facts:
    originals = whole.originals
    shapes = [values.shape[1:] for values in originals.first.inputs]
    found = fidelity(originals.outputs, originals.outputs, originals.labels, shapes, metric=whole.metric)
    samples = (len(trials.originals.outputs[0]), len(originals.outputs[0]))
    accuracy = _basis(found, *samples)
    weights = {layer.name: layer.count_params() for layer in kernel_layers(whole.folded)}
    loaded = whole.loaded
    return Facts(
        model=loaded.path.name if loaded.path else str(loaded.model.name),
        data=whole.data.description,
        accuracy=accuracy,
        most_steps=steps_of(whole.folded, whole.data.train, order.recipe.finetune)[1],
        layers=tuple(sorted(weights, key=lambda name: (-weights[name], name))),
        environment=environment(),
    )


def _basis(found: Fidelity, trial_samples: int, test_samples: int) -> AccuracyBasis:
    """What accuracy means: the metric that decides, or the worst of several.

    Raises:
        UsageError: there is none.
    """
    deciding = [one for one in found.figures if one.decides and one.drop is not None]
    whole = [one for one in deciding if one.part is None] or deciding
    if not whole:
        raise UsageError("no metric is a figure of this model's outputs", hint="give one with --metric")
    first, several = whole[0], len(whole) > 1
    titles = [title_of(one, len(found.outputs) > 1) for one in whole]
    return AccuracyBasis(
        metric="" if several else first.metric,
        title=f"worst of {len(whole)} metrics" if several else titles[0],
        metrics=tuple(titles),
        truth=first.truth,
        unit=first.unit,
        original=None if several else first.original,
        trial_samples=trial_samples,
        test_samples=test_samples,
    )
