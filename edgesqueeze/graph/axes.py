"""Files whose quantized dimension does not exist: some runtimes do not look at it, others refuse the file."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace

from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph.records import Quantization, TfliteModel

# Position of QuantizationParameters.quantized_dimension in the table's vtable: its seventh field.
DIMENSION_SLOT = 4 + 2 * 6


def misplaced_axes(model: TfliteModel) -> tuple[str, ...]:
    """Names of the tensors, all of them vectors, whose stored quantized dimension is not their only one."""
    return tuple(
        tensor.name
        for graph in model.graphs
        for tensor in graph.tensors
        if tensor.quantization is not None and tensor.quantization.stored_axis is not None
    )


def with_valid_axes(model: TfliteModel) -> TfliteModel:
    """The same model with the quantized dimension 0 wherever a vector has another: nothing else changes.

    The number stands in the file, since only the default 0 is left out, and is overwritten in its place.
    Kernels that take scales for each channel of a bias, or of any vector, have no other dimension to choose.
    """
    if not misplaced_axes(model):
        return model
    content = bytearray(model.content)
    root = schema.Model.GetRootAsModel(model.content, 0)
    for number, graph in enumerate(model.graphs):
        for tensor in graph.tensors:
            if tensor.quantization is None or tensor.quantization.stored_axis is None:
                continue
            table = root.Subgraphs(number).Tensors(tensor.index).Quantization()._tab
            struct.pack_into("<i", content, table.Pos + table.Offset(DIMENSION_SLOT), 0)
    graphs = tuple(
        replace(
            graph,
            tensors=tuple(
                replace(tensor, quantization=_valid(tensor.quantization)) for tensor in graph.tensors
            ),
        )
        for graph in model.graphs
    )
    digest = hashlib.sha256(content).hexdigest()
    return replace(model, content=bytes(content), sha256=digest, graphs=graphs)


def _valid(found: Quantization | None) -> Quantization | None:
    return None if found is None else replace(found, stored_axis=None)
