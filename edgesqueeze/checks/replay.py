"""Take a model apart into its operators, to find out which of them two runtimes compute differently.

Comparing the tensors of two whole runs says where a difference starts, but from there on everything
differs. So each operator is run by itself: it reads the values that the reference computed, as if they
were inputs of the model, and its own output is what is compared. Nothing is carried from layer to layer,
and a delegate cannot fuse an operator with its neighbours (which it can in the whole model: a difference
that appears only there is reported as such).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.base.arrays import Array
from edgesqueeze.checks.distance import (
    CARRIED_MEAN_LSB,
    FLOAT_NOISE,
    FLOAT_TOLERANCE,
    HYBRID_TOLERANCE,
    STEP_FACTOR,
    TOLERANCE_LSB,
    difference_of,
    lsb_limit,
)
from edgesqueeze.checks.records import LayerDifference
from edgesqueeze.errors import RequirementError, UnsupportedModelError
from edgesqueeze.graph import NO_TENSOR, Graph, Operator, Tensor, TfliteModel, parse_tflite
from edgesqueeze.graph.expose import with_outputs
from edgesqueeze.graph.state import first_graphs

Run = Callable[[TfliteModel, Sequence[Sequence[Array]]], list[list[Array]]]

CANNOT_RUN = (UnsupportedModelError, RequirementError)
"""What runners raise for a model that they cannot run."""

# Other types carry shapes and indices; operators stay connected through those.
CUT_TYPES = ("int8", "uint8", "int16", "float32")

SEQUENCES = frozenset({"UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"})
"""Operators that take all steps of a sequence, each on the state that the step before left."""


@dataclass(frozen=True)
class Pieces:
    """A model whose operators no longer feed each other.

    Attributes:
        model: the model, with every operator's data inputs as graph inputs and every computed tensor as a
            graph output.
        feeds: for each graph input after the original ones, the tensor of the original whose value it takes.
        tensors: the original tensor of each graph output.
    """

    model: TfliteModel
    feeds: tuple[int, ...]
    tensors: tuple[int, ...]


def data_tensors(graph: Graph) -> tuple[int, ...]:
    """Tensors that operators write and that depend on the graph's inputs, in execution order."""
    depends = set(graph.inputs)
    found = []
    for operator in graph.operators:
        if depends.intersection(operator.inputs):
            depends.update(operator.outputs)
            found += [index for index in operator.outputs if graph.tensors[index].dtype in CUT_TYPES]
    return tuple(found)


def taken_apart(model: TfliteModel) -> Pieces | None:
    """The model in pieces, or None when its operators cannot be separated (control flow, dynamic shapes)."""
    graph = model.main
    tensors = data_tensors(graph)
    # A graph that only sets variables to their first values runs as ever.
    if len(model.graphs) > 1 + len(first_graphs(model)) or not tensors:
        return None
    if any(-1 in graph.tensors[index].signature[1:] for index in (*graph.inputs, *tensors)):
        return None
    record = _unpacked(model)
    main = record.subgraphs[0]
    cut = {index for index in tensors if index not in graph.inputs}
    fresh: dict[int, int] = {}
    for operator in main.operators:
        operator.inputs = [_cut(main, index, cut, fresh) for index in operator.inputs]
    main.inputs = [*graph.inputs, *fresh.values()]
    main.outputs = list(tensors)
    return Pieces(_packed(record, model.name), tuple(fresh), tensors)


def replay(
    pieces: Pieces, samples: Sequence[Sequence[Array]], values: Sequence[Sequence[Array]], run: Run
) -> list[list[Array]]:
    """Run every operator on the reference's values.

    Args:
        pieces: the model in pieces.
        samples: inputs of the original model.
        values: for each sample, the reference's values of ``pieces.tensors``.
        run: the runtime under test.

    Returns:
        For each sample, what that runtime computed for each of ``pieces.tensors``.
    """
    position = {tensor: i for i, tensor in enumerate(pieces.tensors)}
    fed = [
        [*sample, *(row[position[tensor]] for tensor in pieces.feeds)]
        for sample, row in zip(samples, values, strict=True)
    ]
    return run(pieces.model, fed)


def differing_layers(
    model: TfliteModel, samples: Sequence[Sequence[Array]], reference: Run, run: Run, tolerance_lsb: float
) -> list[LayerDifference] | None:
    """Operators that alone compute something else than the reference does.

    Args:
        model: the whole model.
        samples: its inputs.
        reference: the runtime whose values count.
        run: the runtime under test.
        tolerance_lsb: what an operator may be off, in steps of an 8-bit output.

    Returns:
        The differing operators in execution order, or None when the model cannot be taken apart or a
        runtime cannot run it in pieces.
    """
    found = differing_pieces(model, samples, reference, run, tolerance_lsb)
    return None if found is None else [one.layer for one in found]


@dataclass(frozen=True, eq=False)
class Difference:
    """An operator that alone computes something else than the reference does, with what it computed.

    Attributes:
        layer: how far it is off.
        tensor: index of the output that differs.
        inputs: for each sample, by tensor index, the values that the operator read.
        want: the reference's outputs ``[n, *shape]``, raw.
        have: the other runtime's.
    """

    layer: LayerDifference
    tensor: int
    inputs: tuple[dict[int, Array], ...]
    want: Array
    have: Array


def differing_pieces(
    model: TfliteModel,
    samples: Sequence[Sequence[Array]],
    reference: Run,
    run: Run,
    tolerance_lsb: float = TOLERANCE_LSB,
) -> list[Difference] | None:
    """The same as ``differing_layers``, with the values."""
    pieces = taken_apart(model)
    if pieces is None:
        return None
    try:
        values = reference(with_outputs(model, pieces.tensors), samples)
        computed = replay(pieces, samples, values, run)
    except CANNOT_RUN:
        return None
    graph = model.main
    makers = {index: operator for operator in graph.operators for index in operator.outputs}
    known = [
        dict(zip((*graph.inputs, *pieces.tensors), (*sample, *row), strict=True))
        for sample, row in zip(samples, values, strict=True)
    ]
    found = []
    for i, index in enumerate(pieces.tensors):
        want = np.stack([np.asarray(row[i]) for row in values])
        have = np.stack([np.asarray(row[i]).reshape(want.shape[1:]) for row in computed])
        maker = makers[index]
        layer = _layer(graph, maker, graph.tensors[index], want, have, tolerance_lsb)
        if layer:
            read = tuple({one: row[one] for one in maker.inputs if one in row} for row in known)
            found.append(Difference(layer, index, read, want, have))
    return found


def alone(model: TfliteModel, operator: Operator) -> TfliteModel:
    """One operator of a model's first graph as a model: its inputs are what it reads and is not constant."""
    graph, record = model.main, _unpacked(model)
    main = record.subgraphs[0]
    main.operators = [main.operators[operator.index]]
    read = [one for one in operator.inputs if one != NO_TENSOR and not graph.tensors[one].is_constant]
    main.inputs, main.outputs = list(dict.fromkeys(read)), list(operator.outputs)
    return _packed(record, model.name)


def _layer(
    graph: Graph, operator: Operator, tensor: Tensor, want: Array, have: Array, tolerance: float
) -> LayerDifference | None:
    difference, is_lsb = difference_of(tensor, want, have)
    most = float(difference.max())
    if most <= (0 if is_lsb else FLOAT_NOISE):
        return None
    if is_lsb:
        limit, carried = lsb_limit(tensor, tolerance), lsb_limit(tensor, CARRIED_MEAN_LSB)
    else:
        limit = HYBRID_TOLERANCE if _is_hybrid(graph, operator) else FLOAT_TOLERANCE
        carried = limit
    alone = _first_step(operator, difference)
    limit *= 1 if alone is difference else STEP_FACTOR
    return LayerDifference(
        operator=operator.index,
        kind=operator.kind,
        tensor=tensor.name,
        max_lsb=most if is_lsb else None,
        max_relative=None if is_lsb else most,
        within_tolerance=float(alone.max()) <= limit
        and (alone is difference or difference.mean() <= carried),
    )


def _first_step(operator: Operator, difference: Array) -> Array:
    """The part of a difference ``[n, *shape]`` that nothing was carried to.

    Of an operator that takes a whole sequence it is the first step: the others carry rounding on, as a
    network does.
    """
    if operator.opcode not in SEQUENCES or difference.ndim != 4:
        return difference
    return difference.take([0], axis=1 if operator.options.get("time_major") else 2)


def _is_hybrid(graph: Graph, operator: Operator) -> bool:
    tensors = [graph.tensor(index) for index in operator.inputs]
    return any(tensor is not None and tensor.is_constant and tensor.dtype == "int8" for tensor in tensors)


def _cut(main: Any, index: int, cut: set[int], fresh: dict[int, int]) -> int:
    if index == NO_TENSOR or index not in cut:
        return index
    if index not in fresh:
        twin = copy.copy(main.tensors[index])
        twin.name = (twin.name or b"") + b"/replayed"
        fresh[index] = len(main.tensors)
        main.tensors.append(twin)
    return fresh[index]


def _unpacked(model: TfliteModel) -> Any:
    record = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model.content, 0))
    # Signatures and metadata name the original inputs and outputs.
    record.signatureDefs, record.metadata, record.metadataBuffer = None, None, None
    return record


def _packed(record: Any, name: str) -> TfliteModel:
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(record.Pack(builder), b"TFL3")
    return parse_tflite(bytes(builder.Output()), name)
