"""The folder that ``compress`` wrote, read back."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from edgesqueeze.base.records import read_record
from edgesqueeze.errors import TargetError, UsageError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.read import read_tflite
from edgesqueeze.report.provenance import Provenance
from edgesqueeze.report.report import Report
from edgesqueeze.target.fit import runtimes_of
from edgesqueeze.target.load import as_target
from edgesqueeze.target.records import Target

REPORT, MODEL = "report.json", "model.tflite"


class Made(NamedTuple):
    """What ``compress`` made.

    Attributes:
        report: what was done and found.
        model: the .tflite.
    """

    report: Report
    model: TfliteModel


def read_made(folder: Path) -> Made:
    """Read the report and the .tflite of a folder.

    Raises:
        UsageError: the folder has no report, or one of another version, or its .tflite is another one.
        TfliteError: its .tflite cannot be read.
    """
    report = read_report(folder)
    model = read_tflite(folder / MODEL)
    if len(model.content) != report.sizes.tflite_bytes:
        raise UsageError(
            f"{folder / MODEL} is not the file that {REPORT} is about",
            expected=f"{report.sizes.tflite_bytes:,} bytes",
            got=f"{len(model.content):,} bytes",
            hint="compress again, or give a folder as `compress` wrote it",
        )
    return Made(report, model)


def read_report(folder: Path) -> Report:
    """Read the report of a folder.

    Raises:
        UsageError: the folder has none, or one of another version.
    """
    file = folder / REPORT
    try:
        return read_record(file.read_bytes(), Report)
    except OSError as error:
        raise UsageError(
            f"cannot read {file}: {error.strerror}",
            expected="a folder that `edgesqueeze compress` wrote",
            hint="check the path",
        ) from error
    except ValueError as error:
        raise UsageError(
            f"{file} is no report of this version",
            expected="what `edgesqueeze compress` wrote",
            got=str(error),
            hint="compress again with this version",
        ) from error


def profile_of(name: str, given: str | Path | Target | None = None) -> Target | None:
    """The target's profile; None where nothing is given, and the name is of a file that is not at hand.

    Args:
        name: what a report calls the target.
        given: a profile, its name or its path.

    Raises:
        TargetError: what is given is no profile.
    """
    if given is not None:
        return as_target(given)
    try:
        return as_target(name)
    except TargetError:
        return None


def runtime_shown(report: Report, target: Target | None, runtime: str) -> str:
    """Whose figures a page shows: those of the runtime that is named, else of the one that the model is for.

    Args:
        report: what ``compress`` said.
        target: the profile, if it is at hand.
        runtime: what was named; empty: nothing.

    Returns:
        A name, or an empty text: the target's own.
    """
    own = report.fit.ops.runtime
    if runtime or target is None or own == target.runtime.name:
        return runtime
    return own if own in runtimes_of(target) else ""


def hashes_of(report: Report, folder: Path) -> Provenance:
    """The hashes in a report.

    Raises:
        UsageError: it has none.
    """
    if report.provenance is None:
        raise UsageError(
            f"the report in {folder} has no hashes of what it was made from",
            expected="one that `edgesqueeze compress` of this version wrote",
            hint="compress again",
        )
    return report.provenance
