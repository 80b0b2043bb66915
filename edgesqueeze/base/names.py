"""Names of classes, one a line, as label files have them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgesqueeze.base.files import read_file
from edgesqueeze.base.given import wrong_kind
from edgesqueeze.errors import DataError

MOST_BYTES = 16 << 20
KIND = "names of classes: a text file with one a line, or a list of them"


def read_names(given: str | Path | Sequence[str]) -> tuple[str, ...]:
    """Names of classes, in the order of the model's output.

    Args:
        given: the path of a text file in UTF-8 with one name a line, or the names.

    Raises:
        UsageError: neither of both.
        DataError: the file cannot be read, or a name is empty or has control characters.
    """
    if isinstance(given, str | Path):
        names = _lines(Path(given))
    elif isinstance(given, Sequence) and all(isinstance(name, str) for name in given):
        names = tuple(given)
    else:
        raise wrong_kind(given, KIND)
    for number, name in enumerate(names, start=1):
        if not name.strip() or not name.isprintable():
            raise DataError(
                f"name {number} of the labels cannot be a name",
                expected=KIND,
                got=repr(name),
                hint="give each class a name in a line of its own, without empty lines",
            )
    if not names:
        raise DataError("there are no labels", expected=KIND, hint="leave them out, or name each class")
    return names


def _lines(path: Path) -> tuple[str, ...]:
    try:
        text = read_file(path, MOST_BYTES).decode("utf-8-sig")
    except OSError as error:
        problem = error.strerror or str(error)
    except UnicodeDecodeError as error:
        problem = f"it is not UTF-8 ({error.reason} at byte {error.start})"
    else:
        return tuple(line.strip() for line in text.rstrip("\r\n").splitlines())
    raise DataError(
        f"cannot read the labels in {path}: {problem}", expected=KIND, hint="check the path"
    ) from None
