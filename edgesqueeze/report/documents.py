"""Documents that EdgeSqueeze wrote, found by the path of a file or of its folder, and read back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from edgesqueeze.base.files import MOST_DOCUMENT_BYTES, read_stream
from edgesqueeze.base.records import Record, explained, read_json
from edgesqueeze.devices.records import Boards, Measurement
from edgesqueeze.errors import UsageError
from edgesqueeze.latency.prediction import Prediction
from edgesqueeze.report.front import FRONT, Front
from edgesqueeze.report.report import Report
from edgesqueeze.timing.emulation import Emulation
from edgesqueeze.timing.verdict import Verdicts

Timing = Emulation | Prediction | Measurement | Boards | Verdicts
Document = Report | Front | Timing
R = TypeVar("R", bound=Record)

REPORT = "report.json"
EXPECTED = "the report.json of compress, the front.json of search, or what bench --json printed"
MOST_NAMED = 4
"""Folders that a hint names."""


class Kind(NamedTuple):
    """A kind of document.

    Attributes:
        record: what it is read as.
        name: what a person calls it.
        command: the command that writes it.
    """

    record: type[Record]
    name: str
    command: str


REPORTS = Kind(Report, "report", "compress")
FRONTS = Kind(Front, "front", "search")
TIMINGS: Mapping[str, type[Record]] = MappingProxyType(
    {"emulated": Emulation, "predicted": Prediction, "measured": Measurement, "compared": Verdicts}
)
"""``method`` of what ``bench --json`` printed -> what it is read as; of several boards ``Boards``."""


def find_document(given: Path) -> Path:
    """The document that a path means.

    Args:
        given: a file, or a folder that ``compress`` or ``search`` wrote.

    Returns:
        The file; that it can be read is not yet known.

    Raises:
        UsageError: the folder has no document, or two.
    """
    try:
        if not given.is_dir():
            return given
        there = [name for name in (REPORT, FRONT) if (given / name).is_file()]
    except OSError as error:
        raise _unreadable(given, error) from error
    if len(there) > 1:
        raise UsageError(
            f"{given} has a {REPORT} and a {FRONT}",
            expected="one document in a folder",
            hint="give the path of the one that is meant",
        )
    if not there:
        raise UsageError(
            f"cannot read {given / REPORT}: there is none in {given}, and no {FRONT}",
            expected="a folder that `edgesqueeze compress` or `edgesqueeze search` wrote",
            hint=_below(given),
        )
    return given / there[0]


def read_document(file: Path) -> Document:
    """Read a ``report.json``, a ``front.json``, or what ``bench --json`` printed, whatever its name is.

    Raises:
        UsageError: there is no such file, or it is none of them.
    """
    raw = _read_raw(file)
    kind = _kind_of(raw)
    if kind is None:
        raise UsageError(
            f"{file} is no document of this version",
            expected=EXPECTED,
            got=f"JSON without their fields: {_named(raw)}",
            hint="make it again with this version",
        )
    return _checked(file, raw, kind)  # type: ignore[return-value]


def read_as(file: Path, kind: Kind) -> Any:
    """Read a document that must be of one kind.

    Raises:
        UsageError: there is no such file, or it is of another kind or version.
    """
    return _checked(file, _read_raw(file), kind)


def _read_raw(file: Path) -> object:
    """What the JSON holds; that a command printed its error there is told."""
    try:
        raw = read_json(read_stream(file, MOST_DOCUMENT_BYTES))
    except OSError as error:
        raise _unreadable(file, error) from error
    except ValueError as error:
        raise UsageError(
            f"{file} is no document of this version",
            expected=EXPECTED,
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            hint=_beside(file) or "check the path, or make it again with this version",
        ) from error
    said = raw.get("error") if isinstance(raw, dict) else None
    if isinstance(said, dict) and "exit_code" in said:
        raise UsageError(
            f"{file} is what a command printed that failed",
            expected=EXPECTED,
            got=str(said.get("problem", "")),
            hint="run that command again",
        )
    return raw


def _kind_of(raw: object) -> Kind | None:
    if not isinstance(raw, dict):
        return None
    if "finalists" in raw:
        return FRONTS
    if "recipe" in raw:
        return REPORTS
    record = TIMINGS.get(str(raw.get("method")))
    if record is Measurement and "boards" in raw:
        record = Boards
    return None if record is None else Kind(record, "timing", "bench")


def _checked(file: Path, raw: object, kind: Kind) -> Record:
    try:
        return kind.record.model_validate(raw)
    except ValueError as error:
        raise UsageError(
            f"{file} is no {kind.name} of this version",
            expected=f"what `edgesqueeze {kind.command}` of this version wrote",
            got=explained(error),
            hint=f"{kind.command} again with this version",
        ) from error


def _unreadable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"cannot read {path}: {error.strerror}",
        expected="a folder that `edgesqueeze compress` or `edgesqueeze search` wrote, or a document in it",
        hint="check the path",
    )


def _below(folder: Path) -> str:
    """What to do about a folder without a document: perhaps one of those in it is meant."""
    found = sorted({file.parent for name in (REPORT, FRONT) for file in folder.glob(f"*/{name}")})
    if not found:
        return "check the path"
    more = " ..." if len(found) > MOST_NAMED else ""
    return f"give one of the folders in it: {', '.join(map(str, found[:MOST_NAMED]))}{more}"


def _beside(file: Path) -> str:
    """What to do about a file that is none: perhaps the document beside it is meant."""
    found = [place for name in (REPORT, FRONT) if (place := file.with_name(name)).is_file() and place != file]
    return f"give {found[0]}, or its folder" if found else ""


def _named(raw: object) -> str:
    """The first keys of what was read, for a person."""
    if not isinstance(raw, dict):
        return f"a {type(raw).__name__}"
    return ", ".join(str(key)[:40] for key in list(raw)[:5]) or "nothing"
