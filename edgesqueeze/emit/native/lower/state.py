"""Reading and assigning what outlives an inference, without copying where that can be avoided.

A read has no memory of its own: it lies where the variable does. Of the pattern that streaming models have,

    old = READ_VARIABLE; all = CONCATENATION(old, new); ASSIGN_VARIABLE(STRIDED_SLICE(all))

nothing but the assignment is a copy: the variable is the start of ``all``, new values are computed behind it,
and what is kept moves down once everything else has run.
"""

from __future__ import annotations

import math
from collections.abc import Set
from typing import NamedTuple

from edgesqueeze.emit.native.borders import is_exit
from edgesqueeze.emit.native.copies import copy_call, joined
from edgesqueeze.emit.native.kernels import ALIGNMENT
from edgesqueeze.emit.native.lower import shape
from edgesqueeze.emit.native.records import Call, Operation, Placement, UnsupportedOperationError
from edgesqueeze.emit.native.variables import IN_PLACE
from edgesqueeze.graph import Graph, Operator, Tensor

NEVER_ALIASES = frozenset(
    {"CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "PAD", "SLICE", "STRIDED_SLICE"}
)
"""Operators whose outputs never lie in the memory of their inputs."""


class Ring(NamedTuple):
    """A variable that is the start of a larger tensor.

    Attributes:
        whole: the tensor, old values and new ones.
        variable: the tensor that outlives an inference.
        kept: the part of ``whole`` that is assigned to the variable.
        offset: bytes from the start of ``whole`` to ``kept``.
    """

    whole: int
    variable: int
    kept: int
    offset: int


def lower_read_variable(operation: Operation) -> tuple[Call | Placement, ...]:
    """READ_VARIABLE of an int8 tensor."""
    variable, output = operation.input(0), operation.output()
    if operation.option(IN_PLACE):
        return (Placement(output.index, variable.index, 0),)
    return (copy_call(variable, output, [(output.elements, 1, 1)]),)


def lower_assign_variable(operation: Operation) -> tuple[Call | Placement, ...]:
    """ASSIGN_VARIABLE of an int8 tensor."""
    value, variable = operation.input(0), operation.output()
    return (copy_call(value, variable, [(value.elements, 1, 1)]),)


def rings_of(graph: Graph) -> dict[int, Ring]:
    """The rings of a graph by the positions of their CONCATENATION and of their slice."""
    made_by = {index: operator for operator in graph.operators for index in operator.outputs}
    found: dict[int, Ring] = {}
    for assign in graph.operators:
        if assign.opcode != "ASSIGN_VARIABLE" or not assign.options[IN_PLACE]:
            continue
        cut = made_by.get(assign.inputs[0])
        join = made_by.get(cut.inputs[0]) if cut and cut.opcode in ("SLICE", "STRIDED_SLICE") else None
        read = made_by.get(join.inputs[0]) if join and join.opcode == "CONCATENATION" else None
        if cut is None or join is None or read is None or read.opcode != "READ_VARIABLE":
            continue
        offset = _piece(graph, cut)
        if read.inputs[0] == assign.outputs[0] and offset is not None and _worth(graph, join, read):
            ring = Ring(join.outputs[0], assign.outputs[0], cut.outputs[0], offset)
            found[join.index] = found[cut.index] = ring
    return found


def joined_in_ring(operation: Operation, ring: Ring, taken: Set[int]) -> tuple[Call | Placement, ...]:
    """CONCATENATION of a ring: the variable lies in the whole, and new parts do where they can."""
    calls = shape.lower_concatenation(operation)  # raises if the parts cannot be joined as they are
    whole, inputs = operation.output(), operation.operator.inputs
    _, parts = joined(operation, [operation.input(i) for i in range(len(inputs))], whole)
    results: list[Call | Placement] = [Placement(ring.variable, whole.index, 0)]
    offset = parts[0][1]
    for (tensor, size), call in zip(parts[1:], calls[1:], strict=True):
        free = not (tensor.is_constant or tensor.index in operation.graph.input_set | set(taken))
        aligned = offset % ALIGNMENT[operation.kernel_set] == 0
        if free and aligned and inputs.count(tensor.index) == 1 and not tensor.variable:
            results.append(Placement(tensor.index, whole.index, offset))
        else:
            results.append(call)
        offset += size
    return tuple(results)


def assigned_directly(operation: Operation, taken: Set[int]) -> tuple[Placement, ...] | None:
    """ASSIGN_VARIABLE of a value that can be computed where the variable lies; None where it cannot.

    Args:
        operation: an ASSIGN_VARIABLE whose reads lie in the variable.
        taken: tensors that share memory with others already.
    """
    graph, value = operation.graph, operation.input(0)
    variable = operation.output()
    outside = (
        value.is_constant or value.variable or value.index in graph.input_set | graph.output_set | set(taken)
    )
    readers = [one for one in graph.operators if value.index in one.inputs]
    assigns = sum(one.opcode == "ASSIGN_VARIABLE" for one in readers)
    if outside or assigns > 1 or any(is_exit(graph, one) for one in readers):
        return None
    places = {one.index: place for place, one in enumerate(graph.operators)}
    made = next((places[one.index] for one in graph.operators if value.index in one.outputs), -1)
    if made < 0 or made <= _last_use(graph, variable):
        return None
    return (Placement(value.index, variable.index, 0),)


def _last_use(graph: Graph, variable: Tensor) -> int:
    """Place of the last operator, but the assignment, that reads the variable or what may lie in it."""
    inside, last = {variable.index}, -1
    for place, operator in enumerate(graph.operators):
        if operator.opcode != "ASSIGN_VARIABLE" and inside.intersection(operator.inputs):
            last = place
            if operator.opcode not in NEVER_ALIASES:
                inside.update(operator.outputs)
    return last


def _piece(graph: Graph, cut: Operator) -> int | None:
    """Bytes from the start of a slice's input to its output, if that is one piece of it."""
    lowering = shape.lower_slice if cut.opcode == "SLICE" else shape.lower_strided_slice
    try:
        (call,) = lowering(Operation(graph, cut, "reference"))
    except (UnsupportedOperationError, ArithmeticError, LookupError, TypeError, ValueError):
        return None
    if not isinstance(call, Call) or call.parameters is None:
        return None
    members, size = call.parameters.members, graph.tensors[cut.outputs[0]].elements
    straight = (members["size"], members["input_stride"]) == ((1, 1, 1, size), (0, 0, 0, 1))
    offset = members["input_offset"]
    return offset if straight and isinstance(offset, int) else None


def _worth(graph: Graph, join: Operator, read: Operator) -> bool:
    """Whether the parts lie one behind the other, and there is no more new than old in the whole.

    All of the whole outlives an inference: with much that is new, copying what is old takes less memory.
    """
    old, whole = graph.tensors[read.outputs[0]], graph.tensors[join.outputs[0]]
    axis = join.options.get("axis", 0) % max(len(whole.shape), 1)
    return math.prod(whole.shape[:axis]) == 1 and whole.elements <= 2 * old.elements
