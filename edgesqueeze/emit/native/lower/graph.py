"""A whole graph as calls of kernels, or everything that native C does not take in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from edgesqueeze.emit.native.borders import (
    border_refusals,
    is_entry,
    is_exit,
    live_operators,
    ordered_operators,
)
from edgesqueeze.emit.native.constant_channels import without_constant_channels
from edgesqueeze.emit.native.dilated import with_dilation, with_margins
from edgesqueeze.emit.native.images import with_images_apart
from edgesqueeze.emit.native.lower import shape
from edgesqueeze.emit.native.lower.cast import with_bytes_quantized
from edgesqueeze.emit.native.lower.state import Ring, assigned_directly, joined_in_ring, rings_of
from edgesqueeze.emit.native.lower.table import ENTRY, EXIT, INT16, LOWERINGS, PLAIN, REAL
from edgesqueeze.emit.native.operands import require_int8
from edgesqueeze.emit.native.pack.skipped import SKIPPED_BLOCKS
from edgesqueeze.emit.native.records import (
    Call,
    Layer,
    Lowering,
    Operation,
    Placement,
    Refusal,
    Refused,
    State,
    UnsupportedOperationError,
)
from edgesqueeze.emit.native.refusals import LACKING
from edgesqueeze.emit.native.rows.stages import Chain
from edgesqueeze.emit.native.ungroup import without_groups
from edgesqueeze.emit.native.variables import IN_PLACE, Kept, with_state_tensors
from edgesqueeze.graph import Graph, Operator, Tensor, TfliteModel
from edgesqueeze.graph.int4 import widened
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
        states: tensors that outlive an inference.
        chains: layers that run by turns, some rows at a time.
    """

    graph: Graph
    layers: tuple[Layer, ...]
    placements: tuple[Placement, ...]
    entry: frozenset[int]
    exit: frozenset[int]
    states: tuple[State, ...] = ()
    chains: tuple[Chain, ...] = ()

    @property
    def times(self) -> dict[int, int]:
        """Layer -> when it runs; all layers of a chain at the time of the first."""
        return {index: chain.first for chain in self.chains for index in chain.layers}


def lower(model: TfliteModel, kernel_set: str, multiple: int = 1) -> Lowered | Refused:
    """Turn a model into kernel calls, or say everything that native C does not take in it.

    Args:
        model: any .tflite.
        kernel_set: ``reference``, ``dsp`` or ``mve``.
        multiple: as ``without_constant_channels``.
    """
    model = widened(model)
    lowered = _lower(model, with_state_tensors(model), kernel_set, multiple)
    if isinstance(lowered, Lowered) and _gives_state(lowered):
        # What the caller gets must stay as it is: then variables are read and assigned by copying.
        return _lower(model, with_state_tensors(model, in_place=False), kernel_set, multiple)
    return lowered


def _lower(model: TfliteModel, kept: Kept, kernel_set: str, multiple: int) -> Lowered | Refused:
    whole = with_margins(with_dilation(kept.graph))
    slim = without_constant_channels(whole, SKIPPED_BLOCKS.get(kernel_set), multiple)
    graph = with_bytes_quantized(with_images_apart(without_groups(slim.graph)))
    kept_tensors = [one.tensor for one in kept.states]
    graph = replace(graph, operators=live_operators(graph, kept_tensors))
    operators = ordered_operators(graph)
    refusals = [*kept.refusals, *border_refusals(model, graph, operators)]
    rings = rings_of(graph)
    layers: list[Layer] = []
    placements: list[Placement] = []
    taken: set[int] = set()
    entry, leaving = set(), set()
    for operator in operators:
        operation = Operation(graph, operator, kernel_set)
        results = _results(operation, taken, rings.get(operator.index))
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
    return Lowered(graph, tuple(layers), tuple(placements), frozenset(entry), frozenset(leaving), kept.states)


def roots_of(placements: Sequence[Placement]) -> dict[int, tuple[int, int]]:
    """Tensor -> the tensor in whose memory it lies in the end, and at which byte."""
    direct = {placement.tensor: (placement.whole, placement.offset) for placement in placements}
    roots: dict[int, tuple[int, int]] = {}
    for tensor in direct:
        way = []
        while tensor in direct and tensor not in roots:
            way.append(tensor)
            tensor = direct[tensor][0]
        root, offset = roots.get(tensor, (tensor, 0))
        for part in reversed(way):
            offset += direct[part][1]
            roots[part] = (root, offset)
    return roots


def _gives_state(lowered: Lowered) -> bool:
    """Whether something that the caller gets lies in memory that outlives the inference."""
    roots = roots_of(lowered.placements)
    kept = {roots.get(state.tensor, (state.tensor, 0))[0] for state in lowered.states}
    given = {*lowered.graph.outputs}
    for index in lowered.exit:
        given.update(
            item for call in lowered.layers[index].calls for item in call.inputs if isinstance(item, int)
        )
    return any(roots.get(tensor, (tensor, 0))[0] in kept for tensor in given)


def _results(
    operation: Operation, taken: Set[int], ring: Ring | None
) -> tuple[Call | Placement, ...] | Refusal:
    """What becomes of one operator, or why native C does not take it.

    Args:
        operation: the operator.
        taken: tensors that share memory with others already.
        ring: of which it is a part.
    """
    graph, operator = operation.graph, operation.operator
    try:
        _check_tensors(operation)
        results = _without_copies(operation, taken, ring) or _lowering(graph, operator)(operation)
    except UnsupportedOperationError as error:
        return Refusal(str(error), operator.kind, operator.index)
    except MALFORMED as error:
        # A damaged file: shapes, options and constants that no converter would put together.
        what = f" ({error})" if str(error) else ""
        return Refusal(f"its shapes, options and constants do not agree{what}", operator.kind, operator.index)
    if _read_constants(graph, [result for result in results if isinstance(result, Call)]):
        return Refusal("an input is a constant", operator.kind, operator.index)
    return results


def _lowering(graph: Graph, operator: Operator) -> Lowering:
    lowering = _table(graph, operator).get(operator.kind)
    if lowering is None:
        if operator.opcode in LOWERINGS:
            _require_integers(graph, operator)
        only = operator.opcode in EXIT
        raise UnsupportedOperationError(
            "native C has it at the graph's inputs and outputs only" if only else LACKING
        )
    return lowering


def _table(graph: Graph, operator: Operator) -> Mapping[str, Lowering]:
    """The table for what an operator works on: the caller's values, other types than activations have, real
    numbers, int16 or int8."""
    if is_entry(graph, operator):
        return ENTRY
    if is_exit(graph, operator):
        return EXIT
    ends = (*operator.inputs[:1], *operator.outputs[:1])
    tensors = [graph.tensors[index] for index in ends if index >= 0]
    # A constant in front is an axis or a shape.
    dtypes = {tensor.dtype for tensor in tensors if not tensor.is_constant}
    if dtypes & {"bool", "int32", "uint8"}:
        return PLAIN
    return REAL if "float32" in dtypes else INT16 if "int16" in dtypes else LOWERINGS


def _check_tensors(operation: Operation) -> None:
    """Raise ``UnsupportedOperationError`` for tensors that no kernel could work with."""
    operator, tensors = operation.operator, operation.graph.tensors
    for index in (*operator.inputs, *operator.outputs):
        if index < 0:
            continue
        tensor = tensors[index]
        name = tensor.label
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


def _require_integers(graph: Graph, operator: Operator) -> None:
    """Raise ``UnsupportedOperationError`` where an operator that int8 has works on something else."""
    for index in (*operator.inputs, *operator.outputs):
        tensor = graph.tensor(index)
        if tensor is not None and not tensor.is_constant and tensor.dtype in ("float32", "int16"):
            require_int8(tensor)


def _read_constants(graph: Graph, calls: Sequence[Call]) -> bool:
    """Whether a call takes a constant for a tensor in the arena."""
    items = (item for call in calls for item in call.inputs)
    return any(isinstance(item, int) and graph.tensors[item].is_constant for item in items)


def _without_copies(
    operation: Operation, taken: Set[int], ring: Ring | None
) -> tuple[Call | Placement, ...] | None:
    """What becomes of an operator that only moves bytes, where they need not be moved."""
    if operation.operator.opcode == "ASSIGN_VARIABLE" and operation.option(IN_PLACE):
        return assigned_directly(operation, taken)
    if ring is None:
        return _joined_in_place(operation, taken)
    if operation.operator.opcode == "CONCATENATION":
        return joined_in_ring(operation, ring, taken)
    return (Placement(ring.kept, ring.whole, ring.offset),)


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
