"""Blocks of tensors that are copied: the calls behind joining, splitting, slicing and transposing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from edgesqueeze.emit.native.borders import HELD
from edgesqueeze.emit.native.operands import (
    constant,
    place_of,
    positive_axis,
    require_int8,
    require_shape,
    strides_of,
)
from edgesqueeze.emit.native.records import Call, Operation, Struct, UnsupportedOperationError
from edgesqueeze.graph import Tensor

HEADER = "es_shape.h"
COPY_DIMENSIONS = 4

Dimension = tuple[int, int, int]
"""Of a block that is copied: elements, and how far apart they are in the input and in the output."""


def copy_call(
    source: Tensor,
    output: Tensor,
    dimensions: Iterable[Dimension],
    *,
    input_offset: int = 0,
    output_offset: int = 0,
    overlap: Mapping[int, int] | None = None,
) -> Call:
    """A call of ``es_copy_s8``.

    Args:
        source: where the bytes come from; may be a constant.
        output: where they go.
        dimensions: dimensions of the block, the outermost first.
        input_offset: elements from the start of ``source`` to the block's first.
        output_offset: elements from the start of ``output`` to the block's first.
        overlap: how far the output may overlap the input, as ``Call.overlap`` says it.

    Raises:
        UnsupportedOperationError: not int8, or more than 4 dimensions left after merging.
    """
    width = width_of(source, output)
    wide = [(size, come * width, to * width) for size, come, to in dimensions]
    merged = _merge([*wide, (width, 1, 1)])
    if len(merged) > COPY_DIMENSIONS:
        raise UnsupportedOperationError(
            f"{len(merged)} dimensions remain, expected at most {COPY_DIMENSIONS}"
        )
    sizes, input_strides, output_strides = zip(
        *[(1, 0, 0)] * (COPY_DIMENSIONS - len(merged)), *merged, strict=True
    )
    parameters = Struct(
        "es_copy",
        {
            "size": sizes,
            "input_stride": input_strides,
            "output_stride": output_strides,
            "input_offset": input_offset * width,
            "output_offset": output_offset * width,
        },
    )
    return Call(
        "es_copy_s8",
        HEADER,
        parameters,
        inputs=(place_of(source),),
        outputs=(output.index,),
        overlap=MappingProxyType(dict(overlap or {})),
    )


def joined(
    operation: Operation, tensors: Sequence[Tensor], whole: Tensor
) -> tuple[int, list[tuple[Tensor, int]]]:
    """How tensors lie in the tensor that they are parts of, or that is packed from them.

    Args:
        operation: CONCATENATION, PACK, SPLIT, SPLIT_V or UNPACK.
        tensors: the parts.
        whole: what they are parts of.

    Returns:
        The number of pieces of every part, and per part the elements of a piece.

    Raises:
        UnsupportedOperationError: not int8, a computed axis, a fused activation, or shapes that do not
            add up.
    """
    operator = operation.operator
    if operator.opcode in ("SPLIT", "SPLIT_V"):
        axis = int(constant(operation.input(0 if operator.opcode == "SPLIT" else 2)).reshape(-1)[0])
    else:
        axis = operation.option("axis")
    if operator.opcode == "CONCATENATION" and operation.option("fused_activation_function") != "NONE":
        raise UnsupportedOperationError("a fused activation, expected none: TFLite Micro refuses it")
    width_of(*tensors, whole)
    shape = tensors[0].shape
    packs = operator.opcode in ("PACK", "UNPACK")
    axis = positive_axis(axis, len(shape) + packs)
    end = axis + (not packs)
    before, after = shape[:axis], shape[end:]
    for tensor in tensors:
        like = tensor.shape if len(tensor.shape) == len(shape) else shape
        require_shape(tensor, (*before, *like[axis:end], *after))
    total = len(tensors) if packs else sum(tensor.shape[axis] for tensor in tensors)
    require_shape(whole, (*before, total, *after))
    outer = math.prod(before)
    return outer, [(tensor, tensor.elements // outer) for tensor in tensors]


def slice_call(source: Tensor, output: Tensor, ranges: Sequence[range]) -> Call:
    """A call that copies the elements at the given indices.

    Args:
        source: where they come from; may be a constant.
        output: gets them one behind another, and has room for just as many.
        ranges: indices along every dimension of ``source``.

    Raises:
        UnsupportedOperationError: not int8, indices beyond ``source`` or none, or more than 4 dimensions left
            after merging.
    """
    sizes = [len(indices) for indices in ranges]
    for indices, size in zip(ranges, source.shape, strict=True):
        if not indices or not (0 <= indices[0] < size and 0 <= indices[-1] < size):
            raise UnsupportedOperationError(f"indices {indices}, expected some of 0 to {size - 1}")
    strides = strides_of(source.shape)
    dimensions = [
        (size, indices.step * stride, out_stride)
        for size, indices, stride, out_stride in zip(sizes, ranges, strides, strides_of(sizes), strict=True)
    ]
    start = sum(indices.start * stride for indices, stride in zip(ranges, strides, strict=True))
    # Forwards, an element never moves to a higher address than it had.
    forwards = all(indices.step > 0 or len(indices) == 1 for indices in ranges)
    return copy_call(source, output, dimensions, input_offset=start, overlap={0: 0} if forwards else None)


def width_of(*tensors: Tensor) -> int:
    """Bytes of an element.

    Raises:
        UnsupportedOperationError: tensors of different types, or of one that the arena does not hold.
    """
    dtype = tensors[0].dtype
    if dtype not in HELD:
        require_int8(tensors[0])
    for tensor in tensors:
        if tensor.dtype != dtype:
            raise UnsupportedOperationError(f"{tensor.label} is {tensor.dtype}, expected {dtype}")
    return np.dtype(dtype).itemsize


def _merge(dimensions: Iterable[Dimension]) -> list[Dimension]:
    """Neighbouring dimensions as one where their elements are equally far apart; at least one dimension."""
    merged: list[Dimension] = []
    for size, from_stride, to_stride in dimensions:
        if size == 1:
            continue
        if merged and merged[-1][1:] == (size * from_stride, size * to_stride):
            size *= merged.pop()[0]
        merged.append((size, from_stride, to_stride))
    return merged or [(1, 1, 1)]
