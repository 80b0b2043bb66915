"""A .tflite as C++ for TensorFlow Lite Micro: a header and a source for any firmware.

The header carries what a firmware needs to know (the array, the arena size, shapes, scales, zero points)
and a function that registers the operators used; it includes none of TFLM's headers. The source carries
the bytes. Everything that depends on the model is computed in ``tflm_values.py``; what the files look like
is in ``templates/``.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edgesqueeze.base.given import expect
from edgesqueeze.base.templates import rendered
from edgesqueeze.emit.arena import Arena
from edgesqueeze.emit.names import c_name, check_c_name, module_name
from edgesqueeze.emit.tflm_values import (
    IoTensor,
    c_string,
    comment_text,
    generator,
    hex_lines,
    io_tensors,
    resolver_methods,
)
from edgesqueeze.graph import TfliteModel, as_model
from edgesqueeze.graph.state import resource_variables, state_of

WIDTH = 80
TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class TflmSource:
    """The generated files and what they promise.

    Attributes:
        name: the model's name in C.
        files: file name -> text.
        arena: the memory that TFLM needs, and what it is made of.
        operators: the resolver's methods that the firmware links, in alphabetical order.
        array_bytes: flash that the model takes, in bytes.
    """

    name: str
    files: Mapping[str, str]
    arena: Arena
    operators: tuple[str, ...]
    array_bytes: int


def emit_tflm(
    model: str | Path | TfliteModel, arena: Arena, *, name: str | None = None, content: bytes | None = None
) -> TflmSource:
    """Generate the header and the source of a model.

    Args:
        model: any .tflite that TFLM can run, or its path. The file's name appears in comments.
        arena: the memory that the model needs, as ``find_arena`` measures it.
        name: the model's name in C; made from the file's name when it is None.
        content: what the firmware carries in place of the file, of the same inputs, operators and outputs, as
            ``runners.lean_array`` makes and proves it; by default the file.

    Raises:
        UsageError: ``name`` is not valid in C, or an argument is of the wrong kind.
        UnsupportedModelError: operators that TFLM does not have (all are named), or inputs or outputs of a
            type that C++ does not have.
    """
    model = as_model(model)
    expect(arena, Arena, "the Arena that the model needs", "edgesqueeze.find_arena measures it")
    valid = c_name(model.name) if name is None else check_c_name(name)
    methods = resolver_methods(model)
    tensors = io_tensors(model)
    module = module_name(valid)
    carried = model.content if content is None else content
    values = _values(model, module, tensors, methods, arena) | _array(model, carried)
    return TflmSource(
        name=valid,
        files=MappingProxyType(
            {
                f"{module}.h": _render("tflm_model.h.j2", values),
                f"{module}.cc": _render("tflm_model.cc.j2", values | {"hex_lines": hex_lines(carried)}),
            }
        ),
        arena=arena,
        operators=methods,
        array_bytes=len(carried),
    )


def _array(model: TfliteModel, carried: bytes) -> dict[str, Any]:
    """What the header says about the array."""
    text = "The .tflite file, byte for byte."
    if carried != model.content:
        text = (
            f"The .tflite file ({len(model.content)} bytes) without what TensorFlow Lite Micro does not "
            "read: names, metadata, zero points of weights, scales of biases. Its outputs are the same; "
            "LiteRT does not load it."
        )
    text += " TensorFlow Lite Micro reads it in place, so it may stay in flash."
    lines = textwrap.fill(text, WIDTH, initial_indent="// ", subsequent_indent="// ")
    return {"array_bytes": len(carried), "array_lines": lines}


def _values(
    model: TfliteModel,
    module: str,
    tensors: tuple[IoTensor, ...],
    methods: tuple[str, ...],
    arena: Arena,
) -> dict[str, Any]:
    return {
        "model": {
            "file": model.name,
            "name": model.name,
            "sha256": model.file_sha256,
        },
        "generator": generator(),
        "module": module,
        "namespace": module,
        "data": f"g_{module}_data",
        # With the hash, including two versions of one model is an error instead of a silent mix-up.
        "guard": f"EDGESQUEEZE_{module.upper()}_{model.sha256[:8].upper()}_H_",
        "tensors": tensors,
        "methods": methods,
        "resource_variables": resource_variables(model),
        "state": _state_lines(model),
        "resets": state_of(model).between() == "reset",
        "arena": arena,
        "arena_lines": _arena_lines(arena),
        "parameters": _parameters(tensors, module),
    }


def _arena_lines(arena: Arena) -> str:
    """The summands of the arena size as lines of a comment."""
    kernels = f"kernels on {_core_title(arena.core)}" if arena.core else "kernels on any Cortex-M"
    rows = [
        (arena.measured_bytes, f"measured in {arena.measured_on} with its reference kernels"),
        (arena.scratch_bytes, f"scratch memory for CMSIS-NN's {kernels}"),
        (arena.margin_bytes, "for safety"),
    ]
    if not arena.measured_on:
        rows = [
            (arena.measured_bytes, "as the model's compiler planned it; not measured"),
            (arena.margin_bytes, "for the interpreter's records, and for safety"),
        ]
    digits = len(str(arena.measured_bytes))
    blank = " " * (digits + 2)
    return "\n".join(
        textwrap.fill(
            text, WIDTH, initial_indent=f"//   {size:{digits}d}  ", subsequent_indent=f"//   {blank}"
        )
        for size, text in rows
    )


def _state_lines(model: TfliteModel) -> str:
    """What a firmware must know about the model's state, as lines of a comment; empty without state."""
    state = state_of(model)
    if not state:
        return ""
    if state.between() == "reset":
        text = (
            f"The model keeps state from one Invoke() to the next ({state.describe()}). Call Reset() of the "
            "interpreter before each input that does not continue the one before, as above."
        )
    else:
        text = (
            f"The model takes one step of a sequence per Invoke() and keeps the rest as state "
            f"({state.describe()}). Call Reset() of the interpreter only where a new sequence starts."
        )
    return textwrap.fill(text, WIDTH, initial_indent="// ", subsequent_indent="// ")


def _core_title(core: str) -> str:
    return core.replace("cortex-m", "Cortex-M").replace("plus", "+")


def _parameters(tensors: tuple[IoTensor, ...], namespace: str) -> str:
    """Parameters of the example's function, broken over lines as a formatter would."""
    parts = [
        f"{'const ' if tensor.side == 'input' else ''}{namespace}::{tensor.type_name}* {tensor.variable}"
        for tensor in tensors
    ]
    one_line = ", ".join(parts)
    return one_line if len(one_line) < WIDTH - 20 else (",\n" + " " * 11).join(parts)


def _render(template: str, values: Mapping[str, Any]) -> str:
    filters = {"comment": _comment, "comment_text": comment_text, "c_string": c_string}
    return rendered(TEMPLATES / template, values, filters=filters)


def _comment(text: str) -> str:
    return "\n".join(f"//   {line}".rstrip() for line in text.strip("\n").splitlines()) + "\n"
