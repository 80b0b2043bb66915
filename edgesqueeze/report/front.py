"""What a search for a recipe found, as one frozen record: ``front.json``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from edgesqueeze.base.records import Record
from edgesqueeze.checks.metrics import Truth, Unit
from edgesqueeze.recipe.sections import Recipe

FRONT = "front.json"
"""Name of the file that a search writes this document to."""
BEST = "best"
"""Name of the folder beside it, with the best finalist's files."""
Objective = Literal["latency", "size", "accuracy"]
LimitName = Literal["max_accuracy_drop", "max_latency", "max_flash", "max_ram"]
Most = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class SearchLimits(Record):
    """What a model must satisfy.

    Attributes:
        max_accuracy_drop: most that may be lost in any figure that decides: a share, 0.01 is one point, or in
            the unit of the user's own metric; null: any amount.
        max_latency: most time of one inference on the target, in milliseconds; null: any.
        max_flash: most flash that the model and its runtime may take, in KiB; null: any.
        max_ram: most RAM that the model may take, in KiB; null: any.
    """

    max_accuracy_drop: Most | None = 0.01
    max_latency: Most | None = None
    max_flash: Most | None = None
    max_ram: Most | None = None


class Takes(Record):
    """What a model takes of the target, and what it loses.

    Attributes:
        latency_ms: time of one inference, in milliseconds; null: not known.
        flash_kib: flash for the model and, where that is known, its runtime, in KiB; null: not known.
        ram_kib: RAM for tensors and, where it is known, the program, in KiB; null: not known.
        accuracy_drop: largest drop of the figures that decide, in the figure's unit, where a share of 0.01 is
            one point; negative where the model is better than the original; null where it was not trained.
    """

    latency_ms: float | None = None
    flash_kib: float | None = None
    ram_kib: float | None = None
    accuracy_drop: float | None = None


class AccuracyBasis(Record):
    """What accuracy means in a search.

    Attributes:
        metric: name of the metric that decides; empty where several do: then it is the one with the largest
            drop, which need not be the same for every recipe.
        title: name of the metric for a person.
        metrics: names of all metrics that decide, for a person; empty: not noted.
        truth: what the outputs were compared with: the ``labels``, or the outputs of the ``original``.
        unit: ``share`` (1 is all, or the whole spread of the truth), ``ratio`` or ``own``, the unit of the
            output or of the user's metric.
        original: figure of the original on the test samples, in the metric's unit; null where several
            metrics decide.
        trial_samples: number of samples, held out of training, that every trial is judged on.
        test_samples: number of samples, seen by no trial, that every finalist is judged on.
    """

    metric: str
    title: str
    metrics: tuple[str, ...] = ()
    truth: Truth
    unit: Unit
    original: float | None
    trial_samples: int
    test_samples: int


class TrialRecord(Record):
    """One recipe that was tried.

    Attributes:
        number: number of the trial, from 0; as in the study.
        state: ``trained`` to the last round of trials, ``dropped`` in an earlier one, ``unfit`` where the
            model missed a limit before any training, or ``failed``.
        reason: why it was dropped, unfit or failed; empty for a trained one.
        recipe: what was done.
        steps: number of training steps of the last round that the trial took part in.
        takes: figures of the model after these steps; its accuracy is that on the samples for trials.
        expected_drop: accuracy drop that is expected after a full training, in the metric's unit; null where
            the model was not trained.
        missed: names of the limits that the model misses, or is expected to miss after a full training.
        on_front: whether no other trial that keeps to all limits is better in one objective and no worse in
            the others.
        seconds: time that the trial took, in seconds.
    """

    number: int
    state: Literal["trained", "dropped", "unfit", "failed"]
    reason: str = ""
    recipe: Recipe
    steps: int = 0
    takes: Takes
    expected_drop: float | None = None
    missed: tuple[LimitName, ...] = ()
    on_front: bool = False
    seconds: float


class FinalistRecord(Record):
    """A recipe of a trial, trained in full and judged on samples that no trial saw.

    Attributes:
        number: number of the trial that the recipe comes from.
        folder: name of the folder with what ``compress`` writes, and ``recipe.toml``, relative to the
            document.
        recipe: what was done.
        takes: figures of the finished model; its accuracy is that on the test samples.
        missed: names of the limits that the model misses.
        on_front: whether no other finalist that keeps to all limits is better in one objective and no worse
            in the others.
        score: what the best finalist has the least of: the sum over the objectives of latency and flash as
            shares of those of the quantized model, and of the accuracy drop as a share of its limit.
        seconds: time that it took, in seconds.
    """

    number: int
    folder: str
    recipe: Recipe
    takes: Takes
    missed: tuple[LimitName, ...] = ()
    on_front: bool = False
    score: float
    seconds: float


def judged_by(one: TrialRecord | FinalistRecord) -> Takes:
    """What a model is judged by: a finished one by what it takes, a trial by what is expected of it."""
    if isinstance(one, FinalistRecord):
        return one.takes
    return one.takes.model_copy(update={"accuracy_drop": one.expected_drop})


class LayerLook(Record):
    """How sensitive one layer is to one pass, without any training.

    Attributes:
        pass_name: name of the pass.
        layer: name of the layer, the only one that the pass was applied to.
        accuracy_drop: drop of the accuracy on the samples for trials beyond that of the quantized model, in
            the metric's unit.
    """

    pass_name: str
    layer: str
    accuracy_drop: float


class Front(Record):
    """Everything that ``search`` did and found.

    Attributes:
        schema_version: version of the form of this document; it rises when a field changes its meaning.
        ok: whether a finalist keeps to all limits.
        model: name of the model's file, or the model's own name when it was given as an object.
        model_sha256: SHA-256 of the model's file, or of the weights of an object, in hexadecimal digits.
        target: name of the device profile.
        runtime: name of the runtime that the models are for; empty: not noted.
        data: description of the data for training, trials and judging.
        seed: seed of everything random.
        objectives: what was to become small: ``latency``, ``size`` (flash) or ``accuracy`` (its drop).
        limits: what a model must satisfy.
        accuracy: what accuracy means here.
        baseline: figures of the model that is only quantized, on the samples for trials.
        left_out: passes that no trial takes, with the reason, by name.
        layers: how sensitive each layer is to each pass that can spare layers.
        trials: every recipe that was tried, in order.
        finalists: the recipes that were trained in full, the best first.
        failed: why a trial could not be made a finalist, by its number.
        best: number of the trial of the best finalist, whose files are in the folder ``best``; null where
            there is none.
        reason: why there is no best one, with the nearest that was found; empty where there is one.
        complete: whether the search came to its end; false where it was interrupted.
        seconds: time that the search took in all, in seconds.
        environment: versions of Python and of the packages that took part, by name.
    """

    schema_version: Literal[1] = 1
    ok: bool
    model: str
    model_sha256: str
    target: str
    runtime: str = ""
    data: str
    seed: int
    objectives: tuple[Objective, ...]
    limits: SearchLimits
    accuracy: AccuracyBasis
    baseline: Takes
    left_out: dict[str, str]
    layers: tuple[LayerLook, ...]
    trials: tuple[TrialRecord, ...]
    finalists: tuple[FinalistRecord, ...]
    failed: dict[str, str]
    best: int | None
    reason: str = ""
    complete: bool = True
    seconds: float
    environment: dict[str, str]
