"""Sizes that are multiples of something."""

from __future__ import annotations


def round_up(size: int, multiple: int) -> int:
    """The next multiple, or the size itself."""
    return -(-size // multiple) * multiple
