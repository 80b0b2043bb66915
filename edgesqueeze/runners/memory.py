"""Whether a .tflite fits a target, with its arena measured where that can be done."""

from __future__ import annotations

from pathlib import Path

from edgesqueeze.emit.memory_plan import planned_bytes
from edgesqueeze.errors import EdgeSqueezeError
from edgesqueeze.graph import TfliteModel, as_model
from edgesqueeze.target.chosen_runtime import NATIVE
from edgesqueeze.target.fit import Fit, ModelNeeds, check_fit
from edgesqueeze.target.load import as_target
from edgesqueeze.target.needs import needs_of
from edgesqueeze.target.records import Target


def fit_to(model: str | Path | TfliteModel, target: str | Path | Target, runtime: str | None = None) -> Fit:
    """Check a model against a target.

    Args:
        model: any .tflite, or its path.
        target: a profile, its name or its path.
        runtime: one that the target has; the profile's ``runtime.name`` by default.

    Raises:
        TfliteError: the model is not one.
        TargetError: there is no such target, or it does not have that runtime.
    """
    model, target = as_model(model), as_target(target)
    return check_fit(target, needs_on(model, target, runtime), runtime)


def needs_on(model: TfliteModel, target: Target, runtime: str | None = None) -> ModelNeeds:
    """What a model needs on a target with a runtime: the input of ``target.fit.check_fit``.

    Args:
        model: any .tflite.
        target: the profile.
        runtime: as ``fit_to``.
    """
    name = runtime or target.runtime.name
    if name == NATIVE:
        from edgesqueeze.emit.native.for_target import native_needs, try_for

        return native_needs(model, try_for(model, target), target)
    arena_bytes, method = _arena(model, target, name)
    return needs_of(model, arena_bytes, method, model_bytes=_flash(model, name, arena_bytes))


def _flash(model: TfliteModel, runtime: str, arena_bytes: int | None) -> int | None:
    """Flash that the model takes where it is not the file: what firmware with TFLite Micro carries."""
    if runtime != "tflm" or arena_bytes is None:
        return None
    from edgesqueeze.runners.lean_array import tflm_array

    return len(tflm_array(model).content)


def _arena(model: TfliteModel, target: Target, runtime: str) -> tuple[int | None, str]:
    """Memory for activations in bytes and how it was found, or None and why there is no figure.

    It is measured for TFLite Micro. LiteRT plans its arena in the same way as TFLite Micro, largest tensor
    first, so the plan stands for it there.
    """
    if runtime != "tflm":
        return planned_bytes(model.main), "planned from the lives of the activations"
    from edgesqueeze.runners.arena import find_arena

    try:
        arena = find_arena(model, target.cpu.core)
    except EdgeSqueezeError as error:
        return None, error.problem
    return arena.bytes, arena.method
