"""What comes of a squeezed model: firmware, a comparison with the original, the fit, and a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.stages import Log, Progress
from edgesqueeze.checks.agreement import Fidelity, fidelity
from edgesqueeze.checks.choices import OutputChoices, choices_of
from edgesqueeze.checks.deviations import OutputDeviations, deviations_of
from edgesqueeze.checks.evaluate import Evaluation, evaluate
from edgesqueeze.checks.metrics import worst
from edgesqueeze.checks.original import output_places
from edgesqueeze.checks.verify import trouble_on
from edgesqueeze.emit.scaling import Scaling
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.stats import sizes, weight_stats
from edgesqueeze.pipeline.savings import missed_savings
from edgesqueeze.report.describe import described
from edgesqueeze.report.environment import environment
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
from edgesqueeze.squeeze.apply import Squeezed
from edgesqueeze.squeeze.data.check import readable_samples
from edgesqueeze.squeeze.opening.load import LoadedModel
from edgesqueeze.squeeze.originals import input_batches, outputs_of
from edgesqueeze.squeeze.prepare import Prepared
from edgesqueeze.target.fit import check_fit
from edgesqueeze.target.load import as_target
from edgesqueeze.target.records import Target


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
        log.found(missed_savings(tflite, target, recipe))
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
