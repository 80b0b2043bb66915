"""Read files that a person names, which may be anything: a device, a pipe, a file without end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO

MOST_DOCUMENT_BYTES = 64 << 20
"""Of a JSON document that a command wrote: the largest are those of searches over thousands of trials."""


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


def read_stream(path: Path, most_bytes: int) -> bytes:
    """The content of a file of any kind, as of a pipe that another command fills.

    Raises:
        OSError: there is none, it has more than so many bytes or no end, or it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"it has more than {most_bytes:,} bytes", str(path))
    return content
