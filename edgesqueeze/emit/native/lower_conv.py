"""Convolutions and fully connected layers as kernel calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native import channels as channel_records
from edgesqueeze.emit.native.channels import Channels
from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.kernels import PACKING
from edgesqueeze.emit.native.lower_pairs import clamp_after, fused_range
from edgesqueeze.emit.native.numerics import quantization_of, quantize_multiplier
from edgesqueeze.emit.native.operands import constant, require_int8
from edgesqueeze.emit.native.overlap import overlap_distance
from edgesqueeze.emit.native.records import (
    Blob,
    Call,
    Lowering,
    Operation,
    Placement,
    Struct,
    UnsupportedOperationError,
    Value,
)

HEADER = "es_conv.h"
GENERAL_HEADER = "es_general.h"
LARGEST_SIZE = (1 << 15) - 1
"""Of a dimension: the kernels' structs hold them as int16."""

Weights = npt.NDArray[np.int8]


def lower_conv2d(operation: Operation) -> tuple[Call | Placement, ...]:
    """CONV_2D, also with groups.

    Raises:
        UnsupportedOperationError: not int8, computed weights, a batch, or sizes beyond int16.
    """
    source = operation.input(0)
    weights = _weights(operation)
    shape = _conv_shape(operation, weights.shape[1], weights.shape[2])
    folded = _fold(operation, weights.reshape(weights.shape[0], -1), per_channel_product(operation))
    if weights.shape[3] != source.shape[3] or not folded.fast:
        return _general_conv2d(operation, weights, shape)
    weights = folded.weights.reshape(weights.shape)
    if shape.out_height == shape.out_width == 1 and _covers_input(shape):
        return _fully_connected(operation, weights.reshape(weights.shape[0], -1), folded)
    return _conv2d(operation, weights, shape, folded)


def lower_depthwise_conv2d(operation: Operation) -> tuple[Call | Placement, ...]:
    """DEPTHWISE_CONV_2D; of one input channel it is a convolution.

    Raises:
        UnsupportedOperationError: not int8, computed weights, a batch, or sizes beyond int16.
    """
    source = operation.input(0)
    weights = _weights(operation)[0]
    shape = _conv_shape(operation, weights.shape[0], weights.shape[1])
    rows = np.ascontiguousarray(weights.reshape(-1, weights.shape[2]).T)
    folded = _fold(operation, rows, per_channel_product(operation))
    if weights.shape[2] % source.shape[3]:
        raise UnsupportedOperationError(f"{weights.shape[2]} output channels of {source.shape[3]}")
    if not folded.fast or source.shape[3] not in (1, weights.shape[2]):
        return _general_depthwise(operation, weights, shape)
    if source.shape[3] == 1:
        return _conv2d(operation, folded.weights.reshape(-1, *weights.shape[:2], 1), shape, folded)
    return _depthwise(operation, np.ascontiguousarray(folded.weights.T).reshape(weights.shape), shape, folded)


def lower_fully_connected(operation: Operation) -> tuple[Call | Placement, ...]:
    """FULLY_CONNECTED; of several rows it is a convolution with a kernel of one pixel.

    Raises:
        UnsupportedOperationError: not int8, computed weights, or weights in a shuffled format.
    """
    source = operation.input(0)
    weights = _weights(operation)
    if operation.option("weights_format") != "DEFAULT":
        raise UnsupportedOperationError(f"weights in the format {operation.option('weights_format')}")
    per_channel = operation.input(1).quantization
    real = (
        per_channel_product(operation)
        if per_channel is not None and per_channel.per_channel
        else [_per_tensor_product(operation)] * weights.shape[0]
    )
    folded = _fold(operation, weights, real)
    rows, rest = divmod(source.elements, weights.shape[1])
    if rest or operation.output().elements != rows * weights.shape[0]:
        raise UnsupportedOperationError(f"{source.elements} inputs for weights of {list(weights.shape)}")
    if not folded.fast:
        if rows > 1:
            raise UnsupportedOperationError(f"{rows} rows with a scale that is not below 1/2")
        return _general_fully_connected(operation, weights)
    if rows > 1:
        shape = ConvShape(1, rows, weights.shape[1], 1, rows, weights.shape[0])
        return _conv2d(operation, folded.weights.reshape(weights.shape[0], 1, 1, -1), shape, folded)
    return _fully_connected(operation, folded.weights, folded)


LOWERINGS: Mapping[str, Lowering] = MappingProxyType(
    {
        "CONV_2D": lower_conv2d,
        "DEPTHWISE_CONV_2D": lower_depthwise_conv2d,
        "FULLY_CONNECTED": lower_fully_connected,
    }
)
"""Builtin operator -> its lowering."""


def per_channel_product(operation: Operation) -> list[float]:
    """Input scale * weight scale / output scale per output channel, in double precision as TFLite does."""
    source, weights, output = operation.input(0), operation.input(1), operation.output()
    assert weights.quantization is not None
    count = weights.shape[3] if operation.operator.opcode == "DEPTHWISE_CONV_2D" else weights.shape[0]
    scales = np.broadcast_to(weights.quantization.scales, (count,))
    input_scale, output_scale = quantization_of(source)[0], quantization_of(output)[0]
    return [input_scale * float(scale) / output_scale for scale in scales]


def _per_tensor_product(operation: Operation) -> float:
    """The same for a fully connected layer, where TFLite multiplies the two scales in float32."""
    source, weights, output = operation.input(0), operation.input(1), operation.output()
    product = np.float32(quantization_of(source)[0]) * np.float32(quantization_of(weights)[0])
    return float(product) / quantization_of(output)[0]


def _weights(operation: Operation) -> Weights:
    source, weights, output = operation.input(0), operation.input(1), operation.output()
    require_int8(source, weights, output)
    for tensor in (source, output):
        if tensor.quantization is None or tensor.quantization.per_channel:
            raise UnsupportedOperationError(f"tensor {tensor.name!r} has no scale, or more than one")
    if weights.quantization is None or np.any(weights.quantization.zero_points):
        raise UnsupportedOperationError("weights without a scale, or with a zero point other than 0")
    if weights.sparse:
        raise UnsupportedOperationError("weights in the sparse encoding")
    fused_range(operation)
    values = constant(weights)
    depthwise = operation.operator.opcode == "DEPTHWISE_CONV_2D"
    if values.ndim != (2 if operation.operator.opcode == "FULLY_CONNECTED" else 4) or not values.size:
        raise UnsupportedOperationError(f"weights of shape {list(values.shape)}")
    channels = values.shape[3] if depthwise else values.shape[0]
    if weights.quantization.scales.size not in (1, channels) or output.shape[-1:] != (channels,):
        raise UnsupportedOperationError(f"{channels} output channels with scales or an output for others")
    return values


def _bias(operation: Operation) -> npt.NDArray[np.int32] | None:
    tensor = operation.optional_input(2)
    if tensor is None:
        return None
    if tensor.dtype != "int32":
        raise UnsupportedOperationError(f"biases of {tensor.dtype}, not int32")
    values = constant(tensor).reshape(-1)
    if values.size != operation.output().shape[-1]:
        raise UnsupportedOperationError(f"{values.size} biases for {operation.output().shape[-1]} channels")
    return values


def _fold(operation: Operation, rows: Weights, real_multipliers: list[float]) -> Channels:
    scales = operation.input(1).quantization
    assert scales is not None
    input_scale, input_zero_point = quantization_of(operation.input(0))
    output_scale, output_zero_point = quantization_of(operation.output())
    return channel_records.fold(
        rows,
        _bias(operation),
        scales=scales.scales,
        real_multipliers=real_multipliers,
        input_scale=input_scale,
        input_zero_point=input_zero_point,
        output_scale=output_scale,
        output_zero_point=output_zero_point,
    )


def _conv_shape(operation: Operation, kernel_height: int, kernel_width: int) -> ConvShape:
    source, output = operation.input(0), operation.output()
    if len(source.shape) != 4 or source.shape[0] != 1:
        raise UnsupportedOperationError(f"an input of shape {list(source.shape)}, not one image")
    stride = operation.option("stride_h"), operation.option("stride_w")
    dilation = operation.option("dilation_h_factor"), operation.option("dilation_w_factor")
    same = operation.option("padding") == "SAME"
    pads = [
        max(0, (out - 1) * step + (size - 1) * gap + 1 - inside) // 2 if same else 0
        for inside, out, size, step, gap in zip(
            source.shape[1:3],
            output.shape[1:3],
            (kernel_height, kernel_width),
            stride,
            dilation,
            strict=True,
        )
    ]
    in_height, in_width, in_channels = source.shape[1:]
    out_height, out_width, out_channels = output.shape[1:]
    shape = ConvShape(
        in_height=in_height,
        in_width=in_width,
        in_channels=in_channels,
        out_height=out_height,
        out_width=out_width,
        out_channels=out_channels,
        kernel_height=kernel_height,
        kernel_width=kernel_width,
        stride_height=stride[0],
        stride_width=stride[1],
        dilation_height=dilation[0],
        dilation_width=dilation[1],
        pad_top=pads[0],
        pad_left=pads[1],
    )
    if max(asdict(shape).values()) > LARGEST_SIZE:
        raise UnsupportedOperationError(f"sizes beyond {LARGEST_SIZE}")
    if not _consistent(shape, same=same):
        raise UnsupportedOperationError(
            f"{list(source.shape)} cannot become {list(output.shape)} with these strides and paddings"
        )
    return shape


def _consistent(shape: ConvShape, *, same: bool) -> bool:
    """Whether the output has the size that TFLite computes."""
    sides = (
        (shape.in_height, shape.out_height, shape.kernel_height, shape.stride_height, shape.dilation_height),
        (shape.in_width, shape.out_width, shape.kernel_width, shape.stride_width, shape.dilation_width),
    )
    return all(
        min(side) > 0 and out == (-(-inside // step) if same else (inside - (size - 1) * gap - 1) // step + 1)
        for side in sides
        for inside, out, size, step, gap in [side]
    )


def _covers_input(shape: ConvShape) -> bool:
    return (
        (shape.kernel_height, shape.kernel_width) == (shape.in_height, shape.in_width)
        and shape.dilation_height == shape.dilation_width == 1
        and shape.pad_top == shape.pad_left == 0
    )


def _conv2d(
    operation: Operation, weights: Weights, shape: ConvShape, folded: Channels
) -> tuple[Call | Placement, ...]:
    packing = PACKING[operation.kernel_set]
    exact = getattr(packing, "conv2d_exact", None)
    if exact is not None and not exact(weights):
        return _general_again(operation, weights, shape)
    name = "conv2d_1x1" if shape.pointwise else "conv2d"
    group = packing.CONV2D_1X1_GROUP if shape.pointwise else packing.CONV2D_GROUP
    distance = overlap_distance(shape, group, shape.in_channels, shape.out_channels)
    call = _layer_call(
        operation,
        f"es_{name}_s8",
        getattr(packing, name)(weights),
        shape,
        folded,
        getattr(packing, f"{name}_scratch")(shape),
    )
    return (replace(call, overlap=MappingProxyType({0: distance})), *clamp_after(operation))


def _depthwise(
    operation: Operation, weights: Weights, shape: ConvShape, folded: Channels
) -> tuple[Call | Placement, ...]:
    packing = PACKING[operation.kernel_set]
    small = (
        (shape.kernel_height, shape.kernel_width) == (3, 3)
        and shape.dilation_height == shape.dilation_width == 1
        and shape.stride_height == shape.stride_width
        and shape.stride_height in (1, 2)
    )
    name = "depthwise_3x3" if small else "depthwise"
    same_size = (shape.in_height, shape.in_width) == (shape.out_height, shape.out_width)
    call = _layer_call(
        operation,
        "es_depthwise_conv2d_3x3_s8" if small else "es_depthwise_conv2d_s8",
        getattr(packing, name)(weights),
        shape,
        folded,
        getattr(packing, f"{name}_scratch")(shape),
    )
    in_place = same_size and shape.stride_height == shape.stride_width == 1
    return (replace(call, in_place=(0,) if in_place else ()), *clamp_after(operation))


def _fully_connected(
    operation: Operation, weights: Weights, folded: Channels
) -> tuple[Call | Placement, ...]:
    packing = PACKING[operation.kernel_set]
    exact = getattr(packing, "fully_connected_exact", None)
    if exact is not None and not exact(weights):
        return _general_fully_connected(operation, weights)
    outputs, inputs = weights.shape
    packed = channel_records.pack(folded)
    shared = packed.members["format"] == "ES_CHANNELS_SHARED"
    members: dict[str, Value] = {
        "weights": packing.fully_connected(weights),
        "channels": packed,
        "in_features": inputs,
        "out_features": outputs,
    }
    call = _call(
        operation,
        "es_fully_connected_s8",
        HEADER,
        Struct("es_fully_connected", members),
        packing.fully_connected_scratch(inputs, outputs, shared),
    )
    return (call, *clamp_after(operation))


def _layer_call(
    operation: Operation, function: str, weights: Blob, shape: ConvShape, folded: Channels, scratch: int
) -> Call:
    members: dict[str, Value] = {
        "weights": weights,
        "channels": channel_records.pack(folded),
        **asdict(shape),
        "input_zero_point": quantization_of(operation.input(0))[1],
    }
    return _call(operation, function, HEADER, Struct("es_conv2d", members), scratch)


def _call(operation: Operation, function: str, header: str, parameters: Struct, scratch: int | None) -> Call:
    return Call(
        function,
        header,
        parameters,
        (operation.input(0).index,),
        (operation.output().index,),
        scratch_bytes=scratch,
    )


def _general_again(operation: Operation, weights: Weights, shape: ConvShape) -> tuple[Call, ...]:
    """The general kernel for a layer whose weights the fast one cannot take."""
    if operation.operator.opcode == "FULLY_CONNECTED":
        raise UnsupportedOperationError("several rows with weights of -128")
    return _general_conv2d(operation, weights, shape)


def _general_conv2d(operation: Operation, weights: Weights, shape: ConvShape) -> tuple[Call, ...]:
    filter_channels = weights.shape[3]
    if shape.in_channels % filter_channels or shape.out_channels % (shape.in_channels // filter_channels):
        raise UnsupportedOperationError(f"{filter_channels} of {shape.in_channels} channels in a group")
    blob = Blob(weights.reshape(-1), "weights in the model's order")
    members = _general_members(operation, blob, shape) | {"filter_channels": filter_channels}
    function, type_name = "es_conv2d_general_s8", "es_conv2d_general"
    return (_call(operation, function, GENERAL_HEADER, Struct(type_name, members), None),)


def _general_depthwise(operation: Operation, weights: Weights, shape: ConvShape) -> tuple[Call, ...]:
    members = _general_members(operation, Blob(weights.reshape(-1), "weights in the model's order"), shape)
    function, type_name = "es_depthwise_conv2d_general_s8", "es_depthwise_conv2d_general"
    return (_call(operation, function, GENERAL_HEADER, Struct(type_name, members), None),)


def _general_fully_connected(operation: Operation, weights: Weights) -> tuple[Call, ...]:
    quantization = operation.input(1).quantization
    assert quantization is not None
    real = (
        per_channel_product(operation)
        if quantization.per_channel or operation.operator.opcode == "CONV_2D"
        else [_per_tensor_product(operation)] * weights.shape[0]
    )
    members: dict[str, Value] = {
        "weights": Blob(weights.reshape(-1), "weights in the model's order"),
        "requantization": _general_output(operation, real),
        "in_features": weights.shape[1],
        "out_features": weights.shape[0],
        "input_zero_point": quantization_of(operation.input(0))[1],
    }
    function, type_name = "es_fully_connected_general_s8", "es_fully_connected_general"
    return (_call(operation, function, GENERAL_HEADER, Struct(type_name, members), None),)


def _general_members(operation: Operation, weights: Blob, shape: ConvShape) -> dict[str, Value]:
    return {
        "weights": weights,
        "requantization": _general_output(operation, per_channel_product(operation)),
        **asdict(shape),
        "input_zero_point": quantization_of(operation.input(0))[1],
    }


def _general_output(operation: Operation, real_multipliers: list[float]) -> Struct:
    bias = _bias(operation)
    pairs = [quantize_multiplier(real) for real in real_multipliers]
    rows: npt.NDArray[Any] = np.zeros((len(pairs), 3), np.int32)
    rows[:, 0] = 0 if bias is None else bias
    rows[:, 1:] = pairs
    minimum, maximum = fused_range(operation)
    return Struct(
        "es_general_output",
        {
            "channels": Blob(rows, "biases, multipliers and shifts", struct="es_general_channel"),
            "zero_point": quantization_of(operation.output())[1],
            "minimum": minimum,
            "maximum": maximum,
        },
    )
