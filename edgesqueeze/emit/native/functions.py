"""The functions of the generated model: which layers each runs, and every call in C."""

from __future__ import annotations

from collections.abc import Sequence

from edgesqueeze.emit.native.literals import C_TYPES
from edgesqueeze.emit.native.lower.graph import Lowered
from edgesqueeze.emit.native.pages import Function, Statement, Step
from edgesqueeze.emit.native.program import Program
from edgesqueeze.emit.native.records import Blob, Layer
from edgesqueeze.emit.native.symbols import address, comment_of, parameters_name, place_name, scratch_address
from edgesqueeze.emit.native.turns import turns_of


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
    times = program.lowered.times
    chains = {chain.first: chain for chain in program.lowered.chains}
    steps = tuple(
        turns_of(program, chains[layer.index])
        if layer.index in chains
        else Step(
            index=layer.index,
            comment=comment_of(layer),
            calls=tuple(
                Statement(_call(program, layer, position, outside), call.images)
                for position, call in enumerate(layer.calls)
            ),
        )
        for layer in layers
        if times.get(layer.index, layer.index) == layer.index
    )
    return Function(signature, steps, uses_arena=bool(steps))


def _pointer(program: Program, signature: str, tensor: int) -> Function:
    # A tensor that no layer reads still needs a valid address.
    place = address(program, tensor)
    return Function(signature, value=place)


def _call(program: Program, layer: Layer, position: int, outside: int | None) -> str:
    call = layer.calls[position]
    arguments = [f"&{parameters_name(layer, position)}"] if call.parameters else []
    for item in (*call.inputs, *call.outputs):
        if isinstance(item, Blob):
            arguments.append(program.constants.names[item])
        else:
            arguments.append("values" if item == outside else address(program, item, call.images))
    if call.scratch_bytes is not None:
        arguments.append(scratch_address(program, layer.index))
    return f"{call.function}({', '.join(arguments)})"
