"""Signals that ask a process to end."""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

ENDING = (signal.SIGTERM, signal.SIGHUP)
AGAIN_SECONDS = 0.01
NOTHING_LEFT = "no file was changed"


_came: list[int] = []
"""Signals that came since ``ending_in_order`` began."""


class Stopped(BaseException):
    """A signal asks the process to end.

    Attributes:
        signal: which one.
    """

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)
        super().__init__(self.signal.name)


def say_left(error: BaseException, words: str) -> None:
    """Note with the exception of a signal what the work leaves behind; any other exception stays as it is."""
    # Of what an extension module made of it, ``ending_in_order`` makes one again.
    if _came or isinstance(error, (Stopped, KeyboardInterrupt)):
        error.left = words  # type: ignore[attr-defined]


def left_by(error: BaseException) -> str:
    """What work that a signal ended has left behind: nothing, unless something was noted."""
    return str(getattr(error, "left", NOTHING_LEFT))


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Ctrl-C and what asks to end wait until the block is left: for a few renames that belong together."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *ENDING)}
    ours = {number: handler for number, handler in before.items() if callable(handler)}
    for number in ours:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


@contextlib.contextmanager
def ending_in_order() -> Iterator[None]:
    """SIGTERM and SIGHUP raise ``Stopped`` in the main thread, so that what is open is closed first.

    A signal that is ignored or handled already stays so; a second one while the first is under way is
    ignored. What the signal's exception becomes on its way does not matter: extension modules make others of
    it when it comes while they start, and Python drops it where it comes in a destructor or a callback. The
    block is left with the signal's own all the same. That of Ctrl-C is ``KeyboardInterrupt``.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    defaults = {**dict.fromkeys(ENDING, signal.SIG_DFL), signal.SIGINT: signal.default_int_handler}
    ours = {number: default for number, default in defaults.items() if signal.getsignal(number) is default}
    _came.clear()
    dropped = _Dropped()

    def stop(number: int, _: object) -> None:
        if dropped.is_noted:
            # Raised here it would be lost: it comes again.
            return
        dropped.number = None
        _came.append(number)
        for one in set(ours) - {signal.SIGINT}:
            signal.signal(one, signal.SIG_IGN)
        raise _exception(number)

    for number in ours:
        signal.signal(number, stop)
    try:
        with _not_dropped(dropped, stop):
            yield
    except (Stopped, KeyboardInterrupt):
        raise
    except BaseException as error:
        if _came:
            own = _exception(_came[0])
            say_left(own, left_by(error))
            raise own from error
        raise
    finally:
        _came.clear()
        for number, default in ours.items():
            signal.signal(number, default)


def raise_if_asked_to_end() -> None:
    """Raise a signal's exception once more, for work that goes on after errors.

    On its way through an extension module it may have become an error like others; see ``ending_in_order``.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
        Stopped: another signal came.
    """
    if _came:
        raise _exception(_came[0])


def _exception(number: int) -> BaseException:
    return KeyboardInterrupt() if number == signal.SIGINT else Stopped(number)


@dataclass
class _Dropped:
    """A signal whose exception Python could only drop.

    Attributes:
        number: which one; None where there is none, or it was raised since.
        is_noted: whether this is being noted, where another exception would be dropped as well.
    """

    number: signal.Signals | None = None
    is_noted: bool = False


@contextlib.contextmanager
def _not_dropped(dropped: _Dropped, stop: Callable[[int, object], None]) -> Iterator[None]:
    """Where Python can only drop a signal's exception, the signal comes until it is raised elsewhere."""
    before = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        lost = unraisable.exc_value
        if not isinstance(lost, (Stopped, KeyboardInterrupt)):
            before(unraisable)
            return
        dropped.is_noted = True
        try:
            dropped.number = lost.signal if isinstance(lost, Stopped) else signal.SIGINT
            signal.signal(dropped.number, stop)
            threading.Thread(target=_send_again, args=(dropped,), daemon=True).start()
        finally:
            dropped.is_noted = False

    sys.unraisablehook = hook
    try:
        yield
    finally:
        dropped.number = None
        sys.unraisablehook = before


def _send_again(dropped: _Dropped) -> None:
    """Send a signal to the main thread until its exception is raised."""
    time.sleep(AGAIN_SECONDS)
    while (number := dropped.number) is not None:
        _thread.interrupt_main(number)
        time.sleep(AGAIN_SECONDS)
