"""Fully connected layers whose weights are sorted by their values: streams, and what they take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgesqueeze.emit.native.packing.encoding import Weights, padded

SEGMENT = 255  # inputs that a byte tells apart
_LONGEST = 32  # places of an entry
_MOST_VALUES = 255


def stream(rows: Weights) -> bytes | None:
    """What ``es_factored_fully_connected_s8`` reads of weights, int8 ``[out, in]``.

    None: an output has too many values, or too few inputs of the same weight to gain by it.
    """
    if 2 * _values(rows) > rows.size:
        return None
    content = bytearray()
    for row in rows:
        entries = [entry for value in np.unique(row[row != 0]) for entry in _entries(row, value)]
        if len(entries) > _MOST_VALUES:
            return None
        content += bytes([len(entries)]) + b"".join(entries)
    return padded(bytes(content))


def _entries(row: Weights, value: np.int8) -> list[bytes]:
    """The inputs that a value has, and the value; several times if there are too many."""
    lists = [np.flatnonzero(row[first : first + SEGMENT] == value) for first in range(0, row.size, SEGMENT)]
    found = []
    for first in range(0, max(one.size for one in lists), _LONGEST):
        parts = [one[first : first + _LONGEST].tolist() for one in lists]
        found.append(b"".join(bytes([len(part), *part]) for part in parts) + value.tobytes())
    return found


def decode(content: bytes, outputs: int, inputs: int) -> Weights:
    """The weights of a stream, int8 ``[outputs, inputs]``, by the same rules as the C function."""
    rows, at = np.zeros((outputs, inputs), np.int8), 0
    for row in rows:
        values, at = content[at], at + 1
        for _ in range(values):
            places: list[int] = []
            for first in range(0, inputs, SEGMENT):
                count = content[at]
                places += [first + place for place in content[at + 1 : at + 1 + count]]
                at += 1 + count
            row[places] = np.frombuffer(content, np.int8, 1, at)[0]
            at += 1
    assert len(content) == at + -at % 4
    return rows


def _values(rows: Weights) -> int:
    """How many values beside zero the rows have."""
    ordered = np.sort(rows, axis=1)
    first = np.diff(ordered, axis=1, prepend=ordered[:, :1] ^ 1) != 0
    return int(np.count_nonzero(first & (ordered != 0)))


def entries_of(rows: Weights) -> int:
    """How many entries of a value the rows have."""
    content = stream(rows)
    assert content is not None
    segments, at, found = -(-rows.shape[1] // SEGMENT), 0, 0
    for _ in rows:
        values, at = content[at], at + 1
        for _ in range(values):
            for _ in range(segments):
                at += 1 + content[at]
            at += 1
        found += values
    return found


@dataclass(frozen=True)
class FactoredDenseCost:
    """Instructions of a fully connected layer that adds up inputs first.

    Attributes:
        input: instructions for a weight that is not zero.
        value: instructions for an entry of a value.
        segment: instructions for a list of its inputs.
        output: instructions for an output, as far as all have one multiplier.
        layer: instructions for a layer.
    """

    input: float
    value: float
    segment: float
    output: float
    layer: float

    def instructions(self, rows: Weights, shared: bool) -> float:
        """Instructions of a layer of weights, int8 ``[out, in]``; shared: all outputs have one multiplier."""
        del shared  # unpacking others takes what it takes in the plain kernel
        lists = -(-rows.shape[1] // SEGMENT)
        return (
            self.layer
            + int(np.count_nonzero(rows)) * self.input
            + entries_of(rows) * (self.value + lists * self.segment)
            + len(rows) * self.output
        )
