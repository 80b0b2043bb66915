"""Constants of a .tflite replaced by others of the same type and shape."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.base.arrays import Array
from edgesqueeze.graph.read import parse_tflite
from edgesqueeze.graph.records import TfliteModel
from edgesqueeze.graph.repack import pack


def with_constants(model: TfliteModel, values: Mapping[int, Array]) -> TfliteModel:
    """The model with some constants of the main graph replaced.

    Args:
        model: any .tflite below 2 GB.
        values: the new elements by the number of the tensor, in its type and shape.
    """
    record = schema.ModelT.InitFromPackedBuf(model.content, 0)
    for index, array in values.items():
        # Another tensor may share the buffer.
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(array.tobytes(), np.uint8)
        record.subgraphs[0].tensors[index].buffer = len(record.buffers)
        record.buffers.append(buffer)
    return parse_tflite(pack(record, len(model.content)), model.name)
