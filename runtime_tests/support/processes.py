"""Processes that a test has to find again, or to end."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
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
    """SIGKILL, unless it has ended already; on a busy machine it takes a moment to end, even so."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_until_dead(pids: Iterable[int], seconds: float = 300.0) -> None:
    """Wait for processes that got SIGKILL; one that nobody has asked for its exit status yet is dead.

    Raises:
        TimeoutError: one of them still runs.
    """
    until = time.monotonic() + seconds
    left = [pid for pid in pids if _runs(pid)]
    while left:
        if time.monotonic() > until:
            raise TimeoutError(f"processes {left} still run {seconds:g} s after SIGKILL")
        time.sleep(0.005)
        left = [pid for pid in left if _runs(pid)]


def _runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    # The state follows the command's name, which may hold anything.
    return status.rpartition(")")[2].split()[0] not in "ZX"
