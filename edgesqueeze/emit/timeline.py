"""Which memory is in use when: what finds the lowest free place for a buffer among thousands.

A tree over time. Every node stands for a stretch of time, and knows which memory is in use throughout it and
which at some time in it. A life is made of few stretches, and pieces of memory that touch are one: few pieces
need be looked at, however many buffers there are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from edgesqueeze.emit.rounding import round_up

Piece = tuple[int, int]
"""Where memory begins and ends, in bytes; the end is the first byte behind it."""


class Pieces:
    """Memory as pieces in order, which neither overlap nor touch."""

    __slots__ = ("_starts", "_stops")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []

    def __iter__(self) -> Iterator[Piece]:
        return zip(self._starts, self._stops, strict=True)

    def add(self, start: int, stop: int) -> None:
        """Join a piece to what is there."""
        low, high = bisect_left(self._stops, start), bisect_right(self._starts, stop)
        if low < high:
            start, stop = min(start, self._starts[low]), max(stop, self._stops[high - 1])
        self._starts[low:high] = [start]
        self._stops[low:high] = [stop]


class Timeline:
    """Memory in use over time.

    Args:
        times: how many points of time there are; the first is 0.
    """

    def __init__(self, times: int) -> None:
        self._times = max(times, 1)
        self._throughout: dict[int, Pieces] = {}
        self._sometime: dict[int, Pieces] = {}

    def use(self, first: int, last: int, start: int, stop: int) -> None:
        """Take the memory from ``start`` to ``stop`` from one point of time to another, both included."""
        for node, whole in self._nodes(first, last):
            self._sometime.setdefault(node, Pieces()).add(start, stop)
            if whole:
                self._throughout.setdefault(node, Pieces()).add(start, stop)

    def in_use(self, first: int, last: int) -> list[Piece]:
        """The memory that is in use at some time in a life, in order; pieces may overlap."""
        found: list[Piece] = []
        for node, whole in self._nodes(first, last):
            found += (self._sometime if whole else self._throughout).get(node, ())
        found.sort()
        return found

    def _nodes(self, first: int, last: int) -> Iterator[tuple[int, bool]]:
        """The nodes whose stretches a life is made of (True), and those above them (False)."""
        waiting = [(1, 0, self._times - 1)]
        while waiting:
            node, begin, end = waiting.pop()
            whole = first <= begin and end <= last
            yield node, whole
            if not whole:
                middle = (begin + end) // 2
                if first <= middle:
                    waiting.append((2 * node, begin, middle))
                if last > middle:
                    waiting.append((2 * node + 1, middle + 1, end))


def lowest_gap(pieces: Iterable[Piece], size: int, alignment: int = 1, start: int = 0) -> int:
    """The lowest place with so many free bytes.

    Args:
        pieces: memory in use, in order of where it begins; pieces may overlap.
        size: bytes that are needed.
        alignment: what the place must be a multiple of.
        start: where to begin to look.
    """
    place = round_up(start, alignment)
    for begin, end in pieces:
        if begin - place >= size:
            break
        if end > place:
            place = round_up(end, alignment)
    return place
