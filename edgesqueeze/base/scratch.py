"""Temporary files that do not outlive their process, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from edgesqueeze.base.signals import held_back

PREFIX = "edgesqueeze-run-"
MAKING, MAKING_SECONDS = "edgesqueeze-new-", 60
"""A folder before it is locked, and the age at which it was abandoned."""


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path | None]:
    """Keep everything temporary of this process and of the programs it starts in one folder, and remove it.

    The folder is locked. One whose process was killed is not any more, and the next process removes it. Where
    no folder can be made or locked, temporary files lie where they always do, and None comes back.
    """
    try:
        parent = Path(tempfile.gettempdir())
        _remove_abandoned(parent)
        folder, lock = _make(parent)
    except OSError:
        yield None
        return
    before = tempfile.tempdir, os.environ.get("TMPDIR")
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    try:
        yield folder
    finally:
        try:
            with held_back():
                _end(folder, before)
        except BaseException:
            # Ctrl-C came before anything was held back.
            _end(folder, before)
            raise
        finally:
            os.close(lock)


def _end(folder: Path, before: tuple[str | None, str | None]) -> None:
    """Let temporary files lie where they did before, and remove the folder."""
    tempfile.tempdir = before[0]
    if before[1] is None:
        os.environ.pop("TMPDIR", None)
    else:
        os.environ["TMPDIR"] = before[1]
    shutil.rmtree(folder, ignore_errors=True)


def _make(parent: Path) -> tuple[Path, int]:
    """A locked folder; it gets its name when it is locked, so that nobody takes it for an abandoned one."""
    made = Path(tempfile.mkdtemp(prefix=MAKING, dir=parent))
    try:
        lock = os.open(made, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return made.rename(parent / made.name.replace(MAKING, PREFIX)), lock
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def _remove_abandoned(parent: Path) -> None:
    for folder in (*parent.glob(f"{PREFIX}*"), *parent.glob(f"{MAKING}*")):
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                status = os.fstat(descriptor)
                young = folder.name.startswith(MAKING) and time.time() - status.st_mtime < MAKING_SECONDS
                if status.st_uid == os.geteuid() and not young:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)
