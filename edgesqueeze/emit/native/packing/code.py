"""Flash that the code of kernels takes: packed weights need other kernels, and unpackers beside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from edgesqueeze.emit.native.kernels import files_of
from edgesqueeze.emit.native.packing.encoding import Machine

MACHINES: tuple[Machine, ...] = ("small", "portable", "dsp", "mve")

CODE_BYTES: Mapping[str, tuple[int, int, int, int]] = MappingProxyType(
    {
        "es_columns_s8": (0, 0, 0, 244),
        "es_conv2d_1x1_s8": (216, 184, 368, 384),
        "es_conv2d_blocks_s8": (0, 0, 2852, 0),
        "es_conv2d_columns_s8": (0, 0, 0, 2952),
        "es_conv2d_pair_s8": (1000, 904, 0, 0),
        "es_conv2d_s8": (2068, 1692, 1680, 1252),
        "es_conv_core_dsp": (0, 0, 1376, 0),
        "es_depthwise_conv2d_3x3_s8": (472, 992, 2068, 2116),
        "es_depthwise_conv2d_s8": (476, 404, 1968, 2632),
        "es_depthwise_pixels_s8": (0, 0, 672, 0),
        "es_depthwise_strip_s8": (0, 0, 0, 704),
        "es_depthwise_tiles_s8": (992, 896, 0, 0),
        "es_factored_channel_s8": (1212, 1076, 0, 0),
        "es_factored_conv2d_s8": (1728, 1380, 0, 0),
        "es_factored_fully_connected_s8": (536, 440, 0, 0),
        "es_fully_connected_blocks_s8": (0, 0, 912, 0),
        "es_fully_connected_columns_s8": (0, 0, 0, 996),
        "es_fully_connected_s8": (852, 988, 1776, 848),
        "es_join_pairs_dsp": (0, 0, 72, 0),
        "es_multiply_16_s8": (0, 0, 0, 412),
        "es_multiply_any_s8": (0, 0, 0, 1136),
        "es_multiply_s8": (0, 0, 0, 1364),
        "es_packed_conv2d_s8": (160, 176, 180, 180),
        "es_packed_fully_connected_s8": (160, 152, 152, 152),
        "es_pair_table": (120, 188, 188, 192),
        "es_pair_table_dsp": (0, 0, 192, 0),
        "es_sparse_any_conv2d_s8": (0, 0, 2384, 0),
        "es_sparse_conv2d_s8": (0, 0, 2648, 0),
        "es_sparse_fully_connected_s8": (336, 260, 944, 0),
        "es_unpack_bitmap_pairs_s8": (0, 0, 32, 0),
        "es_unpack_bitmap_s8": (112, 96, 96, 96),
        "es_unpack_blocks_s8": (0, 0, 72, 0),
        "es_unpack_channels": (328, 248, 244, 492),
        "es_unpack_columns_s8": (0, 0, 0, 72),
        "es_unpack_factored_s8": (1496, 1420, 0, 0),
        "es_unpack_huffman_pairs_s8": (0, 0, 32, 0),
        "es_unpack_huffman_s8": (1676, 1216, 1216, 1420),
        "es_unpack_indices": (60, 76, 172, 0),
        "es_unpack_pairmap": (132, 116, 116, 116),
        "es_unpack_pairmap_pairs_s8": (0, 0, 52, 0),
        "es_unpack_pairmap_s8": (44, 52, 52, 52),
        "es_unpack_palette_pairs_s8": (0, 0, 56, 0),
        "es_unpack_palette_s8": (52, 56, 56, 100),
        "es_unpack_runs_pairs_s8": (0, 0, 32, 0),
        "es_unpack_runs_s8": (108, 92, 88, 244),
        "es_unpack_small_indices": (212, 260, 260, 0),
        "es_unpack_small_palette_pairs_s8": (0, 0, 176, 0),
        "es_unpack_small_palette_s8": (120, 164, 164, 228),
    }
)
"""File -> bytes of its code for ``MACHINES``, by GCC 12.2 at -O3; 0: none of its layers uses it."""

ALONE_BYTES: Mapping[str, int] = MappingProxyType(
    {
        "palette": 420,
        "small-palette": 430,
        "pairmap": 520,
        "runs": 360,
        "bitmap": 360,
        "huffman": 1250,
        "sparse": 1300,
        "sparse-any": 1300,
        "blocks": 2200,
        "palette-blocks": 2700,
        "columns": 2500,
        "palette-columns": 2900,
        "factored": 2900,
        "palette-factored": 4300,
        "es_sparse_fully_connected_s8": 600,
        "es_factored_fully_connected_s8": 540,
        "es_fully_connected_blocks_s8": 700,
        "es_fully_connected_columns_s8": 500,
    }
)
"""Encoding, or kernel of fully connected layers -> about what its code takes, with what it alone needs."""

_CALL_BYTES = 200  # of the functions around an unpacker and a kernel


def alone_of(name: str, functions: Sequence[str]) -> Mapping[str, int]:
    """The code of an encoding as if it shared nothing, and plain weights needed none, in bytes."""
    key = next((one for one in functions if one in ALONE_BYTES), name)
    return {key: ALONE_BYTES[key], "call": _CALL_BYTES} if key in ALONE_BYTES else {}


def code_of(
    functions: Sequence[str], kernel_set: str, machine: Machine, linked: Collection[str] = ()
) -> Mapping[str, int]:
    """File -> bytes of code, of all that some functions need but what is linked anyway."""
    column = MACHINES.index(machine)
    names = [name for name in linked_by(tuple(functions), kernel_set) if name not in linked]
    return {name: CODE_BYTES[name][column] for name in names if name in CODE_BYTES}


@lru_cache(maxsize=256)
def linked_by(functions: tuple[str, ...], kernel_set: str) -> tuple[str, ...]:
    """The C files that some functions need, without their suffix."""
    return tuple(name.removesuffix(".c") for name in files_of(kernel_set, functions) if name.endswith(".c"))
