"""Work on a stranger's file in a process that can do no harm."""

from __future__ import annotations

import os
import signal
import sysconfig
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from edgesqueeze.base.plain import plain
from edgesqueeze.base.sandbox.confined import Bounds, Outcome, run_confined
from edgesqueeze.base.worker import as_told
from edgesqueeze.errors import EdgeSqueezeError, ModelFileError, UnsafeModelError
from edgesqueeze.squeeze.opening.archive import bytes_of, sift
from edgesqueeze.squeeze.opening.autograph import keep_sources_in_memory
from edgesqueeze.squeeze.opening.config import Rules
from edgesqueeze.squeeze.opening.faults import first_line
from edgesqueeze.squeeze.opening.rebuild import rehearse
from edgesqueeze.squeeze.opening.shelf import archive_of

LEAST_MEMORY, MEMORY_RATIO = 384 << 20, 128
"""Bytes beyond what TensorFlow takes, in any case and as a multiple of the file's size."""
CPU_SECONDS_PER_BYTE = 10 / (1 << 20)
LEAST_SECONDS, MOST_LEAST_SECONDS = 2.0, 20.0
STARTED_SECONDS = min(max(time.process_time(), LEAST_SECONDS), MOST_LEAST_SECONDS)
"""What starting TensorFlow took on this machine: the smallest model may take as long."""

SYSTEM = (
    *("/proc", "/sys", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/lib", "/lib64"),
    *("/etc/ld.so.cache", "/etc/localtime", "/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"),
)

Answer = dict[str, Any]


def sift_confined(path: str, target: str, custom: Iterable[str], unsafe: bool) -> Answer:
    """Run ``sift`` in a child of this process, which must not have used TensorFlow yet.

    Args:
        path: what a stranger made.
        target: an empty file, which is filled as a ``Shelf`` does.
        custom: names of the user's own classes and functions.
        unsafe: whether the file may run code.

    Returns:
        ``{"index": where it starts}``, or what ``as_told`` makes of an error.
    """
    rules = Rules(path, frozenset(custom), unsafe)
    try:
        bounds = bounds_for(bytes_of(Path(path)))
        with Path(target).open("wb") as file:
            outcome = run_confined(
                _told(path, lambda: {"index": sift(Path(path), file, rules)}),
                bounds=bounds,
                readable=[*readable(), Path(path)],
                keep=[file.fileno()],
            )
        return _explained(outcome, path, bounds)
    except EdgeSqueezeError as error:
        return as_told(error)


def rehearse_confined(archive: Mapping[str, str], fresh: str, path: str, size: int) -> Answer:
    """Run ``rehearse`` in a child of this process, which must not have used TensorFlow yet.

    Args:
        archive: what the file was, as a dictionary.
        fresh: the file that Keras opens; the child can read it and write nothing at all.
        path: what a stranger made, for messages.
        size: its size in bytes, which bounds what opening may take.

    Returns:
        An empty dictionary, or what ``as_told`` makes of an error.
    """
    bounds = bounds_for(size)
    try:
        outcome = run_confined(
            _told(path, lambda: rehearse(archive_of(archive), Path(fresh), path)),
            bounds=bounds,
            readable=[*readable(), Path(fresh)],
            prepare=_prepare,
        )
        return _explained(outcome, path, bounds)
    except EdgeSqueezeError as error:
        return as_told(error)


def bounds_for(size: int) -> Bounds:
    """What work on a model of so many bytes may take."""
    return Bounds(
        memory_bytes=LEAST_MEMORY + MEMORY_RATIO * size,
        cpu_seconds=STARTED_SECONDS + CPU_SECONDS_PER_BYTE * size,
        file_bytes=(128 << 20) + MEMORY_RATIO * size,
    )


def readable() -> tuple[Path, ...]:
    """What Python and TensorFlow read when they need another of their own parts."""
    installed = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    parts = (Path(tf.__file__).parent, Path(__file__).parents[2])
    return (*map(Path, SYSTEM), *(Path(path) for path in installed if path), *parts)


def _prepare() -> None:
    """Let TensorFlow and XLA look at the machine and start their threads: one processor is enough here.

    Layers of Keras that are a ``tf.function`` inside are rewritten by AutoGraph; XLA compiles convolutions
    of several groups.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.constant(0.0)
    keep_sources_in_memory()
    tf.function(lambda value: value + 1.0, autograph=False, jit_compile=True)(tf.constant(0.0))


def _told(path: str, work: Callable[[], Answer | None]) -> Callable[[], Answer]:
    """Work whose errors are told."""

    def run() -> Answer:
        try:
            return work() or {}
        except EdgeSqueezeError as error:
            return as_told(error)
        except MemoryError:
            return {"memory": True}
        except Exception as error:
            words = f"{type(error).__name__}: {first_line(error)}"
            return as_told(ModelFileError(f"'{path}' cannot be read", got=words))

    return run


def _explained(outcome: Outcome, path: str, bounds: Bounds) -> Answer:
    """What the child answered; an error if it did not."""
    if isinstance(outcome.result, dict) and "memory" not in outcome.result:
        return outcome.result
    name = plain(path)
    if outcome.signal == signal.SIGSYS:
        raise UnsafeModelError(
            f"opening '{name}' was stopped: it tried to write, to start a program or to use the network",
            expected="a model, which needs none of that",
            hint="do not use this file; tell its author, if you know them",
        )
    memory = f"{bounds.memory_bytes >> 20:,} MiB"
    if outcome.cpu_seconds >= bounds.cpu_seconds - 0.5:
        got = f"more than {bounds.cpu_seconds:.0f} s"
    elif outcome.result or outcome.signal in (0, signal.SIGABRT, signal.SIGKILL, signal.SIGBUS):
        got = f"more than {memory}"
    else:
        got = f"what reads it was ended by {signal.Signals(outcome.signal).name}"
    raise ModelFileError(
        f"'{name}' is damaged, or asks for more than models of its size do",
        expected=f"at most {bounds.cpu_seconds:.0f} s and {memory}",
        got=got,
        hint="if you trust it, open it with Keras yourself and give compress() the model object",
    )
