"""Errors about model files, in one voice."""

from __future__ import annotations

from edgesqueeze.base.plain import plain
from edgesqueeze.errors import ModelFileError

DAMAGED = "it is cut off or damaged"
"""What an archive says of itself."""
EXPECTED = "a .keras or .h5 file of Keras 3 or tf_keras, or a SavedModel folder"


def damaged(name: str, error: BaseException | str) -> ModelFileError:
    """The error for a file that cannot be read."""
    words = error if isinstance(error, str) else first_line(error)
    told = words.startswith(DAMAGED)
    return ModelFileError(
        f"'{name}' {words.removeprefix('it ') if told else f'{DAMAGED[3:]}: {words}'}",
        expected=EXPECTED,
        hint="copy or save the file again",
    )


def first_line(error: BaseException) -> str:
    """What an exception says, in one line without control characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # A line that announces the next one says nothing without it.
    count = 2 if lines[1:] and lines[0].endswith(":") else 1
    return plain(" ".join(lines[:count]) or type(error).__name__)[:500]
