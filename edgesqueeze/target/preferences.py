"""A recipe with what it leaves open filled in by the target."""

from __future__ import annotations

from edgesqueeze.recipe.filled import (
    FilledChannels,
    FilledEqualize,
    FilledPrune,
    FilledQuantize,
    FilledRecipe,
)
from edgesqueeze.recipe.sections import Prune, QuantizeMode, Recipe
from edgesqueeze.target.device_blocks import device_blocks
from edgesqueeze.target.records import Target
from edgesqueeze.target.steps import channel_step, kernels_of


def fill_preferences(recipe: Recipe, target: Target) -> FilledRecipe:
    """A recipe with what the target prefers, and what fits its kernels, where it names none.

    One that leaves nothing open stays as it is.
    """
    if isinstance(recipe, FilledRecipe):
        return recipe
    quantize = FilledQuantize(
        mode=recipe.quantize.mode or target.preferences.quantization,
        io=recipe.quantize.io or target.preferences.io,
        calibration_samples=recipe.quantize.calibration_samples,
    )
    channels = recipe.channels
    if channels is not None:
        step = channel_step(target) if channels.step is None else channels.step
        share = 0.5 if channels.share is None and not channels.budgets else channels.share
        channels = FilledChannels.model_validate(
            {**dict(channels), "share": share, "step": step, "kernels": kernels_of(target)}
        )
    prune = _filled(recipe.prune, target, quantize.mode) if recipe.prune else None
    equalize = recipe.equalize
    if equalize is not None:
        levels = 7 if recipe.bits else 127
        equalize = FilledEqualize.model_validate({**dict(equalize), "levels": levels})
    filled = {"equalize": equalize, "channels": channels, "quantize": quantize, "prune": prune}
    return FilledRecipe.model_validate({**dict(recipe), **filled})


def _filled(prune: Prune, target: Target, mode: QuantizeMode) -> FilledPrune:
    """Pruning in the blocks that the target's kernels skip, where it has such kernels."""
    blocks = device_blocks(target) if mode == "int8" else None
    structure = prune.structure or ("device" if blocks else "unstructured")
    changes = {
        "structure": structure,
        "device_blocks": blocks if structure == "device" else None,
        "left_to_target": prune.structure is None,
    }
    return FilledPrune.model_validate({**dict(prune), **changes})
