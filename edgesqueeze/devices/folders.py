"""Temporary folders on this computer that do not outlive a process, however it ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "edgesqueeze-ssh-"
SHORT = 40
"""Longest parent of a folder for a socket, whose whole path may have about a hundred bytes."""


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A private folder with a short path.

    Its name has the process's number: a process that was killed leaves it, and the next one removes it.
    """
    choices = (tempfile.gettempdir(), "/tmp")
    parent = next((p for p in choices if len(p) < SHORT and os.access(p, os.W_OK)), choices[0])
    _remove_abandoned(Path(parent))
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-", dir=parent) as name:
        yield Path(name)


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*-*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            mine = folder.lstat().st_uid == os.getuid() and not folder.is_symlink()
            if mine and owner.isdigit() and not Path("/proc", owner).exists():
                shutil.rmtree(folder, ignore_errors=True)
