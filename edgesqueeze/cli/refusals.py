"""One exit status for a model that a runtime or a device does not take, whichever command finds it out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edgesqueeze.errors import FitError, UnsupportedModelError


@contextmanager
def refused_as_unfit() -> Iterator[None]:
    """What is not supported in here is a model that does not fit: exit status 1."""
    try:
        yield
    except UnsupportedModelError as error:
        raise FitError(error.problem, expected=error.expected, got=error.got, hint=error.hint) from error
