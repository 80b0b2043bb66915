"""Run kernel calls of the native generator on the host, one by one, without generated code.

Structs are laid out as the kernels' headers declare them. Every call runs twice: with its tensors apart, and
with its output over an input as closely as ``Call.overlap`` allows; both must agree and leave the memory
around the output alone.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.emit.native.kernels import ALIGNMENT, files_of
from edgesqueeze.emit.native.records import Blob, Call, Lowering, Operation, Placement, Struct
from edgesqueeze.emit.rounding import round_up
from edgesqueeze.graph import Graph

KERNELS = Path(__file__).parents[2] / "edgesqueeze" / "kernels"
FLAGS = ("-std=c99", "-O1", "-g", "-fPIC", "-fsanitize=undefined", "-fno-sanitize-recover=all")
GUARD = 64
GUARD_VALUE = 0x5A
INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
NUMBERS = {"float": ctypes.c_float, **{f"{kind}_t": getattr(ctypes, f"c_{kind}") for kind in INTEGERS}}


def run_graph(
    graph: Graph, lowerings: Mapping[str, Lowering], inputs: Sequence[Array]
) -> tuple[list[Array], list[Call]]:
    """One inference with the portable kernels.

    Args:
        graph: all of its operators must be in ``lowerings``.
        lowerings: builtin operator -> its lowering.
        inputs: int8 arrays for the graph's inputs.

    Returns:
        The graph's outputs, and the calls that were made.

    Raises:
        UnsupportedOperationError: from a lowering.
        AssertionError: a kernel's result depends on how its tensors overlap, or it writes beside its output.
    """
    values: dict[int, Array] = dict(zip(graph.inputs, (array.reshape(-1) for array in inputs), strict=True))
    made = []
    for operator in graph.operators:
        for step in lowerings[operator.opcode](Operation(graph, operator, "reference")):
            if isinstance(step, Placement):
                size = graph.tensors[step.tensor].elements
                values[step.tensor] = values[step.whole][step.offset : step.offset + size]
            else:
                _run(step, values, graph)
                made.append(step)
    outputs = [values[index].reshape(graph.tensors[index].shape) for index in graph.outputs]
    return outputs, made


def _run(call: Call, values: dict[int, Array], graph: Graph) -> None:
    index = call.outputs[0]
    size = graph.tensors[index].elements
    operands = [item.array if isinstance(item, Blob) else values[item] for item in call.inputs]
    start = values.get(index, np.zeros(size, np.int8))
    memory = _guarded(start)
    _invoke(call, operands, memory, 0)
    values[index] = _unguarded(memory, size)
    for position, least in call.overlap.items():
        source, distance = operands[position], round_up(least, ALIGNMENT["reference"])
        memory = _guarded(np.zeros(max(size, distance + source.size), np.int8))
        shared = memory[GUARD + distance : GUARD + distance + source.size]
        shared[:] = source
        _invoke(call, [shared if i == position else array for i, array in enumerate(operands)], memory, 0)
        _unguarded(memory, size)
        assert np.array_equal(memory[GUARD : GUARD + size], values[index]), f"{call.function} over its input"


def _guarded(content: Array) -> Array:
    return np.pad(content, GUARD, constant_values=GUARD_VALUE)


def _unguarded(memory: Array, size: int) -> Array:
    assert (memory[:GUARD] == GUARD_VALUE).all(), "written before the output"
    assert (memory[-GUARD:] == GUARD_VALUE).all(), "written behind the output"
    return memory[GUARD : GUARD + size].copy()


def _invoke(call: Call, operands: Sequence[Array], memory: Array, at: int) -> None:
    alive: list[Any] = []
    assert call.parameters is not None
    parameters = _fill(call.parameters, alive)
    scratch = [] if call.scratch_bytes is None else [np.zeros(call.scratch_bytes, np.int8)]
    pointers = [*(array.ctypes.data for array in operands), memory[GUARD + at :].ctypes.data]
    pointers += [array.ctypes.data for array in scratch]
    function = getattr(_library(call.function), call.function)
    function.restype = None
    function(ctypes.byref(parameters), *map(ctypes.c_void_p, pointers))


def _fill(struct: Struct, alive: list[Any]) -> ctypes.Structure:
    """A struct with the values that the generator gives it; ``alive`` keeps what its pointers point to."""
    record: ctypes.Structure = _types()[struct.type_name]()
    fields: dict[str, Any] = {name: kind for name, kind, *_ in record._fields_}
    # Members that are left out are zero, as in C.
    assert set(fields) >= set(struct.members), f"{struct.type_name}: {set(struct.members) - set(fields)}"
    for name, value in struct.members.items():
        if isinstance(value, Struct):
            setattr(record, name, _fill(value, alive))
        elif isinstance(value, Blob):
            alive.append(value.array)
            setattr(record, name, value.array.ctypes.data)
        elif isinstance(value, tuple) and value and isinstance(value[0], Struct):
            records = [_fill(one, alive) for one in value if isinstance(one, Struct)]
            alive.append((type(records[0]) * len(records))(*records))
            setattr(record, name, ctypes.addressof(alive[-1]))
        elif isinstance(value, tuple):
            assert len(getattr(record, name)) == len(value), name
            setattr(record, name, fields[name](*value))
        else:
            value = _constants()[value] if isinstance(value, str) else value
            setattr(record, name, value)
            assert getattr(record, name) == value, f"{struct.type_name}.{name} cannot hold {value}"
    return record


@cache
def _library(function: str) -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "kernels.so"
        files = files_of("reference", [function])
        paths = [str(KERNELS / "reference" / name) for name in files if name.endswith(".c")]
        command = ["gcc", *FLAGS, "-shared", "-I", str(KERNELS / "include"), *paths, "-o", str(target)]
        subprocess.run(command, check=True)
        return ctypes.CDLL(str(target))


@cache
def _headers() -> str:
    text = "\n".join(path.read_text() for path in sorted((KERNELS / "include").glob("*.h")))
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)


@cache
def _constants() -> Mapping[str, int]:
    """The named numbers of all headers."""
    return {name: int(value) for name, value in re.findall(r"\b(ES_\w+) = (\d+)\b", _headers())}


@cache
def _types() -> Mapping[str, Any]:
    """The structs of all headers, by name."""
    found: dict[str, Any] = {}
    waiting = re.findall(r"typedef struct \{(.*?)\}\s*(\w+);", _headers(), flags=re.DOTALL)
    while waiting:
        later = [(body, name) for body, name in waiting if not _declare(body, name, found)]
        assert len(later) < len(waiting), f"structs with unknown members: {[name for _, name in later]}"
        waiting = later
    return found


def _declare(body: str, name: str, found: dict[str, Any]) -> bool:
    fields = []
    for declaration in filter(None, map(str.strip, body.split(";"))):
        kind, declarators = re.fullmatch(r"(?:const )?(\w+) (.*)", declaration, flags=re.DOTALL).groups()  # type: ignore[union-attr]
        for declarator in declarators.split(","):
            member, count = re.fullmatch(r"\s*(\**\w+)\s*(?:\[(\d+)\])?\s*", declarator).groups()  # type: ignore[union-attr]
            ctype = ctypes.c_void_p if member.startswith("*") else NUMBERS.get(kind, found.get(kind))
            if ctype is None:
                return False
            fields.append((member.lstrip("*"), ctype * int(count) if count else ctype))
    found[name] = type(name, (ctypes.Structure,), {"_fields_": fields})
    return True
