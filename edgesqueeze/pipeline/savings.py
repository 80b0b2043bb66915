"""What zeros and shared values would save with native C, where another runtime makes nothing of them."""

from __future__ import annotations

from edgesqueeze.base.findings import Finding
from edgesqueeze.emit.native.for_target import try_for
from edgesqueeze.emit.native.records import NativeSource, Refused
from edgesqueeze.graph import TfliteModel
from edgesqueeze.recipe.filled import FilledRecipe
from edgesqueeze.target.chosen_runtime import NATIVE
from edgesqueeze.target.records import Target


def missed_savings(model: TfliteModel, target: Target, recipe: FilledRecipe) -> tuple[Finding, ...]:
    """A note if zeros or few values were asked for, for a microcontroller whose runtime stores every weight.

    Generating the C takes a moment; nothing is compiled or run.

    Args:
        model: the .tflite.
        target: the device, with the runtime that the model is for.
        recipe: what was asked for.
    """
    asked = recipe.prune is not None or recipe.cluster is not None
    if not asked or not target.is_mcu or target.runtime.name == NATIVE:
        return ()
    message = (
        "it stores and multiplies every weight: zeros and shared values save neither flash nor time there; "
        + _with_native_c(try_for(model, target))
    )
    return (Finding(code="weights-not-packed", subject=target.runtime.name, message=message),)


def _with_native_c(made: NativeSource | Refused) -> str:
    """What native C makes of them."""
    if isinstance(made, Refused):
        return f"native C, which packs weights, does not take the model: {made.refusals[0]}"
    stored = [layer.packing for layer in made.layers if layer.packing is not None]
    before, after = sum(one.plain_bytes for one in stored), sum(one.bytes for one in stored)
    if after >= before:
        return "nor does native C find a smaller form for these weights"
    return (
        f"native C (--runtime c) packs them into {after:,} of {before:,} bytes of flash, and leaves out work "
        "on them where that saves instructions, which `edgesqueeze bench` counts"
    )
