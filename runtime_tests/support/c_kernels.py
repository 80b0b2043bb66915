"""The portable C kernels as a shared library for the host, and their parameters for ctypes."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.numerics import multiply_by_quantized_multiplier

KERNELS = Path(__file__).parents[2] / "edgesqueeze" / "kernels"
GUARD = 99
"""What stands behind outputs and scratch memory; kernels must not change it."""

# What is not a kernel, but inline in a header; of the set's own requantization the variant for cores without
# 64-bit products.
_SHIM = """
#define __ARM_ARCH_6M__ 1
#include "es_types.h"
#include "es_scale_s8.h"
void requantize(const int32_t *accumulators, int32_t count, const es_channel *channel, int8_t *output) {
  for (int32_t i = 0; i < count; ++i) {
    output[i] = es_requantize_s8(accumulators[i], channel);
  }
}
void scale(const int32_t *accumulators, int32_t count, const es_channel *channel, int8_t *output) {
  for (int32_t i = 0; i < count; ++i) {
    output[i] = es_scale_s8(accumulators[i], channel);
  }
}
"""

_GEOMETRY = (
    "in_height",
    "in_width",
    "in_channels",
    "out_height",
    "out_width",
    "out_channels",
    "kernel_height",
    "kernel_width",
    "stride_height",
    "stride_width",
    "dilation_height",
    "dilation_width",
    "pad_top",
    "pad_left",
)


class Channels(ctypes.Structure):
    """``es_channels``."""

    _fields_ = (
        ("records", ctypes.c_void_p),
        ("ratio_high", ctypes.c_uint32),
        ("ratio_low", ctypes.c_uint32),
        ("format", ctypes.c_int8),
        ("base_shift", ctypes.c_int8),
        ("output_zero_point", ctypes.c_int8),
    )


class Conv2d(ctypes.Structure):
    """``es_conv2d``."""

    _fields_ = (
        ("weights", ctypes.c_void_p),
        ("channels", Channels),
        *[(name, ctypes.c_int16) for name in _GEOMETRY],
        ("input_zero_point", ctypes.c_int8),
        ("out_pitch", ctypes.c_int32),
    )


class FullyConnected(ctypes.Structure):
    """``es_fully_connected``."""

    _fields_ = (
        ("weights", ctypes.c_void_p),
        ("channels", Channels),
        ("in_features", ctypes.c_int32),
        ("out_features", ctypes.c_int32),
    )


class GeneralOutput(ctypes.Structure):
    """``es_general_output``."""

    _fields_ = (
        ("channels", ctypes.c_void_p),
        ("zero_point", ctypes.c_int8),
        ("minimum", ctypes.c_int8),
        ("maximum", ctypes.c_int8),
    )


class DepthwiseGeneral(ctypes.Structure):
    """``es_depthwise_conv2d_general``."""

    _fields_ = (
        ("weights", ctypes.c_void_p),
        ("requantization", GeneralOutput),
        *[(name, ctypes.c_int16) for name in _GEOMETRY],
        ("input_zero_point", ctypes.c_int8),
    )


class Conv2dGeneral(ctypes.Structure):
    """``es_conv2d_general``."""

    _fields_ = (
        ("weights", ctypes.c_void_p),
        ("requantization", GeneralOutput),
        *[(name, ctypes.c_int16) for name in (*_GEOMETRY[:8], "filter_channels", *_GEOMETRY[8:])],
        ("input_zero_point", ctypes.c_int8),
    )


class FullyConnectedGeneral(ctypes.Structure):
    """``es_fully_connected_general``."""

    _fields_ = (
        ("weights", ctypes.c_void_p),
        ("requantization", GeneralOutput),
        ("in_features", ctypes.c_int32),
        ("out_features", ctypes.c_int32),
        ("input_zero_point", ctypes.c_int8),
    )


def compile_kernels(folder: Path) -> ctypes.CDLL:
    """Convolutions, fully connected layers and ``es_unpack_channels``, with UBSan.

    Also ``requantize`` and ``scale``, which put arrays through ``es_requantize_s8`` and ``es_scale_s8``, the
    latter as it is on Armv6-M.

    Args:
        folder: for the library.
    """
    (folder / "shim.c").write_text(_SHIM)
    sources = [
        path
        for stem in (
            "es_conv2d",
            "es_depthwise",
            "es_dot",
            "es_fully_connected",
            "es_sparse",
            "es_unpack_channels",
        )
        for path in sorted((KERNELS / "reference").glob(f"{stem}*.c"))
    ]
    command = ["gcc", "-std=c99", "-O1", "-shared", "-fPIC", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
    command += ["-pedantic", "-fsanitize=undefined", "-fno-sanitize-recover=all"]
    command += [f"-I{KERNELS / 'include'}", f"-I{KERNELS / 'reference'}"]
    library = folder / "kernels.so"
    subprocess.run([*command, folder / "shim.c", *sources, "-o", library], check=True)
    return ctypes.CDLL(str(library))


def geometry(shape: ConvShape) -> dict[str, int]:
    """The members of a kernel's parameters that are those of a ``ConvShape``."""
    return {name: getattr(shape, name) for name in _GEOMETRY}


def pointer(array: npt.NDArray[Any], offset: int = 0) -> ctypes.c_void_p:
    """Address of an array, or ``offset`` bytes behind it."""
    return ctypes.c_void_p(array.ctypes.data + offset)


def scratch(size: int) -> npt.NDArray[np.uint8]:
    """Scratch memory that begins at a multiple of 16, with a guard behind it."""
    memory = np.full(size + 32, GUARD, np.uint8)
    start = -memory.ctypes.data % 16
    return memory[start : start + size + 1]


def int8s(rng: np.random.Generator, *shape: int) -> npt.NDArray[np.int8]:
    """Random int8 of a shape."""
    return rng.integers(-128, 128, shape).astype(np.int8)


def windows(shape: ConvShape, activations: npt.NDArray[np.int8], padding: int) -> npt.NDArray[np.int64]:
    """What a kernel covers at every output pixel.

    Returns:
        int64 ``[out height, out width, kernel height, kernel width, in channels]``.
    """
    rows = (
        (shape.out_height - 1) * shape.stride_height + (shape.kernel_height - 1) * shape.dilation_height + 1
    )
    columns = (shape.out_width - 1) * shape.stride_width + (shape.kernel_width - 1) * shape.dilation_width + 1
    bottom, right = shape.pad_top + shape.in_height, shape.pad_left + shape.in_width
    padded = np.full((max(rows, bottom), max(columns, right), activations.shape[2]), padding, np.int64)
    padded[shape.pad_top : bottom, shape.pad_left : right] = activations
    y = np.arange(shape.out_height)[:, None] * shape.stride_height
    x = np.arange(shape.out_width)[:, None] * shape.stride_width
    y = y + np.arange(shape.kernel_height) * shape.dilation_height
    x = x + np.arange(shape.kernel_width) * shape.dilation_width
    found: npt.NDArray[np.int64] = padded[y[:, None, :, None], x[None, :, None, :]]
    return found


def requantize(
    sums: npt.NDArray[np.int64], channels: SimpleNamespace, low: int = -128, high: int = 127
) -> npt.NDArray[np.int8]:
    """TFLite's outputs.

    Args:
        sums: without biases; the last dimension is that of the channels.
        channels: ``bias``, ``multipliers`` and ``shifts`` per channel, and ``zero_point``.
        low: the range's lower end.
        high: the range's upper end.
    """
    scaled = [
        multiply_by_quantized_multiplier(sums[..., i] + int(channels.bias[i]), int(multiplier), int(shift))
        for i, (multiplier, shift) in enumerate(zip(channels.multipliers, channels.shifts, strict=True))
    ]
    outputs: npt.NDArray[np.int64] = np.clip(np.stack(scaled, axis=-1) + channels.zero_point, low, high)
    return outputs.astype(np.int8)
