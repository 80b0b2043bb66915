"""What is known about one model on several runtimes: records, as ``verify --json`` prints them."""

from __future__ import annotations

from typing import Literal

from edgesqueeze.base.records import Record

Status = Literal["reference", "identical", "rounding", "broken", "unsupported", "unavailable"]


class InputScaling(Record):
    """What is done with raw data before they are an input of a .tflite: ``raw * scale + offset``.

    Attributes:
        input: name of the input.
        scale: factor of each channel or feature, along the last axis; one for all.
        offset: what is added to each scaled channel or feature; one for all.
    """

    input: str
    scale: tuple[float, ...]
    offset: tuple[float, ...]


class LayerChannels(Record):
    """How many channels a layer gives, before and after some were removed.

    Attributes:
        name: name of the layer, after folding.
        before: channels, filters or units before.
        after: channels, filters or units after.
    """

    name: str
    before: int
    after: int


class BudgetReport(Record):
    """What a model may take of its target, and takes.

    Attributes:
        name: name of the budget in the recipe, with its unit.
        allowed: the most that was allowed, in the unit of the name.
        taken: what the .tflite takes, in the unit of the name.
    """

    name: str
    allowed: float
    taken: float


class ChannelsReport(Record):
    """What went with the channels that were removed.

    Attributes:
        share_asked: share of the multiply-accumulates that was to go, 0 to 1; with budgets, the share that
            they were expected to take.
        share: share of them that is gone in the .tflite, 0 to 1.
        macs_before: multiply-accumulates of one inference of the model converted as it was.
        macs_after: multiply-accumulates of one inference of the .tflite.
        layers: every layer that has a kernel.
        budgets: what the model may take of the target; empty where a share was asked for.
    """

    share_asked: float
    share: float
    macs_before: int
    macs_after: int
    layers: tuple[LayerChannels, ...]
    budgets: tuple[BudgetReport, ...] = ()


class LayerDifference(Record):
    """What one operator, run alone on the reference's values, is off.

    Attributes:
        operator: position of the operator in the graph, from 0.
        kind: the operator's name, as in the TFLite schema.
        tensor: name of the operator's output tensor.
        max_lsb: largest difference of the output, in integer steps (LSB); None for a float output.
        max_relative: largest difference over the output's largest value; None for an integer output.
        within_tolerance: whether rounding explains the difference.
    """

    operator: int
    kind: str
    tensor: str
    max_lsb: float | None = None
    max_relative: float | None = None
    within_tolerance: bool = True


class RuntimeParity(Record):
    """How one runtime's outputs compare with the reference's.

    Attributes:
        runtime: name of the runtime, as ``--runtime`` takes it.
        title: name of the runtime for a person.
        status: ``reference``; ``identical`` to the reference; ``rounding`` (differs, explained); ``broken``
            (differs, and rounding does not explain it); ``unsupported`` (the runtime cannot run this model);
            ``unavailable`` (the runtime cannot run here).
        ok: false if parity is broken, or if a runtime that was asked for by name cannot run the model; true
            of kernels that no device runs, are wrong themselves, and were not asked for by name.
        reason: why the status is what it is; may be empty.
        max_lsb: largest difference of the outputs, in integer steps (LSB); None for float outputs.
        mean_lsb: mean absolute difference of the outputs, in integer steps (LSB); None for float outputs.
        max_relative: largest difference of float outputs, over the reference's largest value; None for
            integer outputs.
        differing_share: share of output values that differ, 0 to 1.
        top1_agreement: share of samples on which the runtime chooses the reference's class, 0 to 1; None
            where the output has no classes.
        first_divergence: the first operator that alone computes something else than the reference does; None
            if none does, or if the operators could not be run alone.
        worst_layer: the operator that alone is furthest off the reference; None as for ``first_divergence``.
    """

    runtime: str
    title: str
    status: Status
    ok: bool = True
    reason: str = ""
    max_lsb: float | None = None
    mean_lsb: float | None = None
    max_relative: float | None = None
    differing_share: float | None = None
    top1_agreement: float | None = None
    first_divergence: LayerDifference | None = None
    worst_layer: LayerDifference | None = None


class Parity(Record):
    """One model on several runtimes.

    Attributes:
        schema_version: version of the form of this document; it rises when a field changes its meaning.
        reference: name of the runtime that the others are compared with.
        samples: number of inferences that the figures rest on.
        tolerance_lsb: how far one operator, run alone, may be off the reference, in steps of an 8-bit output.
        ok: whether parity holds on every runtime.
        runtimes: one entry for each runtime, the reference first.
    """

    schema_version: Literal[1] = 1
    reference: str
    samples: int
    tolerance_lsb: float
    ok: bool
    runtimes: tuple[RuntimeParity, ...]
