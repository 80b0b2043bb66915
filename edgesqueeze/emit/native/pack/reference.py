"""How the portable kernels (``kernels/reference``) want their weights, and how much scratch memory they need.

Every ``..._scratch`` function computes
the same number of bytes as the C function ``es_..._scratch_bytes`` beside the kernel.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.records import Blob
from edgesqueeze.emit.rounding import round_up

CONV_PIXELS = 2
"""Output pixels that the convolutions compute before they write them."""

_CONV_CHANNELS = 4  # output channels that the convolutions compute together
_FULLY_CONNECTED_OUTPUTS = 8  # that the fully connected kernel computes together
_DEPTHWISE_CHANNELS = 4  # channels whose rows the depthwise kernels copy together
_DEPTHWISE_BLOCK = 6  # output pixels that es_depthwise_conv2d_3x3_s8 computes together
_DEPTHWISE_COPY_BYTES = 1024  # of a strip's inputs, unless a single output row needs more
_CHANNEL_BYTES = 16  # sizeof(es_channel)

Weights = npt.NDArray[np.int8]


def conv2d(weights: Weights) -> Blob:
    """Weights for ``es_conv2d_s8`` and ``es_conv2d_1x1_s8``.

    Args:
        weights: int8 ``[out, kernel height, kernel width, in]``.

    Returns:
        Blocks of four output channels, in each block tap after tap four weights; then the remaining
        channels one after the other. No padding.
    """
    return Blob(
        _interleave(weights.reshape(weights.shape[0], -1), _CONV_CHANNELS),
        f"weights, {_CONV_CHANNELS} output channels side by side",
    )


def conv2d_scratch(shape: ConvShape) -> int:
    """Scratch memory of ``es_conv2d_s8`` in bytes.

    Unpacked channels and the inputs of two output pixels; once more a pixel's inputs if its channels are not
    a multiple of four.
    """
    pixels = CONV_PIXELS if shape.in_channels % 4 == 0 else CONV_PIXELS + 1
    return _CHANNEL_BYTES * shape.out_channels + pixels * round_up(shape.taps, 4)


def conv2d_1x1_scratch(shape: ConvShape) -> int:
    """Scratch memory of ``es_conv2d_1x1_s8`` in bytes: unpacked channels, inputs of two output pixels."""
    return _CHANNEL_BYTES * shape.out_channels + CONV_PIXELS * round_up(shape.in_channels, 4)


def depthwise(weights: Weights) -> Blob:
    """Weights for ``es_depthwise_conv2d_s8`` and ``es_depthwise_conv2d_3x3_s8``.

    Args:
        weights: int8 ``[kernel height, kernel width, channels]``.

    Returns:
        Channel after channel, each row by row. No padding.
    """
    channels = weights.shape[2]
    return Blob(
        np.ascontiguousarray(weights.reshape(-1, channels).T).reshape(-1), "weights, channel by channel"
    )


def depthwise_scratch(shape: ConvShape) -> int:
    """Scratch memory of ``es_depthwise_conv2d_s8`` in bytes.

    Four unpacked channels and, of four channels, the input rows that a strip of output rows needs.
    """
    return _strip_bytes(shape, shape.out_width)


def depthwise_3x3_scratch(shape: ConvShape) -> int:
    """Scratch memory of ``es_depthwise_conv2d_3x3_s8`` in bytes.

    As ``depthwise_scratch``, for output rows of a multiple of six pixels.
    """
    return _strip_bytes(shape, -(-shape.out_width // _DEPTHWISE_BLOCK) * _DEPTHWISE_BLOCK)


def fully_connected(weights: Weights) -> Blob:
    """Weights for ``es_fully_connected_s8``.

    Args:
        weights: int8 ``[out, in]``.

    Returns:
        Blocks of eight outputs, in each block input after input eight weights; then, of more than three
        remaining outputs, a block of four; then outputs one after the other. No padding.
    """
    blocked = weights.shape[0] - weights.shape[0] % _FULLY_CONNECTED_OUTPUTS
    packed = [
        _interleave(weights[:blocked], _FULLY_CONNECTED_OUTPUTS),
        _interleave(weights[blocked:], _FULLY_CONNECTED_OUTPUTS // 2),
    ]
    return Blob(np.concatenate(packed), f"weights, {_FULLY_CONNECTED_OUTPUTS} outputs side by side")


def fully_connected_scratch(in_features: int) -> int:
    """Scratch memory of ``es_fully_connected_s8`` in bytes: eight unpacked channels."""
    del in_features
    return _CHANNEL_BYTES * _FULLY_CONNECTED_OUTPUTS


def _strip_bytes(shape: ConvShape, out_width: int) -> int:
    """Scratch memory of a depthwise kernel whose output rows are ``out_width`` pixels long, in bytes."""
    extent = (shape.kernel_height - 1) * shape.dilation_height + 1
    columns = (out_width - 1) * shape.stride_width + (shape.kernel_width - 1) * shape.dilation_width + 1
    fit = _DEPTHWISE_COPY_BYTES // (_DEPTHWISE_CHANNELS * columns)
    out_rows = min((fit - extent) // shape.stride_height + 1, shape.out_height) if fit > extent else 1
    rows = (out_rows - 1) * shape.stride_height + extent
    return _DEPTHWISE_CHANNELS * (_CHANNEL_BYTES + rows * columns)


def _interleave(rows: Weights, together: int) -> Weights:
    """Rows in blocks of ``together``, transposed; the rows that are left over follow as they are."""
    blocked = rows.shape[0] - rows.shape[0] % together
    blocks = rows[:blocked].reshape(-1, together, rows.shape[1]).transpose(0, 2, 1)
    return np.concatenate([blocks.reshape(-1), rows[blocked:].reshape(-1)])
