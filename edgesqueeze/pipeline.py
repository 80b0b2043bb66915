"""The stages in order: a trained Keras model in, a smaller model that is proven to do its job out.

    prepare: load, fold  ->  squeeze: the passes of the table, convert  ->  judge: emit, verify, fit

``prepare`` runs once for a model, ``squeeze`` and ``judge`` once for each recipe; ``compress`` is one after
the other, with the result written to a folder. The passes are the rows of ``recipe.PASSES``; each is a
function in a file of its own in ``squeeze/passes``. What follows conversion works on the .tflite alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.given import expect, path_of
from edgesqueeze.base.output import staged
from edgesqueeze.checks.agreement import Fidelity, fidelity
from edgesqueeze.checks.evaluate import Originals, evaluate
from edgesqueeze.checks.metrics import worst
from edgesqueeze.checks.records import InputScaling
from edgesqueeze.checks.user_metric import UserMetric, as_metric
from edgesqueeze.checks.verify import trouble_on
from edgesqueeze.errors import RecipeError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.stats import sizes, weight_stats
from edgesqueeze.recipe import (
    PASSES,
    DataOptions,
    FilledRecipe,
    Pass,
    Recipe,
    as_recipe,
    share_steps,
)
from edgesqueeze.report.environment import environment
from edgesqueeze.report.report import (
    ModelInfo,
    Report,
    SizeReport,
    Stage,
    accuracy_drop,
    accuracy_of,
    chance_level,
    problems_of,
)
from edgesqueeze.report.result import Compressed
from edgesqueeze.report.stages import Log, Progress
from edgesqueeze.runners.firmware_sources import FirmwareSources, firmware_sources
from edgesqueeze.squeeze import set_seed
from edgesqueeze.squeeze.data.check import readable_samples
from edgesqueeze.squeeze.data.load import Data, input_specs, load_data
from edgesqueeze.squeeze.opening.load import LoadedModel, adopt_model, load_model
from edgesqueeze.squeeze.opening.save import save_model
from edgesqueeze.squeeze.originals import input_batches, originals_of, outputs_of
from edgesqueeze.squeeze.passes.convert import convert
from edgesqueeze.squeeze.passes.converter import warm_up
from edgesqueeze.squeeze.passes.finetune import steps_per_epoch, trainer
from edgesqueeze.squeeze.passes.fold import fold
from edgesqueeze.squeeze.passes.lift import coarse_features, lift
from edgesqueeze.squeeze.passes.precision import Precision
from edgesqueeze.squeeze.passes.promises import check_promises
from edgesqueeze.squeeze.passes.state import Outcome, Setting, State
from edgesqueeze.target.fit import check_fit
from edgesqueeze.target.load import as_target
from edgesqueeze.target.preferences import fill_preferences
from edgesqueeze.target.records import Target


@dataclass(frozen=True, eq=False)
class Prepared:
    """A model that is ready for any number of recipes.

    Attributes:
        loaded: the original, and its flat tf_keras model.
        folded: the flat model with batch norms folded: where every recipe starts, and what it imitates.
        data: what to train, calibrate and judge on.
        originals: what the original says about the test samples.
        metric: the user's own metric; None for those of the table.
        options: how the data were read.
        seed: seed of the split of the data.
        stages: what was done.
        findings: what was noticed.
        scaling: what was lifted out of the model and is done with raw data instead.
    """

    loaded: LoadedModel
    folded: Any
    data: Data
    originals: Originals
    metric: UserMetric | None
    options: DataOptions
    seed: int
    stages: tuple[Stage, ...]
    findings: tuple[Finding, ...]
    scaling: tuple[InputScaling, ...] = ()


@dataclass(frozen=True, eq=False)
class Squeezed:
    """A model after the passes of a recipe.

    Attributes:
        recipe: what was asked for.
        model: the compressed float model as a flat tf_keras model of plain layers.
        tflite: what it was converted to.
        stages: what was done.
        findings: what was left out, changed or noticed.
    """

    recipe: FilledRecipe
    model: Any
    tflite: TfliteModel
    stages: tuple[Stage, ...]
    findings: tuple[Finding, ...]


def compress(
    model: Any,
    *,
    target: str | Path | Target,
    data: Any,
    out: str | Path | None = None,
    recipe: str | Path | Recipe | None = None,
    metric: str | Callable[[Any, Any], float] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    unsafe: bool = False,
    progress: Progress | None = None,
) -> Compressed:
    """Compress a trained Keras model for a device.

    The same inputs give the same bytes: TensorFlow's random seeds are set to the recipe's.

    Args:
        model: path of a Keras 3 or tf_keras model file, or a model object, which is not changed.
        target: name of a profile, path of one, or a profile.
        data: path of an ``.npz`` or an image folder, ``module:callable``, arrays or a ``tf.data.Dataset``;
            see ``squeeze.data``.
        out: folder for ``model.tflite``, ``model.keras``, ``report.json`` and, for microcontrollers, the
            firmware sources. Nothing is written without it.
        recipe: what to do, or the path of a recipe; full-integer quantization only, if not given.
        metric: what the result is judged by, ``MODULE:CALLABLE`` or a callable of labels and outputs that
            gives a number; see ``checks.user_metric``. By default the metrics of ``checks.metrics``.
        custom_objects: the model's own classes by name.
        unsafe: allow model files that hold code (Lambda layers) to run it.
        progress: called as the work goes on.

    Returns:
        The result; ``raise_if_not_ok`` makes an exception of a report that is not ok.

    Raises:
        UsageError: bad input of any kind; see the exception tree in ``errors``.
        BridgeError: the rebuilt model differs from the original.
        FloatOperatorError: full-integer was asked for and is not possible.
    """
    profile = as_target(target)
    chosen = fill_preferences(as_recipe(recipe), profile)
    _check_limit(chosen, own := as_metric(metric))
    # Staged from the start: a folder that cannot be written is found out before the work, not after it.
    with staged(path_of(out, "a folder for what is made")) if out is not None else nullcontext() as stage:
        prepared = prepare(
            model,
            data=data,
            options=chosen.data,
            seed=chosen.seed,
            metric=own,
            custom_objects=custom_objects,
            unsafe=unsafe,
            progress=progress,
        )
        result = judge(prepared, squeeze(prepared, chosen, progress=progress), profile, progress=progress)
        return result if stage is None else _write(result, stage, prepared.loaded.family, custom_objects)


def prepare(
    model: Any,
    *,
    data: Any,
    options: DataOptions | None = None,
    seed: int = 0,
    metric: str | Callable[[Any, Any], float] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    unsafe: bool = False,
    progress: Progress | None = None,
) -> Prepared:
    """Open a model and its data, once for any number of recipes.

    Args:
        model: path of a Keras 3 or tf_keras model file, or a model object, which is not changed.
        data: as for ``compress``.
        options: scale and offset of the data, and how many samples judge a result.
        seed: seed of the split, where the data do not say what is for testing.
        metric: as for ``compress``.
        custom_objects: the model's own classes by name.
        unsafe: allow model files that hold code (Lambda layers) to run it.
        progress: called as the work goes on.

    Raises:
        UsageError: bad input of any kind; see the exception tree in ``errors``.
        BridgeError: the rebuilt model differs from the original.
    """
    log = Log(progress)
    warm_up()
    set_seed(seed)
    chosen = options or DataOptions()
    own = as_metric(metric)
    with readable_samples():
        with log.stage("load"):
            loaded = (
                load_model(Path(model), custom_objects=custom_objects, unsafe=unsafe)
                if isinstance(model, str | Path)
                else adopt_model(model)
            )
            opened = load_data(data, loaded.model, chosen, seed)
            originals = originals_of(loaded, opened.test, chosen.evaluation_samples)
            _check_metric(own, originals)
            log.found([*loaded.findings, *opened.findings])
        with log.stage("fold"):
            folded, findings = fold(loaded.model)
            log.found(findings)
        lifted = None
        if chosen.lift_normalization:
            with log.stage("lift"):
                lifted, findings = lift(folded)
                log.found(findings)
        if lifted is not None:
            folded, opened, originals = lifted.model, lifted.data(opened), lifted.originals(originals)
    return Prepared(
        loaded,
        folded,
        opened,
        originals,
        own,
        chosen,
        seed,
        tuple(log.stages),
        tuple(log.findings),
        () if lifted is None else lifted.scalings(chosen),
    )


def squeeze(
    prepared: Prepared,
    recipe: FilledRecipe,
    *,
    passes: Sequence[Pass] = PASSES,
    progress: Progress | None = None,
) -> Squeezed:
    """Apply a recipe to a prepared model: the passes of the table in its order, then conversion.

    The prepared model is not changed, and the result does not depend on what was done with it before.

    Args:
        prepared: from ``prepare``, with the recipe's data options and seed.
        recipe: what to do, with nothing left to a target (see ``fill_preferences``).
        passes: the table of passes.
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
    log = Log(progress)
    set_seed(recipe.seed)
    with readable_samples():
        state = _apply(prepared, recipe, passes, log)
        with log.stage("convert"):
            tflite, findings = convert(
                state.model,
                recipe.quantize.mode,
                recipe.quantize.io,
                prepared.data.train,
                recipe.quantize.calibration_samples,
                recipe.seed,
            )
            log.found(findings)
            specs = input_specs(prepared.folded)
            log.found(coarse_features(prepared.data.train, specs, recipe.quantize.mode, prepared.folded))
            log.found(check_promises(state.model, tflite, state.promises))
    # Firmware calls the model by the name of the user's file.
    path = prepared.loaded.path
    named = replace(tflite, name=path.stem if path else prepared.loaded.model.name)
    return Squeezed(recipe, state.model, named, tuple(log.stages), tuple(log.findings))


def _apply(prepared: Prepared, recipe: FilledRecipe, passes: Sequence[Pass], log: Log) -> State:
    """The passes that the recipe asks for, one after the other."""
    asked = {row.name: options for row in passes if (options := row.options(recipe)) is not None}
    steps = share_steps(_steps(prepared, recipe), [row for row in passes if row.name in asked])
    state = State(prepared.folded)
    for row in passes:
        if row.name not in asked:
            if row.absent:
                log.skip(row.name, row.absent)
            continue
        with log.stage(row.name) as stage:
            setting = _setting(prepared, recipe, row, steps[row.name], log)
            outcome: Outcome = row.run(state, asked[row.name], setting)
            if outcome.trained:
                stage.steps, stage.loss = outcome.trained.steps, outcome.trained.loss
        log.found(outcome.findings)
        state = outcome.state
    return state


def judge(
    prepared: Prepared,
    squeezed: Squeezed,
    target: str | Path | Target,
    *,
    progress: Progress | None = None,
) -> Compressed:
    """Emit firmware, compare with the original, check the fit, and put everything into a report.

    Args:
        prepared: what the model was made from.
        squeezed: the model.
        target: name of a profile, path of one, or a profile.
        progress: called as the work goes on.

    Raises:
        TargetError: there is no such target, or its profile is malformed.
    """
    target = as_target(target)
    tflite, recipe = squeezed.tflite, squeezed.recipe
    log = Log(progress)
    with log.stage("emit") as stage:
        sources = firmware_sources(tflite, target)
        stage.skipped = sources.skipped
    compared = _verify(prepared, tflite, log)
    with log.stage("fit"):
        fit = check_fit(target, sources.needs)
        log.found(fit.findings)
    report = Report(
        ok=fit.ok,
        model=_model_info(prepared.loaded),
        target=target.name,
        recipe=recipe,
        data=prepared.data.description,
        environment=environment(),
        stages=(*prepared.stages, *squeezed.stages, *log.stages),
        weights=weight_stats(tflite),
        fidelity=compared,
        accuracy=accuracy_of(compared),
        sizes=_sizes(prepared, tflite, sources),
        fit=fit,
        scaling=prepared.scaling,
        findings=(*prepared.findings, *squeezed.findings, *log.findings),
    )
    before = _drop_before_conversion(prepared, squeezed, report)
    report = report.model_copy(update={"drop_before_conversion": before})
    report = report.model_copy(update={"ok": not problems_of(report)})
    return Compressed(report, tflite, squeezed.model, sources.files)


def _drop_before_conversion(prepared: Prepared, squeezed: Squeezed, report: Report) -> float | None:
    """Where the limit is missed, what the float model loses already: that tells what to do."""
    limit = squeezed.recipe.limits.max_accuracy_drop
    if limit is None or accuracy_drop(report) <= limit:
        return None
    originals = prepared.originals
    with readable_samples():
        outputs = outputs_of(squeezed.model, prepared.data.test, len(originals.outputs[0]))
    shapes = [values.shape[1:] for values in originals.first.inputs]
    found = fidelity(originals.outputs, outputs, originals.labels, shapes, metric=prepared.metric)
    figure = worst(found.figures)
    return None if figure is None else figure.drop


def _check_metric(metric: UserMetric | None, originals: Originals) -> None:
    """Try the user's own metric on the original, before any work is done."""
    if metric is not None:
        fidelity(originals.outputs, originals.outputs, originals.labels, metric=metric)


def _verify(prepared: Prepared, tflite: TfliteModel, log: Log) -> Fidelity:
    """Compare the .tflite with the original on the test samples, and look for signs of trouble."""
    originals = prepared.originals
    with log.stage("verify"), readable_samples():
        seen = evaluate(originals, tflite, input_batches(prepared.data.test))
        shapes = [tensor.shape[1:] for tensor in tflite.main.input_tensors]
        compared = fidelity(
            seen.original,
            seen.compressed,
            seen.labels,
            shapes,
            names=seen.names,
            metric=prepared.metric,
            places=seen.places,
        )
        rows = len(originals.first.inputs[0])
        log.found(trouble_on(tflite, originals.first, [one[:rows] for one in seen.original]))
        log.found(chance_level(compared, seen.original))
    return compared


def _check_recipe(prepared: Prepared, recipe: FilledRecipe) -> None:
    """Refuse what cannot be judged, or was not prepared for, before any work is done."""
    if (recipe.data, recipe.seed) != (prepared.options, prepared.seed):
        raise RecipeError(
            "the recipe's data options or seed are not those that the model was prepared with",
            expected=f"seed {prepared.seed} and [data] {prepared.options}",
            got=f"seed {recipe.seed} and [data] {recipe.data}",
            hint="prepare the model again, with options=recipe.data and seed=recipe.seed",
        )
    _check_limit(recipe, prepared.metric)


def _check_limit(recipe: Recipe, metric: UserMetric | None) -> None:
    """Only a metric of the user's own has a unit in which more than 1 can be lost."""
    limit = recipe.limits.max_accuracy_drop
    if limit is not None and limit > 1 and metric is None:
        raise RecipeError(
            f"max_accuracy_drop is {limit:g}, which is more than all",
            expected="a share from 0 to 1: 0.01 is one point",
            got=f"{limit:g}",
            hint=f"write {limit / 100:g} if {limit:g} points were meant",
        )


def _steps(prepared: Prepared, recipe: FilledRecipe) -> int:
    """Training steps of all passes together."""
    return recipe.finetune.epochs * steps_per_epoch(prepared.data.train, recipe.finetune.batch_size)


def _setting(prepared: Prepared, recipe: FilledRecipe, row: Pass, steps: int, log: Log) -> Setting:
    """What one pass may use."""
    train = trainer(prepared.folded, prepared.data.train, recipe.finetune, recipe.seed, log.steps(row.name))
    precision = Precision(recipe.quantize.mode)
    return Setting(prepared.folded, prepared.data.train, precision, recipe.seed, steps, train)


def _model_info(loaded: LoadedModel) -> ModelInfo:
    return ModelInfo(
        name=loaded.path.name if loaded.path else loaded.model.name,
        source=loaded.source,
        sha256=loaded.sha256,
        parameters=loaded.model.count_params(),
        bridge_error=loaded.bridge_error,
    )


def _sizes(prepared: Prepared, tflite: TfliteModel, sources: FirmwareSources) -> SizeReport:
    measured = sizes(tflite)
    return SizeReport(
        float_bytes=4 * prepared.loaded.model.count_params(),
        tflite_bytes=measured.tflite_bytes,
        tflite_deflate_bytes=measured.tflite_deflate_bytes,
        arena_bytes=sources.arena_bytes,
    )


def _write(
    result: Compressed, stage: Path, family: str, custom_objects: Mapping[str, Any] | None
) -> Compressed:
    """Write all files to the stage; they appear together when it is left."""
    names = ("model.tflite", "model.keras", "report.json", *result.sources)
    report = result.report.model_copy(update={"files": names})
    (stage / "model.tflite").write_bytes(result.tflite.content)
    save_model(result.model, family, stage / "model.keras", custom_objects)
    (stage / "report.json").write_text(report.model_dump_json(indent=2) + "\n")
    for name, text in result.sources.items():
        (stage / name).parent.mkdir(parents=True, exist_ok=True)
        (stage / name).write_text(text)
    return replace(result, report=report)
