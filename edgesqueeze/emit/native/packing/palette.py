"""Weights of at most 16 values as indices of 4 bits."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from edgesqueeze.emit.native.packing.encoding import (
    PALETTE_VALUES,
    Encoding,
    UnpackCost,
    Weights,
    indices_of,
    padded,
    pairs_of,
    palette_of,
    split,
    unpaired,
)

_VECTOR = 16  # bytes of indices that the MVE set unpacks together, to 32 weights


def encode(weights: Weights, parts: Sequence[int], vectors: bool) -> bytes | None:
    """The palette, then two indices a byte; see ``Encoding.encode``."""
    palette = palette_of(weights)
    if palette is None:
        return None
    stream = palette.tobytes()
    for part in split(weights, parts):
        stream += indices_stream(part, palette, vectors)
    return stream


def indices_stream(part: Weights, palette: Weights, vectors: bool) -> bytes:
    """Two indices a byte of some weights: for the MVE set 32 in 16 bytes, else neighbours."""
    indices = indices_of(part, palette)
    if not vectors:
        return padded(pairs_of(indices).tobytes())
    blocks = np.zeros((-(-indices.size // (2 * _VECTOR)), 2, _VECTOR), np.uint8)
    blocks.reshape(-1)[: indices.size] = indices
    return (blocks[:, 1] << 4 | blocks[:, 0]).astype(np.uint8).tobytes()


def decode(stream: bytes, parts: Sequence[int], vectors: bool) -> Weights:
    """The weights of a stream; see ``Encoding.decode``."""
    palette = np.frombuffer(stream, np.int8, PALETTE_VALUES)
    at, found = PALETTE_VALUES, []
    for count in parts:
        weights, size = weights_of_indices(stream, at, count, palette, vectors)
        found.append(weights)
        at += size
    assert at == len(stream)
    return np.concatenate(found)


def weights_of_indices(
    stream: bytes, at: int, count: int, palette: Weights, vectors: bool
) -> tuple[Weights, int]:
    """So many weights whose indices begin at a place of a stream, and the bytes that these take."""
    size = -(-count // (2 * _VECTOR)) * _VECTOR if vectors else len(padded(bytes(-(-count // 2))))
    both = np.frombuffer(stream, np.uint8, size, at)
    if not vectors:
        return palette[unpaired(both)[:count]], size
    rows = both.reshape(-1, _VECTOR)
    return palette[np.stack([rows & 15, rows >> 4], axis=1).reshape(-1)[:count]], size


def no_units(weights: Weights) -> int:
    """Nothing but the number of weights counts."""
    del weights
    return 0


PALETTE = Encoding(
    name="palette",
    function="es_unpack_palette_s8",
    encode=encode,
    decode=decode,
    units=no_units,
    table_bytes=MappingProxyType({"reference": 512, "dsp": 512, "mve": 0}),
    costs=MappingProxyType(
        {
            "small": UnpackCost(once=970, part=100, weight=2.5),
            "portable": UnpackCost(once=850, part=100, weight=2.0),
            "dsp": UnpackCost(once=870, part=100, weight=1.56),
            "mve": UnpackCost(once=0, part=84, weight=0.31),
        }
    ),
    pairs=UnpackCost(once=870, part=100, weight=1.56),
)
"""Half of a plain layer's bytes, whatever the values' share."""
