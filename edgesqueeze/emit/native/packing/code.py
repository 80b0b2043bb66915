"""Flash that the code of kernels takes: packed weights need other kernels, and unpackers beside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from edgesqueeze.emit.native.code_table import file_bytes
from edgesqueeze.emit.native.kernels import files_of
from edgesqueeze.emit.native.packing.encoding import Machine

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
    names = [name for name in linked_by(tuple(functions), kernel_set) if name not in linked]
    return {name: file_bytes(name, machine) for name in names}


@lru_cache(maxsize=256)
def linked_by(functions: tuple[str, ...], kernel_set: str) -> tuple[str, ...]:
    """The C files that some functions need, without their suffix."""
    return tuple(name.removesuffix(".c") for name in files_of(kernel_set, functions) if name.endswith(".c"))
