"""What the TFLM templates print: tensors, operators and text, in the spelling of C++."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from edgesqueeze.base.versions import own_version
from edgesqueeze.emit.names import camel_case
from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.graph import Tensor, TfliteModel
from edgesqueeze.target.runtimes import (
    TFLM_CUSTOM_METHODS,
    TFLM_NPU_METHODS,
    TFLM_RESOLVER_METHODS,
    check_tflm_operators,
)

HEX_PER_LINE = 12
LONGEST_NAME = 40
"""Characters of a tensor's name that a comment shows."""

C_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "int8": "std::int8_t",
        "uint8": "std::uint8_t",
        "int16": "std::int16_t",
        "uint16": "std::uint16_t",
        "int32": "std::int32_t",
        "uint32": "std::uint32_t",
        "int64": "std::int64_t",
        "uint64": "std::uint64_t",
        "float32": "float",
        "float64": "double",
        "bool": "bool",
    }
)
"""NumPy name -> C++ type of an input's or output's elements."""


@dataclass(frozen=True)
class IoTensor:
    """An input or output of the model as the header describes it.

    Attributes:
        side: ``input`` or ``output``.
        index: position among the model's inputs or outputs.
        title: one line for a comment.
        prefix: start of its constants' names: ``kInput``, or ``kInput0`` when there are several.
        type_name: alias of its element type: ``InputType`` or ``Input0Type``.
        variable: name of its variable in the example.
        c_type: element type.
        shape: one batch.
        elements: product of ``shape``.
        scale: float literal; empty without quantization.
        zero_point: 0 without quantization.
        index_constant: constant that gives the index by name, where there are several; else empty.
    """

    side: str
    index: int
    title: str
    prefix: str
    type_name: str
    variable: str
    c_type: str
    shape: tuple[int, ...]
    elements: int
    scale: str
    zero_point: int
    index_constant: str

    @property
    def quantized(self) -> bool:
        """Whether integers stand for real numbers."""
        return bool(self.scale)


def generator() -> str:
    """Name and version of this program."""
    return f"EdgeSqueeze {own_version()}"


def resolver_methods(model: TfliteModel) -> tuple[str, ...]:
    """The methods of ``MicroMutableOpResolver`` that register exactly the model's operators.

    Raises:
        UnsupportedModelError: operators that TFLM does not have, all of them, or no operator at all.
    """
    check_tflm_operators(model, npus=True)
    custom = {**TFLM_CUSTOM_METHODS, **TFLM_NPU_METHODS}
    methods = {
        custom[operator.kind] if operator.opcode == "CUSTOM" else TFLM_RESOLVER_METHODS[operator.kind]
        for operator in model.operators
    }
    if not methods:
        raise UnsupportedModelError(
            f"{model.name} has no operators",
            expected="a model that computes something",
            hint="convert the model again; if it passes its input on, no firmware needs it",
        )
    return tuple(sorted(methods))


def io_tensors(model: TfliteModel) -> tuple[IoTensor, ...]:
    """The model's inputs, then its outputs.

    Raises:
        UnsupportedModelError: an element type that C++ does not have.
    """
    return _side("input", model.main.input_tensors, model) + _side("output", model.main.output_tensors, model)


class _Names:
    """Names that are each given once: of two that become one in C, the second gets a number."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def take(self, stem: str) -> str:
        """The name, or the first of name2, name3, ... that is free."""
        name = stem
        while name in self._taken:
            number = self._next.get(stem, 2)
            self._next[stem] = number + 1
            name = f"{stem}{number}"
        self._taken.add(name)
        return name


def _side(side: str, tensors: tuple[Tensor, ...], model: TfliteModel) -> tuple[IoTensor, ...]:
    several = len(tensors) > 1
    names = _Names()
    records = []
    for index, tensor in enumerate(tensors):
        if tensor.dtype not in C_TYPES:
            raise UnsupportedModelError(
                f"{side} {index} ({tensor.name}) of {model.name} has the type {tensor.dtype}",
                expected=", ".join(C_TYPES),
                hint="convert the model with int8, uint8 or float32 inputs and outputs",
            )
        number = str(index) if several else ""
        capital = f"{side.capitalize()}{number}"
        records.append(
            IoTensor(
                side=side,
                index=index,
                title=_title(side, number, tensor),
                prefix=f"k{capital}",
                type_name=f"{capital}Type",
                variable=f"{side}{number}",
                c_type=C_TYPES[tensor.dtype],
                shape=tensor.shape,
                elements=tensor.elements,
                scale=float_literal(tensor.quantization.scale) if tensor.quantization else "",
                zero_point=tensor.quantization.zero_point if tensor.quantization else 0,
                index_constant=names.take(f"k{camel_case(tensor.name)}{side.capitalize()}Index")
                if several
                else "",
            )
        )
    return tuple(records)


def _title(side: str, number: str, tensor: Tensor) -> str:
    name = tensor.name if len(tensor.name) <= LONGEST_NAME else f"{tensor.name[: LONGEST_NAME - 3]}..."
    shape = "x".join(map(str, tensor.shape)) or "scalar"
    return f"{side.capitalize()} {number}".rstrip() + f": {comment_text(name)}, {tensor.dtype} {shape}"


def float_literal(value: float) -> str:
    """A float literal that gives the same float32 back."""
    text = str(np.float32(value))
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def comment_text(text: str) -> str:
    """Text that cannot end a comment, continue it on the next line or hide anything in it."""
    plain = "".join(char if " " <= char <= "~" else f"\\u{ord(char):04x}" for char in text)
    # A backslash at the end of a line, or its trigraph, would swallow the next one.
    return plain.replace("??/", "?? /") + ("." if plain.endswith("\\") else "")


def c_string(text: str) -> str:
    """A string literal: UTF-8, everything unusual as an octal escape."""
    quoted = "".join(_escaped(byte) for byte in text.encode("utf-8", "surrogateescape"))
    return f'"{quoted}"'


def _escaped(byte: int) -> str:
    char = chr(byte)
    # A question mark could start a trigraph.
    return f"\\{byte:03o}" if char in '"\\?' or not " " <= char <= "~" else char


def hex_lines(content: bytes) -> str:
    """The elements of an array, twelve a line."""
    digits = [f"0x{byte:02x}" for byte in content]
    rows = (digits[start : start + HEX_PER_LINE] for start in range(0, len(digits), HEX_PER_LINE))
    return "\n".join(f"    {', '.join(row)}," for row in rows)
