"""What ``compress`` did and found, as one frozen record: ``report.json``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy.typing as npt

from edgesqueeze.base.findings import Finding, errors_in
from edgesqueeze.base.given import expect
from edgesqueeze.base.records import Record
from edgesqueeze.base.stages import Stage
from edgesqueeze.checks.agreement import Fidelity, Plain
from edgesqueeze.checks.choices import OutputChoices
from edgesqueeze.checks.deviations import OutputDeviations
from edgesqueeze.checks.metrics import Figure, worst
from edgesqueeze.checks.records import ChannelsReport, InputScaling
from edgesqueeze.errors import AccuracyError, FitError, RequirementError, TroubleError
from edgesqueeze.graph.stats import WeightStats
from edgesqueeze.recipe.filled import FilledRecipe
from edgesqueeze.recipe.passes import PASSES
from edgesqueeze.report.details import Details
from edgesqueeze.report.figures import amount_of, title_of, value_of
from edgesqueeze.report.provenance import Provenance
from edgesqueeze.target.fit import Fit, raise_if_unfit

CHANCE_FACTOR = 1.2
"""An accuracy below so many times that of guessing counts as guessing."""


class ModelInfo(Record):
    """The model that came in.

    Attributes:
        name: file name, or the model's own name when it was given as an object.
        source: library and file format that it came in.
        sha256: SHA-256 of the file in hexadecimal digits; empty for an object.
        parameters: number of weights in the original.
        bridge_error: largest difference between the original's outputs and those of its rebuilt graph on
            random inputs, relative to the output's largest value.
    """

    name: str
    source: str
    sha256: str
    parameters: int
    bridge_error: float


class AccuracyReport(Record):
    """How well both models match the labels.

    Attributes:
        metric: ``accuracy`` (share of right classes), ``label_accuracy`` (share of labels that are rightly on
            or off) or ``mean_absolute_error`` (lower is better).
        float_model: figure that the original reaches, in the metric's unit.
        compressed: figure that the .tflite reaches, in the metric's unit.
        drop: difference by which the .tflite is worse, in the metric's unit; negative when it is better.
        samples: number of test samples that the figures rest on.
    """

    metric: Plain
    float_model: float
    compressed: float
    drop: float
    samples: int


class SizeReport(Record):
    """Sizes before and after.

    Attributes:
        float_bytes: size of the original's weights at four bytes each, in bytes.
        tflite_bytes: size of the .tflite, in bytes.
        tflite_deflate_bytes: size of the .tflite after DEFLATE (zlib, level 9), in bytes: about a download's.
        arena_bytes: memory that the firmware needs for tensors, in bytes; null where there is no firmware.
    """

    float_bytes: int
    tflite_bytes: int
    tflite_deflate_bytes: int
    arena_bytes: int | None


class Report(Record):
    """Everything that ``compress`` did and found.

    Attributes:
        schema_version: version of this document's format.
        ok: whether the model fits the target, meets the recipe's limits and has no finding of severity error.
        model: identity of the model that came in.
        target: name of the device profile.
        recipe: what was asked for, with the target's preferences filled in.
        data: description of the data for training, calibration and judging.
        environment: versions of Python and of the packages that took part, by name.
        stages: stages of the work, in order.
        weights: every weight tensor of the .tflite.
        fidelity: agreement of the .tflite with the original.
        choices: classes that both models choose, for every output that has them.
        deviations: how far both models are off, for every output of values.
        accuracy: agreement of both models with the labels on the first output that has some; null without
            labels. ``fidelity.figures`` has every output in every metric.
        drop_before_conversion: drop of the compressed float model in the figure that decides, in that
            figure's unit; null unless the limit on the drop is missed.
        sizes: sizes before and after, in bytes.
        channels: what went with removed channels; null where none was to go.
        fit: whether the target can take the model.
        scaling: what firmware does with raw data before they are the .tflite's input, where a normalization
            was lifted out of the model; empty else.
        findings: what was left out, changed or noticed, by name.
        files: names of the files that were written; empty if nothing was.
        details: what was found for a page; null where none was asked for.
        provenance: hashes of what the result was made from and came to; null where it was made in steps.
    """

    schema_version: Literal[2] = 2
    ok: bool
    model: ModelInfo
    target: str
    recipe: FilledRecipe
    data: str
    environment: dict[str, str]
    stages: tuple[Stage, ...]
    weights: tuple[WeightStats, ...]
    fidelity: Fidelity
    choices: tuple[OutputChoices, ...] = ()
    deviations: tuple[OutputDeviations, ...] = ()
    accuracy: AccuracyReport | None
    drop_before_conversion: float | None = None
    sizes: SizeReport
    channels: ChannelsReport | None = None
    fit: Fit
    scaling: tuple[InputScaling, ...] = ()
    findings: tuple[Finding, ...]
    files: tuple[str, ...] = ()
    details: Details | None = None
    provenance: Provenance | None = None


def accuracy_of(fidelity: Fidelity) -> AccuracyReport | None:
    """The accuracy of the first output that has labels."""
    for output in fidelity.outputs:
        found = output.accuracy
        if found is None or found.original is None:
            continue
        better_high = found.metric != "mean_absolute_error"
        drop = found.original - found.compressed if better_high else found.compressed - found.original
        return AccuracyReport(
            metric=found.metric,
            float_model=found.original,
            compressed=found.compressed,
            drop=drop,
            samples=fidelity.samples,
        )
    return None


def accuracy_drop(report: Report) -> float:
    """What a limit on the accuracy drop is held against: the largest drop of the figures that decide.

    In the figure's unit: a share (0.01 is one point) except for the user's own metric.
    """
    figure = worst(report.fidelity.figures)
    return 0.0 if figure is None else figure.drop or 0.0


def raise_if_not_ok(report: Report) -> None:
    """Raise if the model does not do its job, misses a limit, or does not fit.

    Raises:
        TroubleError: a finding is an error.
        AccuracyError: the accuracy drop is larger than the recipe allows.
        FitError: the model does not fit the target.
    """
    expect(report, Report, "the report of what compress made", "give its ``report``")
    for error in _errors(report):
        raise error


def problems_of(report: Report) -> tuple[str, ...]:
    """Why the report is not ok, one sentence for each requirement that is not met; empty if all are."""
    return tuple(error.problem for error in _errors(report))


def _errors(report: Report) -> Iterator[RequirementError]:
    """What ``raise_if_not_ok`` raises, the worst first."""
    wrong = errors_in(report.findings)
    if wrong:
        yield TroubleError(
            f"the model does not do its job: {'; '.join(wrong)}",
            expected="no finding of severity error",
            hint=_about_inputs(report)
            or "look at the warnings, and at the data: the integer ranges were taken from them",
        )
    limit = report.recipe.limits.max_accuracy_drop
    if limit is not None and accuracy_drop(report) > limit:
        yield _lost(report, limit)
    try:
        raise_if_unfit(report.fit)
    except FitError as error:
        yield error


def _lost(report: Report, limit: float) -> AccuracyError:
    figure = worst(report.fidelity.figures)
    assert figure is not None and figure.original is not None and figure.drop is not None
    several = len(report.fidelity.outputs) > 1
    before, after = (value_of(figure, value) for value in (figure.original, figure.compressed))
    drop = amount_of(figure, figure.drop)
    return AccuracyError(
        f"{title_of(figure, several)}: {before} -> {after}, a drop of {drop}",
        expected=f"at most {amount_of(figure, limit)}",
        hint=_advice(report, figure, limit),
    )


def _advice(report: Report, figure: Figure, limit: float) -> str:
    """What to do about a drop: it depends on whether it comes from the passes or from the integers."""
    recipe, before = report.recipe, report.drop_before_conversion
    less = [row.less for row in PASSES if row.less and row.options(recipe) is not None]
    lost = "" if before is None else f"; before conversion the drop is {amount_of(figure, before)}"
    if inputs := _about_inputs(report):
        return f"{inputs}{lost}"
    if recipe.quantize.mode == "int8" and (before is None or before <= limit):
        ways = ["--calibration best"] if recipe.quantize.calibration == "minmax" else []
        ways = [] if recipe.aware else [*ways, "--aware"]
        more = ", ".join([*ways, "--quantize int16x8"])
        return f"int8 is what loses it: try {more}, or calibrate on more samples{lost}"
    if less:
        return f"train for more epochs, or ask for {' or '.join(less)}{lost}"
    return f"see that the data are scaled as in training ([data] scale and offset){lost}"


def _about_inputs(report: Report) -> str:
    """What to do about an input whose one scale is too coarse: what comes after it cannot be better."""
    coarse = (one for one in report.findings if one.code == "input-scale-coarse")
    return next((f"{one.subject}: {one.message}" for one in coarse), "")


def chance_level(fidelity: Fidelity, original: Sequence[npt.NDArray[Any]]) -> Iterator[Finding]:
    """A finding when the original itself guesses: then agreement with it proves nothing.

    Args:
        fidelity: both models against the labels.
        original: the original's outputs, ``[n, ...]`` each.
    """
    for output, scores in zip(fidelity.outputs, original, strict=True):
        found = output.accuracy
        if found is None or found.original is None or found.metric != "accuracy":
            continue
        classes = max(2, int(scores.shape[-1]))
        if found.original < CHANCE_FACTOR / classes:
            message = (
                f"the original's accuracy is {found.original:.1%}, guessing among {classes} classes gives "
                f"{1 / classes:.1%}. Were the data scaled as in training ([data] scale and offset)?"
            )
            yield Finding(
                code="original-at-chance",
                subject=f"output {output.output}",
                message=message,
                severity="warning",
            )
