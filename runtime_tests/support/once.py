"""What several processes of one test run need, made by the first of them while the others wait."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator

from edgesqueeze.base.user_folders import cache_folder


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """Hold a lock that one process of this user has at a time; it ends with the process.

    Args:
        name: what is made meanwhile; a file name.
    """
    folder = cache_folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
