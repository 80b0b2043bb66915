"""Work that needs TensorFlow, in a process of its own, so that the caller need not import it.

A worker is a module that is run in another Python. An error that EdgeSqueeze raises on purpose goes to its
stdout as one JSON object, its exit status is the error's, and ``call_worker`` raises the same error again.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgesqueeze import errors
from edgesqueeze.errors import EdgeSqueezeError, MissingToolError, UsageError

PACKAGE_ROOT = str(Path(__file__).parents[2])
# What PYTHONSAFEPATH does from Python 3.11 on.
RUN_MODULE = (
    "import sys; sys.path[:] = [path for path in sys.path if path]; "
    "import runpy; runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def call_worker(module: str, arguments: Sequence[str], about: str) -> None:
    """Run a worker and wait for it.

    Args:
        module: its dotted name.
        arguments: its command line.
        about: what needs TensorFlow, for messages: ``model.keras is a Keras model``.

    Raises:
        MissingToolError: TensorFlow is not installed.
        EdgeSqueezeError: what the worker raised.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise MissingToolError(
            f"{about}, and TensorFlow is not installed",
            expected="the packages that compress needs",
            hint="pip install 'edgesqueeze[compress]', or give a .tflite and an .npz, which need none",
        )
    command = module_command(module, *arguments)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    if done.returncode:
        raise _told(about, done)


def module_command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of ours with ``environment()``, and takes none of the current folder.

    The folder may be one that came with a stranger's model, and have a ``numpy`` module in it.
    """
    if sys.version_info >= (3, 11):
        return [sys.executable, "-m", module, *arguments]
    return [sys.executable, "-c", RUN_MODULE, module, *arguments]


def environment() -> dict[str, str]:
    """This process's environment, in which EdgeSqueeze is found even when it runs from its source tree.

    Python takes no modules from the current folder there.
    """
    search_path = os.pathsep.join(filter(None, [PACKAGE_ROOT, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": search_path, "PYTHONSAFEPATH": "1"}


def run_as_worker(work: Callable[[], None]) -> int:
    """Do the work; on an error tell it to the caller. Returns the exit status."""
    try:
        work()
    except EdgeSqueezeError as error:
        print(json.dumps(as_told(error)))
        return error.exit_code
    return 0


def as_told(error: EdgeSqueezeError) -> dict[str, str]:
    """An error that EdgeSqueeze raises on purpose, as what can be JSON."""
    told = {name: getattr(error, name) for name in ("problem", "expected", "got", "hint")}
    return {"error": type(error).__name__, **told}


def from_told(told: Mapping[str, Any]) -> EdgeSqueezeError:
    """The error that ``as_told`` was given.

    Raises:
        ValueError: it was not made by ``as_told``.
    """
    try:
        kind = getattr(errors, told["error"])
        error: EdgeSqueezeError = kind(
            told["problem"], **{name: told[name] for name in ("expected", "got", "hint")}
        )
    except (KeyError, TypeError, AttributeError) as fault:
        raise ValueError("that is no error") from fault
    return error


def _told(about: str, done: subprocess.CompletedProcess[str]) -> EdgeSqueezeError:
    lines = done.stdout.strip().splitlines()
    try:
        return from_told(json.loads(lines[-1]) if lines else {})
    except ValueError:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        return UsageError(f"{about}, and TensorFlow failed on it", got=last)
