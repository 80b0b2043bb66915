"""A recipe with what it leaves open filled in by the target."""

from __future__ import annotations

from pydantic import ValidationError

from edgesqueeze.errors import RecipeError
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

    Raises:
        RecipeError: what the recipe asks for does not go with the mode that the target prefers.
    """
    if isinstance(recipe, FilledRecipe):
        return recipe
    mode = recipe.quantize.mode or target.preferences.quantization
    io = recipe.quantize.io or target.preferences.io
    quantize = FilledQuantize.model_validate({**dict(recipe.quantize), "mode": mode, "io": io})
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
    try:
        return FilledRecipe.model_validate({**dict(recipe), **filled})
    except ValidationError as error:
        raise _refusal(error, target, mode) from None


def _refusal(error: ValidationError, target: Target, mode: QuantizeMode) -> RecipeError:
    """What is wrong with a recipe once the mode is the target's."""
    problem = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
    return RecipeError(
        f"the recipe leaves the mode to {target.name}: {problem}",
        expected="passes that go with the mode that the target prefers, or a mode that goes with the passes",
        got=f"[quantize] mode left out, which is {mode} on {target.name}",
        hint='name the mode: --quantize int8, or mode = "int8" in [quantize]; or leave the pass out',
    )


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
