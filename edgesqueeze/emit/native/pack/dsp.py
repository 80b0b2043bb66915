"""How the kernels for the DSP extension (``kernels/dsp``) want their weights and how much scratch they need.

Cortex-M4, M7 and M33. Two output channels share 16-bit words, ``256 * even + odd``: one byte a weight, and
the instruction that multiplies two int16 at once works on both channels (``es_conv_core_dsp.h``). Every
``..._scratch`` function computes the same number of bytes as ``es_..._scratch_bytes`` beside the kernel.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.records import Blob, as_bytes
from edgesqueeze.emit.rounding import round_up

CONV_PIXELS = 3
"""Output pixels that the convolutions compute before they write them."""

_CHANNEL_BYTES = 16  # sizeof(es_channel)
_TOGETHER = 4  # inputs that kernels multiply in one step
_ORDER = [0, 2, 1, 3]  # in which SXTB16 takes them out of a word
_PLANES = 4  # channels that the depthwise kernel works on at a time
_GROUP_BYTES = 64  # sizeof(group_channels)
_PIXEL_BYTES = 8  # four channels as int16
_PAIR_CHANNEL_BYTES = 40  # sizeof(pair_channel)
_COLUMN_PAIR_BYTES = 16  # two pairs of rows
_BLOCK = 64  # channels that are computed together where pixels are computed one by one
_MOST_PIXELS = 9  # of the output that are computed one by one, whatever the window
_FEWEST_PIXELS = 4  # the same of windows of 3x3 with padding
_MOST_TAPS = 6  # of windows whose outputs are computed one by one
_MOST_WIDENED = 256  # inputs that the fully connected kernel keeps as int16
_MOST_INPUTS = 512  # inputs whose products it adds up at once, whatever the weights are
_LARGEST_SUM = (1 << 23) - 1  # of an even output, in the upper 24 bits of a word

Weights = npt.NDArray[np.int8]


def fits_pairs(weights: Weights) -> bool:
    """Whether ``conv2d`` and ``fully_connected`` can pack these weights: none is -128.

    TensorFlow Lite's quantization specification excludes that value; a word of two channels cannot hold it.
    """
    return bool(np.all(weights > -128))


def conv2d(weights: Weights) -> Blob:
    """Weights for ``es_conv2d_s8`` and ``es_conv2d_1x1_s8``.

    Args:
        weights: int8 ``[out, kernel height, kernel width, in]``.

    Returns:
        Pairs of output channels; in each, for every four inputs the words of inputs 0, 2, 1 and 3. Channels
        are padded with zeros to an even number, inputs of every kernel row to a multiple of four; but of
        rows of 5, 9, 13, ... inputs the last ones follow behind all rows, in the order 0, 2, 1, 3.

    Raises:
        ValueError: weights that are not ``fits_pairs``.
    """
    if not fits_pairs(weights):
        raise ValueError("expected weights of -127 to 127, got -128")
    rows = weights.reshape(*weights.shape[:2], -1)
    if _has_rests(rows.shape[2]):
        rests = _padded_last(rows[:, :, -1])
        rests = rests.reshape(len(rows), -1, _TOGETHER)[:, :, _ORDER]
        parts = [rows[:, :, :-1].reshape(len(rows), -1), rests.reshape(len(rows), -1)]
        words = _pairs(np.concatenate(parts, axis=1), 2)
    else:
        words = _pairs(_padded_last(rows).reshape(len(rows), -1), 2)
    return Blob(as_bytes(words), "weights, 2 output channels a word, inputs 0 2 1 3")


def conv2d_scratch(shape: ConvShape) -> int:
    """Scratch memory of ``es_conv2d_s8`` in bytes.

    Unpacked channels, inputs of 3 pixels as int16 and as int8.
    """
    run, rows = shape.kernel_width * shape.in_channels, shape.kernel_height
    copies = rows * round_up(run, _TOGETHER)
    inputs = rows * (run - 1) + round_up(rows, _TOGETHER) if _has_rests(run) else copies
    return _core_scratch(shape, inputs) + CONV_PIXELS * copies


def conv2d_1x1_scratch(shape: ConvShape) -> int:
    """Scratch memory of ``es_conv2d_1x1_s8`` in bytes.

    Unpacked channels and the inputs of 3 pixels as int16; as int8 too if a pixel is no whole words.
    """
    inputs = round_up(shape.in_channels, _TOGETHER)
    copies = CONV_PIXELS * inputs if shape.in_channels % _TOGETHER else 0
    return _core_scratch(shape, inputs) + copies


def depthwise_pixels_pay(shape: ConvShape) -> bool:
    """Whether ``es_depthwise_pixels_s8`` is faster: few outputs, or small windows.

    Not where the output can take the input's place, unless both are small: other kernels can do that. With
    windows of 3x3 it must gain more, for the sake of its code: most models link a kernel for these anyway.
    With padding it does with many channels.
    """
    taps, pixels = shape.kernel_height * shape.kernel_width, shape.out_height * shape.out_width
    if taps < 2 or shape.out_channels < _PLANES:
        return False
    if shape.small and pixels > _FEWEST_PIXELS:
        return pixels <= _MOST_PIXELS and (shape.out_channels >= _BLOCK or not _padded(shape))
    return pixels <= _MOST_PIXELS or (taps <= _MOST_TAPS and not shape.same_size)


def _padded(shape: ConvShape) -> bool:
    """Whether windows of a convolution reach beyond the input."""
    bottom = (shape.out_height - 1) * shape.stride_height + (shape.kernel_height - 1) * shape.dilation_height
    right = (shape.out_width - 1) * shape.stride_width + (shape.kernel_width - 1) * shape.dilation_width
    return shape.pad_top + shape.pad_left > 0 or bottom >= shape.in_height or right >= shape.in_width


def depthwise_pixels(weights: Weights) -> Blob:
    """Weights for ``es_depthwise_pixels_s8``.

    Args:
        weights: int8 ``[kernel height, kernel width, channels]``, at least four channels.

    Returns:
        Groups of four channels, the last one the last four. Of a group two taps at a time: channels 0 and 1
        of one, then of the other, and channels 2 and 3 of both; a last tap alone.
    """
    rows = weights.reshape(-1, weights.shape[2])
    taps, channels = rows.shape
    groups = []
    for first in range(0, channels, _PLANES):
        start = min(first, channels - _PLANES)
        group = rows[:, start : start + _PLANES]
        pairs = group[: taps // 2 * 2].reshape(-1, 2, 2, 2).swapaxes(1, 2)
        groups += [pairs.reshape(-1), group[taps // 2 * 2 :].reshape(-1)]
    return Blob(np.concatenate(groups), "weights, 4 channels by 2 taps")


def depthwise_pixels_scratch(shape: ConvShape) -> int:
    """Scratch memory of ``es_depthwise_pixels_s8`` in bytes.

    Unpacked channels, places of the taps, and as many inputs of padding.
    """
    channels = min(shape.out_channels, _BLOCK)
    return _CHANNEL_BYTES * channels + 4 * shape.kernel_height * shape.kernel_width + channels


def depthwise(weights: Weights) -> Blob:
    """Weights for ``es_depthwise_conv2d_s8`` and ``es_depthwise_conv2d_3x3_s8``.

    Args:
        weights: int8 ``[kernel height, kernel width, channels]``.

    Returns:
        The same, with channels of zeros up to a multiple of four.
    """
    return Blob(as_bytes(_padded_last(weights)), "weights, tap by tap")


def depthwise_scratch(shape: ConvShape) -> int:
    """Scratch memory of ``es_depthwise_conv2d_s8`` in bytes.

    Of four channels, as int16: weights, and as many input rows as a kernel covers, or columns if that has one
    column; and parameters.
    """
    if shape.kernel_width == 1 < shape.kernel_height:
        height, dilation = shape.kernel_height, shape.dilation_height
        return _row_scratch(1, 1, height, dilation, shape.out_height, shape.stride_height)
    rows = (shape.kernel_height - 1) * shape.dilation_height + 1
    width, dilation = shape.kernel_width, shape.dilation_width
    return _row_scratch(shape.kernel_height, rows, width, dilation, shape.out_width, shape.stride_width)


def _row_scratch(height: int, rows: int, width: int, dilation: int, out_width: int, stride: int) -> int:
    columns = round_up((out_width - 1) * stride + (width - 1) * dilation + 1, dilation)
    return _GROUP_BYTES + height * (_PIXEL_BYTES * width + 4) + _PIXEL_BYTES * rows * columns


def depthwise_3x3_scratch(shape: ConvShape) -> int:
    """Scratch memory of ``es_depthwise_conv2d_3x3_s8`` in bytes.

    Of four channels: parameters, and two pairs of input rows as int16. Where the output is higher than wide,
    the kernel works on columns instead.
    """
    by_columns = shape.out_height > shape.out_width and shape.stride_height == shape.stride_width == 1
    width = shape.out_height if by_columns else shape.out_width
    column_pairs = (width + 1) // 2 * shape.stride_width + 1
    return _PLANES * (_PAIR_CHANNEL_BYTES + _COLUMN_PAIR_BYTES * column_pairs)


def fully_connected(weights: Weights) -> Blob:
    """Weights for ``es_fully_connected_s8``.

    Args:
        weights: int8 ``[out, in]``.

    Returns:
        Groups of four outputs; in each, for every four inputs the words (inputs 0, 2, 1 and 3) of outputs 0
        and 1, then those of outputs 2 and 3. Padded with zeros to multiples of four.

    Raises:
        ValueError: weights that are not ``fits_pairs``.
    """
    if not fits_pairs(weights):
        raise ValueError("expected weights of -127 to 127, got -128")
    words = _pairs(weights, 4)
    groups = words.reshape(-1, 2, words.shape[1], _TOGETHER).transpose(0, 2, 1, 3)
    return Blob(as_bytes(groups), "weights, 2 outputs a word, inputs 0 2 1 3, groups of 4 outputs")


def fully_connected_scratch(in_features: int) -> int:
    """Scratch memory of ``es_fully_connected_s8`` in bytes: a short input as int16, none for a long one."""
    inputs = round_up(in_features, _TOGETHER)
    return 2 * inputs if inputs <= _MOST_WIDENED else 0


def small_sums(weights: Weights) -> bool:
    """Whether more inputs than ``es_fully_connected_s8`` takes at once give sums of 24 bits all the same.

    Args:
        weights: int8 ``[out, in]``.
    """
    largest = int(np.abs(weights.astype(np.int32)).sum(axis=1).max()) * 128
    return weights.shape[1] > _MOST_INPUTS and largest <= _LARGEST_SUM


def _core_scratch(shape: ConvShape, inputs: int) -> int:
    return _CHANNEL_BYTES * round_up(shape.out_channels, 2) + CONV_PIXELS * 2 * inputs


def _has_rests(run: int) -> bool:
    """Whether the last one of the inputs of a kernel row stands behind all rows."""
    return run > _TOGETHER and run % _TOGETHER == 1


def _pairs(rows: Weights, multiple: int) -> npt.NDArray[np.int16]:
    """int16 ``[pairs of channels, steps, 4]``: two channels a word, inputs 0, 2, 1, 3 of every step."""
    padded = np.zeros((round_up(len(rows), multiple), round_up(rows.shape[1], _TOGETHER)), np.int16)
    padded[: len(rows), : rows.shape[1]] = rows
    words = np.int16(256) * padded[0::2] + padded[1::2]
    return words.reshape(len(words), -1, _TOGETHER)[:, :, _ORDER].astype("<i2")


def _padded_last(weights: Weights) -> Weights:
    """Zeros behind the last dimension, up to a multiple of four."""
    count = weights.shape[-1]
    padded = np.zeros((*weights.shape[:-1], round_up(count, _TOGETHER)), np.int8)
    padded[..., :count] = weights
    return padded
