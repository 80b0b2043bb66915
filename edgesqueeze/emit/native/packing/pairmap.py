"""Weights of at most 16 values, many of them zero: a bit for every two, indices for those not both zero."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from edgesqueeze.emit.native.packing.encoding import (
    PALETTE_VALUES,
    Encoding,
    UnpackCost,
    Weights,
    bitmap_of,
    flags_of,
    indices_of,
    padded,
    pairs_of,
    palette_of,
    split,
    unpaired,
)


def encode(weights: Weights, parts: Sequence[int], vectors: bool) -> bytes | None:
    """The palette, then in every part a bitmap and the stored pairs; see ``Encoding.encode``."""
    del vectors
    palette = palette_of(weights)
    if palette is None or palette[0] != 0:
        return None
    stream = palette.tobytes()
    for part in split(weights, parts):
        both = pairs_of(indices_of(part, palette))
        stream += bitmap_of(both != 0) + padded(both[both != 0].tobytes())
    return stream


def decode(stream: bytes, parts: Sequence[int], vectors: bool) -> Weights:
    """The weights of a stream; see ``Encoding.decode``."""
    del vectors
    palette = np.frombuffer(stream, np.int8, PALETTE_VALUES)
    at, found = PALETTE_VALUES, []
    for count in parts:
        pairs = -(-count // 2)
        map_bytes = -(-pairs // 32) * 4
        flags = flags_of(stream[at : at + map_bytes], pairs)
        stored = int(flags.sum())
        both = np.zeros(pairs, np.uint8)
        both[flags] = np.frombuffer(stream, np.uint8, stored, at + map_bytes)
        found.append(palette[unpaired(both)[:count]])
        at += map_bytes + len(padded(bytes(stored)))
    assert at == len(stream)
    return np.concatenate(found)


def stored_pairs(weights: Weights) -> int:
    """Twos of weights that are not both zero."""
    even = np.concatenate([weights, np.zeros(weights.size % 2, np.int8)])
    return int(np.count_nonzero(even.reshape(-1, 2).any(axis=1)))


PAIRMAP = Encoding(
    name="pairmap",
    function="es_unpack_pairmap_s8",
    encode=encode,
    decode=decode,
    units=stored_pairs,
    table_bytes=MappingProxyType({"reference": 512, "dsp": 512, "mve": 512}),
    code_bytes=520,
    costs=MappingProxyType(
        {
            "small": UnpackCost(once=1030, part=110, weight=1.9, unit=9.3),
            "portable": UnpackCost(once=890, part=100, weight=0.53, unit=7.0),
            "dsp": UnpackCost(once=900, part=100, weight=0.53, unit=7.0),
            "mve": UnpackCost(once=870, part=105, weight=0.53, unit=7.0),
        }
    ),
    pairs=UnpackCost(once=900, part=100, weight=0.53, unit=7.0),
)
"""Below 4 bits a weight where many are zero, in clumps or not."""
