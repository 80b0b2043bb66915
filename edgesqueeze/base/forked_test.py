import os
import signal
import time

import pytest

from edgesqueeze.base.forked import Forked


@pytest.fixture
def forked():
    """Start children that end with the test."""
    children = []

    def start(serve):
        children.append(Forked(serve))
        return children[-1]

    yield start
    for child in children:
        child.close()


def _echo(requests, answers):
    for line in requests:
        print(line.strip().upper(), file=answers, flush=True)


def _ask(child, text):
    print(text, file=child.stdin, flush=True)
    return child.stdout.readline().strip()


def test_a_child_answers_until_its_requests_end(forked):
    child = forked(_echo)
    assert [_ask(child, text) for text in ("one", "größe")] == ["ONE", "GRÖSSE"]
    assert child.poll() is None
    child.stdin.close()
    assert child.wait() == 0
    assert child.poll() == 0


def test_a_child_that_fails_or_is_killed_says_how_it_ended(forked):
    failed = forked(lambda requests, answers: 1 // 0)
    assert failed.stdout.readline() == ""
    assert failed.wait() == 1
    killed = forked(_echo)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    killed.kill()  # nobody is hit, whoever has that number now


def test_a_child_dies_of_what_its_parent_handles_and_ignores_what_its_parent_ignores(forked):
    """A handler that raises in a child would send it back into what its parent was doing."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        child = forked(_echo)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    os.kill(child.pid, signal.SIGHUP)
    assert _ask(child, "there") == "THERE"
    os.kill(child.pid, signal.SIGINT)
    assert child.wait() == -signal.SIGINT


def test_a_child_has_nothing_open_that_is_not_its_own(forked, tmp_path):
    """Locks and pipes of the parent would live as long as the child."""
    with (tmp_path / "file").open("w") as file:

        def look(requests, answers):
            try:
                os.fstat(file.fileno())
                print("open", file=answers, flush=True)
            except OSError:
                print("closed", file=answers, flush=True)
            _echo(requests, answers)

        assert forked(look).stdout.readline() == "closed\n"


def test_signals_reach_the_parent_after_a_fork_as_before(forked):
    came = []
    before = signal.signal(signal.SIGHUP, lambda number, frame: came.append(number))
    try:
        forked(_echo)
        os.kill(os.getpid(), signal.SIGHUP)
        until = time.monotonic() + 60
        while not came and time.monotonic() < until:
            time.sleep(0.01)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert came == [signal.SIGHUP]
