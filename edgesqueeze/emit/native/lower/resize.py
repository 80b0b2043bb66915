"""Resizing of images as kernel calls."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.operands import (
    computed,
    constant,
    require_int8,
    require_int16_sizes,
    require_shape,
)
from edgesqueeze.emit.native.overlap import stream_distance
from edgesqueeze.emit.native.records import (
    Blob,
    Call,
    Operation,
    Placement,
    Struct,
    UnsupportedOperationError,
)
from edgesqueeze.graph import Tensor

HEADER = "es_resize.h"
ONE = 1 << 10
"""A pixel's width in the fixed-point positions of bilinear resizing."""

Positions = npt.NDArray[np.int64]


def lower_resize_nearest_neighbor(operation: Operation) -> tuple[Call | Placement, ...]:
    """RESIZE_NEAREST_NEIGHBOR with or without align_corners and half_pixel_centers; of int16 the same bytes.

    Raises:
        UnsupportedOperationError: neither int8 nor int16, a batch, a computed size, or sizes beyond int16.
    """
    (in_height, out_height), (in_width, out_width) = _sizes(operation, _require_one_type)
    rows = _nearest(operation, in_height, out_height)
    columns = _nearest(operation, in_width, out_width)
    parameters = Struct(
        "es_resize_nearest_neighbor",
        {
            "rows": Blob(rows.astype(np.int16), "input rows"),
            "columns": Blob(columns.astype(np.int16), "input columns"),
            "in_width": in_width,
            "channels": _pixel_bytes(operation),
            "out_height": out_height,
            "out_width": out_width,
        },
    )
    return _call(operation, "es_resize_nearest_neighbor_s8", parameters, rows, columns)


def lower_resize_bilinear(operation: Operation) -> tuple[Call | Placement, ...]:
    """RESIZE_BILINEAR with or without align_corners or half_pixel_centers, in TFLite's integer arithmetic.

    Raises:
        UnsupportedOperationError: not int8, a batch, a computed size, sizes beyond int16, both options at
            once, or a size for which TFLite's rounded scale leads beyond the input.
    """
    if operation.option("align_corners") and operation.option("half_pixel_centers"):
        raise UnsupportedOperationError(
            "align_corners together with half_pixel_centers, expected one of them at most"
        )
    (in_height, out_height), (in_width, out_width) = _sizes(operation, require_int8)
    scale_y, offset_y = _scale(operation, in_height, out_height)
    scale_x, offset_x = _scale(operation, in_width, out_width)
    parameters = Struct(
        "es_resize_bilinear",
        {
            "in_height": in_height,
            "in_width": in_width,
            "channels": operation.output().shape[3],
            "out_height": out_height,
            "out_width": out_width,
            "scale_y": scale_y,
            "offset_y": offset_y,
            "scale_x": scale_x,
            "offset_x": offset_x,
        },
    )
    rows = _lower_neighbours(in_height, out_height, scale_y, offset_y)
    columns = _lower_neighbours(in_width, out_width, scale_x, offset_x)
    return _call(operation, "es_resize_bilinear_s8", parameters, rows, columns)


def _require_one_type(source: Tensor, output: Tensor) -> None:
    if source.dtype != "int16" or output.dtype != "int16":
        require_int8(source, output)


def _pixel_bytes(operation: Operation) -> int:
    output = operation.output()
    return output.shape[3] * output.nbytes // output.elements


def _sizes(
    operation: Operation, require: Callable[[Tensor, Tensor], None]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Input and output size of rows, and of columns."""
    source, output = operation.input(0), operation.output()
    require(source, output)
    if len(source.shape) != 4 or source.shape[0] != 1:
        raise UnsupportedOperationError(
            f"the input has the shape {list(source.shape)}, expected 4 dimensions and batch 1"
        )
    size = tuple(constant(operation.input(1)).reshape(-1).tolist())
    if len(size) != 2:
        raise UnsupportedOperationError(f"a size of {len(size)} numbers, expected 2: rows and columns")
    require_shape(output, (1, *size, source.shape[3]))
    require_int16_sizes((*source.shape, *size))
    return (source.shape[1], size[0]), (source.shape[2], size[1])


def _call(
    operation: Operation, function: str, parameters: Struct, rows: Positions, columns: Positions
) -> tuple[Call, ...]:
    """The call, given the first input row and column that each output row and column needs."""
    source, output = operation.input(0), operation.output()
    channels = _pixel_bytes(operation)
    reads = (rows[:, None] * source.shape[2] + columns).reshape(-1) * channels
    distance = stream_distance(reads, np.arange(reads.size) * channels)
    return (
        Call(
            function,
            HEADER,
            parameters,
            inputs=(computed(source),),
            outputs=(output.index,),
            overlap=MappingProxyType({0: distance}),
        ),
    )


def _nearest(operation: Operation, in_size: int, out_size: int) -> Positions:
    """The input index for every output index; TFLite computes them in float32."""
    aligned = operation.option("align_corners")
    if aligned and out_size > 1:
        scale = np.float32(in_size - 1) / np.float32(out_size - 1)
    else:
        scale = np.float32(in_size) / np.float32(out_size)
    offset = np.float32(0.5 if operation.option("half_pixel_centers") else 0)
    places = (np.arange(out_size, dtype=np.float32) + offset) * scale
    # C's round() for numbers that are not negative.
    rounded = np.floor(places.astype(np.float64) + 0.5) if aligned else np.floor(places)
    return np.minimum(rounded.astype(np.int64), in_size - 1)


def _scale(operation: Operation, in_size: int, out_size: int) -> tuple[int, int]:
    """Distance of two output pixels in the input, and the place of the first, in 1/1024 pixels."""
    if operation.option("align_corners") and out_size > 1:
        scale = (ONE * (in_size - 1) + (out_size - 1) // 2) // (out_size - 1)
    else:
        scale = (ONE * in_size + out_size // 2) // out_size
    return scale, scale // 2 - ONE // 2 if operation.option("half_pixel_centers") else 0


def _lower_neighbours(in_size: int, out_size: int, scale: int, offset: int) -> Positions:
    places = np.arange(out_size, dtype=np.int64) * scale + offset
    neighbours = np.maximum(places, 0) // ONE
    if neighbours[-1] >= in_size:
        raise UnsupportedOperationError(
            f"{in_size} to {out_size} pixels, where TFLite reads beyond the input"
        )
    return neighbours
