import os
import signal
import sys
import threading
import time

import pytest

from edgesqueeze.base.signals import (
    AGAIN_SECONDS,
    ENDING,
    NOTHING_LEFT,
    Stopped,
    ending_in_order,
    held_back,
    left_by,
    raise_if_asked_to_end,
    say_left,
)


@pytest.fixture(autouse=True)
def _as_in_a_terminal():
    """Signals as a terminal's programs have them: what a script starts in the background ignores Ctrl-C."""
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_is_an_exception_and_a_second_one_does_not_disturb(number):
    closed = []
    with pytest.raises(Stopped) as caught, ending_in_order():
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            closed.append(True)
    assert caught.value.signal == number
    assert closed
    assert signal.getsignal(number) is signal.SIG_DFL


def test_what_is_ignored_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending_in_order():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_other_threads_are_left_alone():
    seen = []

    def work():
        with ending_in_order():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_wait_for_a_block_to_end(number):
    done = []
    with pytest.raises((Stopped, KeyboardInterrupt)), ending_in_order(), held_back():
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        done.append(True)
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_is_ignored_stays_ignored_in_a_block():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with held_back():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_a_block_in_another_thread_holds_nothing_back():
    def work():
        with held_back():
            seen.append(signal.getsignal(signal.SIGINT))

    seen = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


@pytest.mark.parametrize("number", [*ENDING, signal.SIGINT])
def test_what_others_make_of_the_exception_does_not_matter(number):
    with pytest.raises((Stopped, KeyboardInterrupt)) as caught, ending_in_order():
        try:
            os.kill(os.getpid(), number)
        except BaseException:
            raise SystemError("initialization failed without raising an exception") from None
    assert isinstance(caught.value, KeyboardInterrupt) == (number == signal.SIGINT)
    assert str(caught.value.__cause__).startswith("initialization failed")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_is_left_behind_is_told_whatever_the_exception_became():
    with pytest.raises(KeyboardInterrupt) as caught, ending_in_order():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except BaseException:
            error = SystemError("initialization failed without raising an exception")
            say_left(error, "it can go on")
            raise error from None
    assert left_by(caught.value) == "it can go on"
    other = ValueError("own")
    say_left(other, "it can go on")
    assert left_by(other) == NOTHING_LEFT


def test_other_exceptions_are_left_as_they_are():
    with pytest.raises(ValueError, match="own"), ending_in_order():
        raise ValueError("own")


@pytest.mark.parametrize("number", [*ENDING, signal.SIGINT])
def test_a_signal_in_a_destructor_is_not_lost(number):
    class Doomed:
        def __del__(self):
            os.kill(os.getpid(), number)

    hook = sys.unraisablehook
    with pytest.raises((Stopped, KeyboardInterrupt)) as caught, ending_in_order():
        Doomed()
        until = time.monotonic() + 300
        while time.monotonic() < until:
            time.sleep(0.01)
    assert isinstance(caught.value, KeyboardInterrupt) == (number == signal.SIGINT)
    assert sys.unraisablehook is hook


def test_a_signal_that_comes_while_one_is_noted_is_not_lost(monkeypatch):
    class Doomed:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGTERM)

    class Busy(threading.Thread):
        """On a busy machine the signal may come again before its thread's start is over."""

        def start(self):
            super().start()
            time.sleep(5 * AGAIN_SECONDS)

    monkeypatch.setattr(threading, "Thread", Busy)
    with pytest.raises(Stopped), ending_in_order():
        Doomed()
        until = time.monotonic() + 300
        while time.monotonic() < until:
            time.sleep(0.01)


def test_what_else_fails_in_a_destructor_is_shown_as_before(monkeypatch):
    class Doomed:
        def __del__(self):
            raise ValueError("own")

    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: seen.append(str(unraisable.exc_value)))
    with ending_in_order():
        Doomed()
    assert seen == ["own"]


@pytest.mark.parametrize("number", [*ENDING, signal.SIGINT])
def test_work_that_goes_on_after_errors_can_ask(number):
    asked = []
    with pytest.raises((Stopped, KeyboardInterrupt)), ending_in_order():
        try:
            signal.raise_signal(number)
        except (Stopped, KeyboardInterrupt):
            asked.append(number)
        raise_if_asked_to_end()
        asked.append("this goes on")
    assert asked == [number]
    raise_if_asked_to_end()
