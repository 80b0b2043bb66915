"""The folder that ``compress`` wrote, read back."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from edgesqueeze.errors import TargetError, UsageError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.read import read_tflite
from edgesqueeze.report.documents import REPORT, REPORTS, Document, read_as
from edgesqueeze.report.front import FRONT
from edgesqueeze.report.provenance import Provenance
from edgesqueeze.report.report import Report
from edgesqueeze.target.chosen_runtime import runtimes_of
from edgesqueeze.target.load import as_target
from edgesqueeze.target.records import Target

MODEL = "model.tflite"


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
    return made_of(read_report(folder), folder / REPORT)


def made_of(document: Document, file: Path) -> Made:
    """What ``compress`` made, by its report.

    Args:
        document: what was read.
        file: where it was read; the .tflite is beside it.

    Raises:
        UsageError: the document is no report, or its .tflite is not there, or is another one.
        TfliteError: it cannot be read.
    """
    if not isinstance(document, Report):
        raise UsageError(
            f"{file} is not about what was made",
            expected=f"a {REPORT} or {FRONT}, or the folder that has it",
            got="what `edgesqueeze bench` printed",
            hint="`edgesqueeze bench` without --json prints tables, and --plot draws the layers",
        )
    place = file.parent / MODEL
    if not place.exists():
        raise UsageError(
            f"there is no {place}, the model that the report is about",
            expected=f"{MODEL} beside the report, as `edgesqueeze compress` writes it",
            hint=f"copy {MODEL} there, or compress again",
        )
    model = read_tflite(place)
    if len(model.content) != document.sizes.tflite_bytes:
        raise UsageError(
            f"{place} is not the file that {REPORT} is about",
            expected=f"{document.sizes.tflite_bytes:,} bytes",
            got=f"{len(model.content):,} bytes",
            hint="compress again, or give a folder as `compress` wrote it",
        )
    return Made(document, model)


def read_report(place: Path) -> Report:
    """Read a report.

    Args:
        place: its folder, or its own path.

    Raises:
        UsageError: the folder has none, or one of another version.
    """
    return read_as(place if place.is_file() else place / REPORT, REPORTS)  # type: ignore[no-any-return]


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


def runtime_meant(report: Report, target: Target | None, runtime: str) -> str:
    """The runtime of a page or a check: the one that is named, else the one that the model is for.

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
