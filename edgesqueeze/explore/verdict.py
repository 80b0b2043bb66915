"""Whether a search found what was asked for, and if not, what is in the way."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgesqueeze.checks.metrics import Unit
from edgesqueeze.errors import NotFoundError
from edgesqueeze.explore.wish import LIMITED, Wish
from edgesqueeze.recipe.words import words_of
from edgesqueeze.report.front import FinalistRecord, Front, LimitName, Takes, TrialRecord, judged_by

UNITS: Mapping[LimitName, str] = MappingProxyType(
    {"max_latency": "ms", "max_flash": "KiB of flash", "max_ram": "KiB of RAM"}
)


def raise_if_none(front: Front) -> None:
    """Raise if no finalist keeps to all limits.

    Raises:
        NotFoundError: with the limits that bind, and the nearest that was found.
    """
    if not front.ok:
        wish = Wish(front.objectives, front.limits)
        raise NotFoundError(
            front.reason,
            expected=", ".join(_limits(wish, front.accuracy.unit)),
            hint="raise that limit, search longer (--resume), or take a smaller network",
        )


def reason_of(
    trials: list[TrialRecord], finalists: list[FinalistRecord], wish: Wish, unit: Unit, *, complete: bool
) -> str:
    """Why there is no best finalist, with the nearest that was found; empty where there is one."""
    if any(not one.missed for one in finalists):
        return ""
    near = _nearest(trials, finalists, wish)
    if near is None:
        return "no trial came to its end" if trials else "nothing was tried"
    if not near.missed:
        return "no finalist was made" + ("" if complete else " before the search was interrupted")
    binds = f"{' and '.join(near.missed)} {'are' if len(near.missed) > 1 else 'is'} in the way"
    return f"no model keeps to all limits: {binds}; {_nearest_words(near, unit)}"


def _nearest(
    trials: list[TrialRecord], finalists: list[FinalistRecord], wish: Wish
) -> TrialRecord | FinalistRecord | None:
    """What misses the limits by least; of a trial that is a finalist too, the finalist counts."""
    done = {one.number for one in finalists}
    rows: list[TrialRecord | FinalistRecord] = [
        *finalists,
        *(one for one in trials if one.number not in done and one.state != "failed" and one.takes != Takes()),
    ]
    return min(rows, key=lambda one: (sum(wish.missed(judged_by(one)).values()), one.number), default=None)


def _nearest_words(near: TrialRecord | FinalistRecord, unit: Unit) -> str:
    figures = [
        amount(name, getattr(judged_by(near), field), unit)
        for name, field in LIMITED.items()
        if getattr(judged_by(near), field) is not None
    ]
    return f"the nearest is trial {near.number}: {', '.join(figures)}, with {words_of(near.recipe)}"


def _limits(wish: Wish, unit: Unit) -> list[str]:
    given = ((name, getattr(wish.limits, name)) for name in LIMITED)
    return [f"at most {amount(name, most, unit)}" for name, most in given if most is not None]


def amount(name: LimitName, value: float, unit: Unit) -> str:
    """A figure with its unit."""
    if name == "max_accuracy_drop":
        return f"a drop of {100 * value:.2f} points" if unit == "share" else f"a drop of {value:.4g}"
    return f"{value:.4g} {UNITS[name]}"
