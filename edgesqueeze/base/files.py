"""Read files that a person names, which may be anything: a device, a pipe, a file without end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO


def open_regular(path: Path) -> IO[bytes]:
    """Open a regular file for reading; a link to one is one.

    Raises:
        OSError: there is none, it is something else, or it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def size_of(file: IO[bytes]) -> int:
    """Bytes of an open regular file."""
    return os.fstat(file.fileno()).st_size


def read_file(path: Path, most_bytes: int) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: there is none, it is something else or larger, or it cannot be read.
    """
    with open_regular(path) as file:
        size = size_of(file)
        if size > most_bytes:
            raise OSError(errno.EFBIG, f"it has more than {most_bytes:,} bytes", str(path))
        return file.read(size)
