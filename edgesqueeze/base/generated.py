"""Folders of generated files, in which the user may keep files too.

The folder holds a list of what was generated, with hashes, as ``sha256sum --check`` reads it. Only a file
that is still what the list says is ever replaced or removed; one that was changed is the user's.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgesqueeze.base.publish import digest, finish, inside
from edgesqueeze.errors import OutputError

LIST = "edgesqueeze.sha256"
MAX_LIST_BYTES = 1 << 20
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


@dataclass(frozen=True)
class Update:
    """How a folder becomes what was generated.

    Attributes:
        files: name in the folder -> content, the list among them.
        remove: names of generated files that go -> their SHA-256.
    """

    files: Mapping[str, str]
    remove: Mapping[str, str]


def update_of(folder: Path, files: Mapping[str, str], removable: Callable[[str], bool]) -> Update:
    """What to write and to remove in a folder.

    Args:
        folder: need not exist.
        files: name in the folder -> text.
        removable: whether an earlier file of this name goes when it is not among ``files``.

    Raises:
        OutputError: a file of one of these names was not generated, or was changed since.
    """
    now = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    earlier = _replaceable(folder, now)
    gone = {name: sha256 for name, sha256 in earlier.items() if name not in now and removable(name)}
    kept = {name: sha256 for name, sha256 in earlier.items() if name not in gone}
    return Update({**files, LIST: _text_of({**kept, **now})}, gone)


def write_list(stage: Path, folder: Path, names: Iterable[str]) -> None:
    """Write the list of generated files into the stage from which they go to a folder.

    Args:
        stage: has the files.
        folder: where they go; need not exist. What was generated there before stays on its list.
        names: names of the files in both.

    Raises:
        OutputError: a file of one of these names was not generated, or was changed since.
    """
    now = {name: digest(stage, name) for name in names}
    earlier = _replaceable(folder, now)
    (stage / LIST).write_text(_text_of({**earlier, **now}), encoding="utf-8")


def generated(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Which of these files of a folder were generated and not changed since -> their SHA-256."""
    earlier = _earlier(folder)
    return {name: earlier[name] for name in names if name in earlier}


def listed(folder: Path) -> tuple[str, ...]:
    """Names of the files that were generated in a folder, also of those that were changed since."""
    return tuple(_listed(folder))


def check_replaceable(folder: Path, names: Iterable[str]) -> None:
    """Refuse a folder in which a file of one of these names is the user's own.

    Raises:
        OutputError: a file of one of these names was not generated, or was changed since.
    """
    _replaceable(folder, dict.fromkeys(names, ""))


def _earlier(folder: Path) -> dict[str, str]:
    """The generated files that are still what the list says."""
    return {name: sha256 for name, sha256 in _listed(folder).items() if digest(folder, name) == sha256}


def _replaceable(folder: Path, now: Mapping[str, str]) -> dict[str, str]:
    """The generated files that are still what the list says, if files of these names may be replaced.

    Args:
        folder: need not exist.
        now: name -> SHA-256 of what is to be written, which is no harm where it is already; empty: not known.

    Raises:
        OutputError: a file of one of these names was not generated, or was changed since.
    """
    # Of what a killed process left half done, neither half is what the list says.
    finish(folder)
    earlier = _earlier(folder)
    theirs = [
        name
        for name, sha256 in now.items()
        if name not in earlier and os.path.lexists(folder / name) and digest(folder, name) != sha256
    ]
    if os.path.lexists(folder / LIST) and not _listed(folder):
        theirs.append(LIST)
    if theirs:
        raise OutputError(
            f"{folder} has files that EdgeSqueeze did not write, or that were changed since",
            expected="a new folder, or one that EdgeSqueeze wrote",
            got=", ".join(theirs),
            hint="choose another --out, or move these files away",
        )
    return earlier


def _text_of(listed: Mapping[str, str]) -> str:
    return "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(listed.items()))


def _listed(folder: Path) -> dict[str, str]:
    """What the folder's list says; nothing if there is none, or it is not one of ours."""
    try:
        if (folder / LIST).is_symlink():
            return {}
        with (folder / LIST).open("rb") as file:
            lines = file.read(MAX_LIST_BYTES).decode().splitlines()
        found = [_LINE.fullmatch(line) for line in lines]
        return {str(inside(match[2])): match[1] for match in found if match} if all(found) else {}
    except (OSError, ValueError, OutputError):
        return {}
