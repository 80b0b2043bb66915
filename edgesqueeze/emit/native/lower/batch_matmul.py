"""BATCH_MATMUL, and FULLY_CONNECTED of weights that are computed, as a kernel call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from edgesqueeze.emit.native.lower.int16 import HEADER as WIDE_HEADER
from edgesqueeze.emit.native.lower.int16 import one_scale, require_int16
from edgesqueeze.emit.native.lower.lstm import scale_struct
from edgesqueeze.emit.native.lower.pairs import broadcast_loops, clamp_after, require_scales
from edgesqueeze.emit.native.lower.real import require_float32
from edgesqueeze.emit.native.numerics import quantization_of
from edgesqueeze.emit.native.operands import constant, place_of, require_shape
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

HEADER = "es_matmul.h"
LOOPS = 3
"""Nested loops of the kernel over matrices."""


def lower_batch_matmul(operation: Operation) -> tuple[Call | Placement, ...]:
    """BATCH_MATMUL; one of the inputs may be a constant.

    Raises:
        UnsupportedOperationError: not int8 with one scale each, shapes that do not go together, or more than
            three nested loops over matrices.
    """
    first, second, members = _matrices(operation, require_scales)
    return (_narrow_call(operation, first, second, members),)


def lower_batch_matmul_int16(operation: Operation) -> tuple[Call | Placement, ...]:
    """BATCH_MATMUL of int16; raises what ``lower_batch_matmul`` does, and scales too far apart."""
    first, second, members = _matrices(operation, require_int16)
    return (_wide_call(operation, first, second, members),)


def lower_batch_matmul_real(operation: Operation) -> tuple[Call | Placement, ...]:
    """BATCH_MATMUL of float32; raises what ``lower_batch_matmul`` does."""
    first, second, members = _matrices(operation, require_float32)
    call = Call(
        "es_batch_matmul_f32",
        HEADER,
        Struct("es_batch_matmul_real", members),
        (place_of(first), place_of(second)),
        (operation.output().index,),
    )
    return (call,)


def lower_computed_weights(operation: Operation) -> tuple[Call | Placement, ...]:
    """FULLY_CONNECTED as a product of matrices: its weights, with one scale and any zero point, are computed.

    Raises:
        UnsupportedOperationError: not int8 with one scale each, shapes that do not go together, or biases
            that are no int32 constants.
    """
    source, weights = operation.input(0), operation.input(1)
    require_scales(source, weights, operation.output())
    sizes = _dense_sizes(operation)
    members = {**_sizes(sizes, (False, True)), "biases": _biases(operation, sizes[2])}
    return (_narrow_call(operation, source, weights, members), *clamp_after(operation))


def lower_wide_weights(operation: Operation) -> tuple[Call | Placement, ...]:
    """FULLY_CONNECTED of int16 whose weights are int16 too, mostly computed: a product of matrices.

    Raises:
        UnsupportedOperationError: not int16 with one scale each, shapes that do not go together, or biases.
    """
    source, weights = operation.input(0), operation.input(1)
    require_int16(source, weights, operation.output())
    if operation.optional_input(2) is not None:
        raise UnsupportedOperationError("weights of int16 and biases, expected weights of int8, or no biases")
    members = _sizes(_dense_sizes(operation), (False, True))
    return (_wide_call(operation, source, weights, members),)


def _dense_sizes(operation: Operation) -> tuple[int, int, int]:
    """Rows, inputs and outputs of a fully connected layer, from shapes that go together."""
    source, weights = operation.input(0), operation.input(1)
    if operation.option("weights_format") != "DEFAULT" or len(weights.shape) != 2:
        raise UnsupportedOperationError(
            f"the weights have the shape {list(weights.shape)} and the format "
            f"{operation.option('weights_format')}, expected 2 sizes and DEFAULT"
        )
    columns, depth = weights.shape
    rows, rest = divmod(source.elements, depth)
    if rest or operation.output().elements != rows * columns:
        raise UnsupportedOperationError(
            f"{source.elements} inputs, expected a multiple of {depth} as the weights have"
        )
    return rows, depth, columns


def _narrow_call(operation: Operation, first: Tensor, second: Tensor, sizes: dict[str, Value]) -> Call:
    """The call of the kernel of int8."""
    members = {
        **sizes,
        "scale": scale_struct(_ratio(operation)),
        "zero_point1": quantization_of(first)[1],
        "zero_point2": quantization_of(second)[1],
        "output_zero_point": quantization_of(operation.output())[1],
    }
    return Call(
        "es_batch_matmul_s8",
        HEADER,
        Struct("es_batch_matmul", members),
        (place_of(first), place_of(second)),
        (operation.output().index,),
        scratch_bytes=scratch_bytes(members),
    )


def _wide_call(operation: Operation, first: Tensor, second: Tensor, sizes: dict[str, Value]) -> Call:
    """The call of the kernel of int16."""
    members = {**sizes, "output": one_scale(operation, _ratio(operation))}
    return Call(
        "es_batch_matmul_s16",
        WIDE_HEADER,
        Struct("es_batch_matmul_wide", members),
        (place_of(first), place_of(second)),
        (operation.output().index,),
        scratch_bytes=wide_scratch_bytes(members),
    )


def scratch_bytes(members: dict[str, Value]) -> int:
    """What ``es_batch_matmul_s8_scratch_bytes`` gives for these parameters."""
    depth, columns = _numbers(members)
    turned = 0 if members["turned2"] else (columns * depth + 3) // 4 * 4
    return 4 * columns + turned + (depth if members["turned1"] else 0)


def wide_scratch_bytes(members: dict[str, Value]) -> int:
    """What ``es_batch_matmul_s16_scratch_bytes`` gives for these parameters."""
    depth, columns = _numbers(members)
    return 2 * depth * ((0 if members["turned2"] else columns) + (1 if members["turned1"] else 0))


def _numbers(members: dict[str, Value]) -> tuple[int, int]:
    depth, columns = members["depth"], members["columns"]
    assert isinstance(depth, int)
    assert isinstance(columns, int)
    return depth, columns


def _matrices(
    operation: Operation, require: Callable[[Tensor, Tensor, Tensor], None]
) -> tuple[Tensor, Tensor, dict[str, Value]]:
    """The two inputs, constants as kernels read them best, and the sizes among a kernel's members."""
    first, second, output = operation.input(0), operation.input(1), operation.output()
    require(first, second, output)
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
    return first, second, _sizes((rows, depth, columns), (turned1, turned2), batches)


Loops = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""Sizes of the loops over matrices, and strides of both inputs in matrices."""

ONE_MATRIX: Loops = ((1,) * LOOPS, (0,) * LOOPS, (0,) * LOOPS)


def _sizes(
    size: tuple[int, int, int], turned: tuple[bool, bool], batches: Loops = ONE_MATRIX
) -> dict[str, Value]:
    rows, depth, columns = size
    return {
        "count": batches[0],
        "stride1": tuple(stride * rows * depth for stride in batches[1]),
        "stride2": tuple(stride * columns * depth for stride in batches[2]),
        "rows": rows,
        "depth": depth,
        "columns": columns,
        "turned1": int(turned[0]),
        "turned2": int(turned[1]),
    }


def _biases(operation: Operation, columns: int) -> Blob | None:
    bias = operation.optional_input(2)
    if bias is None:
        return None
    if bias.dtype != "int32" or bias.elements != columns:
        raise UnsupportedOperationError(
            f"{bias.elements} biases of {bias.dtype}, expected {columns} of int32"
        )
    return Blob(constant(bias).reshape(-1), "biases")


def _turned(tensor: Tensor) -> Tensor:
    """A constant's matrices, each with its columns one behind the other."""
    assert tensor.data is not None
    data = np.ascontiguousarray(np.swapaxes(tensor.data.reshape(tensor.shape), -1, -2))
    return replace(tensor, shape=data.shape, data=data)


def _batches(first: Tensor, second: Tensor) -> Loops:
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


def _ratio(operation: Operation) -> float:
    """The factor of sums of products, in the steps of float32 that TFLite takes."""
    scales = [np.float32(quantization_of(operation.input(place))[0]) for place in (0, 1)]
    return float(scales[0] * scales[1]) / quantization_of(operation.output())[0]
