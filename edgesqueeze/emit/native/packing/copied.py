"""Weights as they are, copied to RAM before a layer reads them again and again."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from edgesqueeze.emit.native.packing.encoding import Encoding, UnpackCost, Weights, padded, split
from edgesqueeze.emit.native.packing.palette import no_units


def encode(weights: Weights, parts: Sequence[int], vectors: bool) -> bytes:
    """Part after part; see ``Encoding.encode``."""
    del vectors
    return b"".join(padded(part.tobytes()) for part in split(weights, parts))


def decode(stream: bytes, parts: Sequence[int], vectors: bool) -> Weights:
    """The weights of a stream; see ``Encoding.decode``."""
    del vectors
    at, found = 0, []
    for count in parts:
        found.append(np.frombuffer(stream, np.int8, count, at))
        at += len(padded(bytes(count)))
    assert at == len(stream)
    return np.concatenate(found)


COPY = Encoding(
    name="copy",
    function="es_unpack_copy_s8",
    encode=encode,
    decode=decode,
    units=no_units,
    table_bytes=MappingProxyType({"reference": 0, "dsp": 0, "mve": 0}),
    costs=MappingProxyType(
        {
            "small": UnpackCost(once=0, part=100, weight=1.0),
            "portable": UnpackCost(once=0, part=100, weight=0.6),
            "dsp": UnpackCost(once=0, part=100, weight=0.6),
            "mve": UnpackCost(once=0, part=100, weight=0.6),
        }
    ),
    pairs=UnpackCost(once=0, part=100, weight=0.6),
    joined=True,
)
"""For flash that makes the core wait; its few bytes of code do not count."""
