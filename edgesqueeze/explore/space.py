"""The recipes that a search can try: the rows of the table of passes, and which layers they may spare."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from edgesqueeze.recipe.draws import Draw, Search
from edgesqueeze.recipe.passes import PASSES, Pass
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.recipe.sections import Recipe

Params = Mapping[str, Any]
"""What was drawn, by name: ``prune`` is whether the pass takes place, ``prune.sparsity`` an option of it."""

SPARED = "spared"
"""Option of a pass: how many of the most sensitive layers it leaves out."""
NO_LAYERS: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class Drawer(Protocol):
    """What draws values: an Optuna trial."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of the choices."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number."""


@dataclass(frozen=True)
class Space:
    """What can be drawn.

    Attributes:
        base: what holds for every recipe: data, training, quantization, sections that are not searched.
        rows: the passes that take part, in the order of the table.
        spared: layers that a pass may leave out by its name, the most sensitive first.
    """

    base: Recipe
    rows: tuple[Pass, ...]
    spared: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NO_LAYERS)

    def draw(self, drawer: Drawer) -> Params:
        """Values for one trial."""
        params: dict[str, Any] = {}
        for row in self.rows:
            params[row.name] = drawer.suggest_categorical(row.name, (False, True))
            if params[row.name]:
                params |= {name: _drawn(name, one, drawer) for name, one in self._draws(row)}
        return params

    def recipe(self, params: Params) -> Recipe:
        """The recipe that these values make.

        Raises:
            RecipeError: they do not go together.
        """
        raw = self.base.model_dump(exclude_none=True)
        for row in self.rows:
            if params.get(row.name):
                raw[row.name] = self._section(row, params)
        return parse_recipe(raw, "a recipe of the search")

    def alone(self, row: Pass, share: float) -> Params:
        """One pass and no other, at a share of the way from its mildest to its strongest values."""
        return self._chosen([row], share)

    def strongest(self, strengths: Mapping[str, float]) -> Params:
        """All passes that save something, each as strong as it can be: where that does not fit, nothing does.

        Args:
            strengths: how far a pass can go from its mildest to its strongest values, 0 to 1, by name.
        """
        params = dict(self._chosen([], 0.0))
        for row in self.rows:
            if _search(row).saves:
                alone = self.alone(row, strengths.get(row.name, 1.0))
                params |= {name: value for name, value in alone.items() if value is not False}
        return params

    def first(self) -> Iterator[Params]:
        """The recipes to begin with: what is known to be good on most models, and each pass alone.

        No pass; all of them mild, and half way; each alone; each two together, half way: 60 % zeros and 16
        values are one of these. Passes that are there for the accuracy go with all others.
        """
        saving = [row for row in self.rows if _search(row).saves]
        helping = [row for row in self.rows if not _search(row).saves]
        seen = []
        for chosen, share in (
            ([], 0.0),
            (saving, 0.0),
            (saving, 0.5),
            *(([row], 0.5) for row in saving),
            *((list(pair), 0.5) for pair in itertools.combinations(saving, 2)),
            *(([*saving, row], 0.5) for row in helping),
        ):
            params = self._chosen(chosen, share)
            if params not in seen:
                seen.append(params)
                yield params

    def is_as_strong(self, one: Params, other: Params) -> bool:
        """Whether a recipe has the passes of another, and does as much or more in each."""
        for row in self.rows:
            if one[row.name] != other[row.name]:
                return False
            if one[row.name] and not all(
                draw.is_as_strong(one[name], other[name]) for name, draw in self._draws(row)
            ):
                return False
        return True

    def saves_as_much(self, one: Params, other: Params) -> bool:
        """Whether a recipe has all passes of another that save something, and does no less in each."""
        return all(
            one[row.name]
            and all(draw.is_as_strong(one[name], other[name]) for name, draw in self._draws(row))
            for row in self.rows
            if _search(row).saves and other[row.name]
        )

    def helps_alike(self, one: Params, other: Params) -> bool:
        """Whether two recipes have the same passes for the accuracy."""
        return all(one[row.name] == other[row.name] for row in self.rows if not _search(row).saves)

    def _chosen(self, rows: Sequence[Pass], share: float) -> Params:
        params: dict[str, Any] = {row.name: row in rows for row in self.rows}
        for row in rows:
            params |= {name: draw.at(share) for name, draw in self._draws(row)}
            if self.spared.get(row.name):
                params[f"{row.name}.{SPARED}"] = 0
        return params

    def _draws(self, row: Pass) -> Iterator[tuple[str, Draw]]:
        """The draws of a row by their full names; the fewer layers are spared, the stronger."""
        for key, draw in _search(row).draws.items():
            yield f"{row.name}.{key}", draw
        if layers := self.spared.get(row.name):
            yield f"{row.name}.{SPARED}", Draw(len(layers), 0, step=1)

    def _section(self, row: Pass, params: Params) -> dict[str, Any]:
        section = {key: params[f"{row.name}.{key}"] for key in _search(row).draws}
        count = params.get(f"{row.name}.{SPARED}", 0)
        return {**section, "exclude": self.spared[row.name][:count]} if count else section


def space_of(base: Recipe, passes: Sequence[Pass] = PASSES) -> tuple[Space, dict[str, str]]:
    """The space of a table of passes, and the passes that are left out of it, with the reason.

    Args:
        base: what holds for every recipe; a pass whose section it has is not searched.
        passes: the table.
    """
    rows, left_out = [], {}
    for row in passes:
        if row.search is None:
            continue
        if getattr(base, row.name) is None:
            rows.append(row)
        else:
            left_out[row.name] = "the recipe says what it does, in every trial"
    return Space(base, tuple(rows)), left_out


def _search(row: Pass) -> Search:
    assert row.search is not None
    return row.search


def _drawn(name: str, draw: Draw, drawer: Drawer) -> Any:
    if draw.choices:
        return drawer.suggest_categorical(name, draw.choices)
    low, high = sorted((draw.mild, draw.strong))
    if draw.is_whole:
        step = 1 if draw.step is None else int(draw.step)
        return drawer.suggest_int(name, int(low), int(high), step=step, log=draw.even_ratios)
    return drawer.suggest_float(name, low, high, step=draw.step, log=draw.even_ratios)
