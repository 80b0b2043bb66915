"""Rows of a long table that repeat: a network of many equal steps is shown by one of them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

LONGEST = 48
"""Rows of the longest block that is looked for."""
TIMES = 3
"""A block that occurs so often in a row, or more often, is shown once."""


class Block(NamedTuple):
    """Rows that are shown, and how often they follow each other.

    Attributes:
        first: position of the first row.
        length: number of rows that are shown.
        times: how often they occur, one after the other; 1 for rows that do not repeat.
    """

    first: int
    length: int
    times: int


def blocks_of(rows: Sequence[Hashable]) -> list[Block]:
    """Divide rows into blocks, so that as many as possible are repetitions.

    Args:
        rows: what tells equal rows, one entry a row, in order.

    Returns:
        The blocks in order; together they are all rows.
    """
    found: list[Block] = []
    place = 0
    while place < len(rows):
        block = _longest(rows, place)
        found.append(block)
        place += block.length * block.times
    return found


def _longest(rows: Sequence[Hashable], first: int) -> Block:
    """The block at a place that covers most rows; of several the shortest."""
    best = Block(first, 1, 1)
    for length in range(1, min(LONGEST, (len(rows) - first) // TIMES) + 1):
        times = _times(rows, first, length)
        if times >= TIMES and length * times > best.length * best.times:
            best = Block(first, length, times)
    return best


def _times(rows: Sequence[Hashable], first: int, length: int) -> int:
    """How often a block occurs from a place on, one after the other."""
    end = first + length
    while end < len(rows) and rows[end] == rows[end - length]:
        end += 1
    return (end - first) // length
