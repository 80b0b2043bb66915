"""What can be told about a graph before its operators are lowered: which run, when, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgesqueeze.emit.native.records import Refusal
from edgesqueeze.graph import NO_TENSOR, Graph, Operator, TfliteModel
from edgesqueeze.graph.npu import npu_of
from edgesqueeze.graph.state import first_graphs

BORDER_DTYPES = ("float32", "uint8")
"""What users may give and get besides int8."""

HELD = ("int8", "int16", "float32")
"""What the arena holds: activations, and the real numbers behind an inner DEQUANTIZE."""

INTEGERS = ("int8", "int16")
"""What operators read and write where nothing is converted."""

PLACES = frozenset({"ARG_MAX", "ARG_MIN"})
"""Operators that give the caller places of values, as int32."""

REAL_FROM = frozenset({"CAST", "DEQUANTIZE"})
"""Operators that make real numbers of integers."""

SHAPE_IGNORED = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
"""Operators of which only the first input matters, because all shapes are known."""


def ordered_operators(graph: Graph, kept: Iterable[int] = ()) -> list[Operator]:
    """The operators that must run, in order.

    Conversions at the border run when the caller gives or takes values: before and after all others.

    Args:
        graph: any graph.
        kept: tensors that outlive an inference.
    """
    live = _live_operators(graph, kept)
    return sorted(live, key=lambda one: is_exit(graph, one) - is_entry(graph, one))


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
    """Whether an operator turns what the caller gives into int8."""
    return (
        operator.opcode == "QUANTIZE"
        and len(operator.inputs) == len(operator.outputs) == 1
        and operator.inputs[0] in graph.input_set
        and graph.tensors[operator.inputs[0]].dtype in BORDER_DTYPES
    )


def is_exit(graph: Graph, operator: Operator) -> bool:
    """Whether an operator turns int8 into what the caller gets."""
    if len(operator.outputs) != 1 or operator.outputs[0] not in graph.output_set:
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


def _live_operators(graph: Graph, kept: Iterable[int]) -> list[Operator]:
    """Operators on which the graph's outputs depend, or what is kept. What computes shapes only is not."""
    needed = {*graph.outputs, *kept}
    live = []
    for operator in reversed(graph.operators):
        if needed.isdisjoint(operator.outputs):
            continue
        live.append(operator)
        needed.update(_needed_inputs(operator))
    return live[::-1]


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
    real = _real_tensors(graph, live)
    for index in graph.inputs:
        tensor = graph.tensors[index]
        if tensor.dtype not in INTEGERS and index in read:
            problems.append(f"input {tensor.label!r} is {tensor.dtype} and not quantized at once")
    for index in graph.outputs:
        tensor = graph.tensors[index]
        if tensor.dtype not in INTEGERS and index not in converted and index not in real:
            problems.append(f"output {tensor.label!r} is {tensor.dtype} and not made from int8")
        if tensor.is_constant or (index not in written and index not in graph.input_set):
            problems.append(f"output {tensor.label!r} is not computed")
    return [Refusal(problem) for problem in problems]


def _real_tensors(graph: Graph, live: Sequence[Operator]) -> set[int]:
    """Tensors of float32 that are computed inside the graph, from integers."""
    found: set[int] = set()
    for one in live:
        if one.opcode in REAL_FROM or not found.isdisjoint(one.inputs):
            found.update(index for index in one.outputs if graph.tensors[index].dtype == "float32")
    return found


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
