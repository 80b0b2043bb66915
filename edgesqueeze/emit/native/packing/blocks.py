"""Streams of convolutions without their blocks of 2 outputs x 4 inputs that are all zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.pack import dsp
from edgesqueeze.emit.native.packing.encoding import (
    PALETTE_VALUES,
    Weights,
    indices_of,
    padded,
    palette_of,
)

OUTPUTS = 2
INPUTS = 4
HEAD_BYTES = 4  # ES_BLOCKS_HEAD
WORDS_BYTES = 8  # ES_BLOCKS_WORD_BYTES
_PADDING = 3  # bytes at most behind the skips
_SKIP = 3  # ES_BLOCKS_SKIP
_LONGEST = 255 // _SKIP  # blocks that one skip goes over
_MOST = 255  # blocks of two outputs
_LARGEST_SUM = 1 << 23
_LARGEST_INPUT = 128

Words = npt.NDArray[np.int16]
"""Words of two outputs, ``256 * even + odd``, ``[blocks, 4]``."""


@dataclass(frozen=True, eq=False)
class Stored:
    """The blocks of two outputs that are stored.

    Attributes:
        words: their weights.
        skips: of each block how many are left out in front of it.
    """

    words: Words
    skips: npt.NDArray[np.intp]


def stored_blocks(rows: Weights, shape: ConvShape) -> list[Stored] | None:
    """The blocks of a convolution, two outputs after two outputs.

    None: a weight is -128, two outputs have too many blocks, or a sum may not fit into 24 bits.

    Args:
        rows: int8 ``[out, taps]``.
        shape: sizes of the convolution.
    """
    if not dsp.fits_pairs(rows):
        return None
    weights = rows.reshape(len(rows), shape.kernel_height, shape.kernel_width, shape.in_channels)
    words = dsp.conv2d(weights).array.view("<i2").reshape(-(-len(rows) // OUTPUTS), -1, INPUTS)
    if not fits_sums(rows):
        return None
    found = [_stored(one) for one in words]
    return found if all(len(one.words) <= _MOST for one in found) else None


def fits_sums(rows: Weights) -> bool:
    """Whether the sums of even outputs, int8 ``[out, taps]``, fit into 24 bits for any input."""
    sums = _LARGEST_INPUT * np.abs(rows[::OUTPUTS].astype(np.int64)).sum(axis=1)
    return bool(sums.max() < _LARGEST_SUM)


def _stored(words: Words) -> Stored:
    """The blocks of two outputs, blocks of zeros among them where a skip would be too long."""
    places: list[int] = []
    last = -1
    for place in np.flatnonzero(words.any(axis=1)):
        while place - last - 1 > _LONGEST:
            last += _LONGEST + 1
            places.append(last)
        last = int(place)
        places.append(last)
    kept = np.array(places, np.intp)
    return Stored(words[kept], np.diff(kept, prepend=-1) - 1)


def plain_stream(stored: Sequence[Stored]) -> bytes:
    """What ``es_conv2d_blocks_s8`` reads."""
    words = b"".join(one.words.astype("<i2").tobytes() for one in stored)
    return np.array(HEAD_BYTES + len(words), "<i4").tobytes() + words + _skips(stored)


def _skips(stored: Sequence[Stored]) -> bytes:
    """Of every two outputs the number of blocks and the skips, padded to whole words."""
    return padded(b"".join(bytes([len(one.skips), *(_SKIP * one.skips).tolist()]) for one in stored))


def palette_stream(stored: Sequence[Stored], part_outputs: int) -> bytes | None:
    """What ``es_unpack_blocks_s8`` reads: the values, then part after part.

    None: more than 16 values.
    """
    apart = [separate(one.words) for one in stored]
    palette = palette_of(np.concatenate([one.reshape(-1) for one in apart]))
    if palette is None:
        return None
    stream, step = palette.tobytes(), -(-part_outputs // OUTPUTS)
    for first in range(0, len(stored), step):
        indices = [indices_of(one, palette) for one in apart[first : first + step]]
        halves = [(one[..., 0] << 4 | one[..., 1]).astype(np.uint8).tobytes() for one in indices]
        skips = _skips(stored[first : first + step])
        content = b"".join(halves)
        stream += np.array([len(content), len(skips)], "<u4").tobytes() + content + skips
    return stream


def memory_bytes(stored: Sequence[Stored], part_outputs: int) -> int:
    """Memory that the largest part takes when it is unpacked, in bytes."""
    step = -(-part_outputs // OUTPUTS)
    sizes = [(WORDS_BYTES + 1) * len(one.words) + 1 for one in stored]
    parts = [sum(sizes[first : first + step]) for first in range(0, len(stored), step)]
    return HEAD_BYTES + max(parts) + _PADDING


def separate(words: Words) -> Weights:
    """The even and the odd output's weights, int8 ``[..., 2]``."""
    wide = words.astype(np.int32)
    odd = ((wide & 0xFF) ^ 0x80) - 0x80
    return np.stack([(wide - odd) >> 8, odd], axis=-1).astype(np.int8)


def unpacked(stream: bytes, pairs: Sequence[int]) -> list[bytes]:
    """The parts that a stream of a palette unpacks to, by the same rules as the C function.

    Args:
        stream: from ``palette_stream``.
        pairs: number of parts' pairs of outputs; only their count matters.
    """
    palette, at = np.frombuffer(stream, np.int8, PALETTE_VALUES).astype(np.int32), PALETTE_VALUES
    parts = []
    for _ in pairs:
        size, skips = (int(one) for one in np.frombuffer(stream, "<u4", 2, at))
        indices = np.frombuffer(stream, np.uint8, size, at + 8)
        words = (256 * palette[indices >> 4] + palette[indices & 15]).astype("<i2").tobytes()
        end = at + 8 + size
        parts.append(np.array(HEAD_BYTES + len(words), "<i4").tobytes() + words + stream[end : end + skips])
        at = end + skips
    assert at == len(stream)
    return parts


def decode(stream: bytes, outputs: int, steps: int) -> Weights:
    """The weights of a plain stream, int8 ``[outputs, steps * 4]``, inputs in the order of the blocks."""
    at = int(np.frombuffer(stream, "<i4", 1)[0])
    words = np.frombuffer(stream, "<i2", (at - HEAD_BYTES) // 2, HEAD_BYTES).reshape(-1, INPUTS)
    found = np.zeros((-(-outputs // OUTPUTS), steps, INPUTS, OUTPUTS), np.int8)
    used = 0
    for pair in found:
        skips = np.frombuffer(stream, np.uint8, stream[at], at + 1)
        pair[np.cumsum(skips // _SKIP + 1) - 1] = separate(words[used : used + skips.size])
        used += skips.size
        at += 1 + skips.size
    assert len(stream) == at + -at % 4
    ordered = found[:, :, [0, 2, 1, 3]]
    return ordered.transpose(0, 3, 1, 2).reshape(-1, steps * INPUTS)[:outputs]
