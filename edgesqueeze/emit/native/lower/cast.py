"""CAST, and what QUANTIZE makes of whole numbers that were cast to real ones.

TFLite casts as C does. Bytes of another type are the same bytes; all else takes a pass over the values.
"""

from __future__ import annotations

from dataclasses import replace

from edgesqueeze.emit.native.borders import HELD
from edgesqueeze.emit.native.operands import computed, require_same_elements, value_call
from edgesqueeze.emit.native.records import (
    Call,
    Operation,
    Placement,
    Struct,
    UnsupportedOperationError,
    Value,
)
from edgesqueeze.graph import Graph, Operator, Tensor

HEADER = "es_shape.h"

WHOLE = "whole"
"""Option of a QUANTIZE that reads whole numbers which stand for themselves."""

SAME_BITS = frozenset({("int8", "uint8"), ("uint8", "int8"), ("bool", "int8"), ("bool", "uint8")})
"""Types of one byte, of which a cast changes nothing."""

BYTES = ("uint8", "bool")


def lower_cast(operation: Operation) -> tuple[Call | Placement, ...]:
    """CAST between all types that the arena holds: the numbers themselves, whatever they stand for.

    Raises:
        UnsupportedOperationError: other types, a constant, or another number of elements.
    """
    source, output = operation.input(0), operation.output()
    for tensor in (source, output):
        if tensor.dtype not in HELD:
            raise UnsupportedOperationError(
                f"{tensor.label} is {tensor.dtype}, expected one of {', '.join(HELD)}"
            )
    require_same_elements(source, output)
    if source.dtype == output.dtype or (source.dtype, output.dtype) in SAME_BITS:
        return (Placement(output.index, computed(source), 0),)
    members: dict[str, Value] = {"count": output.elements, "from": _kind(source), "to": _kind(output)}
    call = value_call("es_cast", HEADER, Struct("es_casting", members), source, output)
    # A wider output runs ahead of what is read.
    return (call if output.nbytes <= source.nbytes else replace(call, overlap={}),)


def with_bytes_quantized(graph: Graph) -> Graph:
    """The graph in which bytes that are cast to float32 only to be quantized are quantized as they are."""
    makers = {one.outputs[0]: one for one in graph.operators if one.opcode == "CAST" and _is_unary(one)}
    operators = tuple(
        _from_bytes(graph, makers.get(one.inputs[0]), one)
        if one.opcode == "QUANTIZE" and _is_unary(one)
        else one
        for one in graph.operators
    )
    return replace(graph, operators=operators)


def _from_bytes(graph: Graph, cast: Operator | None, operator: Operator) -> Operator:
    if cast is None:
        return operator
    ends = graph.tensors[cast.inputs[0]].dtype, graph.tensors[operator.outputs[0]].dtype
    if ends[0] not in BYTES or ends[1] != "int8" or graph.tensors[cast.outputs[0]].dtype != "float32":
        return operator
    return replace(operator, inputs=cast.inputs, options={**operator.options, WHOLE: True})


def _is_unary(operator: Operator) -> bool:
    return len(operator.inputs) == len(operator.outputs) == 1


def _kind(tensor: Tensor) -> str:
    return f"ES_{tensor.dtype.upper()}"
