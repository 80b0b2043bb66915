"""Signals that ask a process to end."""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import NoReturn

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
    if isinstance(error, (Stopped, KeyboardInterrupt)):
        error.left = words  # type: ignore[union-attr]


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

    def stop(number: int, _: object) -> NoReturn:
        _came.append(number)
        for one in set(ours) - {signal.SIGINT}:
            signal.signal(one, signal.SIG_IGN)
        raise _exception(number)

    for number in ours:
        signal.signal(number, stop)
    try:
        with _not_dropped(stop):
            yield
    except (Stopped, KeyboardInterrupt):
        raise
    except BaseException as error:
        if _came:
            raise _exception(_came[0]) from error
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


@contextlib.contextmanager
def _not_dropped(stop: Callable[[int, object], NoReturn]) -> Iterator[None]:
    """Where Python can only drop a signal's exception, the signal comes once more a moment later."""
    before = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        dropped = unraisable.exc_value
        if not isinstance(dropped, (Stopped, KeyboardInterrupt)):
            before(unraisable)
            return
        number = dropped.signal if isinstance(dropped, Stopped) else signal.SIGINT
        signal.signal(number, stop)
        # Not from here: the hook's own exceptions are dropped as well.
        again = threading.Timer(AGAIN_SECONDS, _thread.interrupt_main, (number,))
        again.daemon = True
        again.start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
