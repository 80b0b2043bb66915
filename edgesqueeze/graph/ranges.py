"""What activations span: what calibration writes into a float .tflite, and what quantization reads there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph.repack import pack


class Range(NamedTuple):
    """What the values of a tensor span.

    Attributes:
        low: the least value.
        high: the greatest value.
    """

    low: float
    high: float


def ranges_in(content: bytes) -> dict[str, Range]:
    """The range of every tensor that calibration gave one, by the tensor's name.

    Args:
        content: a .tflite after calibration and before quantization.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    return {
        tensor.name.decode(): Range(float(found.min[0]), float(found.max[0]))
        for graph in model.subgraphs
        for tensor in graph.tensors
        if (found := tensor.quantization) is not None and found.min is not None and len(found.min)
    }


def with_ranges(content: bytes, ranges: Mapping[str, Sequence[float]]) -> bytes:
    """A calibrated .tflite in which some tensors span something else.

    Args:
        content: a .tflite after calibration and before quantization.
        ranges: the least and the greatest value, by the tensor's name.

    Raises:
        ValueError: there is no tensor of such a name that has a range.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    left = dict(ranges)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            name, found = tensor.name.decode(), tensor.quantization
            if name in ranges and found is not None and found.min is not None:
                found.min, found.max = (np.array([one], np.float32) for one in ranges[name])
                left.pop(name, None)
    if left:
        raise ValueError(f"no range to be replaced: {', '.join(sorted(left))}")
    return pack(model, len(content))
