"""Weights of at most 15 values beside zero, most of them zero: a byte for every nonzero weight."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.packing.encoding import (
    PALETTE_VALUES,
    Encoding,
    UnpackCost,
    Weights,
    indices_of,
    padded,
    palette_of,
    split,
)

LONGEST_RUN = 15
_NO_TABLE = MappingProxyType({"reference": 0, "dsp": 0, "mve": 0})


def encode(weights: Weights, parts: Sequence[int], vectors: bool) -> bytes | None:
    """The palette, then in every part a count and its bytes; see ``Encoding.encode``."""
    del vectors
    palette = palette_of(weights)
    if palette is None or palette[0] != 0:
        return None
    stream = palette.tobytes()
    for part in split(weights, parts):
        tokens = run_bytes(indices_of(part, palette))
        stream += np.array(tokens.size, "<u4").tobytes() + padded(tokens.tobytes())
    return stream


def run_bytes(indices: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A byte for every nonzero index: zeros in front of it in the upper half.

    More than 15 zeros take bytes of 0xF0 for 16 each; those behind the last nonzero index take nothing.
    """
    places = np.flatnonzero(indices)
    gaps = np.diff(places, prepend=-1) - 1
    longer, runs = np.divmod(gaps, LONGEST_RUN + 1)
    tokens = np.full(int(longer.sum()) + places.size, LONGEST_RUN << 4, np.uint8)
    tokens[np.cumsum(longer + 1) - 1] = (runs << 4 | indices[places]).astype(np.uint8)
    return tokens


def decode(stream: bytes, parts: Sequence[int], vectors: bool) -> Weights:
    """The weights of a stream; see ``Encoding.decode``."""
    del vectors
    palette = np.frombuffer(stream, np.int8, PALETTE_VALUES)
    at, found = PALETTE_VALUES, []
    for count in parts:
        size = int(np.frombuffer(stream, "<u4", 1, at)[0])
        tokens = np.frombuffer(stream, np.uint8, size, at + 4)
        weights = np.zeros(count, np.int8)
        weights[np.cumsum((tokens >> 4).astype(np.int64) + 1) - 1] = palette[tokens & 15]
        found.append(weights)
        at += 4 + len(padded(bytes(size)))
    assert at == len(stream)
    return np.concatenate(found)


def stored_bytes(weights: Weights) -> int:
    """Bytes of a stream without its head, in one part."""
    return int(run_bytes((weights != 0).astype(np.uint8)).size)


RUNS = Encoding(
    name="runs",
    function="es_unpack_runs_s8",
    encode=encode,
    decode=decode,
    units=stored_bytes,
    table_bytes=_NO_TABLE,
    costs=MappingProxyType(
        {
            "small": UnpackCost(once=0, part=253, weight=0.43, unit=10.0),
            "portable": UnpackCost(once=0, part=116, weight=0.44, unit=7.0),
            "dsp": UnpackCost(once=0, part=116, weight=0.44, unit=7.0),
            "mve": UnpackCost(once=0, part=107, weight=0.13, unit=2.38),
        }
    ),
    pairs=UnpackCost(once=0, part=133, weight=1.44, unit=7.0),
)
"""The smallest from about 75 % zeros on."""
