"""Which kernels read weights in an order of their own, and what packs them: all kernel sets in one table.

A packer gives the bytes that the kernel in ``edgesqueeze/kernels`` reads, and scratch memory is what
``es_..._scratch_bytes`` computes beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.pack import dsp, mve, reference
from edgesqueeze.emit.native.records import Blob

Weights = npt.NDArray[np.int8]


def any_weights(weights: Weights) -> bool:
    """Whether a kernel takes some weights: this one takes all."""
    del weights
    return True


def not_needed(weights: Weights) -> bool:
    """Whether a kernel must know that sums are small: this one need not."""
    del weights
    return False


def never(shape: ConvShape) -> None:
    """What a kernel that the set lacks asks for."""
    del shape


@dataclass(frozen=True)
class ConvPacker:
    """What a convolution's kernel asks for.

    Attributes:
        pack: makes constant data of weights, int8 ``[out, kernel height, kernel width, in]``.
        scratch: the convolution's scratch memory in bytes.
        group: output pixels that the kernel computes before it writes them.
        takes: whether the kernel can hold some weights; it cannot be used for others.
    """

    pack: Callable[[Weights], Blob]
    scratch: Callable[[ConvShape], int]
    group: int
    takes: Callable[[Weights], bool] = any_weights


@dataclass(frozen=True)
class DepthwisePacker:
    """What a depthwise convolution's kernel asks for.

    Attributes:
        pack: makes constant data of weights, int8 ``[kernel height, kernel width, channels]``.
        scratch: the convolution's scratch memory in bytes.
        takes: whether the kernel can hold some weights; it cannot be used for others.
    """

    pack: Callable[[Weights], Blob]
    scratch: Callable[[ConvShape], int]
    takes: Callable[[Weights], bool] = any_weights


@dataclass(frozen=True)
class DensePacker:
    """What the kernel of a fully connected layer asks for.

    Attributes:
        pack: makes constant data of weights, int8 ``[out, in]``.
        scratch: scratch memory in bytes for a number of inputs.
        takes: whether the kernel can hold some weights; it cannot be used for others.
        small_sums: whether sums that the kernel would have to add up in parts are small enough for one.
    """

    pack: Callable[[Weights], Blob]
    scratch: Callable[[int], int]
    takes: Callable[[Weights], bool] = any_weights
    small_sums: Callable[[Weights], bool] = not_needed


@dataclass(frozen=True)
class Packing:
    """The packers of one kernel set.

    Attributes:
        conv2d: packers of ``es_conv2d_s8``.
        conv2d_1x1: packers of ``es_conv2d_1x1_s8``.
        depthwise: packers of ``es_depthwise_conv2d_s8``.
        depthwise_3x3: packers of ``es_depthwise_conv2d_3x3_s8``.
        depthwise_pixels: packers of ``es_depthwise_pixels_s8`` if it is faster for a layer.
        fully_connected: packers of ``es_fully_connected_s8``.
    """

    conv2d: ConvPacker
    conv2d_1x1: ConvPacker
    depthwise: DepthwisePacker
    depthwise_3x3: DepthwisePacker
    fully_connected: DensePacker
    depthwise_pixels: Callable[[ConvShape], DepthwisePacker | None] = never


def _dsp_pixels(shape: ConvShape) -> DepthwisePacker | None:
    if not dsp.depthwise_pixels_pay(shape):
        return None
    return DepthwisePacker(dsp.depthwise_pixels, dsp.depthwise_pixels_scratch)


PACKING: Mapping[str, Packing] = MappingProxyType(
    {
        "reference": Packing(
            conv2d=ConvPacker(reference.conv2d, reference.conv2d_scratch, group=reference.CONV_PIXELS),
            conv2d_1x1=ConvPacker(
                reference.conv2d, reference.conv2d_1x1_scratch, group=reference.CONV_PIXELS
            ),
            depthwise=DepthwisePacker(reference.depthwise, reference.depthwise_scratch),
            depthwise_3x3=DepthwisePacker(reference.depthwise, reference.depthwise_3x3_scratch),
            fully_connected=DensePacker(reference.fully_connected, reference.fully_connected_scratch),
        ),
        "dsp": Packing(
            conv2d=ConvPacker(dsp.conv2d, dsp.conv2d_scratch, group=dsp.CONV_PIXELS, takes=dsp.fits_pairs),
            conv2d_1x1=ConvPacker(
                dsp.conv2d, dsp.conv2d_1x1_scratch, group=dsp.CONV_PIXELS, takes=dsp.fits_pairs
            ),
            depthwise=DepthwisePacker(dsp.depthwise, dsp.depthwise_scratch),
            depthwise_3x3=DepthwisePacker(dsp.depthwise, dsp.depthwise_3x3_scratch),
            fully_connected=DensePacker(
                dsp.fully_connected,
                dsp.fully_connected_scratch,
                takes=dsp.fits_pairs,
                small_sums=dsp.small_sums,
            ),
            depthwise_pixels=_dsp_pixels,
        ),
        "mve": Packing(
            conv2d=ConvPacker(mve.conv2d, mve.conv2d_scratch, group=mve.CONV_PIXELS),
            conv2d_1x1=ConvPacker(mve.conv2d, mve.conv2d_1x1_scratch, group=mve.CONV_PIXELS),
            depthwise=DepthwisePacker(mve.depthwise, mve.depthwise_scratch, takes=mve.depthwise_takes),
            depthwise_3x3=DepthwisePacker(mve.depthwise_3x3, mve.depthwise_3x3_scratch),
            fully_connected=DensePacker(mve.fully_connected, mve.fully_connected_scratch),
        ),
    }
)
"""Kernel set -> its packers."""
