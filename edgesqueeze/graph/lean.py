"""A .tflite without what TensorFlow Lite Micro does not read: for a firmware's flash.

=================================  =======================================================================
dropped                            why TFLM does without it
=================================  =======================================================================
names, descriptions, signatures    tensors are found by their number
metadata                           save for what its memory planner and its compression read
shapes with open dimensions        it knows fixed ones only
ranges (``min``, ``max``)          the scales hold
zero points of weights, all zero   one stands for all (tflite-micro pull request 813, December 2021)
scales of convolutions' biases     they follow from those of input and weights
buffers without data               tensors that are computed share the first one, equal constants share one
=================================  =======================================================================

``FULLY_CONNECTED`` checks the scale of its bias, which stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph.read import parse_tflite
from edgesqueeze.graph.records import Graph, Quantization, Tensor, TfliteModel
from edgesqueeze.graph.repack import graph_content, pack

READ_METADATA = ("OfflineMemoryAllocation", "COMPRESSION_METADATA")
"""The metadata that TFLM looks at."""
BIAS_SLOTS = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "TRANSPOSE_CONV": 3}
"""Operators that compute the scale of their accumulator from input and weights alone, and their bias."""


def lean(model: TfliteModel) -> bytes:
    """The file as TFLM needs it.

    Args:
        model: any .tflite. Files with compressed tensors or custom metadata of a compiler keep theirs.

    Returns:
        A .tflite of the same operators, constants and scales, which computes the same in TFLM; the file
        itself where that would not be smaller.
    """
    record = schema.ModelT.InitFromPackedBuf(model.content, 0)
    biases = [set(_free_biases(graph)) for graph in model.graphs]
    _drop_words(record)
    for graph, known, free in zip(record.subgraphs, model.graphs, biases, strict=True):
        for tensor, before in zip(graph.tensors, known.tensors, strict=True):
            _drop_from(tensor, before, before.index in free)
    _share_buffers(record)
    packed = pack(record, len(model.content))
    return packed if len(packed) < len(model.content) and _same(model, packed, biases) else model.content


def _free_biases(graph: Graph) -> Iterator[int]:
    """Constant int32 vectors that nothing but convolutions add."""
    added: set[int] = set()
    other = set(graph.outputs)
    for operator in graph.operators:
        slot = BIAS_SLOTS.get(operator.kind)
        for place, index in enumerate(operator.inputs):
            (added if place == slot else other).add(index)
    for index in added - other:
        tensor = graph.tensor(index)
        if tensor is not None and tensor.is_constant and tensor.dtype in ("int32", "int64"):
            yield index


def _drop_words(record: Any) -> None:
    record.description, record.signatureDefs, record.metadataBuffer = None, None, None
    kept = [one for one in record.metadata or () if one.name and one.name.decode() in READ_METADATA]
    record.metadata = kept or None
    for graph in record.subgraphs:
        graph.name = None
        for tensor in graph.tensors:
            tensor.name = tensor.shapeSignature = None


def _drop_from(tensor: Any, before: Tensor, bias: bool) -> None:
    found = tensor.quantization
    if found is None:
        return
    found.min = found.max = None
    if before.quantization is None or bias:
        tensor.quantization = None
    elif before.is_constant and before.quantization.per_channel and not before.quantization.zero_points.any():
        found.zeroPoint = np.zeros(1, np.int64)


def _share_buffers(record: Any) -> None:
    """Number the buffers anew: the empty one, then every different constant, then metadata."""
    empty = schema.BufferT()
    buffers, found = [empty], {b"": 0}

    def place(index: int) -> int:
        buffer = record.buffers[index]
        data = b"" if buffer.data is None else bytes(buffer.data)
        if data not in found:
            found[data] = len(buffers)
            buffers.append(buffer)
        return found[data]

    for graph in record.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer = place(tensor.buffer)
    for one in record.metadata or ():
        one.buffer = place(one.buffer)
    record.buffers = buffers


def _same(model: TfliteModel, packed: bytes, biases: list[set[int]]) -> bool:
    """Whether what computes is as before: operators, constants, and scales but those of free biases."""
    after = parse_tflite(packed, model.name)
    return all(
        graph_content(one, partial(_tensor, free=free)) == graph_content(other, partial(_tensor, free=free))
        for one, other, free in zip(model.graphs, after.graphs, biases, strict=True)
    )


def _tensor(tensor: Tensor, free: Collection[int]) -> tuple[Any, ...]:
    value = None if tensor.data is None else tensor.data.tobytes()
    scale = None if tensor.index in free else _scale(tensor.quantization)
    return tensor.shape, tensor.dtype, value, tensor.variable, tensor.sparse, scale


def _scale(found: Quantization | None) -> tuple[Any, ...] | None:
    if found is None:
        return None
    return found.scales.tobytes(), found.zero_points.tobytes(), found.axis if found.per_channel else None
