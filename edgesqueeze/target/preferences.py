"""A recipe with what it leaves open filled in by the target."""

from __future__ import annotations

from edgesqueeze.recipe import FilledQuantize, FilledRecipe, Recipe
from edgesqueeze.target.records import Target


def fill_preferences(recipe: Recipe, target: Target) -> FilledRecipe:
    """A recipe with the target's preferred quantization and I/O type where it names none."""
    quantize = FilledQuantize(
        mode=recipe.quantize.mode or target.preferences.quantization,
        io=recipe.quantize.io or target.preferences.io,
        calibration_samples=recipe.quantize.calibration_samples,
    )
    return FilledRecipe.model_validate({**dict(recipe), "quantize": quantize})
