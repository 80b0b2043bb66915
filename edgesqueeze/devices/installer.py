"""Runs on the device: makes a virtual environment with a TFLite runtime.

One self-contained file for Python 3.7 and later.

    python installer.py FOLDER

The environment is built beside its place, FOLDER/venv, and renamed when it works. Without wheels it is not
tried: compiling NumPy takes a Raspberry Pi an hour.
"""

# os.path is enough, and as good on Python 3.7.
# ruff: noqa: PTH103, PTH104, PTH110, PTH118, PTH207

from __future__ import annotations

import glob
import json
import os
import platform
import re
import select
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
from typing import Any, NoReturn

LIMIT_S = 900.0
CHOICES = (("ai-edge-litert",), ("tflite-runtime", "numpy<2"))
CHECK = (
    "import sys; from importlib import import_module;"
    "import_module(sys.argv[1]); "
    "from importlib import metadata; print(metadata.version(sys.argv[2]))"
)
MODULES = {"ai-edge-litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}


class Failed(Exception):  # noqa: N818
    """Installing failed; the second argument says what to do."""


def tell(**answer: Any) -> None:
    """Send an answer."""
    os.write(1, b"\n@edgesqueeze@ " + json.dumps(answer).encode("utf-8") + b"\n")


def run(command: list[str], until: float) -> tuple[int, str]:
    """Run a command until it ends, the time is up, or nobody listens any more: (status, what it said)."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            while process.poll() is None:
                if time.monotonic() > until:
                    raise Failed(
                        f"it took longer than {LIMIT_S:g} s", "check the device's network, and try again"
                    )
                if select.select([0], [], [], 0.2)[0] and not os.read(0, 4096):
                    raise SystemExit(1)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        said.seek(0)
        return process.returncode, said.read().decode("utf-8", "replace")


def install(folder: str, until: float) -> str:
    """Make the environment; what was installed."""
    clean_up(folder)
    fresh = os.path.join(folder, f"making-venv-{os.getpid()}")
    try:
        status, said = run([sys.executable, "-m", "venv", fresh], until)
        if status:
            raise explain(said)
        python = os.path.join(fresh, "bin", "python")
        version = first_that_works(python, until)
        place = os.path.join(folder, "venv")
        shutil.rmtree(place, ignore_errors=True)
        os.rename(fresh, place)
        return version
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def first_that_works(python: str, until: float) -> str:
    """Install the first runtime that has wheels for this device and can be imported."""
    problems = []
    for packages in CHOICES:
        command = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        command += ["--only-binary=:all:", "--no-cache-dir", "--progress-bar=off"]
        status, said = run(command + list(packages), until)
        if status:
            problem = explain(said)
            if "no wheel" not in problem.args[0]:
                raise problem
            problems.append(problem)
            continue
        name = packages[0]
        status, said = run([python, "-c", CHECK, MODULES[name], name], until)
        if status == 0:
            return f"{name} {said.split()[-1]}"
        if status < 0:
            problem = Failed(f"{name} crashes on this processor (signal {-status})", own_hint())
        else:
            problem = Failed(f"{name} cannot be imported: {last(said)}", own_hint())
        problems.append(problem)
    raise problems[0]


def explain(said: str) -> Failed:
    """Why venv or pip failed."""
    if re.search(
        "No module named '?(venv|ensurepip)|ensurepip is not|python3-venv|No module named '?pip", said
    ):
        hint = "on the device: sudo apt install python3-venv python3-pip, and try again"
        return Failed("its Python lacks the module venv or pip", hint)
    if re.search("No space left|Errno 28", said):
        return Failed("the device's disk is full", "free about 300 MB there")
    if re.search("Disk quota|Errno 122", said):
        return Failed("the user's disk quota on the device is used up", "free about 300 MB there")
    if re.search(
        "name resolution|Name or service|Network is unreachable|NewConnectionError|ConnectTimeout", said
    ):
        return Failed(
            "the device cannot reach the package index", "connect it to the network, or " + own_hint()
        )
    if re.search("ProxyError|SSLError|certificate|ReadTimeout|Could not fetch URL", said):
        return Failed(
            "the package index does not answer: " + last(said), "check the device's network and clock"
        )
    if re.search("No matching distribution|not a supported wheel|Could not find a version", said):
        kind = f"Python {platform.python_version()}, {struct.calcsize('P') * 8} bits, {platform.machine()}"
        if platform.libc_ver()[0] != "glibc":
            kind += ", not glibc"
        return Failed(f"no wheel of a TFLite runtime for this device ({kind})", wheel_hint())
    return Failed(last(said), own_hint())


def wheel_hint() -> str:
    """What to do where there are no wheels."""
    if struct.calcsize("P") * 8 == 32:
        return (
            "ai-edge-litert has wheels for 64-bit systems only, tflite-runtime on 32 bits up to Python 3.11: "
            "install the 64-bit Raspberry Pi OS, or Python 3.11"
        )
    return "ai-edge-litert has wheels for glibc and recent Pythons: update the device's system"


def own_hint() -> str:
    """What always helps."""
    return "install ai-edge-litert or tflite-runtime there yourself, for python3"


def last(said: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and "[notice]" not in line]
    return lines[-1] if lines else "it said nothing"


def clean_up(folder: str) -> None:
    """Remove what installers left that were ended by force."""
    for path in glob.glob(os.path.join(glob.escape(folder), "making-venv-*")):
        owner = path.rsplit("-", 1)[1]
        if not os.path.exists("/proc/" + owner):
            shutil.rmtree(path, ignore_errors=True)


def is_private(folder: str) -> bool:
    """Whether a folder belongs to this user, and nobody else can write to it."""
    status = os.lstat(folder)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022


def stop(*_: Any) -> NoReturn:
    """A signal asks this program to end."""
    sys.exit(1)


def main(folder: str) -> None:
    """Install, and say what became of it."""
    os.umask(0o077)
    for name in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(name, stop)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if not is_private(folder):
            tell(fault="open-folder", message=folder)
            return
        tell(installed=install(folder, time.monotonic() + LIMIT_S))
    except Failed as failed:
        tell(fault="install", message=failed.args[0], hint=failed.args[1])
    except OSError as error:
        tell(fault="system", errno=error.errno, message=str(error))


if __name__ == "__main__":
    main(sys.argv[1])
