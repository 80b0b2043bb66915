"""Offsets for buffers that must not be in each other's way while they are in use."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, permutations

from edgesqueeze.emit.timeline import Piece, Timeline, lowest_gap

WORK = 1_000_000
"""Comparisons of two buffers that a search from one order may take; well below a second."""
MOST_ATTEMPTS = 400
MOST_IN_ALL_ORDERS = 5
"""Buffers of which all orders are tried."""
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


_ORDERS: tuple[Callable[[Buffer], tuple[int, ...]], ...] = (
    lambda one: (-one.size, one.first),
    lambda one: (-one.last, -one.size),
    lambda one: (-one.first, -one.size),
    lambda one: (one.first == one.last, -one.last, -one.size),
    lambda one: (one.first != one.last, -one.last, -one.size),
    lambda one: (one.first, -one.size),
)

Buffers = Mapping[int, Buffer]
Overlaps = Mapping[tuple[int, int], int]
"""(input, output) -> bytes that the input must lie behind the output's start, or ``EXACT``; the life of the
input ends when that of the output begins."""


def best_offsets(buffers: Buffers, overlaps: Overlaps) -> dict[int, int]:
    """Offsets with the smallest peak that was found; of a few buffers there is no smaller one."""
    orders = first_orders(buffers)
    pairs = pairs_in_use(buffers) + 1
    if pairs > WORK:
        return place_many(orders[0], buffers, overlaps)
    together = together_in_use(buffers)
    if len(buffers) <= MOST_IN_ALL_ORDERS:
        orders += map(list, permutations(buffers))
        return _search(orders, buffers, overlaps, together, 0)
    return _search(orders, buffers, overlaps, together, min(MOST_ATTEMPTS, WORK // pairs))


def first_orders(buffers: Buffers) -> list[list[int]]:
    """Orders of placing that are tried first: by size, and along time from either end.

    In a chain of layers with more and more channels an output must begin below its input. Only from the last
    layer to the first such a chain finds its place: outputs stand at the bottom, and inputs behind their
    starts.
    """
    found = []
    for key in _ORDERS:
        ranks = {index: key(buffer) for index, buffer in buffers.items()}
        found.append(sorted(buffers, key=ranks.__getitem__))
    return found


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
    return max(needs(buffers, overlaps).values(), default=0)


def needs(buffers: Buffers, overlaps: Overlaps) -> dict[int, int]:
    """Point of time at which a buffer's life begins -> bytes that no plan can do without then."""
    saved: dict[int, int] = {}
    for (source, out), distance in overlaps.items():
        one, other = buffers[source], buffers[out]
        for time in range(max(one.first, other.first), min(one.last, other.last) + 1):
            spared = _saved(one.size, other.size, distance)
            saved[time] = max(saved.get(time, spared), spared)
    alive = bytes_alive(buffers)
    begins = {buffer.first for buffer in buffers.values()}
    return {time: alive[time] - saved.get(time, 0) for time in begins}


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
    orders: Sequence[list[int]],
    buffers: Buffers,
    overlaps: Overlaps,
    together: Mapping[int, Sequence[int]],
    attempts: int,
) -> dict[int, int]:
    """The best of several orders, and of attempts to better the best two and the first of them."""
    goal = lower_bound(buffers, overlaps)
    tried = []
    for one in orders:
        tried.append(_Trial(one, place_few(one, buffers, overlaps, together), buffers))
        if tried[-1].peak <= goal:
            return tried[-1].offsets
    ranks = sorted(range(len(tried)), key=lambda number: tried[number].peak)
    best = tried[ranks[0]]
    for number in dict.fromkeys((*ranks[:2], 0)):
        current = least = tried[number]
        generator = random.Random(0)
        for attempt in range(attempts if number == 0 else attempts // 4):
            if best.peak <= goal:
                return best.offsets
            moved = _moved(attempt, current, least, buffers, generator)
            current = _Trial(moved, place_few(moved, buffers, overlaps, together), buffers)
            least = min(least, current, key=lambda one: one.peak)
            best = min(best, current, key=lambda one: one.peak)
    return best.offsets


class _Trial:
    """An order of placing, and what came of it."""

    def __init__(self, order: list[int], offsets: dict[int, int], buffers: Buffers) -> None:
        self.order = order
        self.offsets = offsets
        self.peak = peak_of(buffers, offsets)


def _moved(
    attempt: int, current: _Trial, best: _Trial, buffers: Buffers, generator: random.Random
) -> list[int]:
    """An order in which what reaches the peak is placed earlier; from time to time, something at random."""
    order, ends = current.order, current.offsets
    highest = [index for index in order if ends[index] + buffers[index].size == current.peak]
    moved = highest[0] if attempt % 3 else generator.choice(order)
    where = generator.randrange(order.index(moved) + 1) if order.index(moved) else 0
    base = order if attempt % 8 else best.order
    changed = [index for index in base if index != moved]
    changed.insert(where, moved)
    return changed


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
