"""The record of a piece of an arena: what lies where, and when."""

from __future__ import annotations

from typing import NamedTuple

SCRATCH = "scratch memory"
"""What a kernel needs only while it runs."""


class Place(NamedTuple):
    """A tensor, or scratch memory, in an arena.

    Attributes:
        name: label of the tensor, or ``SCRATCH``.
        offset: first byte, from the start of the arena.
        size: length in bytes.
        first: the first layer during which it holds something; -1: the caller writes it before.
        last: the last layer during which it holds something; the number of layers: the caller reads it after.
    """

    name: str
    offset: int
    size: int
    first: int
    last: int

    @property
    def end(self) -> int:
        """The first byte behind it, from the start of the arena."""
        return self.offset + self.size
