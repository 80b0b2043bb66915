"""One row of the table through the command line, each command as a user would give it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from runtime_tests.support.zoo.table import Case

ROOT = Path(__file__).resolve().parents[3]
LIMIT_SECONDS = 900.0
EDGESQUEEZE = (sys.executable, "-m", "edgesqueeze")


class Said(NamedTuple):
    """A command that ended.

    Attributes:
        command: its words, as typed after ``edgesqueeze``.
        status: its exit status; negative: the signal that ended it.
        out: what it printed.
        err: what it printed as errors.
    """

    command: str
    status: int
    out: str
    err: str


class Run(NamedTuple):
    """What became of a model.

    Attributes:
        case: the row.
        made: how it was built and trained.
        compress: the command, or None if there is no model.
        report: what ``report.json`` says, or None if there is none.
        verify: the command, or None if there is no .tflite.
        verified: what ``verify --json`` printed, or None.
        emit: ``emit --format c``, or None if there is no .tflite.
        plain: whether TensorFlow's own converter takes a model that was refused; None if it was not.
        seconds: how long all of it took.
    """

    case: Case
    made: Said
    compress: Said | None = None
    report: dict[str, Any] | None = None
    verify: Said | None = None
    verified: dict[str, Any] | None = None
    emit: Said | None = None
    plain: bool | None = None
    seconds: float = 0.0


def run_case(case: Case, folder: Path) -> Run:
    """Make the model in a folder, and put it through ``compress``, ``verify`` and ``emit --format c``."""
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    maker = ["-m", "runtime_tests.support.zoo.make", case.make]
    made = _say([sys.executable, *maker, str(folder)], folder)
    if made.status:
        return Run(case, made, seconds=time.monotonic() - began)
    file = json.loads((folder / "made.json").read_text())["file"]
    data = ("--data", "data.npz")
    words = ["compress", file, "--target", case.target, *data, "--out", "out", *case.opening, *case.options]
    compress = _edgesqueeze([*words, "--max-accuracy-drop", f"{case.limit:g}"], folder)
    done = Run(case, made, compress)
    if (folder / "out/model.tflite").exists():
        report = json.loads((folder / "out/report.json").read_text())
        scaling = _recipe(report, folder)
        verify = ["verify", "out/model.tflite", *_against(case, file), *data, *scaling, "--json"]
        verified = _edgesqueeze(verify, folder)
        native = ["emit", "out/model.tflite", "--target", case.target, "--format", "c", "--out", "c"]
        done = done._replace(
            report=report,
            verify=verified,
            verified=_document(verified.out),
            emit=_edgesqueeze(native, folder),
        )
    elif compress.status and case.expected != "refused":
        done = done._replace(plain=not _say([sys.executable, *maker, str(folder), "--plain"], folder).status)
    (folder / "log.txt").write_text("".join(map(_transcript, (made, compress, done.verify, done.emit))))
    return done._replace(seconds=time.monotonic() - began)


def _against(case: Case, file: str) -> tuple[str, ...]:
    """The original for ``verify``, which never runs code that a file holds."""
    return () if "--unsafe" in case.opening else ("--against", file, *case.opening)


def _recipe(report: dict[str, Any], folder: Path) -> tuple[str, ...]:
    """A recipe with what was lifted out of the model, as the README says."""
    if not report["scaling"]:
        return ()
    (lifted,) = report["scaling"]
    (folder / "scaling.toml").write_text(
        f"[data]\nlift_normalization = true\nscale = {lifted['scale']}\noffset = {lifted['offset']}\n"
    )
    return ("--recipe", "scaling.toml")


def _document(text: str) -> dict[str, Any] | None:
    """What ``verify --json`` found out; None if it printed nothing, or an error."""
    try:
        document: dict[str, Any] = json.loads(text)
    except ValueError:
        return None
    return document if "fidelity" in document else None


def _edgesqueeze(words: Sequence[str], folder: Path) -> Said:
    done = _say([*EDGESQUEEZE, *words], folder)
    return done._replace(command=shlex.join(["edgesqueeze", *words]))


def _say(command: Sequence[str], folder: Path) -> Said:
    # Its own width, so that tables are whole in the transcript.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "110"}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return Said(shlex.join(command), -9, "", f"it took longer than {LIMIT_SECONDS:.0f} s")
    return Said(shlex.join(command), done.returncode, done.stdout, done.stderr)


def _transcript(said: Said | None) -> str:
    if said is None:
        return ""
    return f"$ {said.command}\n{said.out}{said.err}exit status {said.status}\n\n"
