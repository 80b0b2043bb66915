"""What activations span: what calibration writes into a float .tflite, and what quantization reads there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph.affine import is_quantized, quantized_twin, real_range
from edgesqueeze.graph.records import TfliteModel
from edgesqueeze.graph.repack import LONG_NAME, pack

SAME = 1e-4
"""Part of its width by which the ends of a range may be off in another that is the same."""


STEPS = 255
"""Steps from the least to the greatest int8."""


class Range(NamedTuple):
    """What the values of a tensor span.

    Attributes:
        low: the least value.
        high: the greatest value.
    """

    low: float
    high: float


def same_range(one: Range, other: Range) -> bool:
    """Whether two ranges are the same to a fortieth of a step of int8."""
    within = SAME * (one.high - one.low)
    return abs(one.low - other.low) <= within and abs(one.high - other.high) <= within


def nudged(wanted: Range) -> Range:
    """The range of an int8 tensor that is to span another: as wide, with a whole number as its zero point."""
    scale = (wanted.high - wanted.low) / STEPS
    below = float(np.clip(np.floor(-wanted.low / scale + 0.5), 0, STEPS))
    return Range(-below * scale, (STEPS - below) * scale)


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


def stored_range(model: TfliteModel, name: str) -> Range | None:
    """What an integer tensor of a finished .tflite can hold; None where there is no such tensor.

    Args:
        model: a quantized model.
        name: the tensor's name in the calibrated model; long names were cut since.
    """
    cut = re.compile(re.escape(name.split(";")[0][:LONG_NAME]) + r";\d+")
    for tensor in model.main.tensors:
        if tensor.name == name or (len(name) > LONG_NAME and cut.fullmatch(tensor.name)):
            integers = quantized_twin(model.main, tensor)
            return Range(*real_range(integers)) if is_quantized(integers) else None
    # What one operator gives of several has the names of all of them, and one scale.
    parts = [model.main.tensors[one.outputs[0]] for one in model.main.operators if len(one.outputs) > 1]
    part = next((one for one in parts if name in one.name.split(";") and is_quantized(one)), None)
    return None if part is None else Range(*real_range(part))
