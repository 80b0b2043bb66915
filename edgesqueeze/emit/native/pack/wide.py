"""How each kernel set wants int8 weights of layers on int16 activations, and how much scratch memory it has.

Every scratch function computes the same number of bytes as ``es_..._scratch_bytes`` beside the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.pack import dsp
from edgesqueeze.emit.native.records import Blob, as_bytes
from edgesqueeze.emit.rounding import round_up

Weights = npt.NDArray[np.int8]

_TOGETHER = 4  # inputs of a word of weights
_ORDER = [0, 2, 1, 3]  # in which SXTB16 takes them out of it
_STEP_BYTES = 24  # four inputs of three pixels
_CHANNEL_BYTES = 16  # sizeof(es_core_channel_s16)
_PLANE_CHANNEL_BYTES = 60  # sizeof(plane_channel)
_COLUMN_PAIR_BYTES = 16  # three rows and a bias
_FEW_CHANNELS = 4
MOST_SLOW_PIXELS = 9
"""Pixels of the outputs that depthwise convolutions of the DSP set compute pixel by pixel."""


@dataclass(frozen=True)
class WidePacking:
    """What the kernels of one set ask for.

    Attributes:
        conv2d: makes constant data of weights, int8 ``[out, height, width, in]``, for so many groups.
        conv2d_scratch: scratch memory of ``es_conv2d_s16`` in bytes, with so many groups.
        fully_connected: makes constant data of weights, int8 ``[out, in]``.
        depthwise_scratch: scratch memory of ``es_depthwise_conv2d_s16`` in bytes, if no sum exceeds 32 bits.
        depthwise_3x3: makes constant data of weights, int8 ``[3, 3, channels]``.
        depthwise_3x3_scratch: scratch memory of ``es_depthwise_conv2d_3x3_s16`` in bytes.
        pays_3x3: whether that kernel is faster than others.
        in_place: whether it may write over its input.
        rows: whether a fully connected layer of several rows is a convolution of one pixel there.
    """

    conv2d: Callable[[Weights, int], Blob]
    conv2d_scratch: Callable[[ConvShape, int], int]
    fully_connected: Callable[[Weights], Blob]
    depthwise_scratch: Callable[[ConvShape], int]
    depthwise_3x3: Callable[[Weights], Blob]
    depthwise_3x3_scratch: Callable[[ConvShape], int]
    pays_3x3: Callable[[ConvShape], bool]
    in_place: bool
    rows: bool


def plain(weights: Weights, groups: int = 1) -> Blob:
    """Weights as the model has them."""
    del groups
    return Blob(np.ascontiguousarray(weights).reshape(-1), "weights in the model's order")


def no_scratch(shape: ConvShape, groups: int = 1) -> int:
    """Nothing."""
    del shape, groups
    return 0


def conv2d_dsp(weights: Weights, groups: int) -> Blob:
    """Weights for ``es_conv2d_s16`` of the DSP set.

    Returns:
        Of every group its output channels in pairs, and of these for every four inputs a word of each, inputs
        0, 2, 1, 3. Kernel rows are padded with zeros to an even number of inputs, windows to a multiple of
        four, channels of a group to a multiple of two.
    """
    rows = _padded(weights.reshape(*weights.shape[:2], -1), 2, 2)
    rows = _padded(rows.reshape(groups, len(weights) // groups, -1), 2, 1)
    return Blob(_side_by_side(rows, 2), "weights, 2 output channels by 4 inputs, inputs 0 2 1 3")


def conv2d_dsp_scratch(shape: ConvShape, groups: int) -> int:
    """Scratch memory of ``es_conv2d_s16`` of the DSP set in bytes: channels, inputs of three pixels."""
    words = round_up(shape.kernel_width * (shape.in_channels // groups), 2) // 2
    steps = round_up(shape.kernel_height * words, 2) // 2
    channels = groups * round_up(shape.out_channels // groups, 2)
    return _CHANNEL_BYTES * channels + _STEP_BYTES * steps


def fully_connected_dsp(weights: Weights) -> Blob:
    """Weights for ``es_fully_connected_s16`` of the DSP set.

    Returns:
        Groups of four outputs; in each, for every four inputs a word of each, inputs 0, 2, 1, 3. Padded with
        zeros to multiples of four.
    """
    rows = _padded(weights[None], 4, 1)
    return Blob(_side_by_side(rows, 4), "weights, 4 outputs by 4 inputs, inputs 0 2 1 3")


def depthwise_dsp_scratch(shape: ConvShape) -> int:
    """Scratch memory of ``es_depthwise_conv2d_s16`` of the DSP set in bytes: weights of some channels."""
    if shape.in_channels == 1 or shape.out_height * shape.out_width <= MOST_SLOW_PIXELS:
        return 0
    words = 4 if shape.in_channels < shape.out_channels else 1 if shape.in_channels == 2 else 2
    return 4 * words * (shape.kernel_height * shape.kernel_width + 1)


def depthwise_3x3_dsp_scratch(shape: ConvShape) -> int:
    """Scratch memory of ``es_depthwise_conv2d_3x3_s16`` of the DSP set in bytes.

    Of four channels: parameters, and three input rows. Where the output is higher than wide, the kernel works
    on columns instead.
    """
    by_columns = shape.out_height > shape.out_width and shape.stride_height == shape.stride_width == 1
    width = shape.out_height if by_columns else shape.out_width
    column_pairs = (width + 1) // 2 + 1 if shape.stride_width == 1 else width + 1
    return 4 * (_PLANE_CHANNEL_BYTES + _COLUMN_PAIR_BYTES * column_pairs)


def pays_3x3_dsp(shape: ConvShape) -> bool:
    """Whether ``es_depthwise_conv2d_3x3_s16`` of the DSP set is faster than ``es_depthwise_conv2d_s16``."""
    few = shape.in_channels < 4 and shape.stride_width > 1
    return shape.out_height * shape.out_width > MOST_SLOW_PIXELS and not few


def pays_3x3_mve(shape: ConvShape) -> bool:
    """Whether the same kernel is the fastest in the MVE set."""
    return takes_taps(shape) and pays_3x3_dsp(shape)


def takes_taps(shape: ConvShape) -> bool:
    """Whether kernels of the DSP set are faster than vectors, of which few channels leave most empty.

    Args:
        shape: a depthwise convolution whose sums have 32 bits.
    """
    few = shape.in_channels > 1 and shape.out_channels <= _FEW_CHANNELS
    return few and shape.out_height * shape.out_width > MOST_SLOW_PIXELS


def conv2d_mve_scratch(shape: ConvShape, groups: int) -> int:
    """Scratch memory of ``es_conv2d_s16`` of the MVE set in bytes: inputs of a larger window than 1x1."""
    window = shape.kernel_height * shape.kernel_width
    return 0 if window == 1 else 2 * window * (shape.in_channels // groups)


def _side_by_side(rows: Weights, count: int) -> Weights:
    """int8 ``[groups, channels, inputs]``, so many channels in turn, four inputs a word."""
    padded = _padded(rows, _TOGETHER, 2)
    words = padded.reshape(len(rows), -1, count, padded.shape[2] // _TOGETHER, _TOGETHER)[..., _ORDER]
    return as_bytes(words.swapaxes(2, 3))


def _padded(values: Weights, multiple: int, axis: int) -> Weights:
    """Zeros behind an axis, up to a multiple."""
    count = values.shape[axis]
    behind = [(0, 0)] * values.ndim
    behind[axis] = (0, round_up(count, multiple) - count)
    return np.pad(values, behind)


PORTABLE = WidePacking(
    plain, no_scratch, plain, no_scratch, plain, no_scratch, pays_3x3_dsp, in_place=False, rows=False
)

WIDE_PACKING: Mapping[str, WidePacking] = MappingProxyType(
    {
        "reference": PORTABLE,
        "dsp": WidePacking(
            conv2d_dsp,
            conv2d_dsp_scratch,
            fully_connected_dsp,
            depthwise_dsp_scratch,
            dsp.depthwise,
            depthwise_3x3_dsp_scratch,
            pays_3x3_dsp,
            in_place=True,
            rows=True,
        ),
        "mve": replace(
            PORTABLE,
            conv2d_scratch=conv2d_mve_scratch,
            depthwise_3x3=dsp.depthwise,
            depthwise_3x3_scratch=depthwise_3x3_dsp_scratch,
            pays_3x3=pays_3x3_mve,
            in_place=True,
        ),
    }
)
"""Kernel set -> what its kernels on int16 activations ask for."""
