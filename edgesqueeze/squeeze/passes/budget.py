"""The smallest share of channels with which a model keeps to what it may take of its target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgesqueeze.errors import RecipeError

HALVINGS = 6
"""How often the range that the share lies in is halved."""

Figures = Mapping[str, float]
"""What a model takes of a target by the name of the budget: milliseconds, KiB."""


@dataclass(frozen=True)
class Found:
    """A share and what a model takes of the target with it.

    Attributes:
        share: of the multiply-accumulates, 0 to 1.
        figures: by the name of the budget.
    """

    share: float
    figures: Figures


def share_within(budgets: Figures, figures_at: Callable[[float], Figures], possible: float) -> Found:
    """The least share that keeps to the budgets, found by halving.

    Args:
        budgets: the most that is allowed, by name.
        figures_at: what a model without that share takes; asked about eight times.
        possible: the largest share that can go.

    Raises:
        RecipeError: they cannot be kept to.
    """
    whole = figures_at(0.0)
    if kept(budgets, whole):
        return Found(0.0, whole)
    smallest = Found(possible, figures_at(possible))
    if not kept(budgets, smallest.figures):
        raise _refusal(budgets, whole, smallest)
    low, best = 0.0, smallest
    for _ in range(HALVINGS):
        middle = Found((low + best.share) / 2, figures_at((low + best.share) / 2))
        if kept(budgets, middle.figures):
            best = middle
        else:
            low = middle.share
    return best


def kept(budgets: Figures, figures: Figures) -> bool:
    """Whether a model keeps to all budgets."""
    return all(figures[name] <= most for name, most in budgets.items())


def _refusal(budgets: Figures, whole: Figures, smallest: Found) -> RecipeError:
    missed = [name for name, most in budgets.items() if smallest.figures[name] > most]
    return RecipeError(
        f"{' and '.join(missed)} cannot be kept to by removing channels",
        expected="at least "
        + ", ".join(f"{name} = {_up(smallest.figures[name]):g}" for name in missed)
        + f", with {smallest.share:.1%} of the multiply-accumulates gone",
        got=", ".join(f"{name} = {budgets[name]:g}" for name in missed),
        hint="the model takes "
        + ", ".join(f"{name} = {_up(figure):g}" for name, figure in whole.items())
        + " as it is; take a smaller network, or a smaller step",
    )


def _up(figure: float) -> float:
    """A figure with three digits, not below it."""
    rounded = float(f"{figure:.3g}")
    return rounded if rounded >= figure else float(f"{figure * 1.005:.3g}")
