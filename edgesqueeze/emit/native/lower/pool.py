"""Pooling, means and sums as kernel calls."""

from __future__ import annotations

import math
from types import MappingProxyType

import numpy as np

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.lower.int16 import HEADER as WIDE_HEADER
from edgesqueeze.emit.native.lower.int16 import INT16_MAX, INT16_MIN, require_int16
from edgesqueeze.emit.native.lower.pairs import fused_range
from edgesqueeze.emit.native.numerics import INT8_MAX, INT8_MIN, quantization_of, quantize_multiplier
from edgesqueeze.emit.native.operands import (
    computed,
    constant,
    positive_axis,
    require_int8,
    require_int16_sizes,
    require_shape,
    strides_of,
)
from edgesqueeze.emit.native.overlap import overlap_distance
from edgesqueeze.emit.native.records import (
    Call,
    Operation,
    Placement,
    Struct,
    UnsupportedOperationError,
    Value,
)
from edgesqueeze.emit.native.windows import window_shape
from edgesqueeze.graph import Tensor

HEADER = "es_pool.h"
PLACED = MappingProxyType({"int8": "es_arg_max_s8", "float32": "es_arg_max_f32"})
"""Type of values -> the kernel that finds the places of the largest."""

MAX_SCALE_DIFFERENCE = 1e-6
"""How far TFLite Micro lets the scales of a pooling operator's input and output differ."""


def lower_max_pool(operation: Operation) -> tuple[Call | Placement, ...]:
    """MAX_POOL_2D: any window, stride, padding and fused activation.

    Raises:
        UnsupportedOperationError: not int8, a batch, sizes beyond int16, or scales that differ.
    """
    return _pool(operation, "es_max_pool_s8")


def lower_average_pool(operation: Operation) -> tuple[Call | Placement, ...]:
    """AVERAGE_POOL_2D: any window, stride, padding and fused activation.

    Raises:
        UnsupportedOperationError: not int8, a batch, sizes beyond int16, or scales that differ.
    """
    return _pool(operation, "es_average_pool_s8")


def lower_mean(operation: Operation) -> tuple[Call | Placement, ...]:
    """MEAN over any axes, of int8 or int16.

    TFLite Micro makes the division by the number of elements a part of the multiplier, which loses up to a
    bit of it; so does this.

    Raises:
        UnsupportedOperationError: neither int8 nor int16, computed axes, an output of another size, or more
            than two separate groups of axes.
    """
    _require_reducible(operation)
    count = math.prod(operation.input(0).shape[axis] for axis in _reduced_axes(operation))
    multiplier, shift = _multiplier(operation)
    halvings = min(count.bit_length() - 1, 32, 31 + shift)
    return _reduce(operation, (multiplier << halvings) // count, shift - halvings)


def _require_reducible(operation: Operation) -> None:
    if operation.input(0).dtype == "int16":
        require_int16(operation.input(0), operation.output())
    else:
        require_int8(operation.input(0), operation.output())


def lower_sum(operation: Operation) -> tuple[Call | Placement, ...]:
    """SUM over any axes, of int8 or int16.

    Raises:
        UnsupportedOperationError: neither int8 nor int16, computed axes, an output of another size, or more
            than two separate groups of axes.
    """
    _require_reducible(operation)
    return _reduce(operation, *_multiplier(operation))


def lower_reduce_max(operation: Operation) -> tuple[Call | Placement, ...]:
    """REDUCE_MAX over neighbouring axes, as one window over all of them; of int8 or int16.

    Raises:
        UnsupportedOperationError: neither int8 nor int16, computed axes or such that are no neighbours, an
            output of another size or scale, or sizes beyond int16.
    """
    _require_reducible(operation)
    found = _neighbours(operation)
    if isinstance(found, Placement):
        return (found,)
    outer, window, inner = found
    require_int16_sizes((outer, window, inner))
    members: dict[str, Value] = {
        "in_height": outer,
        "in_width": window,
        "channels": inner,
        "out_height": outer,
        "out_width": 1,
        "window_height": 1,
        "window_width": window,
        "stride_height": 1,
        "stride_width": 1,
        "pad_top": 0,
        "pad_left": 0,
    }
    if operation.input(0).dtype == "int16":
        wide = Struct("es_pool_wide", {**members, "minimum": INT16_MIN, "maximum": INT16_MAX})
        source, output = computed(operation.input(0)), operation.output().index
        return (Call("es_max_pool_s16", WIDE_HEADER, wide, (source,), (output,)),)
    narrow = Struct("es_pool", {**members, "minimum": INT8_MIN, "maximum": INT8_MAX})
    return (_reduction(operation, "es_max_pool_s8", narrow),)


def lower_reduce_min(operation: Operation) -> tuple[Call | Placement, ...]:
    """REDUCE_MIN over neighbouring axes, of int8 only; raises what ``lower_reduce_max`` does."""
    require_int8(operation.input(0), operation.output())
    found = _neighbours(operation)
    if isinstance(found, Placement):
        return (found,)
    members = dict(zip(("outer", "count", "inner"), found, strict=True))
    return (_reduction(operation, "es_reduce_min_s8", Struct("es_reduce", members)),)


def _neighbours(operation: Operation) -> tuple[int, int, int] | Placement:
    """Elements before, in and behind the axes that are reduced; or where the output lies, if none are."""
    source, output = operation.input(0), operation.output()
    _require_same_quantization(source, output)
    _require_reduced_shape(operation)
    axes = [axis for axis in _reduced_axes(operation) if source.shape[axis] > 1]
    if not axes:
        return Placement(output.index, computed(source), 0)
    if any(
        size > 1 for axis, size in enumerate(source.shape) if axes[0] < axis < axes[-1] and axis not in axes
    ):
        raise UnsupportedOperationError(f"axes {axes} of {list(source.shape)}, expected neighbours")
    outer = math.prod(source.shape[: axes[0]])
    inner = math.prod(source.shape[axes[-1] + 1 :])
    return outer, source.elements // (outer * inner), inner


def _reduction(operation: Operation, function: str, parameters: Struct) -> Call:
    source, output = operation.input(0), operation.output()
    return Call(function, HEADER, parameters, (computed(source),), (output.index,), overlap={0: 0})


def lower_arg_max(operation: Operation) -> tuple[Call | Placement, ...]:
    """ARG_MAX.

    Raises:
        UnsupportedOperationError: not from int8 or float32 to int32, a computed axis, or an output of another
            size.
    """
    return _places(operation, 0)


def lower_arg_min(operation: Operation) -> tuple[Call | Placement, ...]:
    """ARG_MIN; raises what ``lower_arg_max`` does."""
    return _places(operation, -1)


def _places(operation: Operation, flip: int) -> tuple[Call, ...]:
    source, output = operation.input(0), operation.output()
    if source.dtype not in PLACED:
        raise UnsupportedOperationError(f"{source.label} is {source.dtype}, expected int8 or float32")
    if output.dtype != "int32":
        raise UnsupportedOperationError(
            f"{output.label} is {output.dtype}, expected int32 (output_type=tf.int32)"
        )
    axis = positive_axis(int(constant(operation.input(1)).reshape(-1)[0]), len(source.shape))
    outer, inner = math.prod(source.shape[:axis]), math.prod(source.shape[axis + 1 :])
    if outer * inner != output.elements:
        raise UnsupportedOperationError(
            f"the output has the shape {list(output.shape)}, expected {outer * inner} elements"
        )
    members = {"outer": outer, "count": source.shape[axis], "inner": inner, "flip": flip}
    parameters = Struct("es_arg_max", members)
    return (Call(PLACED[source.dtype], HEADER, parameters, (computed(source),), (output.index,)),)


def _pool(operation: Operation, function: str) -> tuple[Call, ...]:
    source, output = operation.input(0), operation.output()
    require_int8(source, output)
    _require_same_quantization(source, output)
    shape = _pool_shape(operation)
    minimum, maximum = fused_range(operation)
    parameters = Struct("es_pool", {**pool_sizes(operation), "minimum": minimum, "maximum": maximum})
    distance = overlap_distance(shape, 1, shape.in_channels, shape.in_channels)
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


def pool_sizes(operation: Operation) -> dict[str, Value]:
    """The sizes of a pooling operator, by the names that kernels have for them."""
    shape = _pool_shape(operation)
    return {
        "in_height": shape.in_height,
        "in_width": shape.in_width,
        "channels": shape.in_channels,
        "out_height": shape.out_height,
        "out_width": shape.out_width,
        "window_height": shape.kernel_height,
        "window_width": shape.kernel_width,
        "stride_height": shape.stride_height,
        "stride_width": shape.stride_width,
        "pad_top": shape.pad_top,
        "pad_left": shape.pad_left,
    }


def _pool_shape(operation: Operation) -> ConvShape:
    shape = window_shape(operation, (operation.option("filter_height"), operation.option("filter_width")))
    if shape.out_channels != shape.in_channels:
        raise UnsupportedOperationError(
            f"{shape.out_channels} channels in the output, expected {shape.in_channels}"
        )
    return shape


def _require_same_quantization(source: Tensor, output: Tensor) -> None:
    (scale_in, zero_in), (scale_out, zero_out) = quantization_of(source), quantization_of(output)
    if abs(scale_in - scale_out) > MAX_SCALE_DIFFERENCE or zero_in != zero_out:
        raise UnsupportedOperationError(
            "input and output are quantized differently, expected one scale and zero point"
        )


def _reduce(operation: Operation, multiplier: int, shift: int) -> tuple[Call, ...]:
    source, output = operation.input(0), operation.output()
    _require_reduced_shape(operation)
    kept, reduced = _groups(source.shape, _reduced_axes(operation))
    zero_point = quantization_of(source)[1]
    parameters = Struct(
        "es_mean",
        {
            "kept": tuple(size for size, _ in kept),
            "kept_stride": tuple(stride for _, stride in kept),
            "reduced": tuple(size for size, _ in reduced),
            "reduced_stride": tuple(stride for _, stride in reduced),
            "offset": -zero_point * math.prod(size for size, _ in reduced),
            "multiplier": multiplier,
            "shift": shift,
            "zero_point": quantization_of(output)[1],
        },
    )
    return (
        Call(
            "es_mean_s8" if source.dtype == "int8" else "es_mean_s16",
            HEADER,
            parameters,
            inputs=(computed(source),),
            outputs=(output.index,),
            overlap=MappingProxyType({0: 0}),
        ),
    )


def _require_reduced_shape(operation: Operation) -> None:
    """Without keep_dims the number of elements is enough: TFLite Micro does not look at the shape."""
    source, output, axes = operation.input(0), operation.output(), _reduced_axes(operation)
    shape = [1 if axis in axes else size for axis, size in enumerate(source.shape)]
    if operation.operator.options.get("keep_dims"):
        require_shape(output, shape)
    elif math.prod(shape) != output.elements:
        raise UnsupportedOperationError(
            f"axes {list(axes)} of {list(source.shape)} leave {math.prod(shape)} elements, "
            f"the output has the shape {list(output.shape)}"
        )


def _multiplier(operation: Operation) -> tuple[int, int]:
    scale_in, scale_out = (quantization_of(t)[0] for t in (operation.input(0), operation.output()))
    return quantize_multiplier(scale_in / scale_out)


def _reduced_axes(operation: Operation) -> tuple[int, ...]:
    axes = np.atleast_1d(constant(operation.input(1))).tolist()
    rank = len(operation.input(0).shape)
    return tuple(sorted({positive_axis(axis, rank) for axis in axes}))


Group = tuple[int, int]
"""Number of elements, and bytes from one to the next."""


def _groups(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[list[Group], list[Group]]:
    """Neighbouring dimensions of the same fate as one: two that are kept, two that are reduced."""
    groups: list[tuple[bool, int, int]] = []
    for axis, (size, stride) in enumerate(zip(shape, strides_of(shape), strict=True)):
        reduced = axis in axes
        if size == 1:
            continue
        if groups and groups[-1][0] == reduced:
            size *= groups.pop()[1]
        groups.append((reduced, size, stride))
    kept, gone = ([(size, stride) for is_gone, size, stride in groups if is_gone == fate] for fate in (0, 1))
    if len(kept) > 2 or len(gone) > 2:
        raise UnsupportedOperationError(
            f"axes {list(axes)} of {list(shape)}, expected at most two separate groups"
        )
    return _two(kept), _two(gone)


def _two(groups: list[Group]) -> list[Group]:
    return [(1, 0)] * (2 - len(groups)) + groups
