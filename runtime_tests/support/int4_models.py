"""Models with INT4 weights, and their twins in int8."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph import TfliteModel, parse_tflite
from edgesqueeze.graph.int4 import widened
from edgesqueeze.graph.repack import pack


def in_eight_bits(model: TfliteModel) -> TfliteModel:
    """The model with its INT4 weights as the same integers in int8."""
    record = schema.ModelT.InitFromPackedBuf(model.content, 0)
    for stored, tensor in zip(record.subgraphs[0].tensors, widened(model).main.tensors, strict=True):
        if stored.type == schema.TensorType.INT4:
            assert tensor.data is not None
            stored.type = schema.TensorType.INT8
            record.buffers[stored.buffer].data = np.frombuffer(tensor.data.tobytes(), np.uint8)
    return parse_tflite(pack(record, len(model.content)), model.name)
