"""Convolutions and fully connected layers as kernel calls."""

from __future__ import annotations

from dataclasses import asdict, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native import channels as channel_records
from edgesqueeze.emit.native.channels import Channels
from edgesqueeze.emit.native.conv_operands import (
    fold_channels,
    per_channel_product,
    per_tensor_product,
    weights_of,
)
from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.lower.batch_matmul import lower_computed_weights
from edgesqueeze.emit.native.lower.general import (
    general_conv2d,
    general_depthwise_conv2d,
    general_fully_connected,
)
from edgesqueeze.emit.native.lower.pairs import clamp_after
from edgesqueeze.emit.native.lower.slow_channels import slow_calls, slow_channels, without
from edgesqueeze.emit.native.numerics import quantization_of
from edgesqueeze.emit.native.operands import LARGEST_SIZE, require_int16_sizes
from edgesqueeze.emit.native.overlap import overlap_distance
from edgesqueeze.emit.native.pack.table import PACKING
from edgesqueeze.emit.native.records import (
    Blob,
    Call,
    Operation,
    Placement,
    Struct,
    UnsupportedOperationError,
    Value,
)
from edgesqueeze.emit.native.windows import window_shape
from edgesqueeze.graph import Tensor

HEADER = "es_conv.h"

Weights = npt.NDArray[np.int8]


def lower_conv2d(operation: Operation) -> tuple[Call | Placement, ...]:
    """CONV_2D, also with groups.

    Raises:
        UnsupportedOperationError: not int8, computed weights, a batch, or sizes beyond int16.
    """
    source = operation.input(0)
    weights = weights_of(operation)
    shape = window_shape(operation, (weights.shape[1], weights.shape[2]), _dilation(operation))
    folded = fold_channels(operation, weights.reshape(weights.shape[0], -1), per_channel_product(operation))
    if weights.shape[3] != source.shape[3]:
        return general_conv2d(operation, weights, shape, folded)
    if shape.out_height == shape.out_width == 1 and _covers_input(shape):
        return _fully_connected(operation, weights.reshape(weights.shape[0], -1), folded)
    return _conv2d(operation, weights, shape, folded)


def lower_depthwise_conv2d(operation: Operation) -> tuple[Call | Placement, ...]:
    """DEPTHWISE_CONV_2D; of one input channel it is a convolution.

    Raises:
        UnsupportedOperationError: not int8, computed weights, a batch, or sizes beyond int16.
    """
    source = operation.input(0)
    weights = weights_of(operation)[0]
    shape = window_shape(operation, (weights.shape[0], weights.shape[1]), _dilation(operation))
    rows = np.ascontiguousarray(weights.reshape(-1, weights.shape[2]).T)
    folded = fold_channels(operation, rows, per_channel_product(operation))
    if weights.shape[2] % source.shape[3]:
        raise UnsupportedOperationError(
            f"{weights.shape[2]} output channels, expected a multiple of {source.shape[3]}"
        )
    if source.shape[3] == 1:
        return _conv2d(operation, rows.reshape(-1, *weights.shape[:2], 1), shape, folded)
    if source.shape[3] != weights.shape[2]:
        return general_depthwise_conv2d(operation, weights, shape, folded)
    return _depthwise(operation, weights, shape, folded)


def lower_fully_connected(operation: Operation) -> tuple[Call | Placement, ...]:
    """FULLY_CONNECTED; of several rows it is a convolution with a kernel of one pixel.

    Weights that are computed, or have a zero point, make it a product of matrices.

    Raises:
        UnsupportedOperationError: not int8, or weights in a shuffled format.
    """
    source = operation.input(0)
    if _computed_or_shifted(operation.input(1)):
        return lower_computed_weights(operation)
    weights = weights_of(operation)
    if operation.option("weights_format") != "DEFAULT":
        raise UnsupportedOperationError(
            f"the weights have the format {operation.option('weights_format')}, expected DEFAULT"
        )
    per_channel = operation.input(1).quantization
    real = (
        per_channel_product(operation)
        if per_channel is not None and per_channel.per_channel
        else [per_tensor_product(operation)] * weights.shape[0]
    )
    folded = fold_channels(operation, weights, real)
    rows, rest = divmod(source.elements, weights.shape[1])
    if rest or operation.output().elements != rows * weights.shape[0]:
        raise UnsupportedOperationError(
            f"{source.elements} inputs, expected a multiple of {weights.shape[1]} as the weights have"
        )
    if rows == 1:
        return _fully_connected(operation, weights, folded)
    shape = ConvShape(1, rows, weights.shape[1], 1, rows, weights.shape[0])
    require_int16_sizes((rows, *weights.shape))
    return _conv2d(operation, weights.reshape(weights.shape[0], 1, 1, -1), shape, folded)


def _conv2d(
    operation: Operation, weights: Weights, shape: ConvShape, folded: Channels
) -> tuple[Call | Placement, ...]:
    packing = PACKING[operation.kernel_set]
    shape, weights = along_rows(shape, weights)
    packer = packing.conv2d_1x1 if shape.pointwise else packing.conv2d
    slow = slow_channels(folded, packer.takes)
    if slow.all():
        return general_conv2d(operation, weights, shape, folded)
    fast = without(folded, slow)
    used = fast.weights.reshape(weights.shape)
    function = "es_conv2d_1x1_s8" if shape.pointwise else "es_conv2d_s8"
    distance = overlap_distance(shape, packer.group, shape.in_channels, shape.out_channels)
    packed = replace(packer.pack(used), rows=used.reshape(used.shape[0], -1))
    call = _layer_call(operation, function, packed, shape, fast, packer.scratch(shape))
    return (
        replace(call, overlap=MappingProxyType({0: distance})),
        *slow_calls(operation, weights, shape, folded, slow),
        *clamp_after(operation),
    )


def _depthwise(
    operation: Operation, weights: Weights, shape: ConvShape, folded: Channels
) -> tuple[Call | Placement, ...]:
    packing = PACKING[operation.kernel_set]
    shape, (weights,) = along_rows(shape, weights[None])
    pixels = packing.depthwise_pixels(shape)
    packer = pixels or (packing.depthwise_3x3 if shape.small else packing.depthwise)
    function = "es_depthwise_conv2d_3x3_s8" if shape.small else "es_depthwise_conv2d_s8"
    function = "es_depthwise_pixels_s8" if pixels else function
    slow = slow_channels(folded, packer.takes)
    if slow.all():
        return general_depthwise_conv2d(operation, weights, shape, folded)
    fast = without(folded, slow)
    used = np.ascontiguousarray(fast.weights.T).reshape(weights.shape)
    call = _layer_call(operation, function, packer.pack(used), shape, fast, packer.scratch(shape))
    return (
        replace(call, in_place=(0,) if shape.same_size and not pixels else ()),
        *slow_calls(operation, np.moveaxis(weights, 2, 0)[..., None], shape, folded, slow),
        *clamp_after(operation),
    )


def _fully_connected(
    operation: Operation, weights: Weights, folded: Channels
) -> tuple[Call | Placement, ...]:
    packer = PACKING[operation.kernel_set].fully_connected
    slow = slow_channels(folded, packer.takes)
    outputs, inputs = weights.shape
    if slow.all() or (slow.any() and max(inputs, outputs) > LARGEST_SIZE):
        return general_fully_connected(operation, weights, folded)
    fast = without(folded, slow)
    channels = channel_records.pack(fast)
    if packer.small_sums(fast.weights):
        channels = replace(channels, members={**channels.members, "small_sums": 1})
    members: dict[str, Value] = {
        "weights": replace(packer.pack(fast.weights), rows=fast.weights),
        "channels": channels,
        "in_features": inputs,
        "out_features": outputs,
    }
    call = _call(
        operation,
        "es_fully_connected_s8",
        Struct("es_fully_connected", members),
        packer.scratch(inputs),
    )
    pixel = ConvShape(1, 1, inputs, 1, 1, outputs)
    others = slow_calls(operation, weights.reshape(outputs, 1, 1, inputs), pixel, folded, slow)
    return (call, *others, *clamp_after(operation))


def _layer_call(
    operation: Operation, function: str, weights: Blob, shape: ConvShape, folded: Channels, scratch: int
) -> Call:
    members: dict[str, Value] = {
        "weights": weights,
        "channels": channel_records.pack(folded),
        **asdict(shape),
        "input_zero_point": quantization_of(operation.input(0))[1],
    }
    return _call(operation, function, Struct("es_conv2d", members), scratch)


def _call(operation: Operation, function: str, parameters: Struct, scratch: int) -> Call:
    return Call(
        function,
        HEADER,
        parameters,
        (operation.input(0).index,),
        (operation.output().index,),
        scratch_bytes=scratch,
    )


def _dilation(operation: Operation) -> tuple[int, int]:
    return operation.option("dilation_h_factor"), operation.option("dilation_w_factor")


def along_rows(shape: ConvShape, weights: Weights) -> tuple[ConvShape, Weights]:
    """A column of pixels as a row of them, which is the same memory and what kernels are made for.

    Args:
        shape: sizes of any convolution.
        weights: weights of the convolution, kernel rows and columns in dimensions 1 and 2.
    """
    if not shape.in_width == shape.out_width == shape.kernel_width == 1 or shape.pad_left:
        return shape, weights
    turned = replace(
        shape,
        in_height=1,
        in_width=shape.in_height,
        out_height=1,
        out_width=shape.out_height,
        kernel_height=1,
        kernel_width=shape.kernel_height,
        stride_height=1,
        stride_width=shape.stride_height,
        dilation_height=1,
        dilation_width=shape.dilation_height,
        pad_top=0,
        pad_left=shape.pad_top,
    )
    return turned, weights.swapaxes(1, 2)


def _computed_or_shifted(weights: Tensor) -> bool:
    """Whether weights are not known, or their zero is not the integer 0."""
    if weights.data is None:
        return True
    quantization = weights.quantization
    return quantization is not None and not quantization.per_channel and quantization.zero_point != 0


def _covers_input(shape: ConvShape) -> bool:
    return (
        (shape.kernel_height, shape.kernel_width) == (shape.in_height, shape.in_width)
        and shape.dilation_height == shape.dilation_width == 1
        and shape.pad_top == shape.pad_left == 0
    )
