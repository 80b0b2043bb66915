"""Device profiles: a TOML file becomes a frozen, checked ``Target``.

Shipped profiles are in ``targets/`` at the top of the repository and in ``edgesqueeze/_targets`` in the
wheel. Folders named by the environment variable EDGESQUEEZE_TARGETS are searched first, so a user's
profile replaces a shipped one of the same name. ``targets/README.md`` documents the fields.
What ``edgesqueeze calibrate`` writes lies between them, in the user's configuration folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.given import path_of
from edgesqueeze.base.records import Record
from edgesqueeze.base.suggest import nearest_name
from edgesqueeze.base.toml import FileKind, check_record, parse_toml, read_toml
from edgesqueeze.base.user_folders import config_folder
from edgesqueeze.errors import TargetError
from edgesqueeze.target.records import (
    FIGURE_SECTIONS,
    MAX_NAME,
    NAME_RULE,
    Assumption,
    DeviceClass,
    NameText,
    Sections,
    Source,
    Target,
    Text,
    contradiction,
    is_target_name,
)

ENVIRONMENT_VARIABLE = "EDGESQUEEZE_TARGETS"
FILE = FileKind(
    noun="profile",
    error=TargetError,
    hint="see targets/README.md for the keys",
    none_hint="`edgesqueeze targets list` shows the names of those that are there",
)
NOT_FIGURES = {"memory.note"}


class Scan(NamedTuple):
    """All profiles that can be found.

    Attributes:
        targets: those that are in order, by class and name; of one name, the first found.
        problems: one finding for each file or folder that could not be used.
    """

    targets: tuple[Target, ...]
    problems: tuple[Finding, ...]


class _Header(Record):
    title: Text
    device_class: DeviceClass = Field(alias="class")
    aliases: tuple[NameText, ...] = ()


class _Profile(Sections):
    target: _Header


def target_folders() -> tuple[Path, ...]:
    """Folders that are searched for profiles, in this order: named, calibrated, shipped ones."""
    named = os.environ.get(ENVIRONMENT_VARIABLE, "").split(os.pathsep)
    calibrated = calibrated_folder()
    own = (calibrated,) if calibrated.is_dir() else ()
    return (*(Path(name).expanduser() for name in named if name), *own, shipped_folder())


def calibrated_folder() -> Path:
    """The user's folder for the profiles that ``edgesqueeze calibrate`` writes; it need not exist."""
    return config_folder() / "targets"


def shipped_folder() -> Path:
    """The folder of the profiles that come with EdgeSqueeze."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "_targets"
    return packaged if packaged.is_dir() else package.parent / "targets"


def as_target(given: str | Path | Target) -> Target:
    """A profile, loaded first where its name or path was given; all public functions take targets so.

    Raises:
        UsageError: neither a profile nor a name or path.
        TargetError: see ``load_target``.
    """
    return given if isinstance(given, Target) else load_target(given)


def load_target(name_or_path: str | Path) -> Target:
    """Load a profile by its name, an alias, or the path of a ``.toml`` file.

    Raises:
        UsageError: neither a name nor a path.
        TargetError: there is no such profile, or it is malformed.
    """
    if not isinstance(name_or_path, str):
        name_or_path = str(path_of(name_or_path, "the name of a target, or the path of its .toml file"))
    if name_or_path.endswith(".toml") or "/" in name_or_path or os.sep in name_or_path:
        return _load_file(Path(name_or_path).expanduser())
    name = re.sub(r"[\s_]+", "-", name_or_path.strip().lower())
    if is_target_name(name):
        for folder in target_folders():
            if (file := folder / f"{name}.toml").is_file():
                return _load_file(file)
    return _load_alias(name, name_or_path)


def list_targets() -> tuple[Target, ...]:
    """All profiles that are in order; ``scan_targets`` also tells what is wrong with the others."""
    return scan_targets().targets


def scan_targets() -> Scan:
    """Read every profile in every folder; a broken one becomes a problem and hides nothing."""
    found: dict[str, Target] = {}
    problems: list[Finding] = []
    for folder in target_folders():
        if not folder.is_dir():
            problems.append(_problem("no-target-folder", str(folder), "the folder does not exist"))
            continue
        for file in sorted(folder.glob("*.toml")):
            try:
                target = _load_file(file)
            except TargetError as error:
                problems.append(_problem("broken-target", file.name, str(error)))
                continue
            found.setdefault(target.name, target)
    order = {"mcu": 0, "linux": 1, "android": 2}
    ordered = sorted(found.values(), key=lambda one: (order[one.device_class], one.name))
    return Scan(tuple(ordered), tuple(problems))


def check_file(path: str | os.PathLike[str]) -> tuple[Target, tuple[Finding, ...]]:
    """Check a profile: what is wrong raises, what is only doubtful comes back as findings.

    Raises:
        TargetError: the file cannot be read or is malformed.
    """
    target = _load_file(Path(path))
    findings = [
        Finding(
            code="figure-without-source",
            subject=figure,
            message="no [[sources]] entry names a document for it and no [[assumptions]] entry a reason",
            severity="warning",
        )
        for figure in uncovered_figures(target)
    ]
    taken = {name for one in list_targets() if one.name != target.name for name in (one.name, *one.aliases)}
    findings += [
        Finding(
            code="name-taken",
            subject=name,
            message="another profile has this name or alias; the profile that is found first is used",
            severity="warning",
        )
        for name in (target.name, *target.aliases)
        if name in taken
    ]
    return target, tuple(findings)


def uncovered_figures(target: Target) -> tuple[str, ...]:
    """Dotted paths of the figures that have neither a source nor a stated assumption."""
    entries: tuple[Source | Assumption, ...] = (*target.sources, *target.assumptions)
    covered = {path for entry in entries for path in entry.fields}
    given = (
        f"{section}.{field}"
        for section in FIGURE_SECTIONS
        if section not in covered and getattr(target, section) is not None
        for field in sorted(getattr(target, section).model_fields_set)
    )
    return tuple(path for path in given if path not in covered and path not in NOT_FIGURES)


def parse_target(text: str, name: str, origin: str = "") -> Target:
    """Parse the text of a profile.

    Args:
        text: TOML.
        name: name of the target: the file's stem.
        origin: what to call the text in messages; the name by default.

    Raises:
        TargetError: malformed TOML, an unknown or missing field, a value out of range, or a contradiction.
    """
    origin = origin or name
    return _checked(parse_toml(text, origin, FILE), name, origin)


def _load_file(path: Path) -> Target:
    return _checked(read_toml(path, FILE), path.stem, str(path))


def _checked(raw: Mapping[str, Any], name: str, origin: str) -> Target:
    profile = check_record(raw, _Profile, origin, FILE)
    if not is_target_name(name):
        raise TargetError(
            f"{origin}: {name[:MAX_NAME]!r} cannot be the name of a target",
            expected=f"a file name of {NAME_RULE}, then .toml",
            hint="rename the file: its name is the target's name",
        )
    sections = dict(profile)
    header = sections.pop("target")
    # Every part is checked; what is left is whether they agree.
    target = Target.model_construct(name=name, **dict(header), **sections)
    if problem := contradiction(target):
        raise TargetError(f"{origin}: {problem}", hint=FILE.hint)
    return target


def _load_alias(name: str, asked: str) -> Target:
    targets, problems = scan_targets()
    for target in targets:
        if name in target.aliases:
            return target
    names = [known for target in targets for known in (target.name, *target.aliases)]
    close = nearest_name(name, names)
    broken = f"; {len(problems)} profiles could not be read" if problems else ""
    raise TargetError(
        f"there is no target {asked[:MAX_NAME]!r}",
        expected=f"a name that `edgesqueeze targets list` shows, or the path of a .toml file{broken}",
        hint=f"did you mean {close!r}?" if close else "",
    )


def _problem(code: str, subject: str, message: str) -> Finding:
    return Finding(code=code, subject=subject, message=message, severity="warning")
