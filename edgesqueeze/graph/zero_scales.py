"""Scales of zero, which TensorFlow's quantizer gives constants of zeros in int16x8, and LiteRT aborts on."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph.repack import pack


def with_positive_scales(content: bytes) -> bytes:
    """A .tflite in which what has a scale of 0 has that of what is made of it: zeros are zeros in any."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    changed = False
    for graph in model.subgraphs:
        for operator in graph.operators:
            if operator.inputs is None or operator.outputs is None or not len(operator.outputs):
                continue
            result = graph.tensors[operator.outputs[0]].quantization
            for tensor in (graph.tensors[one] for one in operator.inputs if one >= 0):
                if _is_zero(tensor.quantization) and _is_positive(result):
                    tensor.quantization.scale = np.array(result.scale[:1], np.float32)
                    changed = True
    return pack(model, len(content)) if changed else content


def _is_zero(found: schema.QuantizationParametersT | None) -> bool:
    return found is not None and found.scale is not None and len(found.scale) == 1 and found.scale[0] == 0


def _is_positive(found: schema.QuantizationParametersT | None) -> bool:
    return found is not None and found.scale is not None and len(found.scale) > 0 and found.scale[0] > 0
