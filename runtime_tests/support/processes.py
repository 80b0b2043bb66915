"""Processes that a test has to find again, or to end."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MARK = "EDGESQUEEZE_TEST_DEVICE"
"""The environment variable that tells the device's processes from all others."""


class Process(NamedTuple):
    """A process of the device.

    Attributes:
        pid: its number, here and on the device.
        command: its words, as one line.
    """

    pid: int
    command: str


def processes_with(mark: str) -> Iterator[Process]:
    """Every process that has a marked environment, and what such processes started."""
    wanted = f"{MARK}={mark}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        # It may end, or be another user's.
        with contextlib.suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if words:
                    yield Process(int(folder.name), words.strip())


def kill_tree(pid: int) -> None:
    """SIGKILL to a process and to everything below it."""
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        kill(pid)
        for child in children:
            kill_tree(int(child))


def kill(pid: int) -> None:
    """SIGKILL, unless it has ended already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
