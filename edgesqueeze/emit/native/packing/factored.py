"""Streams of convolutions whose weights are sorted by their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.packing.encoding import (
    PALETTE_VALUES,
    Weights,
    indices_of,
    padded,
    pairs_of,
    palette_of,
    unpaired,
)
from edgesqueeze.emit.rounding import round_up

PIXELS = 8  # ES_FACTORED_PIXELS
WORDS = 4  # ES_FACTORED_WORDS
HEAD_BYTES = 4  # ES_FACTORED_HEAD
_MOST = 255  # ES_FACTORED_MOST
_ROUND = 16  # ES_FACTORED_ROUND
_LONGEST = 15 * _ROUND + 1  # inputs of one code
_MOST_BYTE = 255
_MOST_UNITS = (1 << 16) - 1
_OFFSET = 128  # of inputs in words
_PLAN_BYTES = 11  # in front of the steps
_SIZE_AT = 9  # where a plan says its size

Places = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Passage:
    """Where the words of the inputs of eight pixels stand, and in which order inputs are passed.

    Attributes:
        read: units of an input: its words, or 1 where no columns share words.
        units: units of a kernel row and channel.
        groups: kernel rows and channels in a segment.
        count: kernel rows and channels.
        columns: the kernel's columns in the order in which they are passed.
        steps: units from the input of a column to the next one.
    """

    read: int
    units: int
    groups: int
    count: int
    columns: tuple[int, ...]
    steps: tuple[int, ...]

    @property
    def segment(self) -> int:
        """Units of a segment and the zeros behind it."""
        return self.groups * self.units + self.read

    @property
    def segments(self) -> int:
        """Number of segments."""
        return -(-self.count // self.groups)

    @property
    def end(self) -> int:
        """Units of all segments."""
        return (self.segments - 1) * self.read + self.count * self.units

    @property
    def words(self) -> int:
        """Words of all segments."""
        return self.end * WORDS // self.read

    @property
    def places(self) -> Places:
        """Where the inputs begin, in units, in the order in which they are passed: descending."""
        groups = np.arange(self.count)[::-1]
        starts = groups // self.groups * self.segment + groups % self.groups * self.units
        offsets = self.units - self.read - np.cumsum((0, *self.steps[:-1]))
        found: Places = (starts[:, None] + offsets).reshape(-1)
        return found

    def in_order(self, rows: Weights, shape: ConvShape) -> Weights:
        """Weights, int8 ``[out, taps]``, in the order in which their inputs are passed."""
        kernel = rows.reshape(len(rows), shape.kernel_height, shape.kernel_width, shape.in_channels)
        groups = kernel.transpose(0, 1, 3, 2).reshape(len(rows), -1, shape.kernel_width)
        return groups[:, ::-1, list(self.columns)].reshape(len(rows), -1)


def passage_of(shape: ConvShape) -> Passage | None:
    """That of a convolution, as ``es_factored_layout_of``; None: its kernel is too large."""
    width, stride = shape.kernel_width, shape.stride_width
    shared = shape.dilation_width == 1 and stride < width
    if shared:
        starts = np.cumsum([0] + [WORDS + (width - 1 - run) // stride for run in range(stride)])
        offsets = [int(starts[column % stride]) + column // stride for column in range(width)]
    else:
        offsets = list(range(width))
    read = WORDS if shared else 1
    units = (WORDS - 1) * stride + width if shared else width
    groups = (_MOST - 2 * read) // units
    columns = sorted(range(width), key=offsets.__getitem__, reverse=True)
    descending = [offsets[column] for column in columns]
    steps = (*(-np.diff(descending)).tolist(), read)
    if groups == 0:
        return None
    found = Passage(read, units, groups, shape.kernel_height * shape.in_channels, tuple(columns), steps)
    return found if found.end <= _MOST_UNITS and shape.taps <= _MOST_UNITS else None


@dataclass(frozen=True, eq=False)
class Sorted:
    """The weights of an output channel.

    Attributes:
        weights: int8 ``[taps]`` in the order in which their inputs are passed.
        values: the values, one of them several times where it has too many inputs.
        inputs: of each the distances to its inputs, in units.
    """

    weights: Weights
    values: tuple[int, ...]
    inputs: tuple[bytes, ...]

    @property
    def stream(self) -> bytes:
        """What the kernel reads."""
        values = np.array(self.values, np.int8).tobytes()
        return bytes([len(values)]) + values + b"".join(bytes([_code(one)]) + one for one in self.inputs)

    @property
    def bytes(self) -> int:
        """The length of that."""
        return 1 + 2 * len(self.values) + sum(len(one) for one in self.inputs)


def _code(inputs: bytes) -> int:
    rounds = -(-(len(inputs) - 1) // _ROUND)
    return rounds << 4 | _ROUND * rounds - (len(inputs) - 1)


@dataclass(frozen=True, eq=False)
class Factored:
    """A convolution's weights, sorted by their values.

    Attributes:
        passage: where the words of inputs stand.
        channels: the output channels.
    """

    passage: Passage
    channels: tuple[Sorted, ...]

    @property
    def values(self) -> int:
        """The largest number of values of an output channel."""
        return max(len(one.values) for one in self.channels)


def sorted_channels(rows: Weights, shape: ConvShape) -> Factored | None:
    """The weights of a convolution, int8 ``[out, taps]``.

    None: a kernel or its number of values is too large, or too few inputs have the same weight to gain by it.
    """
    passage = passage_of(shape)
    if passage is None or not _pays(rows):
        return None
    places = passage.places
    channels = tuple(_sorted(row, places, passage) for row in passage.in_order(rows, shape))
    found = Factored(passage, channels)
    return found if found.values <= _MOST_BYTE else None


def _pays(rows: Weights) -> bool:
    """Whether there are two weights for every list of inputs: a list takes longer than one weight."""
    ordered = np.sort(rows, axis=1)
    first = np.diff(ordered, axis=1, prepend=ordered[:, :1] ^ 1) != 0
    return bool(2 * np.count_nonzero(first & (ordered != 0)) <= rows.size)


def _sorted(row: Weights, places: Places, passage: Passage) -> Sorted:
    values: list[int] = []
    inputs: list[bytes] = []
    for value in np.unique(row[row != 0]).tolist():
        for one in _distances(places[row == value], passage):
            values.append(value)
            inputs.append(one)
    return Sorted(row, tuple(values), tuple(inputs))


def _distances(places: Places, passage: Passage) -> list[bytes]:
    """Distances to inputs at descending places, by way of zeros where they are too large."""
    last = passage.end - passage.read
    plain = -np.diff(places, prepend=last) + passage.read
    if plain.max() <= _MOST and plain.size <= _LONGEST:
        return [plain.astype(np.uint8).tobytes()]
    found: list[bytes] = []
    distances: list[int] = []
    at = last
    for place in places.tolist():
        way = _way(at, place, passage)
        if len(distances) + len(way) > _LONGEST:
            found.append(bytes(distances))
            distances, way = [], _way(last, place, passage)
        distances += way
        at = place
    return [*found, bytes(distances)]


def _way(at: int, place: int, passage: Passage) -> list[int]:
    """Distances from an input to another one."""
    way: list[int] = []
    while at - place + passage.read > _MOST:
        below = at // passage.segment * passage.segment - passage.read
        way.append(at - below + passage.read)
        at = below
    return [*way, at - place + passage.read]


def plain_stream(stored: Sequence[Factored]) -> bytes:
    """What ``es_factored_conv2d_s8`` reads."""
    (found,) = stored
    corrections = [-_OFFSET * int(one.weights.astype(np.int64).sum()) for one in found.channels]
    head = bytes([found.values, 0, 0, 0]) + np.array(corrections, "<i4").tobytes()
    return padded(head + b"".join(one.stream for one in found.channels))


def palette_stream(stored: Sequence[Factored], part_outputs: int, vectors: bool) -> bytes | None:
    """What ``es_unpack_factored_s8`` reads.

    None: more than 16 values, or too many inputs of one.
    """
    del vectors
    (found,) = stored
    palette = palette_of(np.concatenate([one.weights for one in found.channels]))
    once = all(len(set(one.values)) == len(one.values) for one in found.channels)
    plan = _plan(found)
    if palette is None or plan is None or not once:
        return None
    stream = palette.tobytes() + plan
    for first in range(0, len(found.channels), part_outputs):
        part = found.channels[first : first + part_outputs]
        stream += padded(b"".join(pairs_of(indices_of(one.weights, palette)).tobytes() for one in part))
    return stream


def _plan(found: Factored) -> bytes | None:
    passage = found.passage
    size = round_up(_PLAN_BYTES + len(passage.steps), 4)
    if max(size, passage.segments) > _MOST_BYTE:
        return None
    taps = found.channels[0].weights.size
    rest = (passage.count - 1) % passage.groups + 1
    sizes = [passage.read, len(passage.columns), passage.units, passage.groups, rest, size, passage.segments]
    head = np.array([taps, passage.end - passage.read], "<u2").tobytes()
    return padded(head + bytes(sizes) + bytes(passage.steps))


def memory_bytes(stored: Sequence[Factored], part_outputs: int) -> int:
    """Memory that the largest part takes when it is unpacked, in bytes."""
    (found,) = stored
    sizes = [HEAD_BYTES + one.bytes for one in found.channels]
    parts = [sum(sizes[first : first + part_outputs]) for first in range(0, len(sizes), part_outputs)]
    return HEAD_BYTES + max(parts) + PALETTE_VALUES * (found.passage.segments - 1)


def decode(stream: bytes, passage: Passage, outputs: int) -> Weights:
    """The weights of a plain stream, int8 ``[outputs, taps]``, in the order of inputs."""
    order = {place: tap for tap, place in enumerate(passage.places.tolist())}
    rows = np.zeros((outputs, len(order)), np.int8)
    at = HEAD_BYTES + 4 * outputs
    for row in rows:
        values = np.frombuffer(stream, np.int8, stream[at], at + 1)
        at += 1 + values.size
        for value in values.tolist():
            place = passage.end
            count = _ROUND * (stream[at] >> 4) - (stream[at] & 15) + 1
            for distance in stream[at + 1 : at + 1 + count]:
                place -= distance
                if place in order:  # else zeros
                    row[order[place]] += value
                place += passage.read
            at += 1 + count
    assert len(stream) == at + -at % 4
    return rows


def palette_weights(stream: bytes, outputs: int, taps: int, part_outputs: int) -> Weights:
    """The weights of a stream of a palette, int8 ``[outputs, taps]``, in the order of inputs."""
    palette = np.frombuffer(stream, np.int8, PALETTE_VALUES)
    at, rows = PALETTE_VALUES + stream[PALETTE_VALUES + _SIZE_AT], []
    for first in range(0, outputs, part_outputs):
        size = -(-taps // 2)
        for _ in range(min(part_outputs, outputs - first)):
            rows.append(palette[unpaired(np.frombuffer(stream, np.uint8, size, at))[:taps]])
            at += size
        at += -at % 4
    assert at == len(stream)
    return np.stack(rows)
