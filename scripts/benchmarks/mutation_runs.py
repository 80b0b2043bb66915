"""Run a module's own tests against its mutants, in copies of the tree that nobody else uses."""

from __future__ import annotations

import os
import queue
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Literal, NamedTuple

from mutants import Mutant

PYTEST = ("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0")
COPIED = ("edgesqueeze", "targets", "runtime_tests", "scripts", "pyproject.toml", "README.md")
"""What tests of a module may read."""

PATIENCE, LEAST_SECONDS = 5.0, 20.0
"""A mutant may take so many times as long as the module itself, and at least so many seconds."""
MOST_BYTES = 8 << 30
"""Memory that a mutant may ask for: one that never ends may never stop asking."""

Fate = Literal["killed", "timeout", "survived"]


class Verdict(NamedTuple):
    """What became of a mutant.

    Attributes:
        mutant: which one.
        fate: ``killed``: a test failed; ``timeout``: the tests did not end; ``survived``: all tests passed.
    """

    mutant: Mutant
    fate: Fate


class WeakTestsError(Exception):
    """Tests that cannot judge mutants, since they do not pass, or are not there, without any."""


class Copy:
    """A private copy of a tree, with one module of it to be changed. Made by ``copies``."""

    def __init__(self, root: Path, module: str) -> None:
        self._root = root
        self._file = root / f"{module}.py"
        self._tests = f"{module}_test.py"
        self._source = self._file.read_bytes()

    def seconds(self) -> float:
        """Wall time of the tests without a fault, in seconds.

        Raises:
            WeakTestsError: they fail, or there are none.
        """
        if not (self._root / self._tests).is_file():
            raise WeakTestsError(f"expected tests in {self._tests}, got no such file")
        begin = time.monotonic()
        done = subprocess.run(self._command(), cwd=self._root, env=self._environment(), capture_output=True)
        if done.returncode:
            tail = done.stdout.decode(errors="replace")[-2000:]
            raise WeakTestsError(f"{self._tests} fails without a mutation:\n{tail}")
        return time.monotonic() - begin

    def judge(self, mutant: Mutant, seconds: float) -> Verdict:
        """Whether the tests notice a mutant within so many seconds of wall time."""
        self._forget()
        self._file.write_bytes(mutant.applied_to(self._source))
        try:
            return Verdict(mutant, self._fate(seconds))
        finally:
            self._file.write_bytes(self._source)
            self._forget()

    def _forget(self) -> None:
        """Leave nothing behind that the next mutant could meet."""
        # A mutant may be as long and as old as the one before: its byte code would pass for that of the next.
        for path in (self._file.parent / "__pycache__").glob(f"{self._file.stem}.*"):
            path.unlink()
        # What hypothesis found out about one mutant must not help against another.
        shutil.rmtree(self._root / ".hypothesis", ignore_errors=True)

    def _fate(self, seconds: float) -> Fate:
        process = subprocess.Popen(
            self._command(),
            cwd=self._root,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        resource.prlimit(process.pid, resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
        try:
            return "killed" if process.wait(seconds) else "survived"
        except subprocess.TimeoutExpired:
            return "timeout"
        finally:
            # A test that was cut off leaves its own processes behind.
            _kill_group(process)

    def _command(self) -> list[str]:
        return [sys.executable, *PYTEST, self._tests]

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(self._root),
            # Nothing that a faulty module makes may get into the user's cache.
            "XDG_CACHE_HOME": str(self._root / ".cache"),
        }


def judge_all(root: Path, module: str, mutants: Sequence[Mutant], workers: int) -> Iterator[Verdict]:
    """Judge mutants of a module, some at a time, each as soon as it and those before it are done.

    Args:
        root: the tree; nothing in it is written.
        module: a file below it, without ``.py``; its tests are beside it in ``<module>_test.py``.
        mutants: of that file.
        workers: how many to judge at a time, each in a copy of its own.

    Raises:
        WeakTestsError: the tests fail without a mutation, or there are none.
    """
    count = max(1, min(workers, len(mutants)))
    with copies(root, module, count) as free, ThreadPoolExecutor(count) as pool:
        first = free.get()
        limit = max(LEAST_SECONDS, PATIENCE * first.seconds())
        free.put(first)

        def judge(mutant: Mutant) -> Verdict:
            copy = free.get()
            try:
                return copy.judge(mutant, limit)
            finally:
                free.put(copy)

        yield from pool.map(judge, mutants)


@contextmanager
def copies(root: Path, module: str, count: int) -> Iterator[queue.Queue[Copy]]:
    """So many copies of a tree, in folders that are gone afterwards."""
    free: queue.Queue[Copy] = queue.Queue()
    with ExitStack() as stack:
        for _ in range(count):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="edgesqueeze-mutation-"))
            _copy_tree(root, Path(folder))
            free.put(Copy(Path(folder), module))
        yield free


def _copy_tree(root: Path, folder: Path) -> None:
    for name in COPIED:
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (root / name).exists():
            shutil.copy2(root / name, folder / name)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
