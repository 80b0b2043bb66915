"""Did you mean: the nearest valid name for a wrong one."""

from __future__ import annotations

from collections.abc import Iterable


def nearest_name(wrong: str, valid: Iterable[str]) -> str:
    """The valid name that looks most like the wrong one, or empty if none does."""
    import difflib

    # A typo is rarely longer than this; difflib takes quadratic time.
    close = difflib.get_close_matches(wrong[:80].lower(), list(valid), n=1, cutoff=0.5)
    return close[0] if close else ""


def nearest(wrong: str, valid: Iterable[str]) -> str:
    """``; did you mean 'x'?`` to put behind a message, or empty."""
    name = nearest_name(wrong, valid)
    return f"; did you mean {name!r}?" if name else ""
