"""How the MVE kernels (``kernels/mve``: Cortex-M55, M85) want their weights, and how much scratch memory.

Every ``..._scratch`` function computes the same number of bytes as the C function ``es_..._scratch_bytes``
beside the kernel.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.records import Blob
from edgesqueeze.emit.rounding import round_up

CONV_PIXELS = 4
"""Output pixels that the convolutions compute before they write them."""

_VECTOR = 16  # bytes: int8 weights of one multiplication
_CONV_CHANNELS = 4  # output channels that the convolutions compute together
_CHANNEL_BYTES = 16  # sizeof(es_channel)
_UNPACKED_CHANNELS = 16  # es_channel records that the other kernels unpack at a time
_PLACES_BYTES = 256
_STRIP_COLUMN_BYTES = 4
_SMALL_IMAGE = 640  # inputs of a channel that the 3x3 depthwise kernel copies to strips at once

Weights = npt.NDArray[np.int8]


def conv2d(weights: Weights) -> Blob:
    """Weights for ``es_conv2d_s8`` and ``es_conv2d_1x1_s8``.

    Args:
        weights: int8 ``[out, kernel height, kernel width, in]``.

    Returns:
        Weights of an output channel are ordered column by column. Pairs of output channels: first the 1 to 16
        weights of either channel that leave a multiple of 16, then alternately 16 weights of either. Channels
        beyond a multiple of four follow one after the other. No padding.
    """
    rows = weights.transpose(0, 2, 1, 3).reshape(weights.shape[0], -1)
    blocked = rows.shape[0] - rows.shape[0] % _CONV_CHANNELS
    taps = rows.shape[1]
    tail = (taps - 1) % _VECTOR + 1
    pairs = rows[:blocked].reshape(blocked // 2, 2, taps)
    first = pairs[:, :, :tail].reshape(blocked // 2, 2 * tail)
    steps = pairs[:, :, tail:].reshape(blocked // 2, 2, (taps - tail) // _VECTOR, _VECTOR)
    rest = steps.transpose(0, 2, 1, 3).reshape(blocked // 2, 2 * (taps - tail))
    packed = np.concatenate([first, rest], axis=1)
    return Blob(
        np.concatenate([packed.reshape(-1), rows[blocked:].reshape(-1)]),
        f"weights, pairs of output channels by {_VECTOR} inputs",
        alignment=_VECTOR,
    )


def conv2d_scratch(shape: ConvShape) -> int:
    """Scratch memory of ``es_conv2d_s8`` in bytes.

    Unpacked channels, inputs of several output pixels, and with few input channels the order of their copy.
    """
    pixels = conv_batch(shape.taps)
    places = _PLACES_BYTES if shape.in_channels < _VECTOR else 0
    return _channels_and_staging(shape) + round_up(pixels * shape.taps, _VECTOR) + places


def conv2d_columns_scratch(shape: ConvShape, most: int) -> int:
    """Scratch memory of ``es_conv2d_columns_s8`` in bytes.

    Unpacked channels, inputs of several output pixels, with few input channels the order of their copy, and
    of these pixels the inputs that a group of outputs needs: so many at most.
    """
    batch, channels = columns_batch(shape.taps), _CHANNEL_BYTES * shape.out_channels
    places = _PLACES_BYTES if shape.in_channels < _VECTOR else 0
    return channels + round_up(batch * shape.taps, _VECTOR) + places + round_up(batch * most, _VECTOR)


def columns_batch(taps: int) -> int:
    """Output pixels whose inputs ``es_conv2d_columns_s8`` copies before it computes them."""
    return 16 if taps <= 64 else 8 if taps <= 640 else 4


def conv_batch(taps: int) -> int:
    """Output pixels whose inputs ``es_conv2d_s8`` copies before it computes them."""
    return 16 if taps <= 64 else 8 if taps <= 160 else 4


def conv2d_1x1_scratch(shape: ConvShape) -> int:
    """Scratch memory of ``es_conv2d_1x1_s8`` in bytes: unpacked channels, inputs of several pixels."""
    channels = shape.in_channels
    pixels = 16 if channels <= 32 else 8 if channels <= 64 else 4
    return _channels_and_staging(shape) + round_up(pixels * channels, _VECTOR)


def depthwise_3x3(weights: Weights) -> Blob:
    """Weights for ``es_depthwise_conv2d_3x3_s8``.

    Args:
        weights: int8 ``[3, 3, channels]``.

    Returns:
        Channel after channel, each row by row. No padding.
    """
    channels = weights.shape[2]
    return Blob(
        np.ascontiguousarray(weights.reshape(-1, channels).T).reshape(-1), "weights, channel by channel"
    )


def depthwise_3x3_scratch(shape: ConvShape) -> int:
    """Scratch memory of ``es_depthwise_conv2d_3x3_s8`` in bytes.

    Sixteen unpacked channels, and strips of one channel: four input rows, or, if the image is small, those of
    the whole image and the places of all inputs in them.
    """
    down = shape.out_height > shape.out_width and 7 * shape.in_width * shape.in_channels < 1 << 16
    along, across = (shape.out_height, shape.out_width) if down else (shape.out_width, shape.out_height)
    inputs = shape.in_height * shape.in_width
    small = inputs <= _SMALL_IMAGE and 7 * shape.in_channels < 1 << 16
    strips = ((across + 1) // 2 if shape.stride_height == 1 else across) + 2 if small else 1
    columns = round_up(along, 2) + 2 if shape.stride_height == 1 else 2 * round_up(along, 4) + 2
    places = 4 * round_up(inputs, 8) if small else 0
    return _CHANNEL_BYTES * _UNPACKED_CHANNELS + _STRIP_COLUMN_BYTES * strips * columns + places


def depthwise(weights: Weights) -> Blob:
    """Weights for ``es_depthwise_conv2d_s8``.

    Args:
        weights: int8 ``[kernel height, kernel width, channels]``; none is -128.

    Returns:
        Blocks of sixteen channels, the last one of fewer; in a block tap after tap. No padding.
    """
    rows = weights.reshape(-1, weights.shape[2])
    blocks = [rows[:, first : first + _VECTOR].reshape(-1) for first in range(0, rows.shape[1], _VECTOR)]
    return Blob(np.concatenate(blocks), f"weights, {_VECTOR} channels side by side")


def depthwise_takes(weights: Weights) -> bool:
    """Whether ``es_depthwise_conv2d_s8`` can add up two products in 16 bits: no weight is -128."""
    return bool(np.all(weights > -128))


def depthwise_scratch(shape: ConvShape) -> int:
    """Scratch memory of ``es_depthwise_conv2d_s8`` in bytes.

    Sixteen channels, unpacked and in fours, the places of all taps, and of sixteen channels the input rows
    that an output row needs.
    """
    rows = (shape.kernel_height - 1) * shape.dilation_height + 1
    columns = (shape.out_width - 1) * shape.stride_width + (shape.kernel_width - 1) * shape.dilation_width + 1
    places = round_up(4 * shape.kernel_height * shape.kernel_width, _VECTOR)
    return 2 * _CHANNEL_BYTES * _UNPACKED_CHANNELS + places + _VECTOR * rows * columns


def fully_connected(weights: Weights) -> Blob:
    """Weights for ``es_fully_connected_s8``: int8 ``[out, in]``, output after output. No padding."""
    return Blob(weights.reshape(-1), "weights, output by output", alignment=_VECTOR)


def fully_connected_scratch(in_features: int) -> int:
    """Scratch memory of ``es_fully_connected_s8`` in bytes: sixteen unpacked channels."""
    del in_features
    return _CHANNEL_BYTES * _UNPACKED_CHANNELS


def dense_columns_scratch(out_features: int) -> int:
    """Scratch memory of ``es_fully_connected_columns_s8`` in bytes: sixteen channels, and all sums."""
    return _CHANNEL_BYTES * _UNPACKED_CHANNELS + 4 * round_up(out_features, 4)


def _channels_and_staging(shape: ConvShape) -> int:
    """All unpacked channels; four pixels of outputs where those cannot be stored by fours."""
    staging = CONV_PIXELS * shape.out_channels if shape.out_channels % _CONV_CHANNELS else 0
    return _CHANNEL_BYTES * shape.out_channels + staging
