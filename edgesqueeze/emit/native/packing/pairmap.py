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
    from_bitmap,
    indices_of,
    pairs_of,
    palette_of,
    split,
    unpaired,
    with_bitmap,
)


def encode(weights: Weights, parts: Sequence[int], vectors: bool) -> bytes | None:
    """The palette, then in every part a bitmap and the stored pairs; see ``Encoding.encode``."""
    del vectors
    palette = palette_of(weights)
    if palette is None or palette[0] != 0:
        return None
    stream = palette.tobytes()
    for part in split(weights, parts):
        stream += with_bitmap(pairs_of(indices_of(part, palette)))
    return stream


def decode(stream: bytes, parts: Sequence[int], vectors: bool) -> Weights:
    """The weights of a stream; see ``Encoding.decode``."""
    del vectors
    palette = np.frombuffer(stream, np.int8, PALETTE_VALUES)
    at, found = PALETTE_VALUES, []
    for count in parts:
        both = np.zeros(-(-count // 2), np.uint8)
        at = from_bitmap(stream, at, both)
        found.append(palette[unpaired(both)[:count]])
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
