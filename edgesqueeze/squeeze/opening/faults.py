"""Errors about model files, in one voice."""

from __future__ import annotations

from edgesqueeze.base.plain import plain
from edgesqueeze.errors import ModelFileError

EXPECTED = "a .keras or .h5 file of Keras 3 or tf_keras, or a SavedModel folder"


def damaged(name: str, error: BaseException | str) -> ModelFileError:
    """The error for a file that cannot be read."""
    words = error if isinstance(error, str) else first_line(error)
    return ModelFileError(
        f"'{name}' is cut off or damaged: {words}",
        expected=EXPECTED,
        hint="copy or save the file again",
    )


def first_line(error: BaseException) -> str:
    """What an exception says, in one line without control characters."""
    return plain((str(error).strip().splitlines() or [type(error).__name__])[0])[:500]
