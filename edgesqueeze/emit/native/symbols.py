"""How the generated code spells what it refers to: names of constants, and where things lie."""

from __future__ import annotations

from edgesqueeze.emit.native.program import Program
from edgesqueeze.emit.native.records import Layer

LONGEST_NAME = 60
"""Characters of a tensor's name that a comment shows."""


def parameters_name(layer: Layer, position: int) -> str:
    """The name of the constant parameters of a layer's call.

    Args:
        layer: the layer.
        position: of the call among the layer's calls.
    """
    return f"{layer.opcode.lower()}_{layer.index}" + (f"_{position}" if position else "")


def place_name(tensor: int) -> str:
    """The name of the constant that says where a tensor lies."""
    return f"TENSOR_{tensor}"


def scratch_name(layer: int) -> str:
    """The name of the constant that says where a layer's scratch memory lies."""
    return f"SCRATCH_{layer}"


def scratch_address(program: Program, layer: int) -> str:
    """Where the scratch memory of a layer lies; 0 where it needs none."""
    time = program.lowered.times.get(layer, layer)
    return f"arena + {scratch_name(time)}" if layer in program.plan.scratch else "0"


def address(program: Program, tensor: int, images: int = 1) -> str:
    """Where a tensor lies, as a pointer that becomes one to its type.

    Args:
        program: the whole.
        tensor: index of the tensor.
        images: of how many equal parts the pointer is to that of the number ``image``.
    """
    place = f"arena + {place_name(tensor)}" if tensor in program.plan.offsets else "arena"
    record = program.lowered.graph.tensors[tensor]
    if images > 1:
        place += f" + image * {record.nbytes // images}"
    return place if record.dtype == "int8" else f"(void *)({place})"


def comment_of(layer: Layer) -> str:
    """Number, kind, shapes and name of a layer."""
    return f"{layer.index}  {layer.opcode}  {layer.summary}  {layer.name[:LONGEST_NAME]}"
