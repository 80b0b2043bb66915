"""Which layers run by turns: those chains with which the arena becomes small, and no others."""

from __future__ import annotations

from dataclasses import replace

from edgesqueeze.emit.native.lower.graph import Lowered
from edgesqueeze.emit.native.place import needs
from edgesqueeze.emit.native.plan import buffers_of, plan
from edgesqueeze.emit.native.rows.stages import Chain, Stage, chains_of

LONGEST = 8
"""Layers in a chain at most: each has a copy of its parameters on the stack."""

MOST_ROWS = 8
"""Rows that a turn makes at most: with more, the calls are not much of the time any more."""

Needs = dict[tuple[int, int], int]
"""First and last layer -> bytes that are in use while these run by turns, or while a single layer runs."""


def with_rows(lowered: Lowered, kernel_set: str) -> Lowered:
    """The layers, some of them in chains, with the smallest arena that was found.

    The least memory that any choice of chains needs, from layer to layer, is found first; then the fewest
    layers in chains that need no more; then as many rows a turn as fit into that. Without a gain the layers
    stay as they are.
    """
    found = _needs(lowered, kernel_set)
    least = _least(len(lowered.layers), found)
    chains = _chains(lowered, found, least)
    chosen = replace(lowered, chains=tuple(chains))
    if not chains or plan(chosen, kernel_set).arena_bytes >= plan(lowered, kernel_set).arena_bytes:
        return lowered
    return _with_more_rows(chosen, kernel_set)


def _needs(lowered: Lowered, kernel_set: str) -> Needs:
    """What every layer, and every possible chain, needs."""
    alone = needs(*buffers_of(lowered, kernel_set))
    found = {(layer.index, layer.index): alone.get(layer.index, 0) for layer in lowered.layers}
    for chain in _candidates(lowered):
        one = needs(*buffers_of(replace(lowered, chains=(chain,)), kernel_set))
        found[chain.layers[0], chain.layers[-1]] = one.get(chain.first, 0)
    return found


def _candidates(lowered: Lowered) -> list[Chain]:
    return [
        Chain(run[begin:end])
        for run in runs_of(lowered)
        for begin in range(len(run))
        for end in range(begin + 2, min(begin + LONGEST, len(run)) + 1)
    ]


def runs_of(lowered: Lowered) -> list[tuple[Stage, ...]]:
    """The longest chains that there can be; every part of one can be a chain."""
    graph = lowered.graph
    parts = {tensor for one in lowered.placements for tensor in (one.tensor, one.whole)}
    states = {state.tensor for state in lowered.states}
    apart = frozenset({*graph.inputs, *graph.outputs, *parts, *states})
    return chains_of(lowered.layers, graph, apart, lowered.entry | lowered.exit)


def _least(count: int, found: Needs) -> int:
    """The smallest peak with which all layers can run, in chains or alone."""
    peaks = [0] + [-1] * count
    for end in range(1, count + 1):
        options = [
            max(peaks[begin], found[begin, end - 1])
            for begin in range(max(0, end - LONGEST), end)
            if (begin, end - 1) in found
        ]
        peaks[end] = min(options)
    return peaks[count]


def _chains(lowered: Lowered, found: Needs, peak: int) -> list[Chain]:
    """The chains with the fewest layers that keep to a peak."""
    count = len(lowered.layers)
    chained, begins = [0], [0]  # up to each layer: how many are in chains, and where the last piece begins
    for end in range(1, count + 1):
        options = [
            (chained[begin] + (end - begin if end - begin > 1 else 0), begin)
            for begin in range(max(0, end - LONGEST), end)
            if found.get((begin, end - 1), peak + 1) <= peak
        ]
        fewest, begin = min(options, default=(count + 1, end - 1))
        chained.append(fewest)
        begins.append(begin)
    pieces, end = [], count
    while end:
        pieces.append((begins[end], end - 1))
        end = begins[end]
    known = {(one.layers[0], one.layers[-1]): one for one in _candidates(lowered)}
    return [known[piece] for piece in reversed(pieces) if piece in known]


def _with_more_rows(lowered: Lowered, kernel_set: str) -> Lowered:
    """The same with more rows a turn, as far as the arena stays as it is."""
    arena = plan(lowered, kernel_set).arena_bytes
    for position, chain in enumerate(lowered.chains):
        rows = 2 * chain.rows
        while rows <= MOST_ROWS:
            chains = list(lowered.chains)
            chains[position] = replace(chain, rows=rows)
            changed = replace(lowered, chains=tuple(chains))
            if plan(changed, kernel_set).arena_bytes > arena:
                break
            lowered, rows = changed, 2 * rows
    return lowered
