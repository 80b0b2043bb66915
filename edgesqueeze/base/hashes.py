"""SHA-256 of files and of folders, in hexadecimal digits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from edgesqueeze.base.files import open_regular

BLOCK = 1 << 20


def sha256_of_file(file: IO[bytes]) -> str:
    """Of everything in an open file."""
    file.seek(0)
    total = hashlib.sha256()
    while block := file.read(BLOCK):
        total.update(block)
    return total.hexdigest()


def sha256_of_files(folder: Path, files: Iterable[Path]) -> str:
    """Of the names and contents of files in a folder, in the order in which they are given.

    Raises:
        OSError: one of them cannot be read.
    """
    total = hashlib.sha256()
    for path in files:
        total.update(path.relative_to(folder).as_posix().encode() + b"\0")
        with open_regular(path) as file:
            while block := file.read(BLOCK):
                total.update(block)
    return total.hexdigest()


def sha256_of(path: Path) -> str:
    """Of a file, or of the names and contents of a folder's files in sorted order.

    Raises:
        OSError: there is nothing of that name, or it cannot be read.
    """
    if path.is_dir():
        return sha256_of_files(path, sorted(one for one in path.rglob("*") if one.is_file()))
    with open_regular(path) as file:
        return sha256_of_file(file)
