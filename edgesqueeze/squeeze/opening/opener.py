"""A process of its own that opens strangers' files, for callers that have used TensorFlow already.

    python -m edgesqueeze.squeeze.opening.opener

A process that has used TensorFlow has threads and locks that do not survive a fork. This one has imported it
and never used it, so the children that it confines can. It reads a request a line from stdin, answers each
with a line on stdout, and ends with its stdin.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tensorflow.python.eager import context as eager

from edgesqueeze.base.worker import environment, module_command
from edgesqueeze.errors import ModelFileError
from edgesqueeze.squeeze.opening import confine

MODULE = "edgesqueeze.squeeze.opening.opener"
WORK: Mapping[str, Callable[..., confine.Answer]] = MappingProxyType(
    {"sift": confine.sift_confined, "rehearse": confine.rehearse_confined}
)

_running: dict[int, subprocess.Popen[str]] = {}
_lock = threading.Lock()


def ask(what: str, *arguments: Any) -> confine.Answer:
    """Do confined work: in a child of this process where that is safe, else in one of an opener.

    Args:
        what: a key of ``WORK``.
        arguments: of its function; what can be JSON.

    Raises:
        ModelFileError: the opener is gone.
    """
    if can_fork():
        return WORK[what](*arguments)
    with _lock:
        opener = _opener()
        try:
            assert opener.stdin and opener.stdout
            opener.stdin.write(json.dumps([_here(), what, *arguments]) + "\n")
            opener.stdin.flush()
            answer = json.loads(opener.stdout.readline())
        except (OSError, ValueError) as error:
            _end()
            raise ModelFileError(
                "the process that opens model files has ended", got=str(error), hint="try again"
            ) from error
    return dict(answer)


def can_fork() -> bool:
    """Whether TensorFlow has not been used in this process."""
    used = eager._context
    return used is None or not used._initialized


def serve() -> None:
    """Answer requests until there are no more."""
    for line in sys.stdin:
        here, what, *arguments = json.loads(line)
        os.chdir(here)
        sys.stdout.write(json.dumps(WORK[what](*arguments)) + "\n")
        sys.stdout.flush()


def _here() -> str:
    """The current folder, which names of files are relative to; it may have changed since an opener began."""
    try:
        return str(Path.cwd())
    except FileNotFoundError:  # it was removed
        return "/"


def _opener() -> subprocess.Popen[str]:
    """This process's opener, started if there is none."""
    found = _running.get(os.getpid())
    if found is None or found.poll() is not None:
        _running.clear()
        found = subprocess.Popen(
            module_command(MODULE),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**environment(), "TF_CPP_MIN_LOG_LEVEL": "3"},
            # Ctrl-C is for us; the opener ends with its stdin.
            start_new_session=True,
        )
        _running[os.getpid()] = found
        atexit.register(_end)
    return found


def _end() -> None:
    found = _running.pop(os.getpid(), None)
    if found is not None:
        with contextlib.suppress(OSError):
            assert found.stdin
            found.stdin.close()
        found.kill()
        found.wait()


if __name__ == "__main__":
    serve()
