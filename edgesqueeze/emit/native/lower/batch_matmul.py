"""BATCH_MATMUL as a kernel call."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgesqueeze.emit.native.lower.lstm import scale_struct
from edgesqueeze.emit.native.lower.pairs import broadcast_loops, require_scales
from edgesqueeze.emit.native.numerics import quantization_of
from edgesqueeze.emit.native.operands import computed, place_of, require_shape
from edgesqueeze.emit.native.records import (
    Call,
    Operation,
    Placement,
    Struct,
    UnsupportedOperationError,
    Value,
)
from edgesqueeze.graph import Tensor

HEADER = "es_matmul.h"
LOOPS = 3
"""Nested loops of the kernel over matrices."""


def lower_batch_matmul(operation: Operation) -> tuple[Call | Placement, ...]:
    """BATCH_MATMUL; the second input may be a constant.

    Raises:
        UnsupportedOperationError: not int8 with one scale each, shapes that do not go together, or more than
            three nested loops over matrices.
    """
    first, second, output = operation.input(0), operation.input(1), operation.output()
    require_scales(first, second, output)
    turned1, turned2 = bool(operation.option("adj_x")), bool(operation.option("adj_y"))
    if min(len(first.shape), len(second.shape)) < 2:
        raise UnsupportedOperationError("an input is no matrix, expected at least 2 dimensions")
    if second.data is not None and not turned2:
        second, turned2 = _turned(second), True
    rows, depth = first.shape[-2:][:: -1 if turned1 else 1]
    inner, columns = second.shape[-2:][:: -1 if turned2 else 1]
    batches = _batches(first, second)
    if inner != depth:
        raise UnsupportedOperationError(f"matrices of {depth} columns and {inner} rows, expected as many")
    require_shape(output, (*np.broadcast_shapes(first.shape[:-2], second.shape[:-2]), rows, columns))
    members: dict[str, Value] = {
        "count": batches[0],
        "stride1": tuple(stride * rows * depth for stride in batches[1]),
        "stride2": tuple(stride * columns * depth for stride in batches[2]),
        "rows": rows,
        "depth": depth,
        "columns": columns,
        "scale": scale_struct(_ratio(first, second, output)),
        "zero_point1": quantization_of(first)[1],
        "zero_point2": quantization_of(second)[1],
        "output_zero_point": quantization_of(output)[1],
        "turned1": int(turned1),
        "turned2": int(turned2),
    }
    call = Call(
        "es_batch_matmul_s8",
        HEADER,
        Struct("es_batch_matmul", members),
        (computed(first), place_of(second)),
        (output.index,),
        scratch_bytes=scratch_bytes(members),
    )
    return (call,)


def scratch_bytes(members: dict[str, Value]) -> int:
    """What ``es_batch_matmul_s8_scratch_bytes`` gives for these parameters."""
    depth, columns = members["depth"], members["columns"]
    assert isinstance(depth, int)
    assert isinstance(columns, int)
    turned = 0 if members["turned2"] else (columns * depth + 3) // 4 * 4
    return 4 * columns + turned + (depth if members["turned1"] else 0)


def _turned(tensor: Tensor) -> Tensor:
    """A constant's matrices, each with its columns one behind the other."""
    assert tensor.data is not None
    data = np.ascontiguousarray(np.swapaxes(tensor.data.reshape(tensor.shape), -1, -2))
    return replace(tensor, shape=data.shape, data=data)


def _batches(first: Tensor, second: Tensor) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Sizes of the loops over matrices, and strides in matrices."""
    try:
        np.broadcast_shapes(first.shape[:-2], second.shape[:-2])
    except ValueError:
        raise UnsupportedOperationError(
            f"inputs of the shapes {list(first.shape)} and {list(second.shape)}, expected shapes to broadcast"
        ) from None
    loops = broadcast_loops(first.shape[:-2], second.shape[:-2])
    missing = LOOPS - len(loops[0])
    if missing < 0:
        raise UnsupportedOperationError(
            f"{len(loops[0])} nested loops over matrices, expected at most {LOOPS}"
        )
    return (1,) * missing + loops[0], (0,) * missing + loops[1], (0,) * missing + loops[2]


def _ratio(first: Tensor, second: Tensor, output: Tensor) -> float:
    """The factor of sums of products, in the steps of float32 that TFLite takes."""
    product = np.float32(quantization_of(first)[0]) * np.float32(quantization_of(second)[0])
    return float(product) / quantization_of(output)[0]
