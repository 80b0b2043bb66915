"""Whether a .tflite fits a target, with its arena measured where that can be done."""

from __future__ import annotations

from edgesqueeze.emit.memory_plan import planned_bytes
from edgesqueeze.errors import EdgeSqueezeError
from edgesqueeze.graph.records import TfliteModel
from edgesqueeze.target.fit import Fit, check_fit
from edgesqueeze.target.needs import needs_of
from edgesqueeze.target.records import Target


def fit_to(model: TfliteModel, target: Target) -> Fit:
    """Check a model against a target and the first of its runtimes."""
    return check_fit(target, needs_of(model, *measured_arena(model, target)))


def measured_arena(model: TfliteModel, target: Target) -> tuple[int | None, str]:
    """Memory for activations and how it was found, or None and why there is no figure.

    Measured for TFLite Micro, planned exactly by native C. LiteRT plans its arena in the same way as TFLite
    Micro, largest tensor first, so the plan stands for it there.
    """
    if target.runtime.name == "c":
        from edgesqueeze.emit.native.for_target import NATIVE_METHOD, emit_for

        try:
            return emit_for(model, target).arena_bytes, NATIVE_METHOD
        except EdgeSqueezeError as error:
            return None, error.problem
    if target.runtime.name != "tflm":
        return planned_bytes(model.main), "planned from the lives of the activations"
    from edgesqueeze.runners.arena import find_arena

    try:
        arena = find_arena(model, target.cpu.core)
    except EdgeSqueezeError as error:
        return None, error.problem
    return arena.bytes, arena.method
