"""Offsets for buffers that must not be in each other's way while they are in use."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from edgesqueeze.emit.native.numerics import round_up

WORK = 1_000_000
"""Comparisons of two buffers that the search may take; about a second."""
MOST_ATTEMPTS = 400
EXACT = -1
"""Distance that stands for: at the same address only."""


@dataclass(frozen=True)
class Buffer:
    """A piece of memory and when it is in use.

    Attributes:
        size: bytes.
        first: the layer that writes it first; -1: the caller does.
        last: the last layer that reads it; the number of layers: the caller does.
        alignment: bytes.
    """

    size: int
    first: int
    last: int
    alignment: int


def best_offsets(buffers: dict[int, Buffer], overlaps: dict[tuple[int, int], int]) -> dict[int, int]:
    """Offsets with the smallest peak that was found."""
    order = sorted(buffers, key=lambda index: (-buffers[index].size, buffers[index].first))
    goal = _lower_bound(buffers, overlaps)
    together = together_in_use(buffers)
    best = _place(order, buffers, overlaps, together)
    generator = random.Random(0)
    current = order
    pairs = sum(map(len, together.values())) + 1
    for attempt in range(min(MOST_ATTEMPTS, WORK // pairs)):
        if peak_of(buffers, best) <= goal:
            break
        offsets = _place(current, buffers, overlaps, together)
        peak = peak_of(buffers, offsets)
        if peak < peak_of(buffers, best):
            best, order = offsets, current
        # Place earlier what reaches the peak; from time to time, something at random.
        highest = [index for index in current if offsets[index] + buffers[index].size == peak]
        moved = highest[0] if attempt % 3 else generator.choice(current)
        where = generator.randrange(current.index(moved) + 1) if current.index(moved) else 0
        base = current if attempt % 8 else order
        current = [index for index in base if index != moved]
        current.insert(where, moved)
    return best


def peak_of(buffers: dict[int, Buffer], offsets: dict[int, int]) -> int:
    """Bytes from the start of the memory to the end of the last buffer."""
    return max((offsets[index] + buffers[index].size for index in offsets), default=0)


def together_in_use(buffers: dict[int, Buffer]) -> dict[int, list[int]]:
    """Buffer -> those that are in use at the same time."""
    return {
        index: [
            other
            for other, life in buffers.items()
            if other != index and life.first <= buffer.last and buffer.first <= life.last
        ]
        for index, buffer in buffers.items()
    }


def _place(
    order: Sequence[int],
    buffers: dict[int, Buffer],
    overlaps: dict[tuple[int, int], int],
    together: dict[int, list[int]],
) -> dict[int, int]:
    """Every buffer, in this order, at the lowest place that is free for all of its life."""
    offsets: dict[int, int] = {}
    for index in order:
        buffer = buffers[index]
        taken = [
            _forbidden(index, other, offsets[other], buffers, overlaps)
            for other in together[index]
            if other in offsets
        ]
        exact = [pin for _, _, pin in taken if pin >= 0]
        above = (round_up(zone[1], buffer.alignment) for zone in taken)
        below = (zone[0] // buffer.alignment * buffer.alignment for zone in taken if zone[0] > 0)
        candidates = sorted({0, *above, *below, *exact})
        offsets[index] = next(
            place
            for place in candidates
            if all(place <= low or place >= high or place == pin for low, high, pin in taken)
        )
    return offsets


def _forbidden(
    index: int, other: int, place: int, buffers: dict[int, Buffer], overlaps: dict[tuple[int, int], int]
) -> tuple[int, int, int]:
    """Offsets between which ``index`` must not start, because of ``other`` at ``place``; and an exception."""
    size, other_size = buffers[index].size, buffers[other].size
    low, high, pin = place - size, place + other_size, -1
    as_input, as_output = overlaps.get((index, other)), overlaps.get((other, index))
    if EXACT in (as_input, as_output):
        pin = place
    elif as_input is not None:
        high = min(high, place + as_input)
    elif as_output is not None:
        low = max(low, place - as_output)
    return low, high, pin


def _lower_bound(buffers: dict[int, Buffer], overlaps: dict[tuple[int, int], int]) -> int:
    """No plan can be smaller: what lives at each layer, its input under its output as far as allowed."""
    bound = 0
    for time in {buffer.first for buffer in buffers.values()}:
        alive = [index for index, buffer in buffers.items() if buffer.first <= time <= buffer.last]
        total = sum(buffers[index].size for index in alive)
        saved = max(
            (
                _saved(buffers[source].size, buffers[out].size, distance)
                for (source, out), distance in overlaps.items()
                if source in alive and out in alive
            ),
            default=0,
        )
        bound = max(bound, total - saved)
    return bound


def _saved(source: int, out: int, distance: int) -> int:
    """Bytes that an input under an output spares."""
    return source + out - max(out, source + max(distance, 0))
