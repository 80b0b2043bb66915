"""What all records share, and the record of a figure that is not known exactly."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

R = TypeVar("R", bound="Record")
MOST_BITS = 64
"""Of a whole number in a document; longer ones are no count, and no float can hold the longest."""


class Record(BaseModel):
    """A frozen record that refuses unknown fields.

    Its validator is built when it is first used, so that a command pays only for the records it needs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Range(Record):
    """A figure that is not known exactly.

    Attributes:
        estimate: most likely value.
        low: lowest value that is plausible.
        high: highest value that is plausible.
    """

    estimate: float
    low: float
    high: float

    def contains(self, figure: float) -> bool:
        """Whether a figure lies between the bounds."""
        return self.low <= figure <= self.high


def read_record(content: bytes, kind: type[R]) -> R:
    """The record that a JSON document holds.

    Raises:
        ValueError: it holds another; with what is wrong, in one line.
    """
    try:
        return kind.model_validate(read_json(content))
    except ValidationError as error:
        raise ValueError(explained(error)) from error


def explained(error: ValueError) -> str:
    """What is wrong with a document, in one line: the first field that is, and why."""
    if not isinstance(error, ValidationError):
        return (str(error).splitlines() or [type(error).__name__])[0]
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else first["msg"]


def read_json(content: bytes) -> Any:
    """What a JSON document holds.

    Raises:
        ValueError: it is none, or too much for one; with what is wrong, in one line.
    """
    try:
        return json.loads(content, parse_int=_whole)
    except UnicodeDecodeError as error:
        raise ValueError("it is no text") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _whole(digits: str) -> int:
    number = int(digits)
    if number.bit_length() > MOST_BITS:
        raise ValueError(f"a whole number of {len(digits)} digits")
    return number
