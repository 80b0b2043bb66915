"""A recipe with what it leaves open filled in by the target."""

from __future__ import annotations

from edgesqueeze.recipe import FilledChannels, FilledQuantize, FilledRecipe, Recipe
from edgesqueeze.target.records import Target
from edgesqueeze.target.steps import channel_step, kernels_of


def fill_preferences(recipe: Recipe, target: Target) -> FilledRecipe:
    """A recipe with what the target prefers, and the step of its kernels, where it names none."""
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
    return FilledRecipe.model_validate({**dict(recipe), "channels": channels, "quantize": quantize})
