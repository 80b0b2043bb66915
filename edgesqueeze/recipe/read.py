"""Read a recipe: a TOML file, nested dictionaries, flags of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgesqueeze.base.given import path_of, wrong_kind
from edgesqueeze.base.toml import FileKind, check_record, read_toml
from edgesqueeze.errors import RecipeError
from edgesqueeze.recipe.sections import Recipe

FILE = FileKind("recipe", RecipeError, "`python -m pydoc edgesqueeze.recipe` lists all keys")

# Flag of the command line -> where it goes.
FLAGS: Mapping[str, tuple[str, ...]] = {
    "channels": ("channels", "share"),
    "sparsity": ("prune", "sparsity"),
    "structure": ("prune", "structure"),
    "clusters": ("cluster", "clusters"),
    "bits": ("bits", "weights"),
    "aware": ("aware", "learn_ranges"),
    "quantize": ("quantize", "mode"),
    "io": ("quantize", "io"),
    "calibration": ("quantize", "calibration"),
    "epochs": ("finetune", "epochs"),
    "seed": ("seed",),
    "max_accuracy_drop": ("limits", "max_accuracy_drop"),
    "evaluation_samples": ("data", "evaluation_samples"),
    "lift_normalization": ("data", "lift_normalization"),
}


def load_recipe(path: str | Path | None = None, flags: Mapping[str, Any] | None = None) -> Recipe:
    """Read a recipe and lay flags over it.

    Args:
        path: a TOML file, or None for the defaults.
        flags: values by flag name (the keys of ``FLAGS``); None values are ignored.

    Raises:
        UsageError: that is no path.
        RecipeError: the file cannot be read, a key is unknown, or a value is out of range.
    """
    raw = {} if path is None else read_toml(path_of(path, "the path of a recipe, a TOML file"), FILE)
    for flag, value in (flags or {}).items():
        if value is not None:
            _set(raw, FLAGS[flag], value)
    return parse_recipe(raw, "the flags" if path is None else str(path))


def as_recipe(given: str | Path | Recipe | None) -> Recipe:
    """A recipe, read first where its path was given; the defaults for None.

    Raises:
        UsageError: neither a recipe nor a path.
        RecipeError: see ``load_recipe``.
    """
    if isinstance(given, Recipe):
        return given
    if given is None:
        return Recipe()
    hint = "parse_recipe makes one from nested dictionaries"
    return load_recipe(path_of(given, "a Recipe, or the path of one", hint))


def parse_recipe(raw: Mapping[str, Any], origin: str = "the recipe") -> Recipe:
    """Validate a recipe given as nested dictionaries.

    Raises:
        UsageError: that is no dictionary.
        RecipeError: a key is unknown, or a value is out of range.
    """
    if not isinstance(raw, Mapping):
        raise wrong_kind(raw, "a recipe as nested dictionaries", "load_recipe reads one from a file")
    return check_record(raw, Recipe, origin, FILE)


def _set(raw: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    for key in keys[:-1]:
        section = raw.setdefault(key, {})
        if not isinstance(section, dict):
            raise RecipeError(f"[{key}] is not a section", expected=f"a [{key}] table", got=repr(section))
        raw = section
    raw[keys[-1]] = value
