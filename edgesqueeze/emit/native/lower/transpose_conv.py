"""Transposed convolution as a kernel call."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.lower.pairs import fused_range
from edgesqueeze.emit.native.lower.transpose_rows import in_rows
from edgesqueeze.emit.native.numerics import quantization_of, quantize_multiplier
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
    Value,
)
from edgesqueeze.emit.rounding import round_up

HEADER = "es_transpose_conv.h"

CHANNELS = 4
"""Output channels whose weights lie side by side."""


def lower_transpose_conv(operation: Operation) -> tuple[Call | Placement, ...]:
    """TRANSPOSE_CONV: int8, weights quantized per channel or per tensor, with or without a bias.

    Convolutions of rows, where these can compute it (``transpose_rows.py``).

    Raises:
        UnsupportedOperationError: not int8, a batch, shapes that do not agree, computed weights, sizes beyond
            int16, weights with a zero point, a bias that is not int32, or a fused activation that is no
            clamp.
    """
    source, output = operation.input(2), operation.output()
    require_int8(source, operation.input(1), output)
    weights = constant(operation.input(1))
    stride, pads = window_of(operation)
    out_channels, *kernel, in_channels = weights.shape
    requantization = _requantization(operation, out_channels)
    whole = whole_shape(operation, stride, pads)
    calls = in_rows(operation, weights, whole, _bias(operation, out_channels))
    if calls is not None:
        return calls
    sizes = {name: size for name, size in asdict(whole).items() if not name.startswith("dilation")}
    parameters = Struct(
        "es_transpose_conv2d",
        {
            **_in_fours(weights, stride, quantization_of(source)[1]),
            "requantization": requantization,
            **sizes,
            "input_zero_point": quantization_of(source)[1],
        },
    )
    call = Call(
        "es_transpose_conv2d_s8",
        HEADER,
        parameters,
        inputs=(computed(source),),
        outputs=(output.index,),
        scratch_bytes=scratch_values(kernel, stride, in_channels),
        overlap=MappingProxyType({0: _distance(operation, kernel, stride, pads)}),
    )
    return (call,)


def _in_fours(weights: npt.NDArray[np.int8], stride: tuple[int, int], zero_point: int) -> dict[str, Value]:
    """Weights phase by phase, and what the input's zero point adds to their sums."""
    corrections = [-zero_point * phase.sum(axis=-1, dtype=np.int32) for phase in phases_of(weights, stride)]
    return {
        "weights": in_phases(weights, stride),
        "corrections": Blob(
            np.concatenate([one.reshape(-1) for one in corrections]),
            "minus the input's zero point times the weights' sums",
        ),
    }


def in_phases(weights: npt.NDArray[np.int8], stride: tuple[int, int]) -> Blob:
    """Weights ``[out, height, width, in]`` as kernels read them, for strides of rows and columns."""
    phases = [phase.reshape(-1) for phase in phases_of(weights, stride)]
    return Blob(np.concatenate(phases), "weights, phase by phase, 4 output channels at a time")


def phases_of(weights: npt.NDArray[np.int8], stride: tuple[int, int]) -> list[npt.NDArray[np.int8]]:
    """The taps that meet an output together, for all phases, the one of the lowest input first.

    Args:
        weights: ``[out, height, width, in]``.
        stride: of rows and columns; so many phases.

    Returns:
        int8 ``[groups, 4, taps and inputs]``, with channels of zeros behind the last one; no taps in phases
        beyond the kernel.
    """
    out_channels, height, width, depth = weights.shape
    padded = np.zeros((round_up(out_channels, CHANNELS), height, width, depth), np.int8)
    padded[:out_channels] = weights
    found: list[npt.NDArray[np.int8]] = []
    for y in range(stride[0]):
        for x in range(stride[1]):
            taps = padded[:, y :: stride[0], x :: stride[1]][:, ::-1, ::-1]
            found.append(taps.reshape(len(padded) // CHANNELS, CHANNELS, taps[0].size))
    return found


def scratch_values(kernel: list[int], stride: tuple[int, int], depth: int) -> int:
    """Inputs that an output meets at most."""
    return math.prod(-(-extent // step) for extent, step in zip(kernel, stride, strict=True)) * depth


def window_of(operation: Operation) -> tuple[tuple[int, int], list[int]]:
    """Strides, and rows and columns that are cut off above and on the left.

    Raises:
        UnsupportedOperationError: shapes that do not agree, sizes beyond int16, or strides below 1.
    """
    source, weights, output = operation.input(2), operation.input(1), operation.output()
    require_shapes(operation)
    stride = (operation.option("stride_h"), operation.option("stride_w"))
    require_int16_sizes((*source.shape, *weights.shape, *output.shape, *stride))
    if min(stride) < 1:
        raise UnsupportedOperationError(f"strides {list(stride)}, expected 1 or more")
    return stride, cut_off(operation, list(weights.shape[1:3]), stride)


def whole_shape(operation: Operation, stride: tuple[int, int], pads: Sequence[int]) -> ConvShape:
    """All sizes; strides and padding are those of the output."""
    shapes = operation.input(2).shape[1:], operation.output().shape[1:], operation.input(1).shape[1:3]
    sizes = itertools.chain.from_iterable((*shapes, stride))
    return replace(ConvShape(*sizes), pad_top=pads[0], pad_left=pads[1])


def require_shapes(operation: Operation) -> None:
    """Raise ``UnsupportedOperationError`` unless batch, channels and sizes of all tensors agree.

    Rows and columns of the input are free: those of the output need not be what the taps reach.
    """
    source, weights, output = operation.input(2), operation.input(1), operation.output()
    size, bias = operation.input(0), operation.optional_input(3)
    for tensor in (source, weights, output):
        if len(tensor.shape) != 4:
            raise UnsupportedOperationError(
                f"{tensor.label} has the shape {list(tensor.shape)}, expected 4 dimensions"
            )
    if source.shape[0] != 1:
        raise UnsupportedOperationError(f"batch {source.shape[0]}, expected 1")
    out_channels, *_, in_channels = weights.shape
    if source.shape[3] != in_channels:
        raise UnsupportedOperationError(
            f"{source.shape[3]} input channels, expected {in_channels} as the weights have"
        )
    require_shape(output, (1, *output.shape[1:3], out_channels))
    if size.data is not None:
        require_shape(output, size.data.reshape(-1).tolist())
    if bias is not None and bias.elements != out_channels:
        raise UnsupportedOperationError(f"{bias.elements} biases, expected {out_channels}")


def cut_off(operation: Operation, kernel: list[int], stride: tuple[int, int]) -> list[int]:
    """Rows and columns of the full result that lie before the output: TFLite's padding of the output."""
    same = operation.option("padding") == "SAME"
    pads = []
    for size, extent, step in zip(operation.output().shape[1:3], kernel, stride, strict=True):
        windows = -(-size // step) if same else (size - extent) // step + 1
        pads.append(max(0, (windows - 1) * step + extent - size) // 2)
    return pads


def _requantization(operation: Operation, out_channels: int) -> Struct:
    """Bias, multiplier and shift of every output channel."""
    source, weights, output = operation.input(2), operation.input(1), operation.output()
    assert weights.quantization is not None
    if np.any(weights.quantization.zero_points):
        raise UnsupportedOperationError("the weights have a zero point other than 0")
    scale_in, (scale_out, zero_point) = quantization_of(source)[0], quantization_of(output)
    minimum, maximum = fused_range(operation)
    scales = np.broadcast_to(weights.quantization.scales.astype(np.float64), (out_channels,))
    pairs = [quantize_multiplier(scale_in * scale / scale_out) for scale in scales.tolist()]
    multipliers, shifts = zip(*pairs, strict=True)
    records = np.stack([_bias(operation, out_channels), multipliers, shifts], axis=1)
    return Struct(
        "es_general_output",
        {
            "channels": Blob(
                records.astype(np.int32), "biases, multipliers and shifts", struct="es_general_channel"
            ),
            "zero_point": zero_point,
            "minimum": minimum,
            "maximum": maximum,
        },
    )


def _bias(operation: Operation, out_channels: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    bias = operation.optional_input(3)
    if bias is None:
        return np.zeros(out_channels, np.int64)
    if bias.dtype != "int32":
        raise UnsupportedOperationError(f"the biases are {bias.dtype}, expected int32")
    return constant(bias).reshape(-1).astype(np.int64)


def _distance(operation: Operation, kernel: list[int], stride: tuple[int, int], pads: list[int]) -> int:
    """How far behind the output the input must lie: pixels are written in raster order.

    An output channel is written before the next one reads the same inputs again.
    """
    source, output = operation.input(2).shape, operation.output().shape
    first = [
        np.clip(-((extent - 1 - pad - np.arange(size)) // step), 0, whole - 1)
        for extent, pad, size, step, whole in zip(kernel, pads, output[1:3], stride, source[1:3], strict=True)
    ]
    reads = (first[0][:, None] * source[2] + first[1]).reshape(-1) * source[3]
    return stream_distance(reads, (np.arange(reads.size) + 1) * output[3] - 1)
