"""A recipe applied to a prepared model: the passes of the table, then conversion."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.given import expect
from edgesqueeze.base.stages import Log, Progress, Stage
from edgesqueeze.checks.records import ChannelsReport
from edgesqueeze.checks.user_metric import UserMetric
from edgesqueeze.errors import RecipeError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.recipe.filled import FilledRecipe
from edgesqueeze.recipe.passes import PASSES, Pass
from edgesqueeze.recipe.sections import Finetune, Recipe
from edgesqueeze.squeeze import set_seed
from edgesqueeze.squeeze.data.check import readable_samples
from edgesqueeze.squeeze.data.load import input_specs
from edgesqueeze.squeeze.data.sequences import streams_for
from edgesqueeze.squeeze.layers.streams import is_stateful, with_batch
from edgesqueeze.squeeze.layers.weights import kernel_layers
from edgesqueeze.squeeze.opening.whole_layer import whole_layers
from edgesqueeze.squeeze.passes.aware import check_stateless
from edgesqueeze.squeeze.passes.bits import check as check_bits
from edgesqueeze.squeeze.passes.bits import in_four_bits
from edgesqueeze.squeeze.passes.convert import convert
from edgesqueeze.squeeze.passes.lift import coarse_features
from edgesqueeze.squeeze.passes.macs import channels_report, check_macs
from edgesqueeze.squeeze.passes.naming import named
from edgesqueeze.squeeze.passes.possible import check_possible
from edgesqueeze.squeeze.passes.precision import Precision
from edgesqueeze.squeeze.passes.promises import check_promises, check_ranges
from edgesqueeze.squeeze.passes.state import Cost, Outcome, Setting, State
from edgesqueeze.squeeze.passes.trainings import Trainings
from edgesqueeze.squeeze.prepare import Prepared

Figures = Callable[[TfliteModel, Collection[str]], Mapping[str, float]]
"""What a .tflite takes of the target, by the names that are asked for."""

LOOK_SAMPLES = 32
"""Samples to calibrate on, at most, where a model is converted only to see what it takes."""


@dataclass(frozen=True, eq=False)
class Squeezed:
    """A model after the passes of a recipe.

    Attributes:
        recipe: what was asked for.
        model: the compressed float model as a flat tf_keras model of plain layers.
        tflite: what it was converted to.
        stages: what was done.
        findings: what was left out, changed or noticed.
        channels: what went with removed channels, from the .tflite; None where none was to go.
    """

    recipe: FilledRecipe
    model: Any
    tflite: TfliteModel
    stages: tuple[Stage, ...]
    findings: tuple[Finding, ...]
    channels: ChannelsReport | None = None


def squeeze(
    prepared: Prepared,
    recipe: FilledRecipe,
    *,
    passes: Sequence[Pass] = PASSES,
    figures: Figures | None = None,
    steps: int | None = None,
    progress: Progress | None = None,
) -> Squeezed:
    """Apply a recipe to a prepared model: the passes of the table in its order, then conversion.

    The prepared model is not changed, and the result does not depend on what was done with it before.

    Args:
        prepared: from ``prepare``, with the recipe's data options and seed.
        recipe: what to do, with nothing left to a target (see ``fill_preferences``).
        passes: the table of passes.
        figures: what a .tflite takes of the target, by the names of the budgets that are asked for, as
            ``timing.budgets.figures_on`` gives it; only a recipe with budgets needs it.
        steps: training steps of all passes together, in place of those that the recipe says: to see early
            what a recipe is worth.
        progress: called as the work goes on.

    Raises:
        RecipeError: the recipe does not go with the model, or with how it was prepared.
        FloatOperatorError: full-integer was asked for and is not possible.
        UnsupportedModelError: the converter cannot convert the model, or a training diverged.
    """
    expect(
        recipe, FilledRecipe, "a recipe that leaves nothing to a target", "fill_preferences(recipe, target)"
    )
    _check_recipe(prepared, recipe)
    asked = [row.name for row in passes if row.options(recipe) is not None and not row.whole]
    _check_layers(prepared.folded, asked)
    if recipe.bits and not recipe.channels:
        # How large the weights are after channels were removed is known only then.
        check_bits(prepared.folded, recipe.bits)
    log = Log(progress)
    if asked:
        with readable_samples():
            check_possible(prepared.folded, recipe.quantize, prepared.data.train, recipe.seed)
    set_seed(recipe.seed)
    with readable_samples():
        state = _apply(prepared, recipe, passes, figures, steps, log)
        with log.stage("convert"):
            tflite, findings = _convert(prepared, recipe, state)
            log.found(findings)
            specs = input_specs(prepared.folded)
            log.found(coarse_features(prepared.data.train, specs, recipe.quantize.mode, prepared.folded))
            tflite = named(state.model, tflite)
            log.found(check_promises(state.model, tflite, state.promises))
            log.found(check_ranges(tflite, state.ranges))
            channels = None if state.cut is None else channels_report(state.cut, tflite, figures)
            log.found(() if channels is None else check_macs(channels))
    # Firmware calls the model by the name of the user's file.
    path = prepared.loaded.path
    called = replace(tflite, name=path.stem if path else prepared.loaded.model.name)
    return Squeezed(recipe, state.model, called, tuple(log.stages), tuple(log.findings), channels)


def _apply(
    prepared: Prepared,
    recipe: FilledRecipe,
    passes: Sequence[Pass],
    figures: Figures | None,
    steps: int | None,
    log: Log,
) -> State:
    """The passes that the recipe asks for, one after the other."""
    asked = {row.name: options for row in passes if (options := row.options(recipe)) is not None}
    samples, seed = prepared.data.train, recipe.seed
    before, finetune = _trainable(prepared, recipe.finetune)
    chosen = [row for row in passes if row.name in asked]
    trainings = Trainings(before, samples, finetune, chosen, seed, steps)
    cost = None if figures is None else _cost(prepared, recipe, figures)
    state, trained = State(before), {}

    def made(state: State) -> TfliteModel:
        return _convert(prepared, recipe, state)[0]

    for row in passes:
        if row.name not in asked:
            if row.absent:
                log.skip(row.name, row.absent)
            continue
        with log.stage(row.name) as stage:
            train, own = trainings.trainer(row.name, log.steps(row.name)), trainings.steps[row.name]
            precision = Precision(recipe.quantize.mode)
            shown = recipe.quantize.calibration_samples
            setting = Setting(before, samples, precision, seed, own, train, shown, cost, made)
            outcome: Outcome = row.run(state, asked[row.name], setting)
            if outcome.trained:
                trained[row.name] = outcome.trained
                stage.steps, stage.loss = outcome.trained.steps, outcome.trained.loss
        log.found(outcome.findings)
        state = outcome.state
    log.found(trainings.findings(trained))
    return state if before is prepared.folded else replace(state, model=with_batch(state.model, 1))


def _convert(prepared: Prepared, recipe: FilledRecipe, state: State) -> tuple[TfliteModel, Sequence[Finding]]:
    """The file for a state, and what there is to say about how it was calibrated."""
    options = recipe.quantize
    tflite, findings = convert(
        state.model,
        options.mode,
        options.io,
        prepared.data.train,
        options.calibration_samples,
        recipe.seed,
        state.ranges,
    )
    return in_four_bits(state.model, tflite, state), findings


def _trainable(prepared: Prepared, options: Finetune) -> tuple[Any, Finetune]:
    """What training starts from: a model with a state works on several sequences side by side."""
    if not is_stateful(prepared.folded):
        return prepared.folded, options
    size = streams_for(prepared.data.train.count, options.batch_size)
    return with_batch(prepared.folded, size), options.model_copy(update={"batch_size": size})


def _check_recipe(prepared: Prepared, recipe: FilledRecipe) -> None:
    """Refuse what cannot be judged, or was not prepared for, before any work is done."""
    if (recipe.data, recipe.seed) != (prepared.options, prepared.seed):
        raise RecipeError(
            "the recipe's data options or seed are not those that the model was prepared with",
            expected=f"seed {prepared.seed} and [data] {prepared.options}",
            got=f"seed {recipe.seed} and [data] {recipe.data}",
            hint="prepare the model again, with options=recipe.data and seed=recipe.seed",
        )
    check_limit(recipe, prepared.metric)


def _check_layers(model: Any, asked: Sequence[str]) -> None:
    """Refuse passes where there is no layer that they could look into."""
    whole = whole_layers(model)
    if asked and whole and not any(True for _ in kernel_layers(model)):
        raise RecipeError(
            f"the model can only be quantized: {whole[0]!r} has no layers that a pass could look into",
            expected="a Functional or Sequential model of Keras",
            got=f"a recipe with {', '.join(asked)}",
            hint="give the Keras model that it was made from, or leave the passes out",
        )
    if "aware" in asked:
        check_stateless(model)


def check_limit(recipe: Recipe, metric: UserMetric | None) -> None:
    """Only a metric of the user's own has a unit in which more than 1 can be lost."""
    limit = recipe.limits.max_accuracy_drop
    if limit is not None and limit > 1 and metric is None:
        raise RecipeError(
            f"max_accuracy_drop is {limit:g}, which is more than all",
            expected="a share from 0 to 1: 0.01 is one point",
            got=f"{limit:g}",
            hint=f"write {limit / 100:g} if {limit:g} points were meant",
        )


def _cost(prepared: Prepared, recipe: FilledRecipe, figures: Figures) -> Cost:
    """What a model takes of the target once it is converted as the recipe says."""
    mode, io = recipe.quantize.mode, recipe.quantize.io
    samples = min(LOOK_SAMPLES, recipe.quantize.calibration_samples)

    def cost(model: Any, names: Collection[str]) -> Mapping[str, float]:
        tflite, _ = convert(model, mode, io, prepared.data.train, samples, recipe.seed)
        return figures(tflite, names)

    return cost
