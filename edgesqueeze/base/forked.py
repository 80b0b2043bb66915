"""Children of this process that start as its copy, with all that it has imported."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import sys
import warnings
from collections.abc import Callable, Collection
from typing import NoReturn, TextIO

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Forked:
    """A child that answers requests over two pipes, as a ``subprocess.Popen`` with text pipes does.

    Attributes:
        pid: the process.
        stdin: what the child reads.
        stdout: what the child writes.
    """

    def __init__(self, serve: Callable[[TextIO, TextIO], None]) -> None:
        """Start the child.

        Args:
            serve: its whole life: reads requests from its first argument until that ends, and answers to its
                second. What it prints or raises goes nowhere.
        """
        requests, stdin = os.pipe()
        stdout, answers = os.pipe()
        self.pid = fork()
        if self.pid == 0:
            _serve(serve, requests, answers)
        os.close(requests)
        os.close(answers)
        self.stdin: TextIO = os.fdopen(stdin, "w", encoding="utf-8")
        self.stdout: TextIO = os.fdopen(stdout, encoding="utf-8")
        self._status: int | None = None

    def poll(self) -> int | None:
        """How the child ended, negative for a signal; None while it lives."""
        return self._reap(os.WNOHANG)

    def wait(self) -> int:
        """Wait until the child has ended, and say how."""
        status = self._reap(0)
        assert status is not None
        return status

    def kill(self) -> None:
        """End the child, if it still lives."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the child, and forget it."""
        self.kill()
        self.wait()
        for pipe in (self.stdin, self.stdout):
            with contextlib.suppress(OSError):  # what was not read yet
                pipe.close()

    def _reap(self, options: int) -> int | None:
        if self._status is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except ChildProcessError:  # the program reaps all its children itself
                self._status = 0
            else:
                self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status


def fork() -> int:
    """Fork this process, with nothing left to be written twice; returns as ``os.fork`` does.

    The child dies of signals that the parent handles: a handler that raised in it would send it back into
    what its parent was doing.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        # Threads of linear algebra libraries wait for work; they survive a fork.
        warnings.simplefilter("ignore", DeprecationWarning)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            child = os.fork()
            if child == 0:
                for number in SIGNALS:
                    if callable(signal.getsignal(number)):
                        signal.signal(number, signal.SIG_DFL)
            return child
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_parent(keep: Collection[int]) -> None:
    """In the child: forget the parent's objects, and close what it has open.

    Args:
        keep: descriptors that stay open; 0, 1 and 2 lead nowhere.
    """
    warnings.simplefilter("ignore")
    gc.freeze()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    last = 2
    for descriptor in sorted(keep):
        os.closerange(last + 1, descriptor)
        last = descriptor
    os.closerange(last + 1, _most_descriptors())


def _serve(serve: Callable[[TextIO, TextIO], None], requests: int, answers: int) -> NoReturn:
    """The child's whole life."""
    try:
        leave_parent({requests, answers})
        with (
            os.fdopen(requests, encoding="utf-8") as read,
            os.fdopen(answers, "w", encoding="utf-8") as write,
        ):
            serve(read, write)
    except BaseException:
        os._exit(1)
    os._exit(0)


def _most_descriptors() -> int:
    with contextlib.suppress(OSError):
        return max(map(int, os.listdir("/proc/self/fd"))) + 1  # noqa: PTH208
    return min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1 << 16)
