"""What a model keeps from one inference to the next, as tensors of its graph.

Operators on resource variables become plain operators on tensors that outlive an inference: READ_VARIABLE
takes such a tensor, ASSIGN_VARIABLE gives one. The subgraph that runs once (CALL_ONCE) is evaluated here: it
says what these tensors hold at first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgesqueeze.emit.native.records import Blob, Refusal, State, as_bytes
from edgesqueeze.graph import Graph, Operator, Tensor, TfliteModel
from edgesqueeze.graph.state import first_graphs, handles_of

HANDLING = frozenset({"CALL_ONCE", "VAR_HANDLE"})
"""Operators that only name variables, or run before the first inference."""
IN_PLACE = "in_place"
"""Option of READ_VARIABLE and ASSIGN_VARIABLE: whether what is read lies where the variable does. Then the
variable is assigned to after everything else has run."""
KEPT_TYPES = ("int8", "int16")


@dataclass(frozen=True, eq=False)
class Kept:
    """A main graph in which state is tensors, and what they hold at first.

    Attributes:
        graph: the graph; tensors that outlive an inference have ``variable`` set.
        states: those of these tensors that some operator uses.
        refusals: what native C does not take of the model's state.
    """

    graph: Graph
    states: tuple[State, ...]
    refusals: tuple[Refusal, ...]


@dataclass
class _Variable:
    """A resource variable while it is being found out about."""

    like: Tensor
    tensor: int
    reads: list[Operator]
    assigns: list[Operator]


def with_state_tensors(model: TfliteModel, *, in_place: bool = True) -> Kept:
    """The main graph with a tensor for each variable.

    Args:
        model: any model.
        in_place: let reads have no memory of their own, as far as no read comes after an assignment.
    """
    graph, refusals = model.main, list[Refusal]()
    variables = _variables(graph, refusals)
    first = dict(_first_values(model, refusals))
    operators = list(_rewritten(graph, variables, in_place))
    added = tuple(_tensor(name, one) for name, one in variables.items())
    kept = Graph(graph.name, graph.tensors + added, tuple(operators), graph.inputs, graph.outputs)
    states = [
        *_resource_states(variables, first, refusals),
        *_tensor_states(kept, len(graph.tensors), refusals),
    ]
    return Kept(kept, tuple(states), tuple(refusals))


def _variables(graph: Graph, refusals: list[Refusal]) -> dict[str, _Variable]:
    """Variable by name, in the order of their first use."""
    handles, found = handles_of(graph), dict[str, _Variable]()
    for operator in graph.operators:
        if operator.opcode not in ("READ_VARIABLE", "ASSIGN_VARIABLE"):
            continue
        reads = operator.opcode == "READ_VARIABLE"
        name = handles.get(operator.inputs[0]) if operator.inputs else None
        value = operator.outputs[:1] if reads else operator.inputs[1:2]
        if name is None or not value or value[0] < 0:
            refusals.append(Refusal("names no variable of this graph", operator.kind, operator.index))
            continue
        tensor = graph.tensors[value[0]]
        new = _Variable(tensor, len(graph.tensors) + len(found), [], [])
        variable = found.setdefault(name, new)
        if (tensor.dtype, tensor.elements) != (variable.like.dtype, variable.like.elements):
            what = f"{tensor.dtype}{list(tensor.shape)}, {variable.like.dtype}{list(variable.like.shape)}"
            refusals.append(Refusal(f"a variable of several types: {what}", operator.kind, operator.index))
        (variable.reads if reads else variable.assigns).append(operator)
    return found


def _rewritten(graph: Graph, variables: Mapping[str, _Variable], in_place: bool) -> Iterator[Operator]:
    """The operators; those that assign to a variable whose reads lie in it come last."""
    handles, later = handles_of(graph), list[Operator]()
    for operator in graph.operators:
        if operator.opcode in HANDLING:
            continue
        variable = variables.get(handles.get(operator.inputs[0], "")) if operator.inputs else None
        if operator.opcode not in ("READ_VARIABLE", "ASSIGN_VARIABLE") or variable is None:
            yield operator
            continue
        simple = in_place and _reads_come_first(variable)
        options = {**operator.options, IN_PLACE: simple}
        if operator.opcode == "READ_VARIABLE":
            yield replace(operator, inputs=(variable.tensor,), options=options)
        else:
            one = replace(operator, inputs=operator.inputs[1:2], outputs=(variable.tensor,), options=options)
            if simple:
                later.append(one)
            else:
                yield one
    yield from later


def _reads_come_first(variable: _Variable) -> bool:
    last = max((read.index for read in variable.reads), default=-1)
    return len(variable.assigns) <= 1 and all(last < one.index for one in variable.assigns)


def _tensor(name: str, variable: _Variable) -> Tensor:
    return replace(variable.like, index=variable.tensor, name=name.lstrip("/"), data=None, variable=True)


def _first_values(model: TfliteModel, refusals: list[Refusal]) -> Iterator[tuple[str, Tensor]]:
    """Name of a variable -> the constant that the subgraphs that run once assign to it."""
    for number in sorted(first_graphs(model)):
        graph = model.graphs[number]
        handles = handles_of(graph)
        for operator in graph.operators:
            if operator.opcode == "VAR_HANDLE":
                continue
            value = graph.tensors[operator.inputs[1]] if len(operator.inputs) == 2 else None
            name = handles.get(operator.inputs[0]) if operator.inputs else None
            if operator.opcode != "ASSIGN_VARIABLE" or value is None or name is None or not value.is_constant:
                reason = f"the subgraph that runs once has {operator.kind}, expected assigned constants"
                once = next(one.index for one in model.main.operators if one.opcode == "CALL_ONCE")
                refusals.append(Refusal(reason, "CALL_ONCE", once))
            else:
                yield name, value


def _resource_states(
    variables: Mapping[str, _Variable], first: Mapping[str, Tensor], refusals: list[Refusal]
) -> Iterator[State]:
    for name, variable in variables.items():
        value, like = first.get(name), variable.like
        kind = "READ_VARIABLE" if variable.reads else "ASSIGN_VARIABLE"
        where = (variable.reads or variable.assigns)[0].index
        if like.dtype not in KEPT_TYPES:
            reason = f"variables are {like.dtype}, expected {' or '.join(KEPT_TYPES)}"
            refusals.append(Refusal(reason, kind, where))
        elif value is not None and (value.dtype, value.elements) != (like.dtype, like.elements):
            reason = (
                f"a variable of {like.dtype}{list(like.shape)} is set to {value.dtype}{list(value.shape)}"
            )
            refusals.append(Refusal(reason, kind, where))
        elif value is None and variable.reads and not _assigned_before(variable):
            refusals.append(Refusal("a variable is read before anything is assigned to it", kind, where))
        else:
            data = np.zeros(like.elements, like.dtype) if value is None else np.asarray(value.data)
            yield _state(variable.tensor, data.reshape(-1), name)


def _assigned_before(variable: _Variable) -> bool:
    return any(one.index < variable.reads[0].index for one in variable.assigns)


def _tensor_states(graph: Graph, count: int, refusals: list[Refusal]) -> Iterator[State]:
    """Those of the first ``count`` tensors that operators keep state in; at first they stand for zero."""
    seen: set[int] = set()
    for operator in graph.operators:
        for index in operator.inputs:
            if not 0 <= index < count or index in seen or not graph.tensors[index].variable:
                continue
            seen.add(index)
            tensor = graph.tensors[index]
            if tensor.dtype not in KEPT_TYPES:
                reason = f"its state is {tensor.dtype}, expected {' or '.join(KEPT_TYPES)}"
                refusals.append(Refusal(reason, operator.kind, operator.index))
                continue
            zero = tensor.quantization.zero_point if tensor.dtype == "int8" and tensor.quantization else 0
            yield _state(index, np.full(tensor.elements, zero, tensor.dtype), tensor.name)


def _state(tensor: int, values: np.ndarray[tuple[int, ...], np.dtype[np.generic]], name: str) -> State:
    return State(tensor, Blob(as_bytes(values), f"what {name.lstrip('/') or tensor} holds at first"))
