"""Run a function in a process that can do no harm, and get its result back."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from edgesqueeze.base.forked import fork, leave_parent
from edgesqueeze.base.sandbox import kernel, landlock, seccomp

MOST_RESULT_BYTES = 1 << 20
OPEN_FILES = 256
STARTING_SECONDS = 300.0
"""What a process may wait for processors, beyond the time that it computes."""


@dataclass(frozen=True)
class Bounds:
    """What a process may use.

    Attributes:
        memory_bytes: private memory, beyond what it has when the work begins.
        cpu_seconds: time on processors, all threads together.
        file_bytes: size of a file that it writes.
    """

    memory_bytes: int
    cpu_seconds: float
    file_bytes: int


@dataclass(frozen=True)
class Outcome:
    """How the work in a process ended.

    Attributes:
        result: what the function gave; None if it did not end in order.
        signal: what ended the process; 0 if it ended by itself.
        cpu_seconds: time on processors.
        peak_rss_bytes: the most memory that it had at once, with what it shares.
    """

    result: Any
    signal: int
    cpu_seconds: float
    peak_rss_bytes: int


def in_force() -> tuple[str, ...]:
    """What confines a process on this system: resource limits, and Landlock and seccomp where they are."""
    version = landlock.abi()
    return (
        "resource limits",
        *([f"Landlock {version}"] if version else []),
        *(["seccomp"] if seccomp.available() else []),
    )


def run_confined(
    work: Callable[[], Any],
    *,
    bounds: Bounds,
    readable: Iterable[Path],
    keep: Collection[int] = (),
    prepare: Callable[[], None] = lambda: None,
) -> Outcome:
    """Run a function in a child of this process.

    The child can read some files, and write to open descriptors; it is ended when it writes elsewhere, starts
    a program, uses the network or exceeds the bounds, as far as the system can see to that.

    Args:
        work: gives something that can be JSON.
        bounds: what it may use.
        readable: files and folders.
        keep: descriptors that stay open.
        prepare: is run when files are guarded and the rest is not yet: for libraries that look around.
    """
    outer, inner = os.pipe()
    child = fork()
    if child == 0:
        os.close(outer)
        _live(work, bounds, readable, {*keep, inner}, prepare, inner)
    os.close(inner)
    try:
        said = _listen(outer, bounds.cpu_seconds + STARTING_SECONDS)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    finally:
        os.close(outer)
    if said is None:
        os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    return Outcome(
        result=_parsed(said),
        signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_rss_bytes=usage.ru_maxrss * 1024,
    )


def _parsed(said: bytes | None) -> Any:
    """What the child said; None where it said nothing, or nothing that can be read."""
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(said or b"")
    return None


def _listen(descriptor: int, seconds: float) -> bytes | None:
    """What the child writes until it closes its end; None if it takes too long or says too much."""
    until, said = time.monotonic() + seconds, b""
    while len(said) <= MOST_RESULT_BYTES:
        left = until - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            return None
        block = os.read(descriptor, 1 << 16)
        if not block:
            return said
        said += block
    return None


def _live(
    work: Callable[[], Any],
    bounds: Bounds,
    readable: Iterable[Path],
    keep: Collection[int],
    prepare: Callable[[], None],
    answer: int,
) -> NoReturn:
    """The child's whole life."""
    try:
        _yield_first()
        leave_parent(keep)
        landlock.restrict(readable)
        prepare()
        _limit(bounds)
        seccomp.restrict()
        content = json.dumps(work()).encode()
        while content:
            content = content[os.write(answer, content) :]
    except BaseException:
        os._exit(1)
    os._exit(0)


def _yield_first() -> None:
    """End with the parent, before it when memory runs out, and leave no compiled modules behind."""
    with contextlib.suppress(OSError):
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    sys.dont_write_bytecode = True
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800")


def _limit(bounds: Bounds) -> None:
    used = _private_bytes()
    seconds = max(1, round(bounds.cpu_seconds + _cpu_seconds()))
    for what, limit in (
        (resource.RLIMIT_DATA, used + bounds.memory_bytes),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, bounds.file_bytes),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        value = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(what, (value, value))


def _private_bytes() -> int:
    """Private writable memory of this process, as RLIMIT_DATA counts it."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
