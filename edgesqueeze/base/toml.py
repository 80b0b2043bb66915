"""TOML files that people write: read, checked by a record, and errors in the words of the file.

An error names the file, the dotted path of the key in it, and for a misspelt key the nearest valid one.
"""

from __future__ import annotations

import errno
import importlib
import sys
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from edgesqueeze.base.files import read_file
from edgesqueeze.base.records import Record
from edgesqueeze.base.suggest import nearest
from edgesqueeze.errors import UsageError

# The standard library has it from 3.11 on; by name, because a type checker sees only one of the two.
tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

MAX_FILE_BYTES = 256 * 1024
MOST_SHOWN = 100
UNIONS = (Union, types.UnionType)
NO_TABLE = ("model_type", "model_attributes_type", "dict_type")
"""Pydantic's errors for a value where a table must be."""

R = TypeVar("R", bound=Record)


class FileKind(NamedTuple):
    """What errors say about one kind of TOML file.

    Attributes:
        noun: what people call such a file: ``recipe``.
        error: the exception that says what is wrong with one.
        hint: where its keys are documented.
        none_hint: what to do when there is no such file.
    """

    noun: str
    error: type[UsageError]
    hint: str
    none_hint: str = "check the path"


def read_toml(path: str | Path, kind: FileKind) -> dict[str, Any]:
    """Read a file.

    Args:
        path: the file, in UTF-8, of at most ``MAX_FILE_BYTES``.
        kind: what it is, for errors.

    Returns:
        Its tables as dictionaries, not checked.

    Raises:
        UsageError: of the kind's class: the file cannot be read, or is no TOML.
    """
    path = Path(path)
    try:
        text = read_file(path, MAX_FILE_BYTES).decode()
    except FileNotFoundError:
        raise kind.error(f"there is no {kind.noun} {path}", hint=kind.none_hint) from None
    except UnicodeDecodeError as error:
        raise kind.error(
            f"{path} is no {kind.noun}: {error}", expected="a TOML file in UTF-8", hint=kind.hint
        ) from None
    except OSError as error:
        if error.errno == errno.EFBIG:
            expected = f"at most {MAX_FILE_BYTES} bytes"
            raise kind.error(f"{path} is no {kind.noun}", expected=expected) from None
        got = error.strerror or str(error)
        raise kind.error(f"cannot read {path}", expected="a TOML file", got=got) from None
    except ValueError as error:  # a zero byte in the path
        raise kind.error(f"cannot read {str(path)!r}", expected="a TOML file", got=str(error)) from None
    return parse_toml(text, str(path), kind)


def parse_toml(text: str, origin: str, kind: FileKind) -> dict[str, Any]:
    """Parse TOML.

    Args:
        text: the content of a file.
        origin: what to call it in errors.
        kind: what it is, for errors.

    Raises:
        UsageError: of the kind's class: it is no TOML.
    """
    try:
        raw: dict[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        problem = str(error) if isinstance(error, ValueError) else "nested too deeply"
        raise kind.error(f"{origin}: {problem}", expected="a TOML file in UTF-8", hint=kind.hint) from None
    return raw


def check_record(raw: Mapping[str, Any], record: type[R], origin: str, kind: FileKind) -> R:
    """Make a record of the tables of a file.

    Args:
        raw: tables as dictionaries.
        record: what they must be.
        origin: what to call them in errors.
        kind: what the file is, for errors.

    Raises:
        UsageError: of the kind's class: an unknown or missing key, a value out of range, a contradiction.
    """
    try:
        return record.model_validate(raw)
    except ValidationError as error:
        raise _explained(error.errors(), record, origin, kind) from None


def _explained(
    errors: Sequence[ErrorDetails], record: type[Record], origin: str, kind: FileKind
) -> UsageError:
    """The first of pydantic's errors, in the words of the file."""
    # A misspelt key is missing too; the misspelling is what to tell.
    first = next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
    problem, expected, got = _told(first, record)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return kind.error(f"{origin}: {problem}{more}", expected=expected, got=got, hint=kind.hint)


def _told(error: ErrorDetails, record: type[Record]) -> tuple[str, str, str]:
    """What is wrong with a file, what was expected, and what came."""
    location, type_ = error["loc"], error["type"]
    path, there = _walk(record, location)
    key = ".".join(path)
    if type_ == "extra_forbidden":
        _, above = _walk(record, location[:-1])
        valid = sorted(_keys(above))
        return f"unknown key {key!r}{nearest(path[-1], valid)}", "one of " + ", ".join(valid), ""
    if type_ == "missing" and isinstance(location[-1], str):
        return f"the key {key!r} is missing", "", ""
    if type_.startswith("union_tag"):
        tag = error["ctx"]["discriminator"].strip("'")
        valid = list(_members(there))
        return f"{key}.{tag} does not say what the section is for", "one of " + ", ".join(valid), ""
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if type_ == "value_error":
        return f"{key}: {message}" if key else message, "", ""
    if type_ in NO_TABLE:
        message = "a table"
    if type_ == "missing":
        key, message = ".".join(path[:-1]), f"at least {int(location[-1]) + 1} values"
    got = repr(error["input"])
    return f"{key} is not valid", message, got if len(got) <= MOST_SHOWN else got[: MOST_SHOWN - 3] + "..."


def _walk(record: type[Record], location: Sequence[str | int]) -> tuple[list[str], Any]:
    """Follow one of pydantic's locations.

    Returns:
        The keys in the file on the way, and the type of what is there; None where the records know none.
    """
    path: list[str] = []
    here: Any = record
    for part in location:
        if part == "[key]":  # the key before it is what is wrong, not its value
            continue
        members = _members(here)
        if part in members:  # pydantic names the member of a union by its tag, which is no key in the file
            here = members[str(part)]
            continue
        path.append(str(part))
        here = _below(here, part)
    return path, _plain_type(here)


def _below(kind: Any, part: str | int) -> Any:
    """The type of what a table or a list of this type has there."""
    kind = _plain_type(kind)
    if _is_record(kind):
        field = _keys(kind).get(str(part))
        return field.annotation if field else None
    arguments = [one for one in get_args(kind) if one is not Ellipsis]
    if get_origin(kind) is tuple and isinstance(part, int):
        return arguments[min(part, len(arguments) - 1)]
    return arguments[-1] if get_origin(kind) is dict else None


def _members(kind: Any) -> dict[str, Any]:
    """The records in a union, by the tags that tell them apart."""
    kind = _plain_type(kind)
    if get_origin(kind) not in UNIONS:
        return {}
    return {
        tag: member
        for member in get_args(kind)
        if _is_record(member)
        for field in member.model_fields.values()
        if get_origin(field.annotation) is Literal
        for tag in get_args(field.annotation)
    }


def _plain_type(kind: Any) -> Any:
    """A type without its annotations, and without the None that may stand for it."""
    if get_origin(kind) is Annotated:
        return _plain_type(get_args(kind)[0])
    if get_origin(kind) in UNIONS:
        some = [one for one in get_args(kind) if one is not type(None)]
        return _plain_type(some[0]) if len(some) == 1 else kind
    return kind


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _keys(record: type[BaseModel]) -> dict[str, Any]:
    """A record's fields by the keys that a file has for them."""
    return {field.alias or name: field for name, field in record.model_fields.items()}
