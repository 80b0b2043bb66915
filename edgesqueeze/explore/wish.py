"""What is asked of a search: limits, and what is to become small. Plain arithmetic on figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import get_args

from edgesqueeze.base.suggest import nearest
from edgesqueeze.errors import UsageError
from edgesqueeze.report.front import LimitName, Objective, SearchLimits, Takes
from edgesqueeze.target.records import Target

KIB = 1024
DEFAULT_OBJECTIVES: tuple[Objective, ...] = ("latency", "size")
ONE_POINT = 0.01
"""What an accuracy drop is held against where there is no limit to it."""

OBJECTIVES: Mapping[Objective, str] = MappingProxyType(
    {"latency": "latency_ms", "size": "flash_kib", "accuracy": "accuracy_drop"}
)
"""What can be asked to become small -> the field of ``Takes``."""

LIMITED: Mapping[LimitName, str] = MappingProxyType(
    {
        "max_accuracy_drop": "accuracy_drop",
        "max_latency": "latency_ms",
        "max_flash": "flash_kib",
        "max_ram": "ram_kib",
    }
)
"""Limit -> the field of ``Takes`` that it is about."""


@dataclass(frozen=True)
class Wish:
    """What a search is for.

    Attributes:
        objectives: what is to become small.
        limits: what a model must satisfy.
    """

    objectives: tuple[Objective, ...]
    limits: SearchLimits

    def missed(self, takes: Takes) -> dict[LimitName, float]:
        """By how much each limit is missed, as a share of it; what is not known misses none.

        A limit of 0 is missed by what there is, in its own unit.
        """
        found: dict[LimitName, float] = {}
        for name, field in LIMITED.items():
            most, value = getattr(self.limits, name), getattr(takes, field)
            if most is not None and value is not None and value > most:
                found[name] = (value - most) / most if most else value
        return found

    def values(self, takes: Takes) -> tuple[float, ...]:
        """The objectives' values, in their order; infinite where one is not known."""
        found = (getattr(takes, OBJECTIVES[name]) for name in self.objectives)
        return tuple(float("inf") if value is None else float(value) for value in found)

    def score(self, takes: Takes, baseline: Takes) -> float:
        """What the best model has the least of.

        The sum over the objectives of latency and flash as shares of those of the quantized model, and of
        the accuracy drop as a share of its limit, or of one point without one.
        """
        total = 0.0
        for name, value in zip(self.objectives, self.values(takes), strict=True):
            total += value / (self.drop_unit if name == "accuracy" else self._whole(name, baseline))
        return total

    def _whole(self, name: Objective, baseline: Takes) -> float:
        """What a figure is a share of: the quantized model's, or where that cannot be told the limit."""
        limit = self.limits.max_latency if name == "latency" else self.limits.max_flash
        return getattr(baseline, OBJECTIVES[name]) or limit or 1.0

    @property
    def drop_unit(self) -> float:
        """What an accuracy drop is a share of."""
        return self.limits.max_accuracy_drop or ONE_POINT


def parse_objectives(given: Sequence[str]) -> tuple[Objective, ...]:
    """Names of objectives, each once; those of the default if there are none.

    Raises:
        UsageError: a name that is not known.
    """
    known = get_args(Objective)
    for name in given:
        if name not in known:
            raise UsageError(
                f"there is no objective {name!r}{nearest(name, known)}",
                expected=f"one or more of {', '.join(known)}",
                got=name,
            )
    chosen = tuple(name for name in known if name in given)
    return chosen or DEFAULT_OBJECTIVES


def on_target(limits: SearchLimits, target: Target) -> SearchLimits:
    """Limits with the target's own memory where that is less, or none is given."""
    memory = target.memory
    return limits.model_copy(
        update={
            "max_flash": _least(limits.max_flash, memory.usable_flash_bytes),
            "max_ram": _least(limits.max_ram, memory.usable_ram_bytes),
        }
    )


def _least(given: float | None, usable_bytes: int | None) -> float | None:
    known = [
        value for value in (given, None if usable_bytes is None else usable_bytes / KIB) if value is not None
    ]
    return min(known) if known else None


def undominated(rows: Sequence[Sequence[float]]) -> list[bool]:
    """Of each row of values whether no other is less in one of them and no more in the rest.

    Of equal rows the first stays.
    """
    return [
        not any(
            all(a <= b for a, b in zip(other, row, strict=True)) and (tuple(other) != tuple(row) or j < i)
            for j, other in enumerate(rows)
            if j != i
        )
        for i, row in enumerate(rows)
    ]


def ranks(rows: Sequence[Sequence[float]]) -> list[int]:
    """How many fronts lie before each row: 0 for what nothing dominates (Deb et al., 2002, NSGA-II)."""
    found = [0] * len(rows)
    left, rank = list(range(len(rows))), 0
    while left:
        kept = undominated([rows[i] for i in left])
        for i, stays in zip(left, kept, strict=True):
            if stays:
                found[i] = rank
        left = [i for i, stays in zip(left, kept, strict=True) if not stays]
        rank += 1
    return found
