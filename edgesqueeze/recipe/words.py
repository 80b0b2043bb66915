"""A recipe in a line, for tables and pages."""

from __future__ import annotations

from edgesqueeze.recipe.passes import PASSES
from edgesqueeze.recipe.sections import Recipe

QUANTIZED_ONLY = "quantized only"


def words_of(recipe: Recipe) -> str:
    """The passes of a recipe, each with what a search draws and what is not as by default.

    ``prune sparsity=0.6 without stem head, cluster clusters=16``.
    """
    words = []
    for row in PASSES:
        section = getattr(recipe, row.name, None)
        if section is None:
            continue
        values = section.model_dump(mode="json", exclude_none=True)
        other = section.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        left_out = other.pop("exclude", ())
        names = dict.fromkeys((*(row.search.draws if row.search else ()), *other))
        told = [f"{name}={values[name]}" for name in names if name in values]
        told += [f"without {' '.join(left_out)}"] if left_out else []
        words.append(" ".join([row.name, *told]))
    return ", ".join(words) or QUANTIZED_ONLY
