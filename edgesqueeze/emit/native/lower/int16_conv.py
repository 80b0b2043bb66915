"""Convolutions and fully connected layers on int16 activations with int8 weights, as kernel calls."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.lower.batch_matmul import lower_wide_weights
from edgesqueeze.emit.native.lower.conv import along_rows
from edgesqueeze.emit.native.lower.int16 import HEADER, fits_words, is_wide, output_struct, require_int16
from edgesqueeze.emit.native.lower.transpose_conv import (
    in_phases,
    scratch_values,
    whole_shape,
    window_of,
)
from edgesqueeze.emit.native.lower.transpose_rows import RowPart, part_pitch, row_parts, rows_struct
from edgesqueeze.emit.native.numerics import quantization_of
from edgesqueeze.emit.native.operands import LARGEST_SIZE, computed, constant, require_int8
from edgesqueeze.emit.native.pack.wide import WIDE_PACKING, depthwise_dsp_scratch, plain, takes_taps
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

MOST_TAPS = 511
"""Products of int8 and int16 whose sum fits into 32 bits."""

Weights = npt.NDArray[np.int8]


def lower_conv2d_int16(operation: Operation) -> tuple[Call | Placement, ...]:
    """CONV_2D, also with groups.

    Raises:
        UnsupportedOperationError: not int16 with constant int8 weights, a batch, or sizes beyond int16.
    """
    weights = _weights(operation, 4)
    shape = window_shape(operation, (weights.shape[1], weights.shape[2]), _dilation(operation))
    channels, depth = weights.shape[0], weights.shape[3]
    if shape.in_channels % depth or channels % (shape.in_channels // depth) or shape.out_channels != channels:
        raise UnsupportedOperationError(
            f"weights of {channels} and {depth} channels for {shape.in_channels}, expected equal groups"
        )
    real = _products(operation.input(0), operation.input(1), operation.output(), channels)
    return (_conv2d(operation, weights, shape, real),)


def lower_depthwise_conv2d_int16(operation: Operation) -> tuple[Call | Placement, ...]:
    """DEPTHWISE_CONV_2D with any depth multiplier.

    Raises:
        UnsupportedOperationError: what ``lower_conv2d_int16`` raises, and biases that are not int64.
    """
    bias = _wide_bias(operation, 2)
    weights = _weights(operation, 4)
    shape = window_shape(operation, (weights.shape[1], weights.shape[2]), _dilation(operation))
    if weights.shape[1] * weights.shape[2] > MOST_TAPS:
        raise UnsupportedOperationError(f"a window of more than {MOST_TAPS} weights")
    if weights.shape[3] % shape.in_channels or shape.out_channels != weights.shape[3]:
        raise UnsupportedOperationError(
            f"{weights.shape[3]} output channels, expected a multiple of {shape.in_channels}"
        )
    rows = np.ascontiguousarray(np.moveaxis(weights[0], 2, 0))
    real = _products(operation.input(0), operation.input(1), operation.output(), shape.out_channels)
    if shape.in_channels == 1:
        return (_conv2d(operation, rows[..., None], shape, real),)
    output = _output(operation, bias, rows, real)
    return (_depthwise(operation, weights[0], shape, output),)


def _depthwise(operation: Operation, weights: Weights, shape: ConvShape, output: Struct) -> Call:
    packing = WIDE_PACKING[operation.kernel_set]
    shape, (weights,) = along_rows(shape, weights[None])
    regular = shape.small and shape.in_channels == shape.out_channels
    small = regular and fits_words(output) and packing.pays_3x3(shape)
    members: dict[str, Value] = {
        "weights": packing.depthwise_3x3(weights) if small else plain(weights),
        "output": output,
        **asdict(shape),
        "filter_channels": 1,
    }
    call = Call(
        "es_depthwise_conv2d_s16",
        HEADER,
        Struct("es_conv2d_wide", members),
        (computed(operation.input(0)),),
        (operation.output().index,),
        scratch_bytes=packing.depthwise_scratch(shape) if fits_words(output) else 0,
    )
    if not small and operation.kernel_set == "mve" and fits_words(output) and takes_taps(shape):
        return replace(call, function="es_depthwise_taps_s16", scratch_bytes=depthwise_dsp_scratch(shape))
    if not small:
        return call
    return replace(
        call,
        function="es_depthwise_conv2d_3x3_s16",
        scratch_bytes=packing.depthwise_3x3_scratch(shape),
        in_place=(0,) if packing.in_place and shape.same_size else (),
    )


def lower_transpose_conv_int16(operation: Operation) -> tuple[Call | Placement, ...]:
    """TRANSPOSE_CONV; raises what ``lower_depthwise_conv2d_int16`` does."""
    source, output = operation.input(2), operation.output()
    require_int16(source, output)
    weights = _constant_weights(operation.input(1), 4)
    stride, pads = window_of(operation)
    whole = whole_shape(operation, stride, pads)
    real = _products(source, operation.input(1), output, whole.out_channels)
    turned, swapped = along_rows(whole, weights)
    parts, bias = row_parts(swapped, turned), _wide_bias(operation, 3)
    if parts is not None and operation.kernel_set != "reference":  # no faster there
        return (_transpose_rows(operation, parts, turned, bias, real),)
    members: dict[str, Value] = {
        "weights": in_phases(weights, stride),
        "output": _output(operation, bias, weights, real),
        **asdict(whole),
        "filter_channels": whole.in_channels,
    }
    call = Call(
        "es_transpose_conv2d_s16",
        HEADER,
        Struct("es_conv2d_wide", members),
        (computed(source),),
        (output.index,),
        scratch_bytes=2 * scratch_values(list(weights.shape[1:3]), stride, whole.in_channels),
    )
    return (call,)


def _transpose_rows(
    operation: Operation,
    parts: list[list[RowPart]],
    whole: ConvShape,
    bias: Tensor | None,
    real: list[float],
) -> Call:
    """TRANSPOSE_CONV by the kernel of convolutions (``transpose_rows.py``)."""
    packing = WIDE_PACKING[operation.kernel_set]

    def struct(part: RowPart) -> Struct:
        every = bias
        if bias is not None and bias.data is not None:
            values = np.tile(bias.data.reshape(-1), part.pixels)
            every = replace(bias, shape=values.shape, data=values)
        members: dict[str, Value] = {
            "weights": packing.conv2d(part.weights, 1),
            "output": _output(operation, every, part.weights, real * part.pixels),
            **asdict(part.shape),
            "filter_channels": whole.in_channels,
            "out_pitch": part_pitch(part, whole),
        }
        return Struct("es_conv2d_wide", members)

    return Call(
        "es_transpose_conv2d_rows_s16",
        HEADER,
        rows_struct("es_transpose_rows_wide", whole, [[struct(part) for part in row] for row in parts]),
        (computed(operation.input(2)),),
        (operation.output().index,),
        scratch_bytes=max(packing.conv2d_scratch(part.shape, 1) for row in parts for part in row),
    )


def lower_fully_connected_int16(operation: Operation) -> tuple[Call | Placement, ...]:
    """FULLY_CONNECTED of any number of rows; raises what ``lower_conv2d_int16`` does."""
    if operation.input(1).dtype == "int16":
        return lower_wide_weights(operation)
    source, output, weights = operation.input(0), operation.output(), _weights(operation, 2)
    if operation.option("weights_format") != "DEFAULT":
        raise UnsupportedOperationError(
            f"the weights have the format {operation.option('weights_format')}, expected DEFAULT"
        )
    rows, rest = divmod(source.elements, weights.shape[1])
    if rest or output.elements != rows * weights.shape[0]:
        raise UnsupportedOperationError(
            f"{source.elements} inputs, expected a multiple of {weights.shape[1]} as the weights have"
        )
    bias = operation.optional_input(2)
    quantization = operation.input(1).quantization
    assert quantization is not None
    if quantization.per_channel:
        real = _products(source, operation.input(1), output, weights.shape[0])
    else:
        product = np.float32(quantization_of(source)[0]) * np.float32(quantization.scale)
        real = [float(product) / quantization_of(output)[0]] * weights.shape[0]
    packing = WIDE_PACKING[operation.kernel_set]
    if rows > 1 and packing.rows and max(rows, *weights.shape) <= LARGEST_SIZE:
        shape = ConvShape(1, rows, weights.shape[1], 1, rows, weights.shape[0])
        return (_conv2d(operation, weights.reshape(len(weights), 1, 1, -1), shape, real),)
    members: dict[str, Value] = {
        "weights": packing.fully_connected(weights),
        "output": _output(operation, bias, weights, real),
        "rows": rows,
        "in_features": weights.shape[1],
        "out_features": weights.shape[0],
    }
    parameters = Struct("es_fully_connected_wide", members)
    return (Call("es_fully_connected_s16", HEADER, parameters, (computed(source),), (output.index,)),)


def _conv2d(operation: Operation, weights: Weights, shape: ConvShape, real: list[float]) -> Call:
    """A convolution, also with groups; weights int8 ``[out, kernel height, kernel width, in of a group]``."""
    packing, depth = WIDE_PACKING[operation.kernel_set], weights.shape[3]
    if shape.pointwise and shape.in_height * shape.in_width <= LARGEST_SIZE:
        pixels = shape.in_height * shape.in_width
        shape = replace(shape, in_height=1, in_width=pixels, out_height=1, out_width=pixels)
    groups = shape.in_channels // depth
    members: dict[str, Value] = {
        "weights": packing.conv2d(weights, groups),
        "output": _output(operation, operation.optional_input(2), weights, real),
        **asdict(shape),
        "filter_channels": depth,
    }
    return Call(
        "es_conv2d_s16",
        HEADER,
        Struct("es_conv2d_wide", members),
        (computed(operation.input(0)),),
        (operation.output().index,),
        scratch_bytes=packing.conv2d_scratch(shape, groups),
    )


def _output(operation: Operation, bias: Tensor | None, weights: Weights, real: list[float]) -> Struct:
    """How the sums of rows of weights become int16."""
    sizes = np.abs(weights.astype(np.int64)).reshape(len(weights), -1).sum(axis=1)
    return output_struct(operation, bias, real, wide=is_wide(bias), sizes=sizes)


def _weights(operation: Operation, rank: int) -> Weights:
    require_int16(operation.input(0), operation.output())
    return _constant_weights(operation.input(1), rank)


def _constant_weights(tensor: Tensor, rank: int) -> Weights:
    require_int8(tensor)
    values = constant(tensor)
    if values.ndim != rank or not values.size or tensor.sparse:
        raise UnsupportedOperationError(
            f"the weights have the shape {list(values.shape)}, expected {rank} sizes"
        )
    if tensor.quantization is None or np.any(tensor.quantization.zero_points):
        raise UnsupportedOperationError("the weights have no scale, or a zero point other than 0")
    return values


def _wide_bias(operation: Operation, position: int) -> Tensor | None:
    """Biases of operators that TensorFlow Lite Micro reads as int64, whatever they are."""
    bias = operation.optional_input(position)
    if bias is not None and bias.dtype != "int64":
        raise UnsupportedOperationError(f"the biases are {bias.dtype}, expected int64")
    return bias


def _products(source: Tensor, weights: Tensor, output: Tensor, count: int) -> list[float]:
    """Input scale * weight scale / output scale per output channel, in double precision as TFLite does."""
    assert weights.quantization is not None
    if weights.quantization.scales.size not in (1, count):
        raise UnsupportedOperationError(f"{weights.quantization.scales.size} scales, expected {count}")
    scales = np.broadcast_to(weights.quantization.scales, (count,))
    before, after = quantization_of(source)[0], quantization_of(output)[0]
    return [before * float(scale) / after for scale in scales]


def _dilation(operation: Operation) -> tuple[int, int]:
    return operation.option("dilation_h_factor"), operation.option("dilation_w_factor")
