"""Scales of zero, which TensorFlow's quantizer gives constants of zeros in int16x8, and LiteRT aborts on."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph.objects import listed
from edgesqueeze.graph.repack import pack


def with_positive_scales(content: bytes) -> bytes:
    """A .tflite in which what has a scale of 0 has that of what is made of it: zeros are zeros in any."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    changed = False
    for graph in model.subgraphs:
        for operator in listed(graph.operators):
            outputs = listed(operator.outputs)
            scale = _scale(graph, outputs[0]) if outputs else None
            for index in listed(operator.inputs) if scale else ():
                if index >= 0 and _scale(graph, index) == 0:
                    graph.tensors[index].quantization.scale = np.array([scale], np.float32)
                    changed = True
    return pack(model, len(content)) if changed else content


def _scale(graph: Any, index: int) -> float | None:
    """The only scale of a tensor; None if it has none, or one for each channel."""
    found = graph.tensors[index].quantization
    return float(found.scale[0]) if found is not None and len(listed(found.scale)) == 1 else None
