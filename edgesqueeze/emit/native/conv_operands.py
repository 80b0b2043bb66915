"""What a convolution or fully connected layer is given: weights, biases, scales and sizes, checked."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native import channels as channel_records
from edgesqueeze.emit.native.channels import Channels
from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.lower_pairs import fused_range
from edgesqueeze.emit.native.numerics import quantization_of
from edgesqueeze.emit.native.operands import constant, require_int8
from edgesqueeze.emit.native.records import Operation, UnsupportedOperationError

LARGEST_SIZE = (1 << 15) - 1
"""Of a dimension: the kernels' structs hold them as int16."""

Weights = npt.NDArray[np.int8]


def weights_of(operation: Operation) -> Weights:
    """The constant int8 weights, in the model's shape.

    Raises:
        UnsupportedOperationError: tensors that are not int8, scales or zero points that TFLite's
            specification does not have, or shapes that do not go together.
    """
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


def fold_channels(operation: Operation, rows: Weights, real_multipliers: list[float]) -> Channels:
    """The parameters of the output channels; weights as rows ``[channels, taps]``."""
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


def per_channel_product(operation: Operation) -> list[float]:
    """Input scale * weight scale / output scale per output channel, in double precision as TFLite does."""
    source, weights, output = operation.input(0), operation.input(1), operation.output()
    assert weights.quantization is not None
    count = weights.shape[3] if operation.operator.opcode == "DEPTHWISE_CONV_2D" else weights.shape[0]
    scales = np.broadcast_to(weights.quantization.scales, (count,))
    input_scale, output_scale = quantization_of(source)[0], quantization_of(output)[0]
    return [input_scale * float(scale) / output_scale for scale in scales]


def per_tensor_product(operation: Operation) -> float:
    """The same for a fully connected layer, where TFLite multiplies the two scales in float32."""
    source, weights, output = operation.input(0), operation.input(1), operation.output()
    product = np.float32(quantization_of(source)[0]) * np.float32(quantization_of(weights)[0])
    return float(product) / quantization_of(output)[0]


def conv_shape_of(operation: Operation, kernel_height: int, kernel_width: int) -> ConvShape:
    """The sizes of a convolution of one image.

    Raises:
        UnsupportedOperationError: a batch, sizes beyond int16, or an output of another size than TFLite's.
    """
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
    require_sizes(shape)
    if not _consistent(shape, same=same):
        raise UnsupportedOperationError(
            f"{list(source.shape)} cannot become {list(output.shape)} with these strides and paddings"
        )
    return shape


def require_sizes(shape: ConvShape) -> None:
    """Raise ``UnsupportedOperationError`` if a size is beyond what the kernels' structs hold."""
    if max(asdict(shape).values()) > LARGEST_SIZE:
        raise UnsupportedOperationError(f"sizes beyond {LARGEST_SIZE}")


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
