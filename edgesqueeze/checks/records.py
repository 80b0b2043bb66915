"""What is known about one model on several runtimes: records, as ``verify --json`` prints them."""

from __future__ import annotations

from typing import Literal

from edgesqueeze.base.records import Record

Status = Literal["reference", "identical", "rounding", "broken", "unsupported", "unavailable"]


class LayerDifference(Record):
    """What one operator, run alone on the reference's values, is off.

    Attributes:
        operator: position in the graph.
        kind: the operator's name.
        tensor: the name of its output.
        max_lsb: largest difference in steps of the output's scale; None for a float output.
        max_relative: largest difference over the largest value; None for an integer output.
        within_tolerance: whether rounding explains it.
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
        runtime: its name.
        title: its name for a person.
        status: ``reference``; ``identical`` to it; ``rounding`` (differs, explained); ``broken`` (differs,
            and rounding does not explain it); ``unsupported`` (it cannot run this model); ``unavailable``
            (it cannot run here).
        ok: False if parity is broken, or if a runtime that was asked for by name cannot run the model.
        reason: why the status is what it is; may be empty.
        max_lsb: largest difference of outputs in steps of the output's scale; None for float outputs.
        mean_lsb: mean of the absolute differences in steps.
        max_relative: for float outputs, the largest difference over the reference's largest value.
        differing_share: share of output values that differ, 0 to 1.
        top1_agreement: share of samples with the same class, 0 to 1; None where the output has no classes.
        first_divergence: the first operator that computes something else than the reference does.
        worst_layer: the operator that alone is off most.
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
        schema_version: of this record as JSON.
        reference: the runtime that the others are compared with.
        samples: how many inferences the figures rest on.
        tolerance_lsb: what one operator alone may be off.
        ok: whether every row is.
        runtimes: the reference first.
    """

    schema_version: Literal[1] = 1
    reference: str
    samples: int
    tolerance_lsb: float
    ok: bool
    runtimes: tuple[RuntimeParity, ...]
