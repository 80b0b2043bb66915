"""What a caller hands to a public function: paths as text or ``Path``; errors for the wrong kind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

from edgesqueeze.errors import UsageError

T = TypeVar("T")


def path_of(given: str | os.PathLike[str], what: str, hint: str = "") -> Path:
    """The path that was given as text or as a path.

    Args:
        given: text, or any path object.
        what: what may be given, for the message: ``the path of a recipe``.
        hint: what to do instead, for the message.

    Raises:
        UsageError: it is something else, or text that cannot be a path.
    """
    if not isinstance(given, str | os.PathLike):
        raise wrong_kind(given, what, hint)
    text = os.fspath(given)
    if not isinstance(text, str) or not text or "\0" in text:
        raise UsageError("that cannot be a path", expected=what, got=repr(text), hint=hint)
    return Path(text)


def expect(given: object, kind: type[T], what: str, hint: str = "") -> T:
    """The same object, known to be of that kind.

    Args:
        given: what a caller gave.
        kind: what it must be an instance of.
        what: the same in words, for the message.
        hint: what to do instead, for the message.

    Raises:
        UsageError: it is of another kind.
    """
    if not isinstance(given, kind):
        raise wrong_kind(given, what, hint)
    return given


def wrong_kind(given: object, what: str, hint: str = "") -> UsageError:
    """The error for an argument of the wrong kind; it shows the start of what was given."""
    shown = repr(given)
    return UsageError(
        "an argument is of the wrong kind",
        expected=what,
        got=f"{type(given).__name__}: {shown if len(shown) <= 80 else shown[:77] + '...'}",
        hint=hint,
    )
