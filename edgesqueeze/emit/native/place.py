"""Offsets for buffers that must not be in each other's way while they are in use."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from edgesqueeze.emit.timeline import Piece, Timeline, lowest_gap

WORK = 1_000_000
"""Comparisons of two buffers that the search may take; about a second."""
MOST_ATTEMPTS = 400
EXACT = -1
"""Distance that stands for: at the same address only."""

Zone = tuple[int, int, int]
"""Offsets between which a buffer must not start, both excluded, and one among them where it may; -1: none."""


@dataclass(frozen=True)
class Buffer:
    """A piece of memory and when it is in use.

    Attributes:
        size: its length in bytes.
        first: the layer that writes it first; -1: the caller does.
        last: the last layer that reads it; the number of layers: the caller does.
        alignment: what its offset is a multiple of, in bytes.
    """

    size: int
    first: int
    last: int
    alignment: int


Buffers = Mapping[int, Buffer]
Overlaps = Mapping[tuple[int, int], int]
"""(input, output) -> bytes that the input must lie behind the output's start, or ``EXACT``; the life of the
input ends when that of the output begins."""


def best_offsets(buffers: Buffers, overlaps: Overlaps) -> dict[int, int]:
    """Offsets with the smallest peak that was found."""
    order = sorted(buffers, key=lambda index: (-buffers[index].size, buffers[index].first))
    pairs = pairs_in_use(buffers) + 1
    if pairs > WORK:
        return place_many(order, buffers, overlaps)
    together = together_in_use(buffers)
    return _search(order, buffers, overlaps, together, min(MOST_ATTEMPTS, WORK // pairs))


def peak_of(buffers: Buffers, offsets: Mapping[int, int]) -> int:
    """Bytes from the start of the memory to the end of the last buffer."""
    return max((offsets[index] + buffers[index].size for index in offsets), default=0)


def pairs_in_use(buffers: Buffers) -> int:
    """How many others are in use at the same time as each buffer, summed up over all buffers."""
    starts = sorted(buffer.first for buffer in buffers.values())
    ends = sorted(buffer.last for buffer in buffers.values())
    return sum(
        bisect_right(starts, buffer.last) - bisect_left(ends, buffer.first) - 1 for buffer in buffers.values()
    )


def together_in_use(buffers: Buffers) -> dict[int, list[int]]:
    """Buffer -> those that are in use at the same time."""
    found: dict[int, list[int]] = {index: [] for index in buffers}
    alive: list[int] = []
    for index in sorted(buffers, key=lambda index: buffers[index].first):
        alive = [other for other in alive if buffers[other].last >= buffers[index].first]
        for other in alive:
            found[other].append(index)
            found[index].append(other)
        alive.append(index)
    return found


def place_few(
    order: Sequence[int], buffers: Buffers, overlaps: Overlaps, together: Mapping[int, Sequence[int]]
) -> dict[int, int]:
    """Every buffer, in this order, at the lowest place that is free for all of its life.

    The work grows with the number of buffers that are in use together.

    Args:
        order: all buffers.
        buffers: their sizes and lives.
        overlaps: which buffers may share memory.
        together: what ``together_in_use`` gives.
    """
    related = _related(overlaps)
    offsets: dict[int, int] = {}
    for index in order:
        special = related.get(index, ())
        pieces = sorted(
            (offsets[other], offsets[other] + buffers[other].size)
            for other in together[index]
            if other in offsets and other not in special
        )
        zones = _zones(index, special, offsets, buffers, overlaps)
        offsets[index] = _lowest(buffers[index], pieces, zones)
    return offsets


def place_many(order: Sequence[int], buffers: Buffers, overlaps: Overlaps) -> dict[int, int]:
    """The same offsets, with work that hardly depends on how many buffers are in use together."""
    meetings = _meetings(buffers, overlaps)
    lives = _lives(buffers, overlaps)
    timeline = Timeline(1 + max((last for _, last in lives.values()), default=0))
    offsets: dict[int, int] = {}
    for index in order:
        zones = _zones(index, meetings.get(index, ()), offsets, buffers, overlaps)
        place = _lowest(buffers[index], timeline.in_use(*lives[index]), zones)
        timeline.use(*lives[index], place, place + buffers[index].size)
        offsets[index] = place
    return offsets


def lower_bound(buffers: Buffers, overlaps: Overlaps) -> int:
    """No plan can be smaller: what lives at each layer, an input under its output as far as allowed.

    Of several inputs that an output may overlap the best counts: they are as large as the output then, and
    only one finds room there.
    """
    saved: dict[int, int] = {}
    for (source, out), distance in overlaps.items():
        one, other = buffers[source], buffers[out]
        for time in range(max(one.first, other.first), min(one.last, other.last) + 1):
            spared = _saved(one.size, other.size, distance)
            saved[time] = max(saved.get(time, spared), spared)
    alive = bytes_alive(buffers)
    begins = {buffer.first for buffer in buffers.values()}
    return max((alive[time] - saved.get(time, 0) for time in begins), default=0)


def bytes_alive(buffers: Buffers) -> dict[int, int]:
    """Point of time -> the sizes of all buffers in use then, summed up."""
    begin = min((buffer.first for buffer in buffers.values()), default=0)
    end = max((buffer.last for buffer in buffers.values()), default=-1)
    changes = [0] * (end - begin + 2)
    for buffer in buffers.values():
        changes[buffer.first - begin] += buffer.size
        changes[buffer.last - begin + 1] -= buffer.size
    return dict(enumerate(list(accumulate(changes))[:-1], begin))


def _search(
    order: list[int],
    buffers: Buffers,
    overlaps: Overlaps,
    together: Mapping[int, Sequence[int]],
    attempts: int,
) -> dict[int, int]:
    """The best of several orders."""
    goal = lower_bound(buffers, overlaps)
    best = place_few(order, buffers, overlaps, together)
    best_peak = peak_of(buffers, best)
    generator = random.Random(0)
    current = order
    for attempt in range(attempts):
        if best_peak <= goal:
            break
        offsets = place_few(current, buffers, overlaps, together)
        peak = peak_of(buffers, offsets)
        if peak < best_peak:
            best, best_peak, order = offsets, peak, current
        # Place earlier what reaches the peak; from time to time, something at random.
        highest = [index for index in current if offsets[index] + buffers[index].size == peak]
        moved = highest[0] if attempt % 3 else generator.choice(current)
        where = generator.randrange(current.index(moved) + 1) if current.index(moved) else 0
        base = current if attempt % 8 else order
        current = [index for index in base if index != moved]
        current.insert(where, moved)
    return best


def _lives(buffers: Buffers, overlaps: Overlaps) -> dict[int, tuple[int, int]]:
    """First and last point of time of every buffer, where a layer is two points.

    Inputs that an output may overlap end with the first, and outputs begin with the second, so that nothing
    is known there of their meeting.
    """
    sources, outs = {source for source, _ in overlaps}, {out for _, out in overlaps}
    lives = {}
    for index, buffer in buffers.items():
        first, last = 2 * buffer.first + 2, 2 * buffer.last + 3
        short = first + (index in outs), last - (index in sources)
        lives[index] = short if short[0] <= short[1] else (first, last)
    return lives


def _meetings(buffers: Buffers, overlaps: Overlaps) -> dict[int, list[int]]:
    """Which inputs end when an output begins, both ways, of those that ``_lives`` keeps apart."""
    leaving: dict[int, list[int]] = {}
    for source in dict.fromkeys(source for source, _ in overlaps):
        leaving.setdefault(buffers[source].last, []).append(source)
    found: dict[int, list[int]] = {}
    for out in dict.fromkeys(out for _, out in overlaps):
        for source in leaving.get(buffers[out].first, ()):
            if source != out:
                found.setdefault(out, []).append(source)
                found.setdefault(source, []).append(out)
    return found


def _related(overlaps: Overlaps) -> dict[int, list[int]]:
    """Buffer -> those that it may overlap, or that may overlap it."""
    found: dict[int, list[int]] = {}
    for source, out in overlaps:
        found.setdefault(source, []).append(out)
        found.setdefault(out, []).append(source)
    return found


def _zones(
    index: int,
    others: Iterable[int],
    offsets: Mapping[int, int],
    buffers: Buffers,
    overlaps: Overlaps,
) -> list[Zone]:
    """Where a buffer must not start because of others that it stands in relation to."""
    return [
        _forbidden(index, other, offsets[other], buffers, overlaps) for other in others if other in offsets
    ]


def _forbidden(index: int, other: int, place: int, buffers: Buffers, overlaps: Overlaps) -> Zone:
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


def _lowest(buffer: Buffer, pieces: Sequence[Piece], zones: Sequence[Zone]) -> int:
    """The lowest offset that is outside of pieces of memory and zones."""
    place = lowest_gap(pieces, buffer.size, buffer.alignment)
    while True:
        blocked = [
            pin if pin > place else high for low, high, pin in zones if low < place < high and place != pin
        ]
        if not blocked:
            return place
        place = lowest_gap(pieces, buffer.size, buffer.alignment, start=max(blocked))


def _saved(source: int, out: int, distance: int) -> int:
    """Bytes that an input under an output spares; none if it must lie behind all of it."""
    return max(0, source + out - max(out, source + max(distance, 0)))
