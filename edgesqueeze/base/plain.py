"""Text out of files that others made, fit for a terminal and for XML."""

from __future__ import annotations


def plain(text: str) -> str:
    """The text in one line, with spaces in place of control characters."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " for char in text)
