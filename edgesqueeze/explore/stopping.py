"""Ctrl-C that ends a search in order: what runs is done first. A second one ends it at once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass

SAID = b"\nending after what runs; Ctrl-C once more ends at once\n"
STDERR = 2


@dataclass
class Stop:
    """Whether someone asked to end.

    Attributes:
        asked: whether Ctrl-C was pressed.
    """

    asked: bool = False


@contextlib.contextmanager
def gentle_stop() -> Iterator[Stop]:
    """Let the first Ctrl-C only ask to stop; outside of the main thread nothing is changed."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.getsignal(signal.SIGINT)
    if not callable(before):
        # Ignored, as in a background job, or handled outside of Python.
        yield stop
        return

    def ask(number: int, frame: object) -> None:
        stop.asked = True
        signal.signal(signal.SIGINT, before)
        # Not by ``sys.stderr``: the signal may have come while something writes there.
        with contextlib.suppress(OSError):
            os.write(STDERR, SAID)

    signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
