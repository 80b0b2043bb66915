"""The stages in order: a trained Keras model in, a smaller model that is proven to do its job out.

    prepare: load, fold  ->  squeeze: the passes of the table, convert  ->  judge: emit, verify, fit

``prepare`` (in ``squeeze/prepare.py``) runs once for a model, ``squeeze`` (in ``squeeze/apply.py``) and
``judge`` once for each recipe; ``compress`` is one after the other, with the result written to a folder. The
passes are the rows of ``PASSES`` in ``recipe/passes.py``; each is a function in a file of its own in
``squeeze/passes``. What follows conversion works on the .tflite alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.generated import check_replaceable, generated
from edgesqueeze.base.given import path_of
from edgesqueeze.base.names import read_names
from edgesqueeze.base.output import staged
from edgesqueeze.base.stages import Log, Progress
from edgesqueeze.checks.agreement import Fidelity, fidelity
from edgesqueeze.checks.choices import OutputChoices, choices_of
from edgesqueeze.checks.deviations import OutputDeviations, deviations_of
from edgesqueeze.checks.evaluate import Evaluation, evaluate
from edgesqueeze.checks.metrics import worst
from edgesqueeze.checks.original import output_places
from edgesqueeze.checks.user_metric import as_metric
from edgesqueeze.checks.verify import trouble_on
from edgesqueeze.emit.scaling import Scaling
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.stats import sizes, weight_stats
from edgesqueeze.recipe.read import as_recipe
from edgesqueeze.recipe.sections import Recipe
from edgesqueeze.report.closer import look_closer
from edgesqueeze.report.describe import described
from edgesqueeze.report.draw import check_drawing
from edgesqueeze.report.environment import environment
from edgesqueeze.report.folder import FILES, files_of, write_result
from edgesqueeze.report.made import Made
from edgesqueeze.report.page.page import page
from edgesqueeze.report.provenance import Inputs, Provenance, inputs_of, output_hashes
from edgesqueeze.report.report import (
    ModelInfo,
    Report,
    SizeReport,
    accuracy_drop,
    accuracy_of,
    chance_level,
    problems_of,
)
from edgesqueeze.report.result import Compressed
from edgesqueeze.report.scaling import scalings_of
from edgesqueeze.runners.firmware_sources import FirmwareSources, firmware_sources
from edgesqueeze.squeeze.apply import Squeezed, check_limit, squeeze
from edgesqueeze.squeeze.data.check import readable_samples
from edgesqueeze.squeeze.opening.load import LoadedModel
from edgesqueeze.squeeze.originals import input_batches, outputs_of
from edgesqueeze.squeeze.prepare import Prepared, prepare
from edgesqueeze.target.fit import check_fit
from edgesqueeze.target.load import as_target
from edgesqueeze.target.preferences import fill_preferences
from edgesqueeze.target.records import Target
from edgesqueeze.timing.budgets import figures_on


def compress(
    model: Any,
    *,
    target: str | Path | Target,
    data: Any,
    out: str | Path | None = None,
    recipe: str | Path | Recipe | None = None,
    metric: str | Callable[[Any, Any], float] | None = None,
    labels: str | Path | Sequence[str] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    unsafe: bool = False,
    html: bool = False,
    progress: Progress | None = None,
) -> Compressed:
    """Compress a trained Keras model for a device; ``raise_if_not_ok`` tells whether the result will do.

    The same inputs give the same bytes: TensorFlow's random seeds are set to the recipe's.

    Args:
        model: path of a Keras 3 or tf_keras model file, or a model object, which is not changed.
        target: name of a profile, path of one, or a profile.
        data: path of an ``.npz`` or an image folder, ``module:callable``, or arrays: see ``squeeze.data``.
        out: folder for the files; nothing is written without it.
        recipe: what to do, or the path of a recipe; full-integer quantization only, if not given.
        metric: what the result is judged by, ``MODULE:CALLABLE`` or a callable of labels and outputs that
            gives a number; see ``checks.user_metric``. By default the metrics of ``checks.metrics``.
        labels: names of the classes in the order of the output, or a text file with one a line, for the
            .tflite's metadata; by default those of a folder of images, if that is what the data are.
        custom_objects: the model's own classes by name.
        unsafe: allow model files that hold code (Lambda layers) to run it.
        html: whether to look closer and to write a page about it, with some of the test samples in it.
        progress: called as the work goes on.

    Raises:
        UsageError: bad input of any kind; see the exception tree in ``errors``.
        OutputError: ``out`` cannot be written, or has a file of the user's own under one of the names.
        BridgeError: the rebuilt model differs from the original.
        FloatOperatorError: full-integer was asked for and is not possible.
    """
    profile = as_target(target)
    chosen = fill_preferences(as_recipe(recipe), profile)
    check_limit(chosen, own := as_metric(metric))
    names = None if labels is None else read_names(labels)
    if html:
        check_drawing()
    # Staged from the start: a folder that cannot be written is found out before the work, not after it.
    folder = None if out is None else path_of(out, "a folder for what is made")
    if folder is not None:
        check_replaceable(folder, FILES)
    gone: dict[str, str] = {}
    faults: list[Exception] = []
    with staged(folder, gone) if folder is not None else nullcontext() as stage:
        inputs = inputs_of(model, data, chosen, profile, names)
        prepared = prepare(
            model,
            data=data,
            options=chosen.data,
            seed=chosen.seed,
            metric=own,
            labels=names,
            custom_objects=custom_objects,
            unsafe=unsafe,
            progress=progress,
        )
        squeezed = squeeze(prepared, chosen, figures=figures_on(profile), progress=progress)
        result = traced(judge(prepared, squeezed, profile, progress=progress), inputs)
        if html:
            result = look_closer(result, prepared, squeezed, profile)
        if folder is None or stage is None:
            return result
        text = _drawn(result, profile, faults) if html else ""
        gone |= generated(folder, set(FILES) - set(files_of(result.model, text)))
        result = write_result(result, stage, folder, prepared.loaded.family, custom_objects, text)
    for fault in faults:
        raise fault
    return result


def _drawn(result: Compressed, target: Target, faults: list[Exception]) -> str:
    """The page; a fault while it is drawn must not lose what was trained, and is kept for later."""
    try:
        return page(Made(result.report, result.tflite), target)
    except Exception as error:
        faults.append(error)
        return ""


def traced(result: Compressed, inputs: Inputs) -> Compressed:
    """The result with the hashes of what it was made from and came to.

    Args:
        result: what was made.
        inputs: from ``report.provenance.inputs_of``.
    """
    outputs = output_hashes(result.tflite, result.sources)
    provenance = Provenance(**inputs._asdict(), outputs=outputs)
    return replace(result, report=result.report.model_copy(update={"provenance": provenance}))


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
    recipe, log = squeezed.recipe, Log(progress)
    with log.stage("emit") as stage:
        scalings = scalings_of(prepared.scaling, recipe.data, squeezed.tflite)
        tflite, findings = _described(prepared, squeezed, scalings)
        log.found(findings)
        sources = firmware_sources(tflite, target, scalings)
        stage.skipped = sources.skipped
    compared, choices, deviations = _verify(prepared, tflite, log)
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
        choices=choices,
        deviations=deviations,
        accuracy=accuracy_of(compared),
        sizes=_sizes(prepared, tflite, sources),
        channels=squeezed.channels,
        fit=fit,
        scaling=prepared.scaling,
        findings=(*prepared.findings, *squeezed.findings, *log.findings),
    )
    before = _drop_before_conversion(prepared, squeezed, report)
    report = report.model_copy(update={"drop_before_conversion": before})
    report = report.model_copy(update={"ok": not problems_of(report)})
    return Compressed(report, tflite, squeezed.model, sources.files)


def _described(
    prepared: Prepared, squeezed: Squeezed, scalings: Sequence[Scaling]
) -> tuple[TfliteModel, tuple[Finding, ...]]:
    """The .tflite with what an app needs to know of it."""
    originals, data = prepared.originals, prepared.data
    places = output_places(squeezed.tflite, originals.outputs)
    return described(
        squeezed.tflite,
        squeezed.recipe,
        scalings,
        outputs=[originals.names[place] for place in places] if originals.names else (),
        labels=data.class_names,
        images=data.images,
    )


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


def _verify(
    prepared: Prepared, tflite: TfliteModel, log: Log
) -> tuple[Fidelity, tuple[OutputChoices, ...], tuple[OutputDeviations, ...]]:
    """Compare the .tflite with the original on the test samples, and look for signs of trouble."""
    originals = prepared.originals
    with log.stage("verify"):
        seen, compared = agreement(prepared, tflite)
        rows = len(originals.first.inputs[0])
        log.found(seen.findings)
        log.found(trouble_on(tflite, originals.first, [one[:rows] for one in seen.original], seen.names))
        log.found(chance_level(compared, seen.original))
        tasks = [one.task for one in compared.outputs]
        names = prepared.data.class_names
        outputs = (tasks, seen.original, seen.compressed, seen.labels)
        return compared, choices_of(*outputs, names), deviations_of(*outputs)


def agreement(prepared: Prepared, tflite: TfliteModel) -> tuple[Evaluation, Fidelity]:
    """The .tflite and the original on the test samples: their outputs, and the figures.

    Args:
        prepared: what the model was made from, with the test samples.
        tflite: the model.
    """
    with readable_samples():
        seen = evaluate(prepared.originals, tflite, input_batches(prepared.data.test))
    shapes = [tensor.shape[1:] for tensor in tflite.main.input_tensors]
    return seen, fidelity(
        seen.original,
        seen.compressed,
        seen.labels,
        shapes,
        names=seen.names,
        metric=prepared.metric,
        places=seen.places,
    )


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
