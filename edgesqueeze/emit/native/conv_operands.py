"""What a convolution or fully connected layer is given: weights, biases, scales and sizes, checked."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native import channels as channel_records
from edgesqueeze.emit.native.channels import Channels
from edgesqueeze.emit.native.lower.pairs import fused_range
from edgesqueeze.emit.native.numerics import quantization_of
from edgesqueeze.emit.native.operands import constant, require_int8
from edgesqueeze.emit.native.records import Operation, UnsupportedOperationError

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
            raise UnsupportedOperationError(f"tensor {tensor.label!r} has no scale, or several, expected one")
    if weights.quantization is None or np.any(weights.quantization.zero_points):
        raise UnsupportedOperationError("the weights have no scale, or a zero point other than 0")
    if source.is_constant:
        raise UnsupportedOperationError("the input is a constant, expected one that is computed")
    if weights.sparse:
        raise UnsupportedOperationError("the weights are in the sparse encoding, expected plain ones")
    fused_range(operation)
    values = constant(weights)
    depthwise = operation.operator.opcode == "DEPTHWISE_CONV_2D"
    rank = 2 if operation.operator.opcode == "FULLY_CONNECTED" else 4
    if values.ndim != rank or not values.size:
        raise UnsupportedOperationError(
            f"the weights have the shape {list(values.shape)}, expected {rank} sizes"
        )
    channels = values.shape[3] if depthwise else values.shape[0]
    if weights.quantization.scales.size not in (1, channels) or output.shape[-1:] != (channels,):
        raise UnsupportedOperationError(
            f"the weights are for {channels} output channels, their scales or the output for another number"
        )
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


def _bias(operation: Operation) -> npt.NDArray[np.int32] | None:
    tensor = operation.optional_input(2)
    if tensor is None:
        return None
    if tensor.dtype != "int32":
        raise UnsupportedOperationError(f"the biases are {tensor.dtype}, expected int32")
    values = constant(tensor).reshape(-1)
    if values.size != operation.output().shape[-1]:
        raise UnsupportedOperationError(f"{values.size} biases, expected {operation.output().shape[-1]}")
    return values
