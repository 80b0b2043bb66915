"""The functions of the generated model: which layers each runs, and every call in C."""

from __future__ import annotations

from collections.abc import Sequence

from edgesqueeze.emit.native.literals import C_TYPES
from edgesqueeze.emit.native.lower.graph import Lowered
from edgesqueeze.emit.native.pages import Function, Step
from edgesqueeze.emit.native.program import Program
from edgesqueeze.emit.native.records import Blob, Layer

LONGEST_NAME = 60
"""Characters of a tensor's name that a comment shows."""


def functions_of(program: Program) -> tuple[Function, ...]:
    """The functions of the model's own file, in the order in which the header declares them."""
    graph, name = program.lowered.graph, program.name
    model = f"const {name}_model *model"
    readers, writers = _by_input(program.lowered), _by_output(program.lowered)
    functions = []
    for io in program.inputs:
        tensor = graph.inputs[io.index]
        if io.converts:
            signature = f"void {name}_set_input{io.suffix}({model}, const {C_TYPES[io.dtype]} *values)"
            functions.append(_function(program, signature, readers.get(tensor, ()), tensor))
        else:
            signature = f"{C_TYPES[io.dtype]} *{name}_input{io.suffix}({model})"
            functions.append(_pointer(program, signature, tensor))
    functions.append(_function(program, f"void {name}_invoke({model})", _middle(program.lowered)))
    for io in program.outputs:
        tensor = graph.outputs[io.index]
        if io.converts:
            signature = f"void {name}_get_output{io.suffix}({model}, {C_TYPES[io.dtype]} *values)"
            functions.append(_function(program, signature, writers.get(tensor, ()), tensor))
        else:
            signature = f"const {C_TYPES[io.dtype]} *{name}_output{io.suffix}({model})"
            functions.append(_pointer(program, signature, tensor))
    return tuple(functions)


def resets_of(program: Program) -> tuple[str, ...]:
    """The calls of C's library that set what outlives an inference to what it holds at first."""
    calls = []
    for state in program.lowered.states:
        place, count = f"model->arena + {place_name(state.tensor)}", state.first.bytes
        if state.uniform:
            calls.append(f"(void)memset({place}, {int(state.first.array[0]) & 0xFF}, {count}u)")
        else:
            calls.append(f"(void)memcpy({place}, {program.constants.names[state.first]}, {count}u)")
    return tuple(calls)


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


def _middle(lowered: Lowered) -> list[Layer]:
    """The layers that neither read what the caller gives nor write what the caller gets."""
    border = lowered.entry | lowered.exit
    return [layer for layer in lowered.layers if layer.index not in border]


def _by_input(lowered: Lowered) -> dict[int, list[Layer]]:
    """Input of the graph -> the layers that convert it."""
    found: dict[int, list[Layer]] = {}
    for index in sorted(lowered.entry):
        layer = lowered.layers[index]
        for tensor in {item for call in layer.calls for item in call.inputs if isinstance(item, int)}:
            found.setdefault(tensor, []).append(layer)
    return found


def _by_output(lowered: Lowered) -> dict[int, list[Layer]]:
    """Output of the graph -> the layers that convert to it."""
    found: dict[int, list[Layer]] = {}
    for index in sorted(lowered.exit):
        layer = lowered.layers[index]
        for tensor in {item for call in layer.calls for item in call.outputs}:
            found.setdefault(tensor, []).append(layer)
    return found


def _function(
    program: Program, signature: str, layers: Sequence[Layer], outside: int | None = None
) -> Function:
    """A function that runs layers; ``outside`` is the tensor whose values the caller holds."""
    steps = tuple(
        Step(
            index=layer.index,
            comment=f"{layer.index}  {layer.opcode}  {layer.summary}  {layer.name[:LONGEST_NAME]}",
            calls=tuple(_call(program, layer, position, outside) for position in range(len(layer.calls))),
        )
        for layer in layers
    )
    return Function(signature, steps, uses_arena=bool(steps))


def _pointer(program: Program, signature: str, tensor: int) -> Function:
    # A tensor that no layer reads still needs a valid address.
    place = _address(program, tensor)
    return Function(signature, value=place)


def _address(program: Program, tensor: int) -> str:
    """Where a tensor lies, as a pointer that becomes one to its type."""
    place = f"arena + {place_name(tensor)}" if tensor in program.plan.offsets else "arena"
    return place if program.lowered.graph.tensors[tensor].dtype == "int8" else f"(void *)({place})"


def _call(program: Program, layer: Layer, position: int, outside: int | None) -> str:
    call = layer.calls[position]
    arguments = [f"&{parameters_name(layer, position)}"] if call.parameters else []
    for item in (*call.inputs, *call.outputs):
        if isinstance(item, Blob):
            arguments.append(program.constants.names[item])
        else:
            arguments.append("values" if item == outside else _address(program, item))
    if call.scratch_bytes is not None:
        has_some = layer.index in program.plan.scratch
        arguments.append(f"arena + {scratch_name(layer.index)}" if has_some else "0")
    return f"{call.function}({', '.join(arguments)})"
