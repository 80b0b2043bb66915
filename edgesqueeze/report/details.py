"""What only a page shows, and costs a look of its own: records."""

from __future__ import annotations

from collections.abc import Mapping

from edgesqueeze.base.records import Range, Record


class Plain(Record):
    """The original converted as the recipe says, with no pass applied: what all passes are held against.

    Attributes:
        tflite_bytes: size of its .tflite, in bytes.
        macs: multiply-accumulates of one inference.
        flash_bytes: flash that it takes with its runtime, in bytes; null where that is not known.
        ram_bytes: RAM that it takes, in bytes; null where that is not known.
        latency_ms: time of one inference with the target's runtime, in milliseconds; null where that is not
            known.
        latency_method: how the time was found, or why it is not known.
    """

    tflite_bytes: int
    macs: int
    flash_bytes: int | None
    ram_bytes: int | None
    latency_ms: Range | None
    latency_method: str


class LayerError(Record):
    """How far one operator of the .tflite is off the float model that it was converted from.

    Attributes:
        operator: position of the operator in the main graph, from 0.
        tensor: name of the operator's first output.
        error: root mean square difference of that output from the float model's, over the standard deviation
            of the latter; what earlier operators are off is a part of it.
    """

    operator: int
    tensor: str
    error: float


class Details(Record):
    """What was found for a page.

    Attributes:
        plain: the original without any pass; null where the recipe has none.
        layer_errors: error of every operator whose output the float model has as well.
        samples: number of test samples that the errors of operators rest on.
        left_out: what could not be found, with the reason, one sentence each.
    """

    plain: Plain | None
    layer_errors: tuple[LayerError, ...]
    samples: int
    left_out: tuple[str, ...] = ()


def errors_of(details: Details | None) -> Mapping[int, float]:
    """Position of an operator -> how far it is off the float model; empty where nobody looked."""
    return {one.operator: one.error for one in details.layer_errors} if details else {}
