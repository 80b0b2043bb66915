"""Factors for channels, such that what reads them loses least when both are rounded to integers.

A tensor has one scale for all of its channels, and a kernel one for all that an output channel reads. A
channel with small values among large ones is rounded coarsely, and so are the weights of one that needs
small weights. If a channel is divided by ``s``, and the weights that read it are multiplied by ``s``, the
function stays and the error moves from one to the other (Nagel et al., 2019, arXiv:1906.04721). Here as in
Xiao et al., 2023, arXiv:2211.10438, ``s = a ** e / w ** (1 - e)`` from the channel's largest value ``a`` and
the largest weight ``w`` that reads it, relative to the largest that the same output reads. Where each
channel's kernel has a scale of its own, as in a depthwise convolution, ``w`` is 1. The exponent ``e`` is the
one with the least expected error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tf_keras

from edgesqueeze.squeeze.channels.graph import ChannelGraph
from edgesqueeze.squeeze.channels.labels import FIXED, Ints
from edgesqueeze.squeeze.channels.scaling import rows_of
from edgesqueeze.squeeze.layers.kernels import DEPTHWISE, kernel_of

Doubles = npt.NDArray[np.float64]

EXPONENTS = (0.0, 0.25, 0.5, 0.75, 1.0)
SWEEPS = 2
"""How often all groups of channels are gone through: the factors of one change what is best for the next."""
MOST = 64.0
"""The largest factor, and the inverse of the least, beside their geometric mean."""
SMALLEST = 1e-12


class Widths(NamedTuple):
    """Integers that values are rounded to.

    Attributes:
        weights: the largest integer of a weight: 127, or 7 for four bits.
        activations: the steps of an activation: 255, or 65,535 for 16 bits.
        one_scale: whether all outputs of a dense layer share a scale.
    """

    weights: int
    activations: int
    one_scale: bool = False


class Range(NamedTuple):
    """What samples show of the channels of a tensor, ``[channels]`` each.

    Attributes:
        low: the least value.
        high: the greatest.
        square: the mean of the squares.
    """

    low: Doubles
    high: Doubles
    square: Doubles


@dataclass(frozen=True, eq=False)
class Reader:
    """A layer that reads channels.

    Attributes:
        rows: its kernel, ``[channels made, places of the window, channels read]``; depthwise: one read.
        reads: unit of each channel read, ``[channels]``.
        makes: unit of each channel made, ``[channels made]``.
        seen: what samples show of the channels read.
        apart: whether each channel read has weights with a scale of their own.
        one_scale: whether all rows share one scale.
        importance: what a squared error of each channel made does to what comes after, ``[channels made]``.
    """

    rows: Doubles
    reads: Ints
    makes: Ints
    seen: Range
    apart: bool
    one_scale: bool
    importance: Doubles

    def error(self, factors: Doubles, widths: Widths) -> float:
        """The expected square of the error of its outputs, by their importance.

        Args:
            factors: what each unit is divided by, ``[units]``.
            widths: the integers.
        """
        read, made = _of(factors, self.reads), _of(factors, self.makes)
        rows = self.rows * self._wide(read) / made[:, None, None]
        axes = None if self.one_scale else (1, 2)
        step = np.abs(rows).max(axis=axes, keepdims=True) / widths.weights
        step = np.where(step > 0, step, 1.0)
        off = (np.rint(rows / step) * step - rows) * made[:, None, None]
        weights = np.square(off) * self._wide(self.seen.square / np.square(read))
        width = (self.seen.high / read).max(initial=0) - (self.seen.low / read).min(initial=0)
        values = np.square(self.rows * self._wide(read)) * np.square(width / widths.activations) / 12
        return float(self.importance @ (weights + values).sum(axis=(1, 2)))

    def power(self) -> float:
        """The expected square of its outputs."""
        return max(float((np.square(self.rows) * self._wide(self.seen.square)).sum()), SMALLEST)

    def energy(self) -> Doubles:
        """The squares of the weights that read each channel, as a share of the outputs' square."""
        energies = np.square(self.rows).sum(axis=(1, 2) if self.apart else (0, 1)) / self.power()
        found: Doubles = energies.reshape(self.reads.size, -1).sum(axis=1)
        return found

    def largest(self) -> Doubles:
        """The largest weight that reads each channel, relative to the largest of its row, ``[channels]``."""
        if self.apart:
            return np.ones(self.reads.size)
        tops = np.abs(self.rows).max(axis=None if self.one_scale else (1, 2), keepdims=True)
        relative: Doubles = (np.abs(self.rows) / np.where(tops > 0, tops, 1)).max(axis=(0, 1))
        return relative

    def _wide(self, values: Doubles) -> Doubles:
        """Values of the channels read, as they lie in the rows."""
        return np.repeat(values, self.rows.shape[0] // values.size)[:, None, None] if self.apart else values


def _of(factors: Doubles, units: Ints) -> Doubles:
    return np.where(units == FIXED, 1.0, factors[units])


def readers_of(graph: ChannelGraph, seen: Mapping[str, Range], widths: Widths) -> dict[str, Reader]:
    """The layers of a graph that read channels, by name.

    Args:
        graph: channels by the rules of ``SCALING``.
        seen: what samples show of the input of each.
        widths: the integers.
    """
    found: dict[str, Reader] = {}
    after: Doubles = np.zeros(graph.count)
    for name, role in reversed(list(graph.roles.items())):
        if role.reads is None or role.makes is None:
            continue
        layer = role.layer
        one_scale = widths.one_scale and isinstance(layer, tf_keras.layers.Dense)
        apart = isinstance(layer, DEPTHWISE)
        rows = rows_of(layer, kernel_of(layer)).astype(np.float64)
        own = Reader(rows, role.reads, role.makes, seen[name], apart, one_scale, np.zeros(role.makes.size))
        importance = np.where(role.makes == FIXED, 1 / own.power(), after[role.makes])
        found[name] = replace(own, importance=importance)
        free = role.reads != FIXED
        np.add.at(after, role.reads[free], own.energy()[free])
    return dict(reversed(list(found.items())))


def best_factors(count: int, readers: Sequence[Reader], widths: Widths) -> Doubles:
    """What each channel is divided by, ``[count]``; 1 where nothing is to be won.

    Args:
        count: number of units.
        readers: the layers that read them.
        widths: the integers.
    """
    factors: Doubles = np.ones(count)
    groups = [(group, _touched(group, readers)) for group in _groups(count, readers)]
    for _ in range(SWEEPS):
        for group, touched in groups:
            least = sum(one.error(factors, widths) for one in touched)
            for tried in _candidates(group, touched, factors):
                error = sum(one.error(tried, widths) for one in touched)
                if error < least:
                    least, factors = error, tried
    return factors


def _touched(group: Ints, readers: Sequence[Reader]) -> list[Reader]:
    """Readers whose error depends on a group: those that read it, and dense ones with one scale."""
    return [
        one
        for one in readers
        if np.isin(one.reads, group).any() or (one.one_scale and np.isin(one.makes, group).any())
    ]


def _candidates(group: Ints, touched: Sequence[Reader], factors: Doubles) -> Iterator[Doubles]:
    """Factors for a group of channels, one for each exponent."""
    values: Doubles = np.zeros(factors.size)
    weights: Doubles = np.zeros(factors.size)
    for one in touched:
        free = np.isin(one.reads, group)
        reach = np.maximum(one.seen.high, -one.seen.low)
        np.maximum.at(values, one.reads[free], reach[free])
        np.maximum.at(weights, one.reads[free], one.largest()[free])
    values, weights = values[group], weights[group]
    silent, unread = values <= SMALLEST, weights <= SMALLEST
    known = ~(silent | unread)
    if not known.any():
        return
    for exponent in EXPONENTS:
        logarithms = exponent * np.log(values[known]) - (1 - exponent) * np.log(weights[known])
        found: Doubles = np.ones(group.size)
        found[known] = np.exp(logarithms - logarithms.mean())
        # A channel that is always 0 shall not have the largest weight, nor one that nobody reads the
        # largest value.
        found[silent & ~unread] = (found * weights)[known].min() / weights[silent & ~unread]
        found[unread & ~silent] = values[unread & ~silent] / (values / found)[known].min()
        tried = factors.copy()
        tried[group] = np.clip(found, 1 / MOST, MOST)
        yield tried


def _groups(count: int, readers: Sequence[Reader]) -> list[Ints]:
    """Units that lie in one tensor together, in the order of the graph."""
    parent = np.arange(count)

    def root(unit: int) -> int:
        while parent[unit] != unit:
            unit = int(parent[unit])
        return unit

    for one in readers:
        for units in (one.reads, one.makes):
            free = np.unique(units[units != FIXED])
            for unit in free[1:].tolist():
                parent[root(unit)] = root(int(free[0]))
    roots = np.array([root(unit) for unit in range(count)], np.int64)
    return [np.flatnonzero(roots == one) for one in dict.fromkeys(roots.tolist())]


def reduce_ranges(parts: Sequence[Sequence[Any]]) -> Range:
    """The ranges of several batches of several calls as one.

    Args:
        parts: for each the least and greatest value and the mean square of each channel.
    """
    low, high, square = (np.asarray(one, np.float64) for one in zip(*parts, strict=True))
    return Range(low.min(axis=0), high.max(axis=0), square.mean(axis=0))
