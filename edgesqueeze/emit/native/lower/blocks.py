"""SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND as copies: every place in a block of pixels is an image of its own.

Around a convolution nothing is copied: ``dilated.py`` makes one with dilation of the three.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

from edgesqueeze.emit.native.copies import HEADER as SHAPE_HEADER
from edgesqueeze.emit.native.copies import Dimension, copy_call, width_of
from edgesqueeze.emit.native.lower.shape import padding_of
from edgesqueeze.emit.native.operands import constant, require_shape, strides_of
from edgesqueeze.emit.native.records import (
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


class Blocks(NamedTuple):
    """How images are cut into blocks.

    Attributes:
        sizes: of a block, along rows and maybe columns.
        margins: rows or columns before and behind the image that are padding.
    """

    sizes: tuple[int, ...]
    margins: tuple[tuple[int, int], ...]


def blocks_of(operation: Operation) -> Blocks:
    """The blocks and margins that an operator's constants say.

    Raises:
        UnsupportedOperationError: they are computed, negative, or not for one or two dimensions.
    """
    sizes = tuple(constant(operation.input(1)).reshape(-1).tolist())
    margins = tuple(map(tuple, constant(operation.input(2)).reshape(-1, 2).tolist()))
    if not 1 <= len(sizes) == len(margins) <= 2 or min(sizes) < 1 or min(map(min, margins)) < 0:
        raise UnsupportedOperationError(f"blocks of {list(sizes)} with margins {list(margins)}")
    return Blocks(sizes, margins)


def lower_space_to_batch_nd(operation: Operation) -> tuple[Call | Placement, ...]:
    """SPACE_TO_BATCH_ND; padding is the zero point, as in LiteRT. TensorFlow Lite Micro pads with 0.

    Raises:
        UnsupportedOperationError: not int8, what ``blocks_of`` says, or shapes that do not agree.
    """
    source, output = operation.input(0), operation.output()
    blocks = blocks_of(operation)
    pieces = list(_pieces(blocks, source, output))
    copies = [
        copy_call(source, output, dimensions, input_offset=start, output_offset=place)
        for dimensions, start, place in pieces
    ]
    padded = any(map(sum, blocks.margins))
    return (*((_filled(source, output),) if padded else ()), *copies)


def lower_batch_to_space_nd(operation: Operation) -> tuple[Call | Placement, ...]:
    """BATCH_TO_SPACE_ND.

    Raises:
        UnsupportedOperationError: not int8, what ``blocks_of`` says, or shapes that do not agree.
    """
    source, output = operation.input(0), operation.output()
    return tuple(
        copy_call(
            source,
            output,
            [(size, to, come) for size, come, to in dimensions],
            input_offset=place,
            output_offset=start,
        )
        for dimensions, start, place in _pieces(blocks_of(operation), output, source)
    )


def _pieces(blocks: Blocks, wide: Tensor, deep: Tensor) -> Iterator[tuple[list[Dimension], int, int]]:
    """What lies at one place of all blocks: dimensions (strides in the wide and the deep tensor), and where
    it starts in either."""
    width_of(wide, deep)
    rank, places = len(blocks.sizes), math.prod(blocks.sizes)
    if len(wide.shape) <= rank:
        raise UnsupportedOperationError(f"the shape {list(wide.shape)} with blocks of {rank} dimensions")
    batch, rest = wide.shape[0], wide.shape[rank + 1 :]
    padded = [size + sum(pad) for size, pad in zip(wide.shape[1:], blocks.margins, strict=False)]
    if any(size % block for size, block in zip(padded, blocks.sizes, strict=True)) or places > MOST_CALLS:
        raise UnsupportedOperationError(f"blocks of {list(blocks.sizes)} in {padded} rows and columns")
    shape = [size // block for size, block in zip(padded, blocks.sizes, strict=True)]
    require_shape(deep, (batch * places, *shape, *rest))
    from_strides, to_strides = strides_of(wide.shape), strides_of(deep.shape)
    for number, place in enumerate(itertools.product(*map(range, blocks.sizes))):
        rows = [
            _inside(*one) for one in zip(place, blocks.sizes, blocks.margins, wide.shape[1:], strict=False)
        ]
        if not all(rows):
            continue
        start = sum(
            (row[0] * size + at - margin[0]) * stride
            for row, size, at, margin, stride in zip(
                rows, blocks.sizes, place, blocks.margins, from_strides[1:], strict=False
            )
        )
        dimensions = [
            (batch, from_strides[0], to_strides[0]),
            *(
                (len(row), size * come, to)
                for row, size, come, to in zip(
                    rows, blocks.sizes, from_strides[1:], to_strides[1:], strict=False
                )
            ),
            (math.prod(rest), 1, 1),
        ]
        target = number * batch * to_strides[0]
        target += sum(row[0] * stride for row, stride in zip(rows, to_strides[1:], strict=False))
        yield dimensions, start, target


def _inside(at: int, block: int, margin: tuple[int, int], size: int) -> range:
    """Rows of blocks whose row ``at`` lies inside the image."""
    first = -((at - margin[0]) // block) if at < margin[0] else 0
    return range(first, max(first, (size - 1 + margin[0] - at) // block + 1))


def _filled(source: Tensor, output: Tensor) -> Call:
    """The whole output as padding: three dimensions of no input at all."""
    members: dict[str, Value] = {
        "before": (0, 0, output.nbytes),
        "size": (1, 1, 0),
        "after": (0, 0, 0),
        "value": padding_of(output),
    }
    return Call("es_pad_s8", SHAPE_HEADER, Struct("es_pad", members), (source.index,), (output.index,))
