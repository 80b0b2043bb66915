"""Operators that only move bytes: reshaping, padding, joining, splitting, slicing, transposing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from edgesqueeze.emit.native.copies import HEADER, copy_call, joined, slice_call, width_of
from edgesqueeze.emit.native.kernels import ALIGNMENT
from edgesqueeze.emit.native.operands import (
    computed,
    constant,
    place_of,
    positive_axis,
    require_same_elements,
    require_shape,
    strides_of,
)
from edgesqueeze.emit.native.records import (
    Call,
    Operation,
    Placement,
    Struct,
    UnsupportedOperationError,
)
from edgesqueeze.graph import Tensor

PAD_DIMENSIONS = 3


def lower_alias(operation: Operation) -> tuple[Call | Placement, ...]:
    """RESHAPE, SQUEEZE, EXPAND_DIMS: the output is the input.

    Raises:
        UnsupportedOperationError: not int8, a constant, or another number of elements.
    """
    source, output = operation.input(0), operation.output()
    width_of(source, output)
    require_same_elements(source, output)
    return (Placement(output.index, computed(source), 0),)


def lower_pad(operation: Operation) -> tuple[Call | Placement, ...]:
    """PAD with the output's zero point, PADV2 with a constant.

    Raises:
        UnsupportedOperationError: not int8, computed or negative paddings, another output shape, or more than
            3 dimensions left after neighbours without padding between them have been merged.
    """
    source, output = operation.input(0), operation.output()
    width = width_of(source, output)
    pads = constant(operation.input(1)).reshape(-1, 2).tolist()
    if len(pads) != len(source.shape) or np.min(pads, initial=0) < 0:
        raise UnsupportedOperationError(
            f"paddings {pads} of {list(source.shape)}, expected 0 or more for each"
        )
    require_shape(output, [size + sum(pad) for size, pad in zip(source.shape, pads, strict=True)])
    value = operation.optional_input(2)
    if width > 1 and value is not None:
        raise UnsupportedOperationError(f"a value of {output.dtype}, expected padding with zero")
    dimensions = _pad_dimensions((*source.shape, width), [*pads, (0, 0)])
    before, sizes, after = zip(*dimensions, strict=True)
    parameters = Struct(
        "es_pad",
        {
            "before": before,
            "size": sizes,
            "after": after,
            "value": padding_of(output) if value is None else int(constant(value).reshape(-1)[0]),
        },
    )
    call = Call(
        "es_pad_s8",
        HEADER,
        parameters,
        inputs=(place_of(source),),
        outputs=(output.index,),
        overlap=MappingProxyType({0: _pad_distance(dimensions)}),
    )
    return (call,)


def lower_concatenation(operation: Operation) -> tuple[Call | Placement, ...]:
    """CONCATENATION and PACK: a copy of every input into the output.

    TFLite Micro joins the integers of differently quantized inputs as they are; that is refused.

    Raises:
        UnsupportedOperationError: not int8, a fused activation, inputs quantized unlike the output, or shapes
            that do not add up.
    """
    output = operation.output()
    inputs = [operation.input(i) for i in range(len(operation.operator.inputs))]
    outer, parts = joined(operation, inputs, output)
    whole = sum(size for _, size in parts)
    calls, offset = [], 0
    for tensor, size in parts:
        _require_same_quantization(tensor, output)
        calls.append(copy_call(tensor, output, [(outer, size, whole), (size, 1, 1)], output_offset=offset))
        offset += size
    return tuple(calls)


def placements_of_concatenation(operation: Operation) -> tuple[Placement, ...] | None:
    """The inputs of CONCATENATION or PACK as parts of the output, so that nothing need be copied.

    Returns:
        None where the parts do not lie in one piece each, an input is a constant, comes from outside or
        occurs twice, or a part would be badly aligned. Whether an input already lies elsewhere is for the
        planner to know.
    """
    inputs = operation.operator.inputs
    tensors = [operation.input(i) for i in range(len(inputs))]
    outer, parts = joined(operation, tensors, operation.output())
    fixed = any(tensor.is_constant or tensor.index in operation.graph.input_set for tensor in tensors)
    if outer > 1 or fixed or len(set(inputs)) < len(inputs):
        return None
    return _placements(operation, parts, operation.output())


def lower_split(operation: Operation) -> tuple[Call | Placement, ...]:
    """SPLIT, SPLIT_V and UNPACK: parts of the input in place where they lie in one piece, else copies.

    Raises:
        UnsupportedOperationError: not int8, a computed axis, or shapes that do not add up.
    """
    source = operation.input(1 if operation.operator.opcode == "SPLIT" else 0)
    outputs = [operation.output(i) for i in range(len(operation.operator.outputs))]
    outer, parts = joined(operation, outputs, source)
    if outer == 1 and not source.is_constant:
        placements = _placements(operation, parts, source)
        if placements is not None:
            return placements
    whole = sum(size for _, size in parts)
    calls, offset = [], 0
    for tensor, size in parts:
        calls.append(copy_call(source, tensor, [(outer, whole, size), (size, 1, 1)], input_offset=offset))
        offset += size
    return tuple(calls)


def lower_strided_slice(operation: Operation) -> tuple[Call | Placement, ...]:
    """STRIDED_SLICE with any masks but those for ellipses and new axes; dimensions without indices stay.

    Raises:
        UnsupportedOperationError: not int8, computed indices, masks or offsets that TFLite Micro ignores, or
            an output of another shape.
    """
    for name in ("ellipsis_mask", "new_axis_mask", "offset"):
        if operation.option(name):
            raise UnsupportedOperationError(f"{name} is set, expected 0: TFLite Micro ignores it")
    begins, ends, steps = (constant(operation.input(i)).reshape(-1).tolist() for i in (1, 2, 3))
    if not len(begins) == len(ends) == len(steps) <= len(operation.input(0).shape) or 0 in steps:
        raise UnsupportedOperationError("more indices than dimensions, or a step is 0")
    masks = [operation.option(name) for name in ("begin_mask", "end_mask", "shrink_axis_mask")]
    ranges, shape = [], []
    for axis, size in enumerate(operation.input(0).shape):
        if axis >= len(steps):
            shape.append(size)
            ranges.append(range(size))
            continue
        begin_all, end_all, shrink = (bool(mask >> axis & 1) for mask in masks)
        begin, end = None if begin_all else begins[axis], None if end_all else ends[axis]
        indices = range(*slice(begin, end, steps[axis]).indices(size))
        if shrink:
            indices = range(indices.start, min(indices.start + 1, size), 1)
        else:
            shape.append(len(indices))
        ranges.append(indices)
    require_shape(operation.output(), shape)
    return (slice_call(operation.input(0), operation.output(), ranges),)


def lower_slice(operation: Operation) -> tuple[Call | Placement, ...]:
    """SLICE; size -1 takes all that remains.

    Raises:
        UnsupportedOperationError: not int8, computed indices, indices beyond the input, or another
            output shape.
    """
    begins, sizes = (constant(operation.input(i)).reshape(-1).tolist() for i in (1, 2))
    shape = operation.input(0).shape
    if not len(begins) == len(sizes) == len(shape):
        raise UnsupportedOperationError(
            f"{len(begins)} begins and {len(sizes)} sizes, expected {len(shape)} of each"
        )
    ranges = [
        range(begin, whole if size == -1 else begin + size)
        for begin, size, whole in zip(begins, sizes, shape, strict=True)
    ]
    require_shape(operation.output(), [len(indices) for indices in ranges])
    return (slice_call(operation.input(0), operation.output(), ranges),)


def lower_transpose(operation: Operation) -> tuple[Call | Placement, ...]:
    """TRANSPOSE by any constant permutation.

    Raises:
        UnsupportedOperationError: not int8, no constant permutation, another output shape, or more than 4
            dimensions left after neighbours that stay together have been merged.
    """
    source, output = operation.input(0), operation.output()
    rank = len(source.shape)
    order = [positive_axis(axis, rank) for axis in constant(operation.input(1)).reshape(-1).tolist()]
    if sorted(order) != list(range(rank)):
        raise UnsupportedOperationError(
            f"the order is {order}, expected every dimension from 0 to {rank - 1} once"
        )
    require_shape(output, [source.shape[axis] for axis in order])
    strides = strides_of(source.shape)
    dimensions = [
        (source.shape[axis], strides[axis], out_stride)
        for axis, out_stride in zip(order, strides_of(output.shape), strict=True)
    ]
    return (copy_call(source, output, dimensions),)


def _placements(
    operation: Operation, parts: Sequence[tuple[Tensor, int]], whole: Tensor
) -> tuple[Placement, ...] | None:
    offsets = (np.cumsum([0, *(size for _, size in parts)])[:-1] * width_of(whole)).tolist()
    if any(offset % ALIGNMENT[operation.kernel_set] for offset in offsets):
        return None
    return tuple(
        Placement(tensor.index, whole.index, offset)
        for (tensor, _), offset in zip(parts, offsets, strict=True)
    )


def _require_same_quantization(tensor: Tensor, output: Tensor) -> None:
    pairs = [
        None if each.quantization is None else (each.quantization.scale, each.quantization.zero_point)
        for each in (tensor, output)
    ]
    if pairs[0] != pairs[1]:
        raise UnsupportedOperationError(
            f"{tensor.label} is quantized unlike the output, expected one scale and zero point"
        )


def padding_of(tensor: Tensor) -> int:
    """The byte, as an int8, of which what stands for zero is made.

    Raises:
        UnsupportedOperationError: it takes different bytes.
    """
    zero = 0 if tensor.quantization is None else tensor.quantization.zero_point
    if zero and width_of(tensor) > 1:
        raise UnsupportedOperationError(f"{tensor.label} has the zero point {zero}, expected 0")
    return (zero + 128) % 256 - 128


def _pad_dimensions(shape: Sequence[int], pads: Sequence[Sequence[int]]) -> list[tuple[int, int, int]]:
    """Per dimension the elements before, in and after the input; merged where there is no padding between."""
    merged: list[tuple[int, int, int]] = []
    for size, (before, after) in zip(shape, pads, strict=True):
        if before == after == 0 and merged:
            merged[-1] = tuple(size * count for count in merged[-1])  # type: ignore[assignment]
        elif (before, size, after) != (0, 1, 0):
            merged.append((before, size, after))
    if len(merged) > PAD_DIMENSIONS:
        raise UnsupportedOperationError(
            f"{len(merged)} padded dimensions remain, expected at most {PAD_DIMENSIONS}"
        )
    return [(0, 1, 0)] * (PAD_DIMENSIONS - len(merged)) + merged


def _pad_distance(dimensions: Sequence[tuple[int, int, int]]) -> int:
    """How far the last input element moves up: the most that any moves, since padding only adds up."""
    position = 0
    for before, size, after in dimensions:
        position = position * (before + size + after) + before + size - 1
    return position - (math.prod(size for _, size, _ in dimensions) - 1)
