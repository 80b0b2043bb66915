"""Blocks of tensors that are copied: the calls behind joining, splitting, slicing and transposing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from edgesqueeze.emit.native.operands import place_of, require_int8
from edgesqueeze.emit.native.records import Call, Struct, UnsupportedOperationError
from edgesqueeze.graph import Tensor

HEADER = "es_shape.h"
COPY_DIMENSIONS = 4

Dimension = tuple[int, int, int]
"""Of a block that is copied: elements, bytes between them in the input, bytes between them in the output."""


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
        dimensions: of the block, the outermost first.
        input_offset: bytes from the start of ``source`` to the block's first element.
        output_offset: the same for ``output``.
        overlap: as ``Call.overlap``.

    Raises:
        UnsupportedOperationError: not int8, or more than 4 dimensions left after merging.
    """
    require_int8(source, output)
    merged = _merge(dimensions)
    if len(merged) > COPY_DIMENSIONS:
        raise UnsupportedOperationError(f"{len(merged)} dimensions remain, {COPY_DIMENSIONS} are supported")
    sizes, input_strides, output_strides = zip(
        *[(1, 0, 0)] * (COPY_DIMENSIONS - len(merged)), *merged, strict=True
    )
    parameters = Struct(
        "es_copy",
        {
            "size": sizes,
            "input_stride": input_strides,
            "output_stride": output_strides,
            "input_offset": input_offset,
            "output_offset": output_offset,
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
