"""What a result was made from and came to, as hashes: whether the same inputs still give the same bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel

from edgesqueeze.base.hashes import sha256_of, sha256_of_files
from edgesqueeze.base.publish import digest
from edgesqueeze.base.records import Record
from edgesqueeze.graph import TfliteModel
from edgesqueeze.recipe.filled import FilledRecipe
from edgesqueeze.target.records import Target

Kind = Literal["input", "version", "file", "output"]
Verdict = Literal["same", "changed", "unknown", "gone", "new"]

PACKAGE = Path(__file__).parents[1]
MODEL = "model.tflite"
OBJECTS = ("model", "data")
"""What a program may give as objects."""


class Provenance(Record):
    """What a result was made from and came to, as SHA-256 in hexadecimal digits.

    Attributes:
        model: hash of the original's file, or of the names and contents of its folder's files; empty for a
            model that was given as an object.
        data: hash of the data's file, or of the names and contents of their folder's files; empty for data
            that a program gave.
        recipe: hash of the recipe with the target's preferences filled in, as JSON.
        target: hash of the target's profile, as JSON.
        labels: hash of the names of classes that were given, as JSON; empty where none were.
        code: hash of EdgeSqueeze's own files, tests left out.
        outputs: hashes of the .tflite and of the firmware sources, by name.
    """

    model: str
    data: str
    recipe: str
    target: str
    labels: str
    code: str
    outputs: dict[str, str]


class Inputs(NamedTuple):
    """Hashes of what a compression starts from; fields as in ``Provenance``."""

    model: str
    data: str
    recipe: str
    target: str
    labels: str
    code: str


class Compared(Record):
    """A thing that the result depends on, or a file of the result, now and then.

    Attributes:
        name: name of the input, or of the file.
        kind: ``input``, ``version``, ``file`` (as it lies in the folder) or ``output`` (as it came out
            again).
        verdict: ``same``; ``changed``; ``unknown`` where a program gave a model or data, which have no hash
            then; ``gone`` or ``new`` for an output that only one of the two has.
        before: hash or version in the report; empty where it has none.
        now: hash or version today; empty where there is none.
    """

    name: str
    kind: Kind
    verdict: Verdict
    before: str
    now: str


class Recheck(Record):
    """Whether the same inputs still give the same bytes.

    Attributes:
        schema_version: version of the form of this document; it rises when a field changes its meaning.
        ok: whether model, data, recipe, target and labels are the same, the files in the folder are as they
            were written, and every file came out the same.
        made_again: whether the result was made again; not where an input or a file had changed before.
        compared: inputs, versions, files and outputs, one entry each.
    """

    schema_version: Literal[1] = 1
    ok: bool
    made_again: bool
    compared: tuple[Compared, ...]


def inputs_of(
    model: Any, data: Any, recipe: FilledRecipe, target: Target, labels: Sequence[str] | None = None
) -> Inputs:
    """Hashes of what a compression starts from.

    Args:
        model: path or object; an object has no hash.
        data: path, ``module:callable`` or objects; only a path has a hash.
        recipe: what is done.
        target: the profile.
        labels: names of the classes that were given.
    """
    return Inputs(
        model=_of_path(model),
        data=_of_path(data),
        recipe=_of_record(recipe),
        target=_of_record(target),
        labels="" if labels is None else _of_text(json.dumps(list(labels))),
        code=code_sha256(),
    )


def output_hashes(tflite: TfliteModel, sources: Mapping[str, str]) -> dict[str, str]:
    """Hashes of what a compression came to, by name."""
    return {MODEL: tflite.sha256, **{name: _of_text(text) for name, text in sources.items()}}


def compared_inputs(before: Provenance, now: Inputs) -> tuple[Compared, ...]:
    """Every input that was hashed, then and now; the code is one of the versions."""
    return tuple(
        _compared(name, "version" if name == "code" else "input", getattr(before, name), getattr(now, name))
        for name in Inputs._fields
    )


def compared_versions(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[Compared, ...]:
    """Every package whose version is told."""
    return tuple(
        _compared(name, "version", before.get(name, ""), now.get(name, "")) for name in {**before, **now}
    )


def compared_outputs(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[Compared, ...]:
    """Every file of the result, then and now."""
    return tuple(
        _compared(name, "output", before.get(name, ""), now.get(name, "")) for name in {**before, **now}
    )


def compared_files(folder: Path, outputs: Mapping[str, str]) -> tuple[Compared, ...]:
    """Files of the result that are in the folder, as they are and as they were written."""
    found = {name: digest(folder, name) for name in outputs}
    return tuple(_compared(name, "file", outputs[name], now) for name, now in found.items() if now)


def is_same(compared: Iterable[Compared]) -> bool:
    """Whether nothing but versions differs."""
    return all(one.kind == "version" or one.verdict in ("same", "unknown") for one in compared)


@cache
def code_sha256() -> str:
    """The hash of EdgeSqueeze's own files, tests left out: in a checkout and in a wheel the same."""
    files = (path for path in PACKAGE.rglob("*") if path.is_file() and _is_code(path.relative_to(PACKAGE)))
    return sha256_of_files(PACKAGE, sorted(files))


def _is_code(path: Path) -> bool:
    if {"__pycache__", "testdata", "_targets"} & set(path.parts):
        return False
    return not path.name.endswith(("_test.py", ".md", ".pyc"))


def _of_path(given: Any) -> str:
    """The hash of what is there; what cannot be read is refused where it is opened."""
    try:
        return sha256_of(Path(given)) if isinstance(given, str | Path) else ""
    except OSError:
        return ""


def _of_record(record: BaseModel) -> str:
    return _of_text(record.model_dump_json())


def _of_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _compared(name: str, kind: Kind, before: str, now: str) -> Compared:
    verdict: Verdict = "same" if before == now else "changed"
    if kind == "output" and not (before and now):
        verdict = "gone" if before else "new"
    elif name in OBJECTS and not (before and now):
        verdict = "unknown"
    return Compared(name=name, kind=kind, verdict=verdict, before=before, now=now)
