"""What the weights of a .tflite hold: sparsity and distinct values, counted in the stored integers."""

from __future__ import annotations

import math
import struct
import zlib
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.records import Record
from edgesqueeze.errors import TfliteError
from edgesqueeze.graph.names import name_of
from edgesqueeze.graph.records import Quantization, Tensor, TfliteModel
from edgesqueeze.graph.small_integers import PACKED_BITS, small_integers
from edgesqueeze.graph.weights import Role, WeightUse, slots_of, weight_uses

# Vectors of a tensor's quantization by their slot in its vtable: min, max, scale, zero_point.
METADATA_SLOTS = {4: 4, 6: 4, 8: 4, 10: 8}
# Floats that NumPy lacks: the integer type of the same size, and its bits without the sign.
BIT_FLOATS = {"bfloat16": ("<u2", 0x7FFF), "float8_e4m3fn": ("u1", 0x7F), "float8_e5m2": ("u1", 0x7F)}


class WeightStats(Record):
    """One constant tensor of real numbers.

    Attributes:
        name: the tensor's name; where that only counts constants, as ``arith.constant7``, the name of the
            output of the operator that reads it, and ``weights``, ``bias`` or ``constant``.
        shape: the tensor's shape.
        dtype: element type as stored, a NumPy name.
        bytes: bytes that the tensor takes in the file, without quantization metadata.
        elements: number of elements.
        sparsity: share of the elements that stand for zero, 0 to 1.
        distinct_values: number of different stored values in the whole tensor.
        distinct_values_per_channel_max: largest number of different stored values in one output channel; for
            a tensor without channels, as ``distinct_values``.
        role: ``weights``, ``bias`` or ``constant``.
        subgraph: position of the graph that uses the tensor, from 0.
        operator: position of the first operator that uses the tensor, in that graph, from 0.
        kind: name of that operator, as in the TFLite schema.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    elements: int
    sparsity: float
    distinct_values: int
    distinct_values_per_channel_max: int
    role: Role
    subgraph: int
    operator: int
    kind: str


class Sizes(Record):
    """Bytes of a .tflite.

    Attributes:
        tflite_bytes: size of the file, in bytes.
        tflite_deflate_bytes: size of the file after DEFLATE (zlib, level 9), in bytes: what a download takes,
            about.
        weights_bytes: bytes of the constants that ``weight_stats`` lists; one that several tensors share
            counts once.
        metadata_bytes: bytes of scales, zero points and ranges.
    """

    tflite_bytes: int
    tflite_deflate_bytes: int
    weights_bytes: int
    metadata_bytes: int


def weight_stats(model: TfliteModel) -> tuple[WeightStats, ...]:
    """Statistics of every weight, bias and other real-valued constant, in the order of their first use.

    Raises:
        TfliteError: a constant holds fewer bytes than its shape asks for.
    """
    return tuple(_stats(use, name_of(model.graphs[use.subgraph], use)) for use in _distinct_uses(model))


def sizes(model: TfliteModel) -> Sizes:
    """The file's size and what it is made of."""
    return Sizes(
        tflite_bytes=len(model.content),
        tflite_deflate_bytes=len(zlib.compress(model.content, 9)),
        weights_bytes=_weights_bytes(model),
        metadata_bytes=metadata_bytes(model),
    )


def metadata_bytes(model: TfliteModel) -> int:
    """Bytes of all scales, zero points and ranges; a vector that several tensors share counts once."""
    vectors: dict[int, int] = {}
    root = schema.Model.GetRootAsModel(model.content, 0)
    for graph in range(len(model.graphs)):
        subgraph = root.Subgraphs(graph)
        for index in range(len(model.graphs[graph].tensors)):
            record = subgraph.Tensors(index).Quantization()
            if record is None:
                continue
            try:
                vectors.update(_metadata_vectors(record._tab))
            except struct.error as error:
                raise TfliteError(
                    f"{model.name} has damaged quantization: {error}",
                    hint="convert the model again, or copy the file again",
                ) from error
    # A damaged file may state any length.
    return min(sum(vectors.values()), len(model.content))


def _metadata_vectors(table: Any) -> dict[int, int]:
    """Position -> bytes of the vectors of one tensor's quantization."""
    offsets = [(table.Offset(slot), size) for slot, size in METADATA_SLOTS.items()]
    return {table.Vector(offset): table.VectorLen(offset) * size for offset, size in offsets if offset}


def _distinct_uses(model: TfliteModel) -> list[WeightUse]:
    """One use per tensor. Used both as a weight and otherwise, it is a weight."""
    found: dict[tuple[int, int], WeightUse] = {}
    for number, graph in enumerate(model.graphs):
        for use in weight_uses(graph, number):
            key = (number, use.tensor.index)
            if key not in found or (use.role == "weights" != found[key].role):
                found[key] = use
    return list(found.values())


def _weights_bytes(model: TfliteModel) -> int:
    root = schema.Model.GetRootAsModel(model.content, 0)
    buffers = {
        root.Subgraphs(use.subgraph).Tensors(use.tensor.index).Buffer(): use.tensor.stored_bytes
        for use in _distinct_uses(model)
    }
    return sum(buffers.values())


def _stats(use: WeightUse, name: str) -> WeightStats:
    tensor = use.tensor
    values = _values(tensor)
    axis = _channel_axis(use)
    distinct = _distinct(values)
    per_channel = distinct
    if axis is not None and values.shape == tensor.shape and values.size:
        per_channel = _most_in_a_channel(values, axis)
    elements = math.prod(tensor.shape)
    zeros = elements - values.size + _zeros(values, tensor.quantization)
    return WeightStats(
        name=name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        bytes=tensor.stored_bytes,
        elements=elements,
        sparsity=max(zeros, 0) / elements if elements else 0.0,
        distinct_values=distinct,
        distinct_values_per_channel_max=per_channel,
        role=use.role,
        subgraph=use.subgraph,
        operator=use.operator.index,
        kind=use.operator.kind,
    )


def _channel_axis(use: WeightUse) -> int | None:
    """The axis along which channels lie: the quantized one, else the operator's output channels."""
    quantization, shape = use.tensor.quantization, use.tensor.shape
    if quantization is not None and quantization.per_channel:
        return quantization.axis
    slots = slots_of(use.operator)
    if use.role != "weights" or slots is None or len(shape) < 2:
        return None
    axis = slots.axis
    if use.operator.opcode == "BATCH_MATMUL":
        # Left: [.., M, K]; right: [.., K, N]; the options can ask for either transposed.
        swapped = use.operator.options.get("adj_y" if use.slot else "adj_x", False)
        axis = -2 if bool(swapped) == bool(use.slot) else -1
    axis = axis + len(shape) if axis < 0 else axis
    return axis if axis < len(shape) else None


def _values(tensor: Tensor) -> Array:
    """The stored elements in the tensor's shape, as comparable numbers; a vector if sparsely encoded."""
    assert tensor.data is not None
    if tensor.dtype in PACKED_BITS:
        values = small_integers(tensor.data.reshape(-1), tensor.dtype)
    elif tensor.dtype in BIT_FLOATS:
        kind, magnitude = BIT_FLOATS[tensor.dtype]
        values = tensor.data.reshape(-1)
        values = values[: values.size - values.size % np.dtype(kind).itemsize].view(kind)
        # Minus zero is zero.
        values = np.where(values & magnitude, values, 0)
    elif tensor.sparse and tensor.dtype != "string":
        element = np.dtype(tensor.dtype)
        values = tensor.data[: tensor.data.size - tensor.data.size % element.itemsize].view(element)
    else:
        return tensor.data
    elements = math.prod(tensor.shape)
    if tensor.sparse:
        return values[:elements]
    if values.size < elements:
        raise TfliteError(
            f"constant {tensor.name!r} of shape {tensor.shape} and type {tensor.dtype} is too short",
            expected=f"{elements} elements",
            got=f"{tensor.stored_bytes} bytes",
            hint="convert the model again, or copy the file again",
        )
    return values[:elements].reshape(tensor.shape)


def _zeros(values: Array, quantization: Quantization | None) -> int:
    zero: Any = 0
    if quantization is not None and np.any(quantization.zero_points):
        points = quantization.zero_points
        zero = points[0]
        if (
            points.size > 1
            and quantization.axis < values.ndim
            and values.shape[quantization.axis] == points.size
        ):
            zero = points.reshape([-1 if i == quantization.axis else 1 for i in range(values.ndim)])
    return int(np.count_nonzero(values == zero))


def _distinct(values: Array) -> int:
    if values.dtype.itemsize == 1:
        return int(np.count_nonzero(np.bincount(values.reshape(-1).view(np.uint8), minlength=256)))
    # np.unique does the same, but importing what it needs costs more than a small model's statistics.
    ordered = np.sort(values, axis=None)
    return int(np.count_nonzero(ordered[1:] != ordered[:-1])) + min(ordered.size, 1)


def _most_in_a_channel(values: Array, axis: int) -> int:
    rows = np.ascontiguousarray(np.moveaxis(values, axis, 0)).reshape(values.shape[axis], -1)
    if values.dtype.itemsize == 1 and len(rows) <= 1 << 14:
        keys = rows.view(np.uint8).astype(np.int32) + 256 * np.arange(len(rows), dtype=np.int32)[:, None]
        present = np.bincount(keys.reshape(-1), minlength=256 * len(rows)).reshape(len(rows), 256) > 0
        return int(present.sum(axis=1).max())
    ordered = np.sort(rows, axis=1)
    return int((ordered[:, 1:] != ordered[:, :-1]).sum(axis=1).max(initial=0)) + 1
