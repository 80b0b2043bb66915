"""Ctrl-C that ends a search in order: what runs is done first. A second one ends it at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass


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

    signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
