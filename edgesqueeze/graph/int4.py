"""Weights of fifteen even levels as INT4 tensors: half the bytes of int8, for runtimes that take them.

An INT4 tensor holds integers from -7 to 7, two in a byte, the first in the low four bits (TFLite schema,
``TensorType.INT4``); -8 is not used, since weights are symmetric. int8 weights that the converter made from
``k / most * scale``, ``k`` a whole number from ``-most`` to ``most`` and ``most`` at most 7, are
``round(127 * k / most)`` in every channel: such channels are found by their values, and ``k`` is stored with
a scale that is ``127 / most`` times as large. A bias has the scale of input times weights, so it is rounded
anew; that of a convolution with a scale for every channel goes without, since no runtime with kernels for
such weights reads it. Nothing else in the model changes.

TensorFlow Lite Micro takes INT4 weights of ``FULLY_CONNECTED`` with one scale for all of them only, so they
are stored in that way or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph.lean import BIAS_SLOTS
from edgesqueeze.graph.read import parse_tflite
from edgesqueeze.graph.records import NO_TENSOR, Graph, Operator, Quantization, Tensor, TfliteModel
from edgesqueeze.graph.repack import repacked
from edgesqueeze.graph.small_integers import small_integers

TOP_LEVEL = 127
MOST_LEVELS = 7
HALF = 0.501
"""How far an integer may be off what it was rounded from: 127 / 2 becomes 63 or 64."""
SAME_STEP = 1e-4
"""How far scales may be off a common one, relative to it: float32's rounding, many times over."""
WEIGHT_SLOTS: Mapping[str, int] = MappingProxyType(
    {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1}
)
"""Operators that run with INT4 weights and int8 activations, and the slot of their weights; the bias is in
the one after."""

Integers = npt.NDArray[np.int8]
Scales = npt.NDArray[np.float32]


class Rewritten(NamedTuple):
    """A tensor as it is to be stored.

    Attributes:
        values: INT4 weights as int8, or an int32 bias.
        scales: float32, one per channel or one; None: they follow from those of input and weights.
        dtype: ``int4`` or ``int32``.
    """

    values: npt.NDArray[Any]
    scales: Scales | None
    dtype: str


def even_levels(values: Integers, axis: int) -> tuple[Integers, npt.NDArray[np.int64]] | None:
    """Weights as multiples of a channel's own step, where they are that.

    Args:
        values: int8 weights.
        axis: their channels.

    Returns:
        The multiples, from -7 to 7 and in the shape of ``values``, and for each channel the largest that its
        scale stands for, 1 to 7; None if a channel has other integers than ``round(127 * k / most)``.
    """
    rows = np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)
    steps = np.zeros_like(rows)
    most = np.zeros(len(rows), np.int64)
    # From many levels to few: of grids that hold a channel's integers the finest rounds the bias least.
    for count in range(MOST_LEVELS, 0, -1):
        multiples, exact = _multiples(rows, count)
        chosen = exact & (most == 0)
        steps[chosen], most[chosen] = multiples[chosen], count
    if not most.all():
        return None
    moved = (values.shape[axis], *np.delete(values.shape, axis))
    return np.moveaxis(steps.reshape(moved), 0, axis), most


def one_scale(rows: Integers, scales: Scales) -> tuple[Integers, np.float32] | None:
    """Weights as multiples of one step for all channels, where they are that.

    Args:
        rows: int8 weights, the channels first.
        scales: float32, one for each channel.

    Returns:
        The multiples, from -7 to 7, and their scale; None if there is no such step.
    """
    used = rows.any(axis=1)
    if not used.any():
        return np.zeros_like(rows), np.float32(scales[0])
    largest = float(scales[used].max()) * TOP_LEVEL
    # The channel with the largest scale has the largest multiple.
    for count in range(MOST_LEVELS, 0, -1):
        step = largest / count
        counts = np.where(used, np.rint(scales * (TOP_LEVEL / step)), 1).astype(np.int64)
        near = np.abs(counts * step - scales * TOP_LEVEL) <= SAME_STEP * step
        if not (near | ~used).all() or counts.min() < 1:
            continue
        found = [_multiples(rows[[i]], int(one)) for i, one in enumerate(counts)]
        if all(exact.all() for _, exact in found):
            return np.concatenate([multiples for multiples, _ in found]), np.float32(step)
    return None


def _multiples(rows: Integers, count: int) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """The multiples of ``127 / count`` that channels consist of, and which channels do."""
    multiples = np.rint(rows * (count / TOP_LEVEL))
    exact = (np.abs(multiples * (TOP_LEVEL / count) - rows) <= HALF).all(axis=1)
    return multiples.astype(np.int8), exact


def with_int4(model: TfliteModel, only: Collection[int] | None = None) -> TfliteModel:
    """The model with INT4 weights wherever they are of fifteen even levels; itself where none are.

    Args:
        model: any .tflite; only operators with int8 activations are looked at.
        only: indices of the tensors of the main graph that may change; by default all.
    """
    return _stored(model, dict(_four_bits(model.main, only)))


def widened(model: TfliteModel) -> TfliteModel:
    """The model's graphs with INT4 constants as the same integers in int8; ``content`` stays as it is."""
    if not any(_is_packed(tensor) for graph in model.graphs for tensor in graph.tensors):
        return model
    graphs = (replace(graph, tensors=tuple(map(wide, graph.tensors))) for graph in model.graphs)
    return replace(model, graphs=tuple(graphs))


def _is_packed(tensor: Tensor) -> bool:
    return tensor.dtype == "int4" and tensor.data is not None and not tensor.sparse


def wide(tensor: Tensor) -> Tensor:
    """The tensor with an INT4 constant as the same integers in int8; any other as it is."""
    if not _is_packed(tensor):
        return tensor
    assert tensor.data is not None
    return replace(tensor, dtype="int8", data=unpacked(tensor.data, tensor.shape))


def unpacked(raw: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> Integers:
    """The integers of an INT4 constant, -8 to 7, as int8 in its shape.

    Args:
        raw: two integers in a byte, the first in the low bits.
        shape: the tensor's shape.
    """
    return small_integers(raw, "int4")[: math.prod(shape)].reshape(shape)


def packed(values: Integers) -> npt.NDArray[np.uint8]:
    """Integers from -8 to 7 as ``unpacked`` reads them; an odd one out is followed by zero bits."""
    nibbles = values.reshape(-1).astype(np.uint8) & 15
    pairs = np.append(nibbles, np.zeros(nibbles.size % 2, np.uint8)).reshape(-1, 2)
    joined: npt.NDArray[np.uint8] = pairs[:, 0] | pairs[:, 1] << 4
    return joined


def _four_bits(graph: Graph, only: Collection[int] | None) -> Iterator[tuple[int, Rewritten]]:
    readers = _readers(graph)
    for operator in graph.operators:
        slot = WEIGHT_SLOTS.get(operator.kind)
        if slot is None or not _can_change(graph, operator, slot, readers):
            continue
        if only is not None and operator.inputs[slot] not in only:
            continue
        weights = graph.tensors[operator.inputs[slot]]
        assert weights.data is not None and weights.quantization is not None
        found = _levels_of(weights.data, weights.quantization, operator.kind == "FULLY_CONNECTED")
        if found is None:
            continue
        yield weights.index, found
        bias = _bias(graph, operator, slot)
        if bias is not None:
            yield bias.index, _rescaled(graph, operator, bias, weights.quantization.scales, found)


def _levels_of(values: Integers, found: Quantization, dense: bool) -> Rewritten | None:
    """Weights as INT4, or None where they are on no grid of their scales."""
    if dense and found.per_channel:
        one = one_scale(values, found.scales) if found.axis == 0 else None
        return None if one is None else Rewritten(one[0], np.array([one[1]], np.float32), "int4")
    axis = found.axis if found.per_channel else 0
    levels = even_levels(values if found.per_channel else values.reshape(1, -1), axis)
    if levels is None:
        return None
    growth = (TOP_LEVEL / levels[1]).astype(np.float32)
    scales = (found.scales * growth).astype(np.float32)
    return Rewritten(levels[0].reshape(values.shape), scales, "int4")


def _can_change(graph: Graph, operator: Operator, slot: int, readers: Mapping[int, int]) -> bool:
    """Whether an operator's weights and bias are int8 and int32, symmetric, and nobody else's."""
    data, weights = graph.tensors[operator.inputs[0]], graph.tensors[operator.inputs[slot]]
    if data.dtype != "int8" or weights.dtype != "int8" or weights.data is None or weights.sparse:
        return False
    if data.quantization is None or weights.quantization is None or weights.quantization.zero_points.any():
        return False
    if (
        operator.options.get("weights_format", "DEFAULT") not in ("DEFAULT", 0)
        or readers[weights.index] > 1
        or weights.index in graph.output_set
    ):
        return False
    if len(operator.inputs) <= slot + 1 or operator.inputs[slot + 1] == NO_TENSOR:
        return True
    bias = _bias(graph, operator, slot)
    return bias is not None and readers[bias.index] == 1 and bias.index not in graph.output_set


def _bias(graph: Graph, operator: Operator, slot: int) -> Tensor | None:
    """The constant int32 bias, or None."""
    index = operator.inputs[slot + 1] if len(operator.inputs) > slot + 1 else NO_TENSOR
    tensor = graph.tensor(index)
    return tensor if tensor is not None and tensor.data is not None and tensor.dtype == "int32" else None


def _rescaled(graph: Graph, operator: Operator, bias: Tensor, before: Scales, found: Rewritten) -> Rewritten:
    """A bias in steps of input times weights, for weights of another scale."""
    after = found.scales
    assert bias.data is not None and after is not None
    data = graph.tensors[operator.inputs[0]].quantization
    assert data is not None
    ratio = before.astype(np.float64) / after.astype(np.float64)
    values = np.rint(bias.data.astype(np.float64) * ratio).astype(np.int32)
    scales = (data.scale * after.astype(np.float64)).astype(np.float32)
    # With a scale for every channel kernels of convolutions do not look at the bias's; else they check it.
    free = operator.kind in BIAS_SLOTS and scales.size > 1
    return Rewritten(values, None if free else scales, "int32")


def _readers(graph: Graph) -> dict[int, int]:
    counted: dict[int, int] = {}
    for operator in graph.operators:
        for index in operator.inputs:
            counted[index] = counted.get(index, 0) + 1
    return counted


def _stored(model: TfliteModel, changed: Mapping[int, Rewritten]) -> TfliteModel:
    """The model with some constants of the main graph stored anew."""
    if not changed:
        return model
    record = schema.ModelT.InitFromPackedBuf(model.content, 0)
    for index, stored in changed.items():
        tensor = record.subgraphs[0].tensors[index]
        tensor.type = getattr(schema.TensorType, stored.dtype.upper())
        tensor.quantization = _quantization(tensor.quantization, stored.scales)
        # Another tensor may share the buffer.
        buffer = schema.BufferT()
        integers = packed(stored.values) if stored.dtype == "int4" else stored.values
        buffer.data = np.frombuffer(integers.tobytes(), np.uint8)
        tensor.buffer = len(record.buffers)
        record.buffers.append(buffer)
    _drop_unused(record)
    return parse_tflite(repacked(record, model.content), model.name)


def _quantization(found: Any, scales: Scales | None) -> Any:
    """That of a tensor with other scales; ranges of the integers before say nothing of those now."""
    if scales is None:
        return None
    found.scale, found.zeroPoint = scales, np.zeros(scales.size, np.int64)
    found.min = found.max = None
    found.quantizedDimension *= int(scales.size > 1)
    return found


def _drop_unused(record: Any) -> None:
    """Empty buffers that nothing refers to any more; their numbers stay."""
    used = {tensor.buffer for graph in record.subgraphs for tensor in graph.tensors}
    used |= {one.buffer for one in record.metadata or ()} | set(record.metadataBuffer or ())
    for index, buffer in enumerate(record.buffers):
        if index not in used:
            buffer.data = None
