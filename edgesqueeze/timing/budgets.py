"""What a model takes of a target, by the names under which a recipe can set a bound to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

from edgesqueeze.errors import UsageError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.runners.firmware_sources import firmware_sources
from edgesqueeze.target.fit import Fit, check_fit
from edgesqueeze.target.records import Target
from edgesqueeze.timing.bench import bench


class Budget(NamedTuple):
    """A row of the table of budgets.

    Attributes:
        figure: what a model takes of a target, in the unit of the name; None: it cannot be told.
        hint: what to do where it cannot.
    """

    figure: Callable[[TfliteModel, Target], float | None]
    hint: str


def latency_of(model: TfliteModel, target: Target) -> float:
    """Milliseconds of an inference with the target's own runtime: predicted, or emulated for native C."""
    return bench(model, target, runtime=target.runtime.name).latency_ms.estimate


def _flash_kib(model: TfliteModel, target: Target) -> float | None:
    needed = fit_of(model, target).flash.needed_bytes
    return None if needed is None else needed / 1024


def _ram_kib(model: TfliteModel, target: Target) -> float | None:
    needed = fit_of(model, target).ram.needed_bytes
    return None if needed is None else needed / 1024


def fit_of(model: TfliteModel, target: Target) -> Fit:
    """Whether a model fits a target, with the memory of its firmware."""
    return check_fit(target, firmware_sources(model, target).needs)


BUDGETS: Mapping[str, Budget] = MappingProxyType(
    {
        "latency_ms": Budget(latency_of, "measure the model on the device, and ask for a share instead"),
        "flash_kib": Budget(_flash_kib, "take a target that has flash, or ask for a share instead"),
        "ram_kib": Budget(_ram_kib, "install what `edgesqueeze doctor` misses, or ask for a share instead"),
    }
)
"""Key of [channels] in a recipe -> what it bounds."""


def figures_on(target: Target) -> Callable[[TfliteModel, Collection[str]], dict[str, float]]:
    """A function that says what a model takes of a target: the figures that are asked for, by name.

    It raises a ``UsageError`` where a figure cannot be told, and what ``timing.bench.bench`` raises.
    """

    def figures(model: TfliteModel, names: Collection[str]) -> dict[str, float]:
        return {name: _figure(name, model, target) for name in names}

    return figures


def _figure(name: str, model: TfliteModel, target: Target) -> float:
    figure = BUDGETS[name].figure(model, target)
    if figure is None:
        raise UsageError(
            f"{name} cannot be told for {target.name}",
            expected=f"a target on which {name} of a model is known without it",
            got=target.name,
            hint=BUDGETS[name].hint,
        )
    return figure
