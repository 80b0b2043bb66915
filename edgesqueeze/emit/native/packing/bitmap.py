"""Weights of any values, many of them zero: a bit for every weight, a byte for those that are not zero."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from edgesqueeze.emit.native.packing.encoding import (
    Encoding,
    UnpackCost,
    Weights,
    from_bitmap,
    split,
    with_bitmap,
)

_NO_TABLE = MappingProxyType({"reference": 0, "dsp": 0, "mve": 0})


def encode(weights: Weights, parts: Sequence[int], vectors: bool) -> bytes | None:
    """In every part a bitmap and the nonzero weights; see ``Encoding.encode``."""
    del vectors
    return b"".join(with_bitmap(part) for part in split(weights, parts))


def decode(stream: bytes, parts: Sequence[int], vectors: bool) -> Weights:
    """The weights of a stream; see ``Encoding.decode``."""
    del vectors
    at, found = 0, []
    for count in parts:
        weights = np.zeros(count, np.int8)
        at = from_bitmap(stream, at, weights)
        found.append(weights)
    assert at == len(stream)
    return np.concatenate(found)


def nonzeros(weights: Weights) -> int:
    """Weights that are not zero."""
    return int(np.count_nonzero(weights))


BITMAP = Encoding(
    name="bitmap",
    function="es_unpack_bitmap_s8",
    encode=encode,
    decode=decode,
    units=nonzeros,
    table_bytes=_NO_TABLE,
    costs=MappingProxyType(
        {
            "small": UnpackCost(once=0, part=250, weight=3.12, unit=7.74),
            "portable": UnpackCost(once=0, part=115, weight=0.62, unit=6.0),
            "dsp": UnpackCost(once=0, part=115, weight=0.62, unit=6.0),
            "mve": UnpackCost(once=0, part=118, weight=0.62, unit=6.0),
        }
    ),
    pairs=UnpackCost(once=0, part=132, weight=1.62, unit=6.0),
)
"""The only one for weights of more than 16 values."""
