"""What can be told about a graph before its operators are lowered: which run, when, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgesqueeze.emit.native.records import Refusal
from edgesqueeze.graph import NO_TENSOR, Graph, Operator, TfliteModel
from edgesqueeze.graph.npu import npu_of
from edgesqueeze.graph.state import first_graphs

BORDER_DTYPES = ("float32", "uint8")
"""What is converted on the way in and out, besides int8 and int16."""

HELD = ("int8", "int16", "float32", "int32", "uint8", "bool")
"""What the arena holds: activations, real numbers behind an inner DEQUANTIZE, places and indices."""

ACTIVATIONS = ("int8", "int16")
"""What lies in the arena even where nothing reads it."""

PLACES = frozenset({"ARG_MAX", "ARG_MIN"})
"""Operators that give the caller places of values, as int32."""

SHAPE_IGNORED = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
"""Operators of which only the first input matters, because all shapes are known."""


def live_operators(graph: Graph, kept: Iterable[int] = ()) -> tuple[Operator, ...]:
    """The operators on which a graph's outputs depend, or what is kept. What computes shapes only is not.

    Args:
        graph: any graph.
        kept: tensors that outlive an inference.
    """
    needed = {*graph.outputs, *kept}
    live = []
    for operator in reversed(graph.operators):
        if needed.isdisjoint(operator.outputs):
            continue
        live.append(operator)
        needed.update(_needed_inputs(operator))
    return tuple(live[::-1])


def ordered_operators(graph: Graph) -> list[Operator]:
    """The operators in the order in which they run.

    Conversions at the border run when the caller gives or takes values: before and after all others.

    Args:
        graph: a graph of live operators only.
    """
    return sorted(graph.operators, key=lambda one: is_exit(graph, one) - is_entry(graph, one))


def border_refusals(model: TfliteModel, graph: Graph, operators: Sequence[Operator]) -> list[Refusal]:
    """What stands in the way before any operator is lowered: subgraphs, inputs, outputs, missing values.

    Args:
        model: the whole model.
        graph: the graph of it that is lowered.
        operators: those of the graph that must run, in order.
    """
    npu = npu_of(model)
    if npu:
        return [Refusal(f"it is a program for {npu}")]
    return [
        *_refusals_of_subgraphs(model),
        *_refusals_of_borders(graph, operators),
        *_refusals_of_order(graph, operators),
    ]


def is_entry(graph: Graph, operator: Operator) -> bool:
    """Whether an operator turns what the caller gives, and nothing else reads, into int8."""
    return _may_enter(graph, operator) and all(
        _may_enter(graph, one) for one in graph.readers[operator.inputs[0]]
    )


def is_held(graph: Graph, index: int) -> bool:
    """Whether what the caller gives for an input lies in the arena as it is."""
    dtype, readers = graph.tensors[index].dtype, graph.readers.get(index, ())
    if dtype not in HELD or any(is_entry(graph, one) for one in readers):
        return False
    return bool(readers) or dtype in ACTIVATIONS or index in graph.outputs


def _may_enter(graph: Graph, operator: Operator) -> bool:
    return (
        operator.opcode == "QUANTIZE"
        and len(operator.inputs) == len(operator.outputs) == 1
        and operator.inputs[0] in graph.input_set
        # What the caller gets back as it is must lie in the arena as it is.
        and operator.inputs[0] not in graph.outputs
        and graph.tensors[operator.inputs[0]].dtype in BORDER_DTYPES
    )


def is_exit(graph: Graph, operator: Operator) -> bool:
    """Whether an operator turns int8 into what the caller gets, and nothing else reads."""
    if len(operator.outputs) != 1 or operator.outputs[0] not in graph.output_set:
        return False
    if operator.outputs[0] in graph.readers:
        return False
    dtype = graph.tensors[operator.outputs[0]].dtype
    if operator.opcode in PLACES:
        return len(operator.inputs) == 2 and dtype == "int32"
    return (
        operator.opcode in ("DEQUANTIZE", "QUANTIZE")
        and len(operator.inputs) == 1
        and dtype in BORDER_DTYPES
        and not is_entry(graph, operator)
    )


def _needed_inputs(operator: Operator) -> tuple[int, ...]:
    return operator.inputs[:1] if operator.opcode in SHAPE_IGNORED else operator.inputs


def _refusals_of_subgraphs(model: TfliteModel) -> list[Refusal]:
    others = len(model.graphs) - 1 - len(first_graphs(model))
    return [Refusal(f"{others} subgraphs besides the main one: control flow")] if others else []


def _refusals_of_borders(graph: Graph, live: Sequence[Operator]) -> list[Refusal]:
    """Inputs and outputs that are neither int8 nor converted on the way in or out."""
    problems = []
    read = {index for one in live if not is_entry(graph, one) for index in one.inputs}
    written = {index for one in live for index in one.outputs}
    converted = {index for one in live if is_exit(graph, one) for index in one.outputs}
    for index in graph.inputs:
        tensor = graph.tensors[index]
        if tensor.dtype not in HELD and index in read:
            problems.append(f"input {tensor.label!r} is {tensor.dtype}, expected one of {', '.join(HELD)}")
    for index in graph.outputs:
        tensor = graph.tensors[index]
        if tensor.dtype not in HELD and index not in converted:
            problems.append(f"output {tensor.label!r} is {tensor.dtype}, expected one of {', '.join(HELD)}")
        if tensor.is_constant or (index not in written and index not in graph.input_set):
            problems.append(f"output {tensor.label!r} is not computed")
    return [Refusal(problem) for problem in problems]


def _refusals_of_order(graph: Graph, operators: Sequence[Operator]) -> list[Refusal]:
    """Tensors that are read, or given to the caller, before anything has computed them."""
    lasting = (tensor.index for tensor in graph.tensors if tensor.is_constant or tensor.variable)
    known = {*graph.inputs, *lasting}
    refusals = []
    for operator in operators:
        for index in _needed_inputs(operator):
            if index != NO_TENSOR and index not in known:
                name = graph.tensors[index].label
                refusals.append(Refusal(f"{name!r} is not computed before", operator.kind, operator.index))
        known.update(operator.outputs)
    return refusals
