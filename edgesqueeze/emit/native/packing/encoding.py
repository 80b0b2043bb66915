"""What an encoding of weights is: a row of ``ENCODINGS``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.int8]
"""Weights in the order in which a kernel reads them."""

Machine = Literal["small", "portable", "dsp", "mve"]
"""What runs the C: ``small``: Armv6-M and Armv8-M Baseline; ``portable``: portable C on other cores; and the
kernel sets for the DSP extension and for vectors."""

PALETTE_VALUES = 16
"""Values that 4-bit indices tell apart; where a stream begins with them, one byte each."""

PART_ALIGNMENT = 4
"""Bytes that a part of a stream is padded to a multiple of."""


@dataclass(frozen=True)
class UnpackCost:
    """Instructions that unpacking takes.

    Attributes:
        once: instructions for a layer, whatever its size: tables.
        part: instructions for a part.
        weight: instructions for a weight.
        unit: instructions for what ``Encoding.units`` counts.
    """

    once: float
    part: float
    weight: float
    unit: float = 0.0

    def instructions(self, *, parts: int, weights: int, units: int) -> float:
        """Instructions for a layer."""
        return self.once + self.part * parts + self.weight * weights + self.unit * units


@dataclass(frozen=True)
class Encoding:
    """A way to store weights in flash.

    Attributes:
        name: what reports call it.
        function: name of the C function that unpacks a part.
        encode: makes a stream of weights, split into parts of the given sizes, for the MVE set or for others;
            None where the encoding cannot hold these weights.
        decode: the weights that a stream holds, by the same rules as the C function; the arguments are the
            stream, the sizes of its parts and whether it is for the MVE set.
        units: what the time of unpacking depends on beside the number of weights: stored pairs, bytes or
            nonzero weights.
        table_bytes: scratch memory that the C function fills for the layer, in bytes, by kernel set.
        costs: instructions of unpacking bytes of weights, by machine.
        pairs: instructions of unpacking words of two outputs, on the DSP set.
        joined: whether such words stand in the stream as kernels read them, so one function does for all.
    """

    name: str
    function: str
    encode: Callable[[Weights, Sequence[int], bool], bytes | None]
    decode: Callable[[bytes, Sequence[int], bool], Weights]
    units: Callable[[Weights], int]
    table_bytes: Mapping[str, int]
    costs: Mapping[Machine, UnpackCost]
    pairs: UnpackCost
    joined: bool = False

    def cost(self, machine: Machine, pairs: bool) -> UnpackCost:
        """What unpacking costs on a machine, to bytes or to words of two outputs."""
        return self.pairs if pairs else self.costs[machine]

    def unpacker(self, pairs: bool) -> str:
        """The C function for a kernel that wants bytes, or words of two outputs."""
        return self.function.replace("_s8", "_pairs_s8") if pairs and not self.joined else self.function


def split(weights: Weights, parts: Sequence[int]) -> list[Weights]:
    """The parts of weights, which have the given sizes."""
    ends = np.cumsum(parts)
    assert ends[-1] == weights.size
    return [weights[end - size : end] for end, size in zip(ends, parts, strict=True)]


def padded(content: bytes, multiple: int = PART_ALIGNMENT) -> bytes:
    """Bytes with zeros behind them, up to a multiple."""
    return content + bytes(-len(content) % multiple)


def palette_of(weights: Weights, most: int = PALETTE_VALUES) -> npt.NDArray[np.int8] | None:
    """The values that occur, zero first and the others ascending, with zeros behind them up to ``most``.

    So many values none of which is zero stand as they are. None: there are more, or so many beside zero.
    """
    values = np.unique(weights)
    if values.size == most and 0 not in values:
        return values
    nonzero = values[values != 0]
    if nonzero.size >= most:
        return None
    palette = np.zeros(most, np.int8)
    palette[1 : 1 + nonzero.size] = nonzero
    return palette


def indices_of(weights: Weights, palette: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
    """The place of every weight in a palette, the first one if it stands there several times."""
    places = np.zeros(256, np.uint8)
    for place in range(palette.size - 1, -1, -1):
        places[int(palette[place]) + 128] = place
    found: npt.NDArray[np.uint8] = places[weights.astype(np.int64) + 128]
    return found


def pairs_of(indices: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Two indices a byte, the second in the upper half; an odd number is padded with a zero."""
    even = np.concatenate([indices, np.zeros(indices.size % 2, np.uint8)])
    found: npt.NDArray[np.uint8] = (even[1::2] << 4 | even[0::2]).astype(np.uint8)
    return found


def unpaired(both: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The indices of bytes that hold two each."""
    found: npt.NDArray[np.uint8] = np.stack([both & 15, both >> 4], axis=1).reshape(-1)
    return found


def bitmap_of(flags: npt.NDArray[np.bool_]) -> bytes:
    """Flags as little-endian words of 32, the highest bit first."""
    full = np.concatenate([flags, np.zeros(-flags.size % 32, np.bool_)])
    return np.packbits(full).view(">u4").astype("<u4").tobytes()


def flags_of(words: bytes, count: int) -> npt.NDArray[np.bool_]:
    """The first flags of such words."""
    return np.unpackbits(np.frombuffer(words, "<u4").astype(">u4").view(np.uint8))[:count].astype(np.bool_)


def with_bitmap(values: npt.NDArray[Any]) -> bytes:
    """A bitmap of the values that are not zero, and these."""
    flags = values != 0
    return bitmap_of(flags) + padded(values[flags].tobytes())


def from_bitmap(stream: bytes, at: int, values: npt.NDArray[Any]) -> int:
    """Fill zeros with what ``with_bitmap`` made; where it ends in the stream."""
    map_bytes = -(-values.size // 32) * 4
    flags = flags_of(stream[at : at + map_bytes], values.size)
    stored = int(flags.sum())
    values[flags] = np.frombuffer(stream, values.dtype, stored, at + map_bytes)
    return at + map_bytes + len(padded(bytes(stored)))
