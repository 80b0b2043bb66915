"""Device profiles: a TOML file becomes a frozen, checked ``Target``.

Shipped profiles are in ``targets/`` at the top of the repository and in ``edgesqueeze/_targets`` in the
wheel. Folders named by the environment variable EDGESQUEEZE_TARGETS are searched first, so a user's
profile replaces a shipped one of the same name. ``targets/README.md`` documents the fields.
What ``edgesqueeze calibrate`` writes lies between them, in the user's configuration folder.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import platformdirs
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.records import Record
from edgesqueeze.base.suggest import nearest, nearest_name
from edgesqueeze.errors import TargetError
from edgesqueeze.target.latency import (
    ArithmeticLatency,
    CyclesPerInstruction,
    InstructionLatency,
    Interval,
    Latency,
    MemoryCost,
    OperatorCost,
    OperatorLatency,
)
from edgesqueeze.target.records import (
    CORES,
    FIGURE_SECTIONS,
    MAX_NAME,
    NAME_PATTERN,
    SECTION_RECORDS,
    Assumption,
    Cluster,
    Core,
    Cpu,
    DeviceClass,
    Memory,
    NameText,
    Preferences,
    Runtime,
    Source,
    Target,
    Text,
)

# The standard library has it from 3.11 on; by name, because a type checker sees only one of the two.
tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

__all__ = [
    "CORES",
    "ENVIRONMENT_VARIABLE",
    "Assumption",
    "Cluster",
    "Core",
    "Cpu",
    "Memory",
    "Preferences",
    "Runtime",
    "Scan",
    "Source",
    "Target",
    "check_file",
    "list_targets",
    "load_target",
    "parse_target",
    "scan_targets",
    "target_folders",
    "uncovered_figures",
]

ENVIRONMENT_VARIABLE = "EDGESQUEEZE_TARGETS"
MAX_FILE_BYTES = 256 * 1024
NOT_FIGURES = {"memory.note"}
HELP = "see targets/README.md for the fields"


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


class _Profile(Record):
    target: _Header
    cpu: Cpu
    memory: Memory
    runtime: Runtime
    preferences: Preferences
    latency: Latency | None = None
    sources: tuple[Source, ...] = ()
    assumptions: tuple[Assumption, ...] = ()


_OPERATOR_LATENCY: tuple[tuple[str, type[BaseModel]], ...] = (
    ("", OperatorLatency),
    (".interval", Interval),
    (".memory", MemoryCost),
    (".float32", ArithmeticLatency),
    (".int8", ArithmeticLatency),
    (".float32.operators", OperatorCost),
    (".int8.operators", OperatorCost),
)
_RECORDS: Mapping[str, type[BaseModel]] = {
    "": _Profile,
    "target": _Header,
    "cpu.clusters": Cluster,
    "sources": Source,
    "assumptions": Assumption,
    **SECTION_RECORDS,
    "latency.tflm": InstructionLatency,
    "latency.tflm.cycles_per_instruction": CyclesPerInstruction,
    "latency.tflm.interval": Interval,
    "latency.tflm.dense_interval": Interval,
    "latency.tflm.float32_interval": Interval,
    **{
        f"latency.{runtime}{place}": record
        for runtime in ("litert", "tflite-runtime")
        for place, record in _OPERATOR_LATENCY
    },
}
"""By the place in the file, with the runtime behind ``latency``: it decides what the section is."""


def target_folders() -> tuple[Path, ...]:
    """Folders that are searched for profiles, in this order: named, calibrated, shipped ones."""
    named = os.environ.get(ENVIRONMENT_VARIABLE, "").split(os.pathsep)
    calibrated = calibrated_folder()
    own = (calibrated,) if calibrated.is_dir() else ()
    return (*(Path(name).expanduser() for name in named if name), *own, shipped_folder())


def calibrated_folder() -> Path:
    """The user's folder for the profiles that ``edgesqueeze calibrate`` writes; it need not exist."""
    return platformdirs.user_config_path("edgesqueeze") / "targets"


def shipped_folder() -> Path:
    """The folder of the profiles that come with EdgeSqueeze."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "_targets"
    return packaged if packaged.is_dir() else package.parent / "targets"


def load_target(name_or_path: str) -> Target:
    """Load a profile by its name, an alias, or the path of a ``.toml`` file.

    Raises:
        TargetError: there is no such profile, or it is malformed.
    """
    if name_or_path.endswith(".toml") or "/" in name_or_path or os.sep in name_or_path:
        return _load_file(Path(name_or_path).expanduser())
    name = re.sub(r"[\s_]+", "-", name_or_path.strip().lower())
    if len(name) <= MAX_NAME and re.fullmatch(NAME_PATTERN, name):
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
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise TargetError(f"{origin}: {error or 'nested too deeply'}", expected="TOML", hint=HELP) from error
    return _to_target(raw, name, origin)


def _load_file(path: Path) -> Target:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise TargetError(f"{path} is no profile", expected=f"at most {MAX_FILE_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise TargetError(f"there is no file {path}", hint="`edgesqueeze targets list` lists names") from None
    except UnicodeDecodeError as error:
        raise TargetError(f"{path} is no profile: {error}", expected="UTF-8 text") from error
    except (OSError, ValueError) as error:
        raise TargetError(f"cannot read {path}: {error}", expected="a .toml file") from error
    return parse_target(text, path.stem, str(path))


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


def _to_target(raw: Mapping[str, Any], name: str, origin: str) -> Target:
    try:
        profile = _Profile.model_validate(raw)
        header = profile.target
        return Target(
            name=name,
            title=header.title,
            device_class=header.device_class,
            aliases=header.aliases,
            cpu=profile.cpu,
            memory=profile.memory,
            runtime=profile.runtime,
            preferences=profile.preferences,
            latency=profile.latency,
            sources=profile.sources,
            assumptions=profile.assumptions,
        )
    except ValidationError as error:
        raise _explain(error.errors(), origin) from error


def _explain(errors: list[ErrorDetails], origin: str) -> TargetError:
    """The first of pydantic's errors, in the words of the file."""
    # A misspelt field is missing too; the misspelling is what to tell.
    first = next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
    location = [part for part in first["loc"] if isinstance(part, str)]
    # Behind ``latency`` pydantic puts the runtime, which is no part of the place in the file.
    path = [str(part) for part in first["loc"]]
    field = ".".join(path[:1] + path[2:] if path[0:1] == ["latency"] and len(path) > 1 else path)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    if first["type"] == "extra_forbidden":
        above = location[:-1]
        if "operators" in above:
            above = above[: above.index("operators") + 1]  # behind it comes the operator's name
        record = _RECORDS.get(".".join(above), _Profile)
        valid = [info.alias or key for key, info in record.model_fields.items()]
        return TargetError(
            f"{origin}: unknown field {field!r}{nearest(location[-1], valid)}{more}",
            expected="one of " + ", ".join(sorted(valid)),
            hint=HELP,
        )
    if first["type"] == "missing":
        return TargetError(f"{origin}: the field {field!r} is missing{more}", hint=HELP)
    if first["type"].startswith("union_tag"):
        return TargetError(
            f"{origin}: {field}.runtime does not say what the section is for{more}",
            expected="one of tflm (microcontrollers), litert, tflite-runtime",
            hint=HELP,
        )
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        place = f"{field}: " if field else ""
        return TargetError(f"{origin}: {place}{message}{more}", hint=HELP)
    if field == "name":
        message = "the file's name is the target's name: lower case, digits and single hyphens"
    got = repr(first["input"])
    return TargetError(
        f"{origin}: {field} is not valid{more}",
        expected=message.removeprefix("Input should be "),
        got=got if len(got) <= 100 else got[:97] + "...",
        hint=HELP,
    )


def _problem(code: str, subject: str, message: str) -> Finding:
    return Finding(code=code, subject=subject, message=message, severity="warning")
