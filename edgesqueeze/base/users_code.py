"""The user's own code: what it raises is an error of theirs, told with the place, and no fault in here."""

from __future__ import annotations

import contextlib
import importlib
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgesqueeze.errors import EdgeSqueezeError, UsageError

PACKAGE = Path(__file__).parent.parent


@contextlib.contextmanager
def users_code(name: str, expected: str, kind: type[UsageError] = UsageError) -> Iterator[None]:
    """Run the user's own code.

    Args:
        name: what to call it in a message: ``MODULE:CALLABLE``.
        expected: what it should do.
        kind: the error to raise.

    Raises:
        EdgeSqueezeError: what it raises of these stays as it is.
        UsageError: of the given kind, for all else that it raises.
    """
    try:
        yield
    except EdgeSqueezeError:
        raise
    except Exception as error:  # whatever it is
        raise kind(
            f"{name} failed: {said_of(error)}",
            expected=expected,
            got=_place(error),
            hint="try it alone first, in Python",
        ) from error


def import_named(
    name: str, expected: str, kind: type[UsageError] = UsageError, *, got: str = "", hint: str = ""
) -> Any:
    """What ``MODULE:NAME`` names, from the current folder as well, as ``python -m`` finds it.

    Args:
        name: the name.
        expected: what it should be.
        kind: the error to raise.
        got: for the message of a name that is not there.
        hint: for the same.

    Raises:
        UsageError: of the given kind: there is no such name, or its module fails when it is imported.
    """
    module, _, attribute = name.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise kind(f"cannot import {name}: {error}", expected=expected, got=got, hint=hint) from error
    except Exception as error:  # whatever the module does when it is imported
        raise kind(
            f"cannot import {name}: {said_of(error)}",
            expected=expected,
            hint="try `import` of the module alone first, in Python",
        ) from error


def said_of(error: BaseException) -> str:
    """An exception in one line: its type, and the first line of what it says."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:300]}" if text else type(error).__name__


def _place(error: Exception) -> str:
    """The innermost line of the user's own that the exception went through; empty where there is none."""
    paths = sysconfig.get_paths()
    others = (PACKAGE, *(Path(paths[name]) for name in ("stdlib", "purelib", "platlib")))
    theirs = [
        f"{frame.filename}, line {frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<")
        and not any(Path(frame.filename).is_relative_to(one) for one in others)
    ]
    return f"an exception in {theirs[-1]}" if theirs else ""
