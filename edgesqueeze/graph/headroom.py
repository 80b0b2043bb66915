"""Ranges with room beyond what calibration saw, for integers that have steps to spare."""

from __future__ import annotations

from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph.objects import listed
from edgesqueeze.graph.repack import pack

ROOM = 2.0
"""How much wider a range becomes. One of 15 bits goes; no other sample is cut off at what was the largest."""


def with_headroom(content: bytes) -> bytes:
    """A calibrated float .tflite whose tensors span more than the samples showed.

    Args:
        content: a .tflite after calibration and before quantization to int16.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for graph in model.subgraphs:
        for tensor in listed(graph.tensors):
            found = tensor.quantization
            if found is not None and found.min is not None and len(found.min):
                found.min, found.max = ROOM * found.min, ROOM * found.max
    return pack(model, len(content))
