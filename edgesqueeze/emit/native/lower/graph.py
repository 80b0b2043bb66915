"""A whole graph as calls of kernels, or everything that native C does not take in it."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np

from edgesqueeze.emit.native.borders import border_refusals, is_entry, is_exit, ordered_operators
from edgesqueeze.emit.native.lower import shape
from edgesqueeze.emit.native.lower.table import ENTRY, EXIT, LOWERINGS
from edgesqueeze.emit.native.records import (
    Call,
    Layer,
    Lowering,
    Operation,
    Placement,
    Refusal,
    Refused,
    UnsupportedOperationError,
)
from edgesqueeze.graph import Graph, Operator, Tensor, TfliteModel
from edgesqueeze.graph.macs import operator_macs

MALFORMED = (ArithmeticError, AssertionError, LookupError, TypeError, ValueError)
"""What a lowering runs into when an operator's shapes, options and constants do not go together."""

SMALLEST_SCALE, LARGEST_SCALE = 1e-30, 1e30
"""Between which a scale lies, both excluded; real models' scales are far from either."""

MOST_BYTES = (1 << 31) - 1
"""Elements of the largest tensor: kernels count in int32."""


@dataclass(frozen=True, eq=False)
class Lowered:
    """A graph as layers.

    Attributes:
        graph: the graph that was lowered.
        layers: layers in the order in which they run: those that read the caller's values first.
        placements: tensors that are parts of others.
        entry: indices of layers that convert an input; the layer reads the caller's values.
        exit: indices of layers that convert an output; the layer writes the caller's values.
    """

    graph: Graph
    layers: tuple[Layer, ...]
    placements: tuple[Placement, ...]
    entry: frozenset[int]
    exit: frozenset[int]


def lower(model: TfliteModel, kernel_set: str) -> Lowered | Refused:
    """Turn a model into kernel calls, or say everything that native C does not take in it."""
    graph = model.main
    operators = ordered_operators(graph)
    refusals = border_refusals(model, operators)
    layers: list[Layer] = []
    placements: list[Placement] = []
    taken: set[int] = set()
    entry, leaving = set(), set()
    for operator in operators:
        operation = Operation(graph, operator, kernel_set)
        results = _results(operation, taken)
        if isinstance(results, Refusal):
            refusals.append(results)
            continue
        placed = [result for result in results if isinstance(result, Placement)]
        placements += placed
        taken.update(index for one in placed for index in (one.tensor, one.whole))
        calls = tuple(result for result in results if isinstance(result, Call))
        if not calls:
            continue
        if is_entry(graph, operator):
            entry.add(len(layers))
        elif is_exit(graph, operator):
            leaving.add(len(layers))
        layers.append(_layer(len(layers), operation, calls))
    if refusals:
        return Refused(tuple(refusals))
    return Lowered(graph, tuple(layers), tuple(placements), frozenset(entry), frozenset(leaving))


def _results(operation: Operation, taken: Set[int]) -> tuple[Call | Placement, ...] | Refusal:
    """What becomes of one operator, or why native C does not take it.

    Args:
        operation: the operator.
        taken: tensors that share memory with others already.
    """
    graph, operator = operation.graph, operation.operator
    try:
        _check_tensors(operation)
        results = _joined_in_place(operation, taken) or _lowering(graph, operator)(operation)
    except UnsupportedOperationError as error:
        return Refusal(str(error), operator.kind, operator.index)
    except MALFORMED as error:
        # A damaged file: shapes, options and constants that no converter would put together.
        return Refusal(f"contradicts itself ({error})", operator.kind, operator.index)
    if _read_constants(graph, [result for result in results if isinstance(result, Call)]):
        return Refusal("an input is a constant", operator.kind, operator.index)
    return results


def _lowering(graph: Graph, operator: Operator) -> Lowering:
    table = ENTRY if is_entry(graph, operator) else EXIT if is_exit(graph, operator) else LOWERINGS
    lowering = table.get(operator.opcode)
    if lowering is None:
        only = operator.opcode in EXIT
        raise UnsupportedOperationError(
            "native C has it at the graph's inputs and outputs only" if only else "native C does not have it"
        )
    return lowering


def _check_tensors(operation: Operation) -> None:
    """Raise ``UnsupportedOperationError`` for tensors that no kernel could work with."""
    operator, tensors = operation.operator, operation.graph.tensors
    for index in (*operator.inputs, *operator.outputs):
        if index < 0:
            continue
        tensor = tensors[index]
        name = tensor.name or str(index)
        if not 0 < tensor.elements <= MOST_BYTES or any(size < 1 for size in tensor.shape):
            raise UnsupportedOperationError(
                f"tensor {name!r} has the shape {list(tensor.shape)}, expected 1 to {MOST_BYTES:,} elements"
            )
        quantization = tensor.quantization
        if quantization is None or tensor.dtype not in ("int8", "uint8"):
            continue
        scales, zero_points = quantization.scales, quantization.zero_points
        if not (np.isfinite(scales) & (scales > SMALLEST_SCALE) & (scales < LARGEST_SCALE)).all():
            raise UnsupportedOperationError(
                f"tensor {name!r} has a scale that is no number from {SMALLEST_SCALE} to {LARGEST_SCALE}"
            )
        limits = np.iinfo(tensor.dtype)
        if ((zero_points < limits.min) | (zero_points > limits.max)).any():
            raise UnsupportedOperationError(
                f"tensor {name!r} has a zero point outside of {tensor.dtype}, "
                f"expected {limits.min} to {limits.max}"
            )


def _read_constants(graph: Graph, calls: Sequence[Call]) -> bool:
    """Whether a call takes a constant for a tensor in the arena."""
    items = (item for call in calls for item in call.inputs)
    return any(isinstance(item, int) and graph.tensors[item].is_constant for item in items)


def _joined_in_place(operation: Operation, taken: Set[int]) -> tuple[Placement, ...] | None:
    """The parts of a concatenation inside the whole, where no part already shares memory with others."""
    if operation.operator.opcode not in ("CONCATENATION", "PACK"):
        return None
    shape.lower_concatenation(operation)  # raises if the parts cannot be joined as they are
    joined = shape.placements_of_concatenation(operation)
    if joined is None or any(placement.tensor in taken for placement in joined):
        return None
    return joined


def _layer(index: int, operation: Operation, calls: tuple[Call, ...]) -> Layer:
    operator = operation.operator
    return Layer(
        index=index,
        opcode=operator.opcode,
        name=operation.output().name,
        summary=_summary(operation),
        macs=operator_macs(operation.graph, operator) or 0,
        calls=calls,
    )


def _summary(operation: Operation) -> str:
    """Shapes in words: of convolutions and pools the window first, the output's only if it is another."""
    operator = operation.operator
    inputs = [
        operation.graph.tensors[index]
        for index in operator.inputs
        if index >= 0 and not operation.graph.tensors[index].is_constant
    ]
    window = ""
    if operator.opcode in ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"):
        shape = operation.input(1).shape
        window = f"{shape[1]}x{shape[2]}: "
    elif operator.opcode.endswith("POOL_2D"):
        window = f"{operation.option('filter_height')}x{operation.option('filter_width')}: "
    sides = ", ".join(dict.fromkeys(_dims(tensor) for tensor in inputs))
    result = _dims(operation.output())
    return f"{window}{sides}" if sides == result else f"{window}{sides}->{result}"


def _dims(tensor: Tensor) -> str:
    shape = tensor.shape[1:] if len(tensor.shape) > 1 and tensor.shape[0] == 1 else tensor.shape
    return "x".join(map(str, shape)) or "1"
