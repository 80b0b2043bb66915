"""Inputs and outputs of the generated code: what the caller gives and gets, and the integers behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from edgesqueeze.emit.native.borders import HELD, is_entry, is_exit, is_held
from edgesqueeze.emit.native.records import Io
from edgesqueeze.graph import Graph, Tensor


def ports_of(graph: Graph) -> tuple[tuple[Io, ...], tuple[Io, ...]]:
    """The inputs and the outputs of a graph whose every layer was lowered."""
    becomes: dict[int, int] = {}
    made_from: dict[int, int] = {}
    for operator in graph.operators:
        if is_entry(graph, operator):
            becomes.setdefault(operator.inputs[0], operator.outputs[0])
        elif is_exit(graph, operator):
            made_from.setdefault(operator.outputs[0], operator.inputs[0])
    held_inputs = {index for index in graph.inputs if is_held(graph, index)}
    held_outputs = {index for index in graph.outputs if graph.tensors[index].dtype in HELD} - made_from.keys()
    return (
        _side(graph, graph.inputs, becomes, held_inputs),
        _side(graph, graph.outputs, made_from, held_outputs),
    )


def _side(graph: Graph, ports: Sequence[int], converted: Mapping[int, int], held: Set[int]) -> tuple[Io, ...]:
    several = len(ports) > 1
    return tuple(
        _io(
            position,
            graph.tensors[index],
            graph.tensors[converted.get(index, index)],
            several,
            converts=index not in held,
        )
        for position, index in enumerate(ports)
    )


def _io(position: int, tensor: Tensor, integers: Tensor, several: bool, *, converts: bool) -> Io:
    # Integers that the caller sees have their own scale; float32 has that of the int8 behind it.
    quantization = (integers if tensor.dtype == "float32" else tensor).quantization
    return Io(
        index=position,
        name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        elements=tensor.elements,
        scale=quantization.scale if quantization else 1.0,
        zero_point=quantization.zero_point if quantization else 0,
        converts=converts,
        suffix=f"_{position}" if several else "",
    )
