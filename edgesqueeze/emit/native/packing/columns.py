"""Streams of convolutions whose outputs, 16 at a time, skip the inputs that none of them needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.packing.blocks import HEAD_BYTES
from edgesqueeze.emit.native.packing.encoding import PALETTE_VALUES, Weights, padded, palette_of
from edgesqueeze.emit.native.packing.palette import indices_stream, weights_of_indices

OUTPUTS = 16  # ES_COLUMNS_OUTPUTS
SEGMENT = 255  # ES_COLUMNS_SEGMENT
VECTOR = 16  # weights of an output that stand together
_MULTIPLE = 4  # of the number of outputs
_VALUES_AT = 16
_SLACK = 32 + 3  # bytes that the palette's unpacker overwrites at most, and padding


@dataclass(frozen=True, eq=False)
class Group:
    """Outputs that skip inputs together.

    Attributes:
        weights: int8 ``[outputs, inputs that are needed]``.
        places: of every 255 inputs those that are needed.
    """

    weights: Weights
    places: tuple[npt.NDArray[np.intp], ...]

    @property
    def packed(self) -> Weights:
        """The weights as the kernel reads them."""
        taps = self.weights.shape[1]
        tail = (taps - 1) % VECTOR + 1
        pairs = self.weights.reshape(-1, 2, taps)
        first = pairs[:, :, :tail].reshape(len(pairs), -1)
        steps = pairs[:, :, tail:].reshape(len(pairs), 2, -1, VECTOR).transpose(0, 2, 1, 3)
        return np.concatenate([first, steps.reshape(len(pairs), -1)], axis=1).reshape(-1)


def stored_groups(rows: Weights, shape: ConvShape) -> list[Group] | None:
    """The groups of a convolution, int8 ``[out, taps]``; None: its outputs are no multiple of 4."""
    if len(rows) % _MULTIPLE:
        return None
    kernel = rows.reshape(len(rows), shape.kernel_height, shape.kernel_width, shape.in_channels)
    ordered = kernel.transpose(0, 2, 1, 3).reshape(len(rows), -1)
    return [_group(ordered[first : first + OUTPUTS]) for first in range(0, len(rows), OUTPUTS)]


def _group(rows: Weights) -> Group:
    needed = np.flatnonzero(rows.any(axis=0))
    if needed.size == 0:
        needed = np.zeros(1, np.intp)
    segments = [
        needed[(needed >= first) & (needed < first + SEGMENT)] - first
        for first in range(0, rows.shape[1], SEGMENT)
    ]
    return Group(rows[:, needed], tuple(segments))


def plain_stream(groups: Sequence[Group]) -> bytes:
    """What ``es_conv2d_columns_s8`` reads."""
    weights = b"".join(one.packed.tobytes() for one in groups)
    return np.array(HEAD_BYTES + len(weights), "<i4").tobytes() + weights + _places(groups)


def _places(groups: Sequence[Group]) -> bytes:
    return padded(b"".join(bytes([part.size, *part.tolist()]) for one in groups for part in one.places))


def palette_stream(groups: Sequence[Group], part_outputs: int, vectors: bool) -> bytes | None:
    """What ``es_unpack_columns_s8`` reads; None: more than 16 values."""
    palette = palette_of(np.concatenate([one.weights.reshape(-1) for one in groups]))
    if palette is None:
        return None
    stream, step = b"", -(-part_outputs // OUTPUTS)
    for first in range(0, len(groups), step):
        part = groups[first : first + step]
        weights, places = np.concatenate([one.packed for one in part]), _places(part)
        stream += np.array([weights.size, len(places)], "<u4").tobytes()
        if first == 0:
            stream += bytes(_VALUES_AT - 8) + palette.tobytes()
        stream += indices_stream(weights, palette, vectors) + places
    return stream


def memory_bytes(groups: Sequence[Group], part_outputs: int) -> int:
    """Memory that the largest part takes when it is unpacked, in bytes."""
    step = -(-part_outputs // OUTPUTS)
    sizes = [one.weights.size + sum(1 + part.size for part in one.places) for one in groups]
    parts = [sum(sizes[first : first + step]) for first in range(0, len(sizes), step)]
    return HEAD_BYTES + max(parts) + _SLACK


def unpacked(stream: bytes, parts: int, vectors: bool) -> list[bytes]:
    """So many parts that a stream of a palette unpacks to, by the same rules as the C function."""
    palette = np.frombuffer(stream, np.int8, PALETTE_VALUES, _VALUES_AT)
    at, found = 0, []
    for number in range(parts):
        count, places = (int(one) for one in np.frombuffer(stream, "<u4", 2, at))
        at += _VALUES_AT + PALETTE_VALUES if number == 0 else 8
        weights, size = weights_of_indices(stream, at, count, palette, vectors)
        at += size
        head = np.array(HEAD_BYTES + count, "<i4").tobytes()
        found.append(head + weights.tobytes() + stream[at : at + places])
        at += places
    assert at == len(stream)
    return found


def decode(stream: bytes, outputs: int, taps: int) -> Weights:
    """The weights of a plain stream, int8 ``[outputs, taps]``, inputs in the order column, row, channel."""
    at, weights_at = int(np.frombuffer(stream, "<i4", 1)[0]), HEAD_BYTES
    rows = np.zeros((outputs, taps), np.int8)
    for first in range(0, outputs, OUTPUTS):
        group, places = rows[first : first + OUTPUTS], []
        for base in range(0, taps, SEGMENT):
            places += [base + place for place in stream[at + 1 : at + 1 + stream[at]]]
            at += 1 + stream[at]
        count = len(places)
        tail = (count - 1) % VECTOR + 1
        for pair in range(0, len(group), 2):
            packed = np.frombuffer(stream, np.int8, 2 * count, weights_at)
            steps = packed[2 * tail :].reshape(-1, 2, VECTOR)
            for odd in range(2):
                group[pair + odd, places] = np.concatenate(
                    [packed[odd * tail : (odd + 1) * tail], steps[:, odd].reshape(-1)]
                )
            weights_at += 2 * count
    assert len(stream) - at in range(4)
    return rows
