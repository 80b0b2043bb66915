"""Tasks in several processes on this computer. One that dies is replaced, and its task is done again."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgesqueeze.errors import EdgeSqueezeError, UnsupportedModelError, UsageError
from edgesqueeze.explore.tasks import Answer, Facts, Order, Task

ATTEMPTS = 3
"""How often a task is begun before it counts as the reason why its process dies."""
END_SECONDS = 5.0


@dataclass
class _Worker:
    process: Any
    connection: Any
    key: int | None = None
    task: Task | None = None
    attempts: int = 0


class Processes:
    """Several processes, each with the model opened for itself.

    Attributes:
        size: their number.
        facts: what the first of them found when it opened the model.

    Args:
        order: what to work on; the model and the data by their paths or names.
        size: number of processes.

    Raises:
        EdgeSqueezeError: see ``workshop.Workshop``.
        UsageError: the order holds what cannot be given to another process.
    """

    def __init__(self, order: Order, size: int) -> None:
        check_travels(order)
        self.size = size
        self._order = order
        self._context = multiprocessing.get_context("spawn")
        self._workers = [self._new() for _ in range(size)]
        facts: Facts | None = None
        try:
            while facts is None:
                _, found = self._received()
                facts = found if isinstance(found, Facts) else None
        except BaseException:
            self.close()
            raise
        self.facts = facts

    def start(self, key: int, task: Task) -> None:
        """Give a task to a process that has none."""
        worker = next(one for one in self._workers if one.task is None)
        worker.key, worker.task, worker.attempts = key, task, 0
        self._send(worker)

    def wait(self) -> Sequence[tuple[int, Answer]]:
        """The next task that is done."""
        while True:
            worker, found = self._received()
            if isinstance(found, Answer):
                key = worker.key
                worker.key = worker.task = None
                assert key is not None
                return [(key, found)]

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.connection.close()
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(END_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()

    def _new(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=work, args=(theirs, self._order), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _send(self, worker: _Worker) -> None:
        worker.attempts += 1
        # A process that died meanwhile is noticed when its answer is waited for.
        with contextlib.suppress(OSError):
            worker.connection.send(worker.task)

    def _received(self) -> tuple[_Worker, Any]:
        """The next message, and who it is from; an answer with an error where a process dies of its task."""
        while True:
            ready = multiprocessing.connection.wait([one.connection for one in self._workers])
            place = next(i for i, one in enumerate(self._workers) if one.connection is ready[0])
            worker = self._workers[place]
            try:
                found = worker.connection.recv()
            except (EOFError, OSError):
                worker = self._replaced(place)
                if worker.attempts >= ATTEMPTS:
                    return worker, Answer(error=_died())
                if worker.task is not None:
                    self._send(worker)
                continue
            if isinstance(found, EdgeSqueezeError):
                raise found
            return worker, found

    def _replaced(self, place: int) -> _Worker:
        """A new process with the task of one that died."""
        old = self._workers[place]
        old.connection.close()
        old.process.join(END_SECONDS)
        new = self._new()
        new.key, new.task, new.attempts = old.key, old.task, old.attempts
        if old.task is None:
            new.attempts = old.attempts + 1
            if new.attempts >= ATTEMPTS:
                raise UnsupportedModelError(
                    "the processes of the search die when they open the model",
                    expected=f"one of {ATTEMPTS} that lives",
                    got=f"exit status {old.process.exitcode}",
                    hint="look at the memory that is left, and try --workers 1",
                )
        self._workers[place] = new
        return new


def work(connection: Any, order: Order) -> None:
    """What a process of the crew does: open the model, then one task after the other."""
    # Ctrl-C goes to all processes of a terminal; the driver says when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # As many threads as ``compress`` has: sums in another order would be other bytes.
    from edgesqueeze.explore.workshop import Workshop

    try:
        shop = Workshop(order)
    except EdgeSqueezeError as error:
        connection.send(error)
        return
    # A driver that is gone ends it.
    with contextlib.suppress(EOFError, OSError):
        connection.send(shop.facts)
        while True:
            connection.send(shop.do(connection.recv()))


def check_travels(order: Order) -> None:
    """Refuse an order that another process could not be given.

    Raises:
        UsageError: something in it exists in this process only.
    """
    for name, value in (("model", order.model), ("data", order.data)):
        if not isinstance(value, str | os.PathLike):
            raise _stays(name, f"the {name} by its path", type(value).__name__)
    try:
        pickle.dumps(order)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise _stays("metric and custom objects", "what is defined in a module", str(error)) from error


def _stays(name: str, expected: str, got: str) -> UsageError:
    return UsageError(
        f"the {name} cannot be given to another process",
        expected=expected,
        got=got,
        hint="save it to a file or a module, or search with one worker",
    )


def _died() -> UnsupportedModelError:
    return UnsupportedModelError(
        f"{ATTEMPTS} processes died of this recipe",
        expected="a process that lives",
        hint="look at the memory that is left, and try --workers 1",
    )
