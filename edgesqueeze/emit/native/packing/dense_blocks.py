"""Streams of fully connected layers without their blocks of 4 outputs x 1 input that are all zero."""

from __future__ import annotations

import numpy as np

from edgesqueeze.emit.native.pack import dsp
from edgesqueeze.emit.native.packing.blocks import HEAD_BYTES, fits_sums, separate
from edgesqueeze.emit.native.packing.encoding import Weights, padded
from edgesqueeze.emit.rounding import round_up

OUTPUTS = 4  # ES_DENSE_OUTPUTS
SEGMENT = 256  # ES_DENSE_SEGMENT
COLUMN_SEGMENT = 255  # ES_COLUMNS_SEGMENT


def stream(rows: Weights) -> bytes | None:
    """What ``es_fully_connected_blocks_s8`` reads of weights, int8 ``[out, in]``.

    None: a weight is -128, or a sum may not fit into 24 bits.
    """
    if not dsp.fits_pairs(rows) or not fits_sums(rows):
        return None
    words, places = b"", b""
    for group in _groups(rows):
        for first in range(0, group.shape[1], SEGMENT):
            part = group[:, first : first + SEGMENT]
            kept = np.flatnonzero(part.any(axis=0))
            pairs = np.concatenate([kept, np.zeros(kept.size % 2, np.intp)])
            values = part[:, pairs].astype(np.int16)
            values[:, kept.size :] = 0
            both = np.int16(256) * values[0::2] + values[1::2]  # [2, pairs of outputs; 2 * pairs of inputs]
            words += both.reshape(2, -1, 2).transpose(1, 0, 2).astype("<i2").tobytes()
            places += bytes([pairs.size // 2, *pairs.tolist()])
    return np.array(HEAD_BYTES + len(words), "<i4").tobytes() + words + padded(places)


def column_stream(rows: Weights) -> bytes:
    """What ``es_fully_connected_columns_s8`` reads of weights, int8 ``[out, in]``."""
    weights, places = b"", b""
    for group in _groups(rows):
        for first in range(0, group.shape[1], COLUMN_SEGMENT):
            part = group[:, first : first + COLUMN_SEGMENT]
            kept = np.flatnonzero(part.any(axis=0))
            weights += part[:, kept].tobytes()
            places += bytes([kept.size, *kept.tolist()])
    return np.array(HEAD_BYTES + len(weights), "<i4").tobytes() + weights + padded(places)


def vectors_of_columns(rows: Weights) -> int:
    """Vectors of 16 inputs that four outputs at a time need."""
    return sum(
        -(-int(group[:, first : first + COLUMN_SEGMENT].any(axis=0).sum()) // 16)
        for group in _groups(rows)
        for first in range(0, rows.shape[1], COLUMN_SEGMENT)
    )


def decode_columns(content: bytes, outputs: int, inputs: int) -> Weights:
    """The weights of a stream of columns, by the same rules as the C function."""
    at, weights_at = int(np.frombuffer(content, "<i4", 1)[0]), HEAD_BYTES
    rows = np.zeros((round_up(outputs, OUTPUTS), inputs), np.int8)
    for group in rows.reshape(-1, OUTPUTS, inputs):
        for first in range(0, inputs, COLUMN_SEGMENT):
            count = content[at]
            places = np.frombuffer(content, np.uint8, count, at + 1).astype(np.intp)
            values = np.frombuffer(content, np.int8, OUTPUTS * count, weights_at)
            group[:, first + places] = values.reshape(OUTPUTS, count)
            at += 1 + count
            weights_at += OUTPUTS * count
    assert len(content) - at in range(4)
    return rows[:outputs]


def pairs_of_blocks(rows: Weights) -> int:
    """Pairs of blocks that a stream holds."""
    return sum(
        (int(group[:, first : first + SEGMENT].any(axis=0).sum()) + 1) // 2
        for group in _groups(rows)
        for first in range(0, rows.shape[1], SEGMENT)
    )


def decode(content: bytes, outputs: int, inputs: int) -> Weights:
    """The weights of a stream, int8 ``[outputs, inputs]``, by the same rules as the C function."""
    at, next_words = int(np.frombuffer(content, "<i4", 1)[0]), HEAD_BYTES
    rows = np.zeros((round_up(outputs, OUTPUTS), inputs), np.int8)
    for group in rows.reshape(-1, OUTPUTS, inputs):
        for first in range(0, inputs, SEGMENT):
            pairs = content[at]
            places = np.frombuffer(content, np.uint8, 2 * pairs, at + 1).astype(np.intp)
            words = np.frombuffer(content, "<i2", 4 * pairs, next_words).reshape(-1, 2, 2)
            values = separate(words).transpose(1, 3, 0, 2).reshape(OUTPUTS, -1)
            for place, column in zip(first + places, values.T, strict=True):
                group[:, place] += column  # a block that is missing adds zeros
            at += 1 + 2 * pairs
            next_words += 8 * pairs
    assert len(content) == at + -at % 4
    return rows[:outputs]


def _groups(rows: Weights) -> Weights:
    """int8 ``[groups, 4, in]``, with outputs of zeros at the end."""
    full = np.zeros((round_up(len(rows), OUTPUTS), rows.shape[1]), np.int8)
    full[: len(rows)] = rows
    return full.reshape(-1, OUTPUTS, rows.shape[1])
