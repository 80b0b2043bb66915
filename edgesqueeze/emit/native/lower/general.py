"""Convolutions and fully connected layers that the fast kernels cannot take, as calls of plain loops.

Those are layers in which no channel is fast, and such with many groups. TFLite's arithmetic is done as it
stands; nothing is folded.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.channels import Channels
from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.lower.pairs import fused_range
from edgesqueeze.emit.native.numerics import quantization_of
from edgesqueeze.emit.native.records import (
    Blob,
    Call,
    Operation,
    Struct,
    UnsupportedOperationError,
    Value,
)

HEADER = "es_general.h"

Weights = npt.NDArray[np.int8]


def general_conv2d(
    operation: Operation, weights: Weights, shape: ConvShape, channels: Channels
) -> tuple[Call, ...]:
    """A convolution, also with groups.

    Args:
        operation: the operator.
        weights: int8 ``[out, kernel height, kernel width, channels of a group]``.
        shape: sizes of the convolution.
        channels: multipliers and shifts of its output channels.
    """
    filter_channels = weights.shape[3]
    if shape.in_channels % filter_channels or shape.out_channels % (shape.in_channels // filter_channels):
        raise UnsupportedOperationError(
            f"{filter_channels} of {shape.in_channels} channels in a group, expected groups of equal size"
        )
    members = _conv_members(operation, weights, shape, channels) | {"filter_channels": filter_channels}
    return (_call(operation, "es_conv2d_general_s8", Struct("es_conv2d_general", members)),)


def general_depthwise_conv2d(
    operation: Operation, weights: Weights, shape: ConvShape, channels: Channels
) -> tuple[Call, ...]:
    """A depthwise convolution with any depth multiplier; weights int8 ``[height, width, out]``."""
    members = _conv_members(operation, weights, shape, channels)
    parameters = Struct("es_depthwise_conv2d_general", members)
    return (_call(operation, "es_depthwise_conv2d_general_s8", parameters),)


def general_fully_connected(operation: Operation, weights: Weights, channels: Channels) -> tuple[Call, ...]:
    """A fully connected layer of one row; weights int8 ``[out, in]``."""
    members: dict[str, Value] = {
        "weights": _blob(weights),
        "requantization": general_output(operation, channels),
        "in_features": weights.shape[1],
        "out_features": weights.shape[0],
        "input_zero_point": quantization_of(operation.input(0))[1],
    }
    parameters = Struct("es_fully_connected_general", members)
    return (_call(operation, "es_fully_connected_general_s8", parameters),)


def _conv_members(
    operation: Operation, weights: Weights, shape: ConvShape, channels: Channels
) -> dict[str, Value]:
    return {
        "weights": _blob(weights),
        "requantization": general_output(operation, channels),
        **asdict(shape),
        "input_zero_point": quantization_of(operation.input(0))[1],
    }


def _blob(weights: Weights) -> Blob:
    return Blob(weights.reshape(-1), "weights in the model's order")


def general_output(
    operation: Operation, channels: Channels, chosen: npt.NDArray[np.bool_] | None = None
) -> Struct:
    """How sums become outputs; of the chosen channels, or all."""
    bias = operation.optional_input(2)
    rows: npt.NDArray[Any] = np.zeros((len(channels.bias), 3), np.int32)
    rows[:, 0] = 0 if bias is None or bias.data is None else bias.data.reshape(-1)
    rows[:, 1], rows[:, 2] = channels.multiplier, channels.shift
    rows = rows if chosen is None else rows[chosen]
    minimum, maximum = fused_range(operation)
    return Struct(
        "es_general_output",
        {
            "channels": Blob(rows, "biases, multipliers and shifts", struct="es_general_channel"),
            "zero_point": channels.output_zero_point,
            "minimum": minimum,
            "maximum": maximum,
        },
    )


def _call(operation: Operation, function: str, parameters: Struct) -> Call:
    return Call(function, HEADER, parameters, (operation.input(0).index,), (operation.output().index,))
