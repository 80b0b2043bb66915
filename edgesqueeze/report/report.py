"""What ``compress`` did and found, as one frozen record: ``report.json``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy.typing as npt

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.records import Record
from edgesqueeze.checks.agreement import Fidelity
from edgesqueeze.graph.stats import WeightStats
from edgesqueeze.recipe import Recipe
from edgesqueeze.target.fit import Fit

CHANCE_FACTOR = 1.2
"""An accuracy below so many times that of guessing counts as guessing."""


class ModelInfo(Record):
    """The model that came in.

    Attributes:
        name: file name, or the model's own name when it was given as an object.
        source: library and format.
        sha256: of the file; empty for an object.
        parameters: number of weights.
        bridge_error: largest difference between the original's outputs and those of its rebuilt graph on
            random inputs, relative to the output's largest value.
    """

    name: str
    source: str
    sha256: str
    parameters: int
    bridge_error: float


class Stage(Record):
    """One step of the pipeline.

    Attributes:
        name: as in the pipeline.
        seconds: how long it took.
        skipped: why it did nothing; empty when it did.
        steps: training steps in it.
        loss: mean loss at the end of its training.
    """

    name: str
    seconds: float
    skipped: str = ""
    steps: int = 0
    loss: float | None = None


class AccuracyReport(Record):
    """How well both models match the labels.

    Attributes:
        metric: ``accuracy`` (share of right classes) or ``mean_absolute_error`` (lower is better).
        float_model: of the original.
        compressed: of the .tflite.
        drop: how much worse the .tflite is, in the metric's unit.
        samples: number of test samples.
    """

    metric: Literal["accuracy", "mean_absolute_error"]
    float_model: float
    compressed: float
    drop: float
    samples: int


class SizeReport(Record):
    """Bytes.

    Attributes:
        float_bytes: the original's weights at four bytes each.
        tflite_bytes: the .tflite.
        tflite_deflate_bytes: the .tflite after DEFLATE (zlib, level 9): about what a download takes.
        arena_bytes: memory that the firmware needs for tensors; None where there is no firmware.
    """

    float_bytes: int
    tflite_bytes: int
    tflite_deflate_bytes: int
    arena_bytes: int | None


class Report(Record):
    """Everything that ``compress`` did and found.

    Attributes:
        schema_version: of this document.
        ok: whether the model fits the target and meets the recipe's limits.
        model: what came in.
        target: name of the profile.
        recipe: what was asked for, with the target's preferences filled in.
        data: what it was trained, calibrated and judged on.
        environment: versions of what took part.
        stages: in order.
        weights: every weight tensor of the .tflite.
        fidelity: the .tflite against the original.
        accuracy: both against the labels; None without labels.
        sizes: bytes.
        fit: whether the target can take it.
        findings: what was left out, changed or noticed, by name.
        files: what was written, by name; empty if nothing was.
    """

    schema_version: Literal[1] = 1
    ok: bool
    model: ModelInfo
    target: str
    recipe: Recipe
    data: str
    environment: dict[str, str]
    stages: tuple[Stage, ...]
    weights: tuple[WeightStats, ...]
    fidelity: Fidelity
    accuracy: AccuracyReport | None
    sizes: SizeReport
    fit: Fit
    findings: tuple[Finding, ...]
    files: tuple[str, ...] = ()


def accuracy_of(fidelity: Fidelity) -> AccuracyReport | None:
    """The accuracy of the first output that has labels."""
    for output in fidelity.outputs:
        found = output.accuracy
        if found is None or found.original is None:
            continue
        better_high = found.metric == "accuracy"
        drop = found.original - found.compressed if better_high else found.compressed - found.original
        return AccuracyReport(
            metric=found.metric,
            float_model=found.original,
            compressed=found.compressed,
            drop=drop,
            samples=fidelity.samples,
        )
    return None


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
