"""Commands that are ended at a moment of somebody's choice, and what they leave behind.

Whatever ends a command, and whenever: after the next start, its output folder has all of what was there
before or all of what the command makes, and nothing else is left of it, in that folder, among the temporary
files, or running.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from edgesqueeze.base.generated import LIST
from edgesqueeze.base.publish import JOURNAL, NEW, STAGE_PREFIX
from edgesqueeze.target.load import parse_target, shipped_folder
from runtime_tests.support.processes import MARK, kill_tree, processes_with
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
GRACE_SECONDS = 300.0
"""What a command may take to end when it is asked to, on a busy machine."""
LINGER_SECONDS = 120.0
"""What programs that it started may take to notice that it was killed."""
PROGRAM = """
import runpy, signal
# What a script starts in the background ignores Ctrl-C; what a terminal starts does not.
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("edgesqueeze", run_name="__main__", alter_sys=True)
"""

MODEL = """
import sys
import numpy as np
from runtime_tests.support.tiny_keras import dense
dense().save(sys.argv[1])
np.savez(sys.argv[2], x=np.random.default_rng(0).normal(size=(40, 8, 8, 3)).astype("float32"))
"""

State = Mapping[str, bytes]
"""The files of a folder: name -> content."""
Wait = Callable[[subprocess.Popen[bytes], Path], None]


class Command(NamedTuple):
    """A command that writes a folder.

    Attributes:
        words: makes its words from the folder for the output.
        earlier: what an earlier run wrote there.
        is_whole: whether these are all the files that the command makes.
        seconds: what a run takes.
    """

    words: Callable[[Path], list[str]]
    earlier: State
    is_whole: Callable[[State], bool]
    seconds: float


class Ending(NamedTuple):
    """What became of a command that was ended.

    Attributes:
        status: exit status; negative for a signal.
        seconds: how long it ran.
        left: what it left until the next start.
        mixed: whether the output was neither the old nor the new until the next start.
        new: whether the output is the new one.
        harm: what is wrong after the next start; empty if nothing is.
    """

    status: int
    seconds: float
    left: Sequence[str]
    mixed: bool
    new: bool
    harm: Sequence[str]


class Ground:
    """A place where a command runs again and again.

    Args:
        command: the command.
        folder: an empty folder.

    Attributes:
        seconds: what a run takes.
    """

    def __init__(self, command: Command, folder: Path) -> None:
        self._command, self._mark = command, uuid.uuid4().hex
        self.seconds = command.seconds
        self._out, self._temporary, self._home = (folder / name for name in ("out", "tmp", "home"))
        for made in (self._out, self._temporary, self._home):
            made.mkdir(parents=True)

    def end(self, number: int, wait: Wait) -> Ending:
        """Run the command, end it with a signal, start another one, and look.

        Args:
            number: the signal.
            wait: returns at the moment; it may look at the process and the output folder.
        """
        _fill(self._out, self._command.earlier)
        began = time.monotonic()
        process = self._start(self._command.words(self._out))
        wait(process, self._out)
        self._send(process, number)
        try:
            status = process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            kill_tree(process.pid)
            status = process.wait()
        seconds = time.monotonic() - began
        left, mixed = self._left(), self._is_new() is None
        harm = [*_wrong_status(number, status), *map("{} goes on".format, self._running())]
        self._start_another()
        new = self._is_new()
        if new is None:
            harm.append(f"a mixture of files: {', '.join(sorted(files_of(self._out)))}; {self._said()}")
        harm += self._left()
        harm += sorted(files_of(self._home))
        return Ending(status, seconds, left, mixed, bool(new), harm)

    def _start_another(self) -> None:
        """Another command for the same folder, which fails soon."""
        wanted = ["compress", "no-model.h5", "--target", "rpi4", "--data", "no.npz", "--out", str(self._out)]
        assert self._start(wanted).wait(GRACE_SECONDS) == 2, self._said()

    def _is_new(self) -> bool | None:
        """Whether the output is new; None if it is neither new nor as before."""
        found = files_of(self._out)
        if found == self._command.earlier:
            return False
        return True if self._command.is_whole(found) else None

    def _start(self, words: Sequence[str]) -> subprocess.Popen[bytes]:
        own = {MARK: self._mark, "TMPDIR": str(self._temporary), "HOME": str(self._home)}
        with (self._home.parent / "said").open("wb") as said:
            return subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *words],
                env={**os.environ, **own},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )

    def _send(self, process: subprocess.Popen[bytes], number: int) -> None:
        if process.poll() is not None:
            return
        # A terminal sends Ctrl-C to all that runs in it, and a stranger's signal goes to one process.
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)

    def _running(self) -> list[str]:
        until = time.monotonic() + LINGER_SECONDS
        while found := [process.command for process in processes_with(self._mark)]:
            if time.monotonic() > until:
                for process in processes_with(self._mark):
                    kill_tree(process.pid)
                return found
            time.sleep(0.05)
        return []

    def _left(self) -> list[str]:
        hidden = [path.name for path in self._out.iterdir() if path.name.startswith(".")]
        return [*hidden, *(path.name for path in self._temporary.iterdir())]

    def _said(self) -> str:
        return (self._home.parent / "said").read_text(errors="replace")[-2000:]


def files_of(folder: Path) -> dict[str, bytes]:
    """The files of a folder, without hidden ones."""
    return {
        name: path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not (name := path.relative_to(folder).as_posix()).startswith(".")
    }


def after(seconds: float) -> Wait:
    """Some time after the start, or when the command has ended."""

    def wait(process: subprocess.Popen[bytes], _: Path) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)

    return wait


def when_there_is(pattern: str, seconds: float = 0.0) -> Wait:
    """Some time after a file in the stage appears, or when the command has ended."""

    def wait(process: subprocess.Popen[bytes], out: Path) -> None:
        while process.poll() is None and not any(out.glob(f"{STAGE_PREFIX}*/{pattern}")):
            time.sleep(0)
        time.sleep(seconds)

    return wait


def moment(seconds: float, late: bool, rng: random.Random) -> Wait:
    """A moment of a command that takes so long; a late one is where it puts files in place."""
    if not late:
        return after(rng.uniform(0, seconds))
    if rng.random() < 0.3:
        return when_there_is(f"{NEW}/*", rng.uniform(0, 0.02))
    return when_there_is(JOURNAL, rng.choice((0.0, 2e-4)))


def emit_command(folder: Path) -> Command:
    """``emit --format c`` over what it wrote for a model with other kernels."""
    models = (folder / "old.tflite", folder / "new.tflite")
    models[0].write_bytes(tiny_dense())
    models[1].write_bytes(tiny_cnn())

    def words(out: Path, model: Path = models[1]) -> list[str]:
        options = ["--target", "nucleo-l4r5zi", "--format", "c", "--name", "model", "--out", str(out)]
        return ["emit", str(model), *options]

    old, _ = _run(words(folder / "old", models[0]), folder / "old")
    new, seconds = _run(words(folder / "new"), folder / "new")
    return Command(words, old, lambda found: found == new and LIST in found, seconds)


def compress_command(folder: Path) -> Command:
    """``compress`` over files of the same names."""
    model, data = folder / "model.keras", folder / "data.npz"
    # In a process of its own: not every caller can have TensorFlow.
    subprocess.run(
        [sys.executable, "-c", MODEL, str(model), str(data)], check=True, stderr=subprocess.DEVNULL
    )

    def words(out: Path) -> list[str]:
        wanted = ["compress", str(model), "--target", "nucleo-l4r5zi", "--data", str(data)]
        return [*wanted, "--out", str(out)]

    new, seconds = _run(words(folder / "new"), folder / "new")
    old = {name: b"old " + content for name, content in new.items() if name != LIST}
    old[LIST] = _list_of(old)
    # The same each time, save for the times.
    same = {name for name in new if name not in ("report.json", "model.keras", LIST)}

    def is_whole(found: State) -> bool:
        if set(found) != set(new) or any(found[name] != new[name] for name in same):
            return False
        if found[LIST] != _list_of({name: found[name] for name in found if name != LIST}):
            return False
        with zipfile.ZipFile(io.BytesIO(found["model.keras"])) as archive:
            return archive.testzip() is None and bool(json.loads(found["report.json"])["ok"])

    return Command(words, old, is_whole, seconds)


def calibrate_command(seconds: float) -> Command:
    """``calibrate`` of this computer, which takes about so long, over an earlier profile."""
    earlier = (shipped_folder() / "rpi4.toml").read_bytes()

    def words(out: Path) -> list[str]:
        return ["calibrate", "--local", "--name", "here", "--out", str(out)]

    def is_whole(found: State) -> bool:
        return set(found) == {"here.toml"} and bool(parse_target(found["here.toml"].decode(), "here"))

    return Command(words, {"here.toml": earlier}, is_whole, seconds)


def _list_of(files: State) -> bytes:
    """The list of generated files, as ``sha256sum`` writes it."""
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()


def _run(words: Sequence[str], out: Path) -> tuple[State, float]:
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", PROGRAM, *words], check=True, capture_output=True)
    return files_of(out), time.monotonic() - began


def _fill(folder: Path, files: State) -> None:
    shutil.rmtree(folder)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def _wrong_status(number: int, status: int) -> list[str]:
    """What a command that was ended must not end with; it may have been done before the signal came."""
    return [] if status in (0, -number, 128 + number) else [f"exit status {status}"]
