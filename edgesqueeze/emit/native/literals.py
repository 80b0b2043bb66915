"""Values of the generator in the spelling of C."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.records import Blob, Struct, Value
from edgesqueeze.emit.tflm_values import comment_text, float_literal

WIDTH = 100
C_TYPES = {
    "bool": "uint8_t",
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "uint16": "uint16_t",
    "int32": "int32_t",
    "uint32": "uint32_t",
    "int64": "int64_t",
    "float32": "float",
}
"""NumPy name -> C type."""


def c_comment(text: str) -> str:
    """Text that can stand in a block comment, whatever a model's author called things."""
    return comment_text(text).replace("*/", "* /").replace("/*", "/ *")


def initializer(struct: Struct, symbol: Callable[[Blob], str], indent: int = 0) -> str:
    """A struct's value with designated members, one a line.

    Args:
        struct: the value.
        symbol: gives constant data its name in C.
        indent: levels of indentation.
    """
    pad = "  " * (indent + 1)
    lines = [f"{pad}.{name} = {_value(value, symbol, indent + 1)}," for name, value in struct.members.items()]
    return "\n".join(["{", *lines, "  " * indent + "}"])


def _value(value: Value, symbol: Callable[[Blob], str], indent: int) -> str:
    if value is None:
        return "0"
    if isinstance(value, Struct):
        return initializer(value, symbol, indent)
    if isinstance(value, Blob):
        return symbol(value)
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        structs = [one for one in value if isinstance(one, Struct)]
        if structs:
            items = ", ".join(initializer(one, symbol, indent) for one in structs)
            return f"(const {structs[0].type_name}[]){{{items}}}"
        return f"{{{', '.join(_integer(one) for one in value if isinstance(one, int))}}}"
    if isinstance(value, bool | int | np.integer):
        return _integer(int(value))
    return _real(float(value))


def _real(value: float) -> str:
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    return float_literal(value)


def _integer(value: int) -> str:
    """An integer constant of a type that holds it."""
    if value == -(1 << 31):
        return "(-2147483647 - 1)"
    if not -(1 << 31) < value < 1 << 32:
        return f"INT64_C({value})"
    return f"{value}u" if value >= 1 << 31 else str(value)


def array_rows(array: npt.NDArray[Any]) -> str:
    """The elements of an array as lines; rows of a two-dimensional one in braces."""
    if array.ndim == 2:
        return "\n".join(f"  {{{', '.join(map(_integer, row))}}}," for row in array.tolist())
    lines, line = [], " "
    spelled = _real if array.dtype.kind == "f" else _integer
    for text in map(spelled, array.reshape(-1).tolist()):
        if len(line) + len(text) + 2 > WIDTH:
            lines.append(line)
            line = " "
        line += f" {text},"
    return "\n".join([*lines, line])
