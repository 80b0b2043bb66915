"""Operators that put values in other places: gathering, tiling, mirrored padding, space and depth."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np

from edgesqueeze.emit.native.copies import HEADER, copy_call, width_of
from edgesqueeze.emit.native.operands import constant, positive_axis, require_shape, strides_of
from edgesqueeze.emit.native.records import (
    Blob,
    Call,
    Operation,
    Placement,
    Struct,
    UnsupportedOperationError,
    Value,
)
from edgesqueeze.graph import Tensor

MOST_CALLS = 64
"""Copies that one operator may become."""

MOST_PIECES = 8
"""Pieces of constant indices that are copied one by one; more are gathered in a loop."""


def lower_gather(operation: Operation) -> tuple[Call | Placement, ...]:
    """GATHER along one axis: few copies where indices are constant, else pieces at places that are computed.

    Raises:
        UnsupportedOperationError: types or batch dimensions that do not agree, constant indices beyond the
            input, or another output shape.
    """
    source, output, indices = operation.input(0), operation.output(), operation.input(1)
    width = width_of(source, output)
    axis = positive_axis(operation.option("axis"), len(source.shape))
    batch = int(operation.operator.options.get("batch_dims") or 0)
    if not 0 <= batch <= min(axis, len(indices.shape)) or source.shape[:batch] != indices.shape[:batch]:
        raise UnsupportedOperationError(f"{batch} batch dimensions, expected such of input and indices")
    require_shape(output, (*source.shape[:axis], *indices.shape[batch:], *source.shape[axis + 1 :]))
    if indices.data is not None:
        pieces = progressions(_places_within(indices, source.shape[axis]))
        if not batch and len(pieces) <= MOST_PIECES:
            segments = [[range(size)] for size in source.shape]
            segments[axis] = pieces
            return _copies(source, output, segments)
    elif indices.dtype != "int32":
        raise UnsupportedOperationError(f"{indices.label} is {indices.dtype}, expected int32")
    batches = math.prod(source.shape[:batch])
    members: dict[str, Value] = {
        "batches": batches,
        "outer": math.prod(source.shape[batch:axis]),
        "count": source.shape[axis],
        "bytes": width * math.prod(source.shape[axis + 1 :]),
        "places": indices.elements // batches,
    }
    inputs = (_bytes_of(source), _indices_of(indices))
    return (Call("es_gather_s8", HEADER, Struct("es_gather", members), inputs, (output.index,)),)


def _places_within(indices: Tensor, size: int) -> list[int]:
    places: list[int] = constant(indices).reshape(-1).tolist()
    if not all(0 <= place < size for place in places):
        raise UnsupportedOperationError(f"indices beyond the input, expected some of 0 to {size - 1}")
    return places


def _bytes_of(source: Tensor) -> int | Blob:
    """A tensor as a call's input, a constant as bytes."""
    if source.data is None:
        return source.index
    return Blob(np.ascontiguousarray(source.data).reshape(-1).view(np.int8), f"constant {source.name}")


def _indices_of(indices: Tensor) -> int | Blob:
    if indices.data is None:
        return indices.index
    return Blob(indices.data.reshape(-1).astype(np.int32), f"indices {indices.name}")


def lower_mirror_pad(operation: Operation) -> tuple[Call | Placement, ...]:
    """MIRROR_PAD, symmetric or reflecting.

    Raises:
        UnsupportedOperationError: not int8, computed paddings or such larger than the input, or another
            output shape.
    """
    source, output = operation.input(0), operation.output()
    pads = constant(operation.input(1)).reshape(-1, 2).tolist()
    inner = int(operation.option("mode") == "REFLECT")
    if len(pads) != len(source.shape):
        raise UnsupportedOperationError(f"paddings for {len(pads)} dimensions, expected {len(source.shape)}")
    segments = []
    for size, (before, after) in zip(source.shape, pads, strict=True):
        if not 0 <= min(before, after) <= max(before, after) <= size - inner:
            raise UnsupportedOperationError(f"paddings {[before, after]} of {size} values")
        left = range(before - 1 + inner, inner - 1, -1)
        right = range(size - 1 - inner, size - 1 - inner - after, -1)
        segments.append([one for one in (left, range(size), right) if len(one)])
    return _copies(source, output, segments)


def lower_tile(operation: Operation) -> tuple[Call | Placement, ...]:
    """TILE by constant multiples.

    Raises:
        UnsupportedOperationError: not int8, computed multiples, or another output shape.
    """
    source, output = operation.input(0), operation.output()
    multiples = constant(operation.input(1)).reshape(-1).tolist()
    if len(multiples) != len(source.shape):
        raise UnsupportedOperationError(f"{len(multiples)} multiples, expected {len(source.shape)}")
    segments = [[range(size)] * times for size, times in zip(source.shape, multiples, strict=True)]
    return _copies(source, output, segments)


def lower_depth_to_space(operation: Operation) -> tuple[Call | Placement, ...]:
    """DEPTH_TO_SPACE of one image.

    Raises:
        UnsupportedOperationError: not int8, a batch, or another output shape.
    """
    source, output = operation.input(0), operation.output()
    sizes, deep, wide = _space(operation, output, source)
    return (copy_call(source, output, zip(sizes, deep, wide, strict=True)),)


def lower_space_to_depth(operation: Operation) -> tuple[Call | Placement, ...]:
    """SPACE_TO_DEPTH of one image.

    Raises:
        UnsupportedOperationError: not int8, a batch, or another output shape.
    """
    source, output = operation.input(0), operation.output()
    sizes, deep, wide = _space(operation, source, output)
    return (copy_call(source, output, zip(sizes, wide, deep, strict=True)),)


def progressions(indices: Iterable[int]) -> list[range]:
    """Indices as pieces of equal steps, each as long as can be."""
    found: list[list[int]] = []
    for index in indices:
        last = found[-1] if found else []
        if (len(last) == 1 and index != last[0]) or (len(last) > 1 and index - last[-1] == last[1] - last[0]):
            last.append(index)
        else:
            found.append([index])
    return [_range(piece) for piece in found]


def _range(piece: Sequence[int]) -> range:
    step = piece[1] - piece[0] if len(piece) > 1 else 1
    return range(piece[0], piece[-1] + (1 if step > 0 else -1), step)


def _copies(source: Tensor, output: Tensor, segments: Sequence[Sequence[range]]) -> tuple[Call, ...]:
    """A copy for each combination of one piece of indices from every dimension."""
    lengths = [sum(map(len, pieces)) for pieces in segments]
    if sum(lengths) == 0 or _product(lengths) != output.elements:
        raise UnsupportedOperationError(
            f"the output has the shape {list(output.shape)}, expected {_product(lengths)} elements"
        )
    count = _product([len(pieces) for pieces in segments])
    if count > MOST_CALLS:
        raise UnsupportedOperationError(f"it takes {count} copies, expected at most {MOST_CALLS}")
    from_strides, to_strides = strides_of(source.shape), strides_of(lengths)
    placed = [_placed(pieces) for pieces in segments]
    calls = []
    for chosen in itertools.product(*placed):
        for (indices, _), size in zip(chosen, source.shape, strict=True):
            if not (min(indices[0], indices[-1]) >= 0 and max(indices[0], indices[-1]) < size):
                raise UnsupportedOperationError(f"indices {indices}, expected some of 0 to {size - 1}")
        calls.append(
            copy_call(
                source,
                output,
                [
                    (len(indices), indices.step * step, to_step)
                    for (indices, _), step, to_step in zip(chosen, from_strides, to_strides, strict=True)
                ],
                input_offset=sum(one[0] * step for (one, _), step in zip(chosen, from_strides, strict=True)),
                output_offset=sum(at * step for (_, at), step in zip(chosen, to_strides, strict=True)),
            )
        )
    return tuple(calls)


def _placed(pieces: Sequence[range]) -> list[tuple[range, int]]:
    """Pieces of indices, and where each begins in the output."""
    starts = itertools.accumulate(map(len, pieces), initial=0)
    return list(zip(pieces, starts, strict=False))


def _product(numbers: Iterable[int]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result


def _space(
    operation: Operation, wide: Tensor, deep: Tensor
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Blocks of images in which squares are channels: sizes, and strides in them and in the wide ones.

    The rows of several images are those of one.
    """
    block = operation.option("block_size")
    width_of(wide, deep)
    if len(deep.shape) != 4 or block < 1:
        raise UnsupportedOperationError(
            f"the shape {list(deep.shape)} and blocks of {block}, expected 4 dimensions"
        )
    batch, height, width, depth = deep.shape
    channels = depth // (block * block)
    require_shape(wide, (batch, height * block, width * block, channels))
    require_shape(deep, (batch, height, width, channels * block * block))
    run = block * channels
    sizes = (batch * height, width, block, run)
    return sizes, (width * depth, depth, run, 1), (width * block * run, run, width * run, 1)
