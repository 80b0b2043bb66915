"""Weights of at most 8 values as indices of 3 bits."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.packing.encoding import (
    Encoding,
    UnpackCost,
    Weights,
    indices_of,
    palette_of,
    split,
)
from edgesqueeze.emit.native.packing.palette import no_units

VALUES = 8  # ES_SMALL_PALETTE_VALUES

_WORDS, _PAIRS, _PAIR_BITS = 3, 5, 6  # of 32 weights; pairs as a whole in a word
_VECTOR, _FIELDS = 16, 4  # bytes of lower bits that the MVE set unpacks together, and indices in each
_UPPER_BYTES = _VECTOR * _FIELDS // 8

Indices = npt.NDArray[np.uint8]


def encode(weights: Weights, parts: Sequence[int], vectors: bool) -> bytes | None:
    """The palette, then the indices of every part; see ``Encoding.encode``."""
    palette = palette_of(weights, VALUES)
    if palette is None:
        return None
    joined = _vectors if vectors else _words
    return palette.tobytes() + b"".join(joined(indices_of(part, palette)) for part in split(weights, parts))


def _words(indices: Indices) -> bytes:
    """32 indices in three words, each of five pairs and two bits of the sixteenth."""
    pairs = _whole(indices, 2 * (_WORDS * _PAIRS + 1)).reshape(-1, _WORDS * _PAIRS + 1, 2).astype(np.uint32)
    numbers = pairs[:, :, 1] << 3 | pairs[:, :, 0]
    places = _PAIR_BITS * np.arange(_PAIRS, dtype=np.uint32)
    words = (numbers[:, :-1].reshape(-1, _WORDS, _PAIRS) << places).sum(axis=2, dtype=np.uint32)
    last = numbers[:, -1:] >> (2 * np.arange(_WORDS, dtype=np.uint32)) & 3
    content: bytes = (words | last << np.uint32(_PAIRS * _PAIR_BITS)).astype("<u4").tobytes()
    return content


def _vectors(indices: Indices) -> bytes:
    """64 indices in 24 bytes: the lower two bits in 16 of them, then the third ones."""
    fields = _whole(indices, _VECTOR * _FIELDS).reshape(-1, _FIELDS, _VECTOR)
    places = 2 * np.arange(_FIELDS, dtype=np.uint8)[:, None]
    lower = ((fields & 3) << places).sum(axis=1, dtype=np.uint8)
    upper = np.packbits(fields >> 2, axis=2, bitorder="little").reshape(-1, _UPPER_BYTES)
    content: bytes = np.concatenate([lower, upper], axis=1).tobytes()
    return content


def _whole(indices: Indices, block: int) -> Indices:
    """With zeros up to whole blocks."""
    return np.concatenate([indices, np.zeros(-indices.size % block, np.uint8)])


def decode(stream: bytes, parts: Sequence[int], vectors: bool) -> Weights:
    """The weights of a stream; see ``Encoding.decode``."""
    palette = np.frombuffer(stream, np.int8, VALUES)
    block, block_bytes = (_VECTOR * _FIELDS, _VECTOR + _UPPER_BYTES) if vectors else (32, 4 * _WORDS)
    at, found = VALUES, []
    for count in parts:
        size = -(-count // block) * block_bytes
        content = np.frombuffer(stream, np.uint8, size, at)
        indices = _of_vectors(content) if vectors else _of_words(content)
        found.append(palette[indices[:count]])
        at += size
    assert at == len(stream)
    return np.concatenate(found)


def _of_words(content: Indices) -> Indices:
    words = content.view("<u4").reshape(-1, _WORDS).astype(np.uint32)
    pairs = words[:, :, None] >> (_PAIR_BITS * np.arange(_PAIRS, dtype=np.uint32)) & 63
    tops = words >> np.uint32(_PAIRS * _PAIR_BITS)
    last = (tops << (2 * np.arange(_WORDS, dtype=np.uint32))).sum(axis=1, dtype=np.uint32)
    numbers = np.concatenate([pairs.reshape(len(words), -1), last[:, None]], axis=1)
    return np.stack([numbers & 7, numbers >> 3], axis=2).reshape(-1).astype(np.uint8)


def _of_vectors(content: Indices) -> Indices:
    blocks = content.reshape(-1, _VECTOR + _UPPER_BYTES)
    lower = blocks[:, None, :_VECTOR] >> (2 * np.arange(_FIELDS, dtype=np.uint8)[:, None]) & 3
    upper = np.unpackbits(blocks[:, _VECTOR:], axis=1, bitorder="little").reshape(lower.shape)
    return (upper << 2 | lower).astype(np.uint8).reshape(-1)


SMALL_PALETTE = Encoding(
    name="small-palette",
    function="es_unpack_small_palette_s8",
    encode=encode,
    decode=decode,
    units=no_units,
    table_bytes=MappingProxyType({"reference": 128, "dsp": 128, "mve": 0}),
    costs=MappingProxyType(
        {
            "small": UnpackCost(once=462, part=100, weight=2.44),
            "portable": UnpackCost(once=275, part=100, weight=1.75),
            "dsp": UnpackCost(once=275, part=100, weight=1.75),
            "mve": UnpackCost(once=0, part=81, weight=0.647),
        }
    ),
    pairs=UnpackCost(once=250, part=100, weight=1.78),
)
"""Three eighths of a plain layer's bytes, whatever the values' share."""
