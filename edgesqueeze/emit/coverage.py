"""How many bytes some pieces of memory cover together, while pieces come and go."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable


class Coverage:
    """Bytes that are covered once or more, kept in a tree over the places where pieces begin and end.

    Args:
        edges: every place where a piece that will be added begins or ends.
    """

    def __init__(self, edges: Iterable[int]) -> None:
        self._edges = sorted(set(edges))
        leaves = max(len(self._edges) - 1, 1)
        self._counts = [0] * (4 * leaves)
        self._bytes = [0] * (4 * leaves)

    @property
    def bytes(self) -> int:
        """Bytes that are covered now."""
        return self._bytes[1]

    def add(self, start: int, stop: int) -> None:
        """Cover a piece once more."""
        self._change(start, stop, 1)

    def remove(self, start: int, stop: int) -> None:
        """Cover a piece that was added once less."""
        self._change(start, stop, -1)

    def _change(self, start: int, stop: int, by: int) -> None:
        low, high = bisect_left(self._edges, start), bisect_left(self._edges, stop)
        if low < high:
            self._visit(1, 0, len(self._edges) - 1, low, high, by)

    def _visit(self, node: int, begin: int, end: int, low: int, high: int, by: int) -> None:
        """Change the part of a piece that lies between two edges, of which ``node`` is the tree."""
        if low <= begin and end <= high:
            self._counts[node] += by
        else:
            middle = (begin + end) // 2
            if low < middle:
                self._visit(2 * node, begin, middle, low, high, by)
            if high > middle:
                self._visit(2 * node + 1, middle, end, low, high, by)
        if self._counts[node]:
            self._bytes[node] = self._edges[end] - self._edges[begin]
        else:
            self._bytes[node] = 0 if end - begin == 1 else self._bytes[2 * node] + self._bytes[2 * node + 1]
