"""How many channels each group gives up, so that a share of the multiply-accumulates goes at least cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgesqueeze.recipe.filled import Kernels
from edgesqueeze.squeeze.channels.graph import ChannelGraph
from edgesqueeze.squeeze.channels.labels import FIXED, Ints
from edgesqueeze.squeeze.channels.rates import rates_of

Doubles = npt.NDArray[np.float64]
Name = tuple[str, ...]
"""The layers that make, carry or read the units of a group."""

LEAST_SHARE = 0.125
"""Of a group's channels so many stay at least: what a network does with fewer, training rarely repairs."""


CLOSE = 0.01
"""What is left may be fewer multiply-accumulates than allowed by this share; else groups trade steps."""


@dataclass(frozen=True)
class Steps:
    """In what numbers a group is cut.

    Attributes:
        step: its channels are kept in multiples of it.
        least: so many stay at least.
    """

    step: int
    least: int


@dataclass(frozen=True, eq=False)
class Group:
    """Units that the same layers make, carry and read: which of them go does not matter for the cost.

    Attributes:
        name: those layers.
        units: the units, as the graph numbers them.
    """

    name: Name
    units: Ints

    @property
    def size(self) -> int:
        """How many units there are."""
        return int(self.units.size)


def groups_of(graph: ChannelGraph) -> list[Group]:
    """The groups of a model's units."""
    uses: dict[int, list[str]] = defaultdict(list)
    for name, role in graph.roles.items():
        for kind in ("makes", "carries", "reads"):
            units = getattr(role, kind)
            for unit in () if units is None else units[units != FIXED].tolist():
                uses[unit].append(f"{kind} {name}")
    found: dict[Name, list[int]] = defaultdict(list)
    for unit, names in uses.items():
        found[tuple(sorted(names))].append(unit)
    return [Group(name, np.array(sorted(units))) for name, units in sorted(found.items())]


def steps_of(groups: list[Group], step: int) -> Mapping[Name, Steps]:
    """In what numbers each group is cut.

    Args:
        groups: the groups of the model before anything was cut.
        step: channels that the target's kernels take at a time. A group of fewer than two steps is cut in
            halves of a step, quarters and so on.
    """
    found = {}
    for group in groups:
        own = step
        while own > 1 and group.size < 2 * own:
            own //= 2
        least = max(own, -(-int(np.ceil(group.size * LEAST_SHARE)) // own) * own)
        found[group.name] = Steps(own, min(least, group.size))
    return found


class Costs:
    """Multiply-accumulates of a model by how many units of each group stay.

    Args:
        graph: the channels of the model.
        groups: their groups.
        fixed: multiply-accumulates of what the graph does not know.
        kernels: what runs the model, for the time.
    """

    def __init__(
        self, graph: ChannelGraph, groups: list[Group], fixed: int, kernels: Kernels = "portable"
    ) -> None:
        roles = [role for role in graph.roles.values() if role.work]
        group_of = np.full(graph.count + 1, len(groups))
        for number, group in enumerate(groups):
            group_of[group.units] = number
        self.fixed = fixed
        self._work = [role.work for role in roles]
        self._rates = [rates_of(role, kernels) for role in roles]
        one = np.zeros(0, np.int64)
        first = [role.reads if role.reads is not None else role.carries for role in roles]
        self._first = [_uses(one if units is None else units, group_of, len(groups)) for units in first]
        self._second = [
            np.eye(1, len(groups) + 1, len(groups))[0]
            if role.makes is None
            else _uses(role.makes, group_of, len(groups))
            for role in roles
        ]

    def macs(self, counts: Doubles) -> Doubles:
        """Multiply-accumulates for each row of counts, ``[..., groups]``; ``[...]``."""
        total = np.full(counts.shape[:-1], float(self.fixed))
        for work, (first, second) in zip(self._work, self._channels(counts), strict=True):
            total = total + work * first * second
        return total

    def time(self, counts: Doubles) -> Doubles:
        """About the instructions for each row of counts, without those that no count changes."""
        total = np.zeros(counts.shape[:-1])
        for rates, (first, second) in zip(self._rates, self._channels(counts), strict=True):
            total = total + rates.pair * first * second + rates.first * first + rates.second * second
        return total

    def _channels(self, counts: Doubles) -> Iterator[tuple[Doubles, Doubles]]:
        """For every layer how many channels it reads or carries, and makes."""
        with_fixed = np.concatenate([counts, np.ones((*counts.shape[:-1], 1))], axis=-1)
        for first, second in zip(self._first, self._second, strict=True):
            yield with_fixed @ first, with_fixed @ second


def _uses(units: Ints, group_of: Ints, groups: int) -> Doubles:
    """How many channels there are for a unit of every group, and in the last place how many stay anyway."""
    found = np.bincount(group_of[units], minlength=groups + 1).astype(np.float64)
    sizes = np.bincount(group_of[:-1], minlength=groups + 1)[: groups + 1]
    found[:-1] /= np.maximum(sizes[:-1], 1)
    return found


def least_counts(groups: list[Group], steps: Mapping[Name, Steps]) -> Doubles:
    """The fewest units that each group can be left with."""
    return np.array([min(steps[group.name].least, group.size) for group in groups], np.float64)


def allocate(
    groups: list[Group], steps: Mapping[Name, Steps], costs: Costs, importance: Doubles, allowed: float
) -> npt.NDArray[np.bool_]:
    """Which units stay.

    The step whose channels matter least for the time that it saves goes first. What was taken
    too much is given back in the end.

    Args:
        groups: the groups of the model.
        steps: in what numbers each is cut, by its name.
        costs: what counts cost.
        importance: of each unit, ``[units]``.
        allowed: multiply-accumulates that may be left.

    Returns:
        ``[units]``; as small as can be where ``allowed`` cannot be reached.
    """
    orders = [group.units[np.argsort(importance[group.units], kind="stable")] for group in groups]
    sums = [np.concatenate([[0.0], np.cumsum(importance[order])]) for order in orders]
    search = _Search(groups, steps, costs, sums, allowed)
    full = np.array([group.size for group in groups], np.float64)
    counts = search.closest(search.reduced(full))
    kept = np.ones(len(importance), bool)
    for order, count in zip(orders, counts, strict=True):
        kept[order[: len(order) - int(count)]] = False
    return kept


@dataclass(frozen=True, eq=False)
class _Search:
    """How many units of each group stay.

    Attributes:
        groups: the groups of the model.
        steps: in what numbers each is cut, by its name.
        costs: what counts cost.
        sums: for each group the importance of its least important units together, ``[units + 1]``.
        allowed: multiply-accumulates that may be left.
    """

    groups: list[Group]
    steps: Mapping[Name, Steps]
    costs: Costs
    sums: list[Doubles]
    allowed: float

    def reduced(self, counts: Doubles, spared: int | None = None) -> Doubles:
        """Take steps, the one that costs least for what it saves first, until few enough are left.

        Args:
            counts: where to start.
            spared: a group that gives nothing.
        """
        while self.costs.macs(counts) > self.allowed:
            trials, losses = [], []
            for number, fewer in self._one_step(counts, up=False):
                if number != spared:
                    sums, size = self.sums[number], self.groups[number].size
                    trials.append(_with(counts, number, fewer))
                    losses.append(sums[size - fewer] - sums[size - int(counts[number])])
            if not trials:
                break
            saved = np.maximum(self.costs.time(counts) - self.costs.time(np.array(trials)), 1e-9)
            best = min(range(len(trials)), key=lambda one: (losses[one] / saved[one], -saved[one]))
            counts = trials[best]
        return counts

    def closest(self, counts: Doubles) -> Doubles:
        """Give back what was taken too much: a step of one group, or that for steps of others."""
        while (room := self.allowed - self.costs.macs(counts)) > 0:
            trials = [counts]
            for number, more in self._one_step(counts, up=True):
                larger = _with(counts, number, more)
                trials.append(larger)
                if room > CLOSE * self.allowed:
                    fewer = self._one_step(larger, up=False)
                    trials += [_with(larger, other, less) for other, less in fewer if other != number]
                    trials.append(self.reduced(larger, number))
            left = self.allowed - self.costs.macs(np.array(trials))
            best = int(np.argmin(np.where(left < 0, np.inf, left)))
            if best == 0:
                break
            counts = trials[best]
        return counts

    def _one_step(self, counts: Doubles, *, up: bool) -> Iterator[tuple[int, int]]:
        """Each group that can have a step more, or fewer, and the number that it has then."""
        for number, group in enumerate(self.groups):
            rule, now = self.steps[group.name], int(counts[number])
            if up and now < group.size:
                yield number, min(group.size, (now // rule.step + 1) * rule.step)
            elif not up and (fewer := (now - 1) // rule.step * rule.step) >= rule.least:
                yield number, fewer


def _with(counts: Doubles, number: int, count: int) -> Doubles:
    changed = counts.copy()
    changed[number] = count
    return changed
