"""Models whose inputs have open dimensions beside the batch: what they do, and cost, depends on the shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.graph.read import parse_tflite
from edgesqueeze.graph.records import Graph, Operator, Tensor, TfliteModel
from edgesqueeze.graph.repack import repacked

Shape = tuple[int, ...]

SAME_VALUES = frozenset({"EXPAND_DIMS", "RESHAPE", "SQUEEZE"})
"""Operators with as many values in their output as in their input."""

WANTED: Mapping[str, int] = MappingProxyType({"BROADCAST_TO": 1, "RESHAPE": 1, "TRANSPOSE_CONV": 0})
"""Operator that is told the shape of its output -> the position of the input that tells it."""

SHAPING = frozenset(
    {"CAST", "CONCATENATION", "GATHER", "MUL", "PACK", "REDUCE_PROD", "SHAPE", "SLICE", "STRIDED_SLICE"}
)
"""Operators that compute shapes, among other things, and have no effect but their output."""


def open_inputs(model: TfliteModel) -> tuple[Tensor, ...]:
    """The inputs with an open dimension; an open batch, as most models have it, is one sample."""
    return tuple(tensor for tensor in model.main.input_tensors if -1 in tensor.signature[1:])


def has_open_inside(model: TfliteModel) -> bool:
    """Whether shapes inside are not those of an inference, since they were left to the runtime.

    A converter writes 1 for every size that it does not know. Where the batch is open that may be rows too,
    as of a dense layer on a sequence, or blocks of a dilated convolution: a RESHAPE then has more values than
    its output. The output of a TRANSPOSE_CONV is open where its shape is computed.
    """
    graph = model.main
    return any(_misses(graph, one) for one in graph.operators if one.inputs and one.outputs)


def _misses(graph: Graph, operator: Operator) -> bool:
    first, output = graph.tensor(operator.inputs[0]), graph.tensors[operator.outputs[0]]
    if first is None:
        return False
    if operator.opcode == "TRANSPOSE_CONV":
        return not first.is_constant
    if operator.opcode == "SPACE_TO_BATCH_ND":
        blocks = graph.tensors[operator.inputs[1]].data
        return blocks is not None and output.shape[:1] != (first.shape[0] * int(np.prod(blocks)),)
    return operator.opcode in SAME_VALUES and first.elements != output.elements


def refuse_open(model: TfliteModel, what: str) -> None:
    """Raise ``UnsupportedModelError`` for a model with open dimensions.

    Args:
        model: any model.
        what: what cannot be done with it, as the start of a sentence.
    """
    found = open_inputs(model)
    if found:
        shape = ",".join(str(size) if size > 0 else "224" for size in (1, *found[0].signature[1:]))
        raise UnsupportedModelError(
            f"{what}: the shape of {model.name}'s input is open",
            expected="one shape, since time and memory depend on it",
            got=", ".join(f"{tensor.name} {shape_text(tensor.signature)}" for tensor in found),
            hint=f"say which, for example --input-shape {shape}, or export the model with a fixed shape",
        )


def shape_text(shape: Sequence[int]) -> str:
    """A shape for a person: ``?x224x224x3``."""
    return "x".join("?" if size < 0 else str(size) for size in shape) or "scalar"


def with_shapes(model: TfliteModel, shapes: Sequence[Shape]) -> TfliteModel:
    """The same model with fixed shapes, and without the operators that computed them.

    Args:
        model: stays as it is.
        shapes: for each tensor of the main graph, in order; those of constants are not changed.
    """
    record = schema.ModelT.InitFromPackedBuf(model.content, 0)
    for tensor, known, shape in zip(record.subgraphs[0].tensors, model.main.tensors, shapes, strict=True):
        tensor.shapeSignature = None
        if not known.is_constant:
            tensor.shape = list(shape)
    _fix_wanted(record, model, shapes)
    fixed = parse_tflite(repacked(record, model.content), model.name)
    return replace(fixed, given_sha256=model.file_sha256)


def _fix_wanted(record: schema.ModelT, model: TfliteModel, shapes: Sequence[Shape]) -> None:
    """Make constants of computed shapes, and drop operators whose output nothing reads then."""
    graph, known = record.subgraphs[0], model.main
    changed = False
    for stored, operator in zip(graph.operators, known.operators, strict=True):
        place = WANTED.get(operator.opcode, len(operator.inputs))
        told = known.tensor(operator.inputs[place]) if place < len(operator.inputs) else None
        if told is None or told.is_constant:
            continue
        inputs = list(operator.inputs)
        inputs[place] = _constant(record, shapes[operator.outputs[0]])
        stored.inputs, changed = inputs, True
    if changed:
        graph.operators = _needed(graph.operators, known)


def _constant(record: schema.ModelT, shape: Shape) -> int:
    """The index of a new constant that holds a shape."""
    buffer, tensor = schema.BufferT(), schema.TensorT()
    buffer.data = np.frombuffer(np.array(shape, "<i4").tobytes(), np.uint8)
    record.buffers.append(buffer)
    tensor.shape, tensor.type, tensor.name = [len(shape)], schema.TensorType.INT32, b"shape"
    tensor.buffer = len(record.buffers) - 1
    record.subgraphs[0].tensors.append(tensor)
    return len(record.subgraphs[0].tensors) - 1


def _needed(stored: Sequence[schema.OperatorT], graph: Graph) -> list[schema.OperatorT]:
    read, found = {*graph.outputs}, list[schema.OperatorT]()
    for one, operator in zip(reversed(stored), reversed(graph.operators), strict=True):
        if operator.opcode in SHAPING and read.isdisjoint(operator.outputs):
            continue
        found.append(one)
        read.update(one.inputs)
    return found[::-1]
