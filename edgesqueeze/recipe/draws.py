"""How a search draws the options of a pass: a column of the table of passes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Draw(NamedTuple):
    """The values that a search tries for one key of a recipe section.

    Attributes:
        mild: value that changes the model least.
        strong: value that changes it most, larger or smaller than ``mild``; whole numbers where both are.
        step: distance of the values that are tried; None: any value between them.
        even_ratios: whether values are as dense by their ratio, as 4, 8, 16 are; then there is no step.
        choices: the values themselves, in place of all that, where they have no order.
    """

    mild: float = 0.0
    strong: float = 0.0
    step: float | None = None
    even_ratios: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether all values are whole numbers."""
        return isinstance(self.mild, int) and isinstance(self.strong, int)

    def at(self, share: float) -> Any:
        """The value at a share of the way from the mild to the strong one, 0 to 1; of choices the first."""
        if self.choices:
            return self.choices[0]
        if self.even_ratios:
            value = self.mild * (self.strong / self.mild) ** share
        else:
            value = self.mild + share * (self.strong - self.mild)
        if self.step is not None:
            low = min(self.mild, self.strong)
            value = low + round((value - low) / self.step) * self.step
        return round(value) if self.is_whole else round(value, 6)

    def is_as_strong(self, one: Any, other: Any) -> bool:
        """Whether a value changes the model as much as another, or more; of choices only the same does."""
        if self.choices:
            return bool(one == other)
        return bool(one >= other if self.strong > self.mild else one <= other)


NO_DRAWS: Mapping[str, Draw] = MappingProxyType({})


class Search(NamedTuple):
    """How a pass takes part in a search for a recipe.

    Attributes:
        draws: what is tried for each key of its section; other keys keep their defaults.
        spares: most layers that a trial leaves out of the pass, the most sensitive first; the section has
            ``exclude`` then.
        saves: whether the pass is there to save flash, RAM or time: where it saves nothing on a target it is
            left out of the search. One that is not is there for the accuracy.
    """

    draws: Mapping[str, Draw] = NO_DRAWS
    spares: int = 0
    saves: bool = True
