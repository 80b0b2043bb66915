"""Weights of any values as codes of 1 to 12 bits: the more often a value occurs, the shorter its code.

Codes are Huffman's with a limit, by package-merge (Larmore and Hirschberg, "A fast algorithm for optimal
length-limited Huffman codes", 1990), in the canonical order of Schwartz and Kallick (1964).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from edgesqueeze.emit.native.packing.encoding import Encoding, UnpackCost, Weights, padded, split

LONGEST = 12  # LENGTHS of the C function: bits
_INDEX_BITS = 8  # bits that its table has an entry for
_MOST = 3  # weights of an entry
_READ_AHEAD = 4  # bytes behind the codes of a part that may be read
_MOST_COUNT = 255

LONG_CODE = 2
"""Steps of the table that a code takes which is too long for it, beside its own one."""

FILLING = 4
"""Steps of the table that filling the entries behind a code takes."""

Codes = Mapping[int, tuple[int, int]]
"""Value -> its code and the bits of that, in the canonical order."""


def encode(weights: Weights, parts: Sequence[int], vectors: bool) -> bytes | None:
    """The code, then in every part a size and the codes; see ``Encoding.encode``."""
    del vectors
    return _encode(weights.tobytes(), tuple(parts))


@lru_cache(maxsize=256)
def _encode(content: bytes, parts: tuple[int, ...]) -> bytes | None:
    weights = np.frombuffer(content, np.int8)
    codes = _codes(content)
    counts = np.bincount([length - 1 for _, length in codes.values()], minlength=LONGEST)
    if counts.max() > _MOST_COUNT:
        return None
    head = counts.astype(np.uint8).tobytes() + np.array(list(codes), np.int8).tobytes()
    stream = padded(head)
    for part in split(weights, parts):
        bits = padded(_bits(part, codes) + bytes(_READ_AHEAD))
        stream += np.array(len(bits), "<u4").tobytes() + bits
    return stream


@lru_cache(maxsize=256)
def _codes(content: bytes) -> Codes:
    """The code of some weights; of a single value with another one, because there is no code without bits."""
    values, counts = np.unique(np.frombuffer(content, np.int8), return_counts=True)
    if values.size == 1:
        other = -1 if values[0] == 0 else 0
        values, counts = np.array(sorted((int(values[0]), other))), np.ones(2, np.int64)
    lengths = _lengths(tuple(counts.tolist()))
    code, last = 0, 0
    found: dict[int, tuple[int, int]] = {}
    for length, value in sorted(zip(lengths, values.tolist(), strict=True)):
        code, last = code << (length - last), length
        found[value] = (code, length)
        code += 1
    return found


@lru_cache(maxsize=1 << 12)
def _lengths(counts: tuple[int, ...]) -> tuple[int, ...]:
    """Lengths are asked for again and again, and take the most time; counts are small."""
    return tuple(limited_lengths(counts))


def limited_lengths(counts: Sequence[int]) -> list[int]:
    """Bits of the best code for symbols that occur so often, at most ``LONGEST`` each.

    Args:
        counts: of two symbols or more, at most 2^12.
    """
    single: list[tuple[int, tuple[int, ...]]] = sorted((n, (symbol,)) for symbol, n in enumerate(counts))
    packages = single
    for _ in range(LONGEST - 1):
        pairs = zip(packages[0::2], packages[1::2], strict=False)
        joined = [(one[0] + other[0], one[1] + other[1]) for one, other in pairs]
        packages = sorted([*single, *joined], key=lambda package: package[0])
    lengths = [0] * len(counts)
    for _, symbols in packages[: 2 * len(counts) - 2]:
        for symbol in symbols:
            lengths[symbol] += 1
    return lengths


def _bits(part: Weights, codes: Codes) -> bytes:
    """The codes of some weights as words of 16 bits, the highest first."""
    table = np.zeros((256, 2), np.int64)
    for value, code in codes.items():
        table[value + 128] = code
    code, length = table[part.astype(np.int64) + 128].T
    starts = np.cumsum(length) - length
    shift = np.repeat(starts + length - 1, length) - np.arange(int(length.sum()))
    bits = (np.repeat(code, length) >> shift & 1).astype(np.uint8)
    content = np.packbits(bits)
    whole = np.concatenate([content, np.zeros(content.size % 2, np.uint8)])
    return whole.view(">u2").astype("<u2").tobytes()


def decode(stream: bytes, parts: Sequence[int], vectors: bool) -> Weights:
    """The weights of a stream; see ``Encoding.decode``."""
    del vectors
    counts = stream[:LONGEST]
    values = np.frombuffer(stream, np.int8, sum(counts), LONGEST).tolist()
    known: dict[tuple[int, int], int] = {}
    code = place = 0
    for length, count in enumerate(counts, 1):
        for _ in range(count):
            known[length, code] = values[place]
            code, place = code + 1, place + 1
        code <<= 1
    at, found = len(padded(bytes(LONGEST + len(values)))), []
    for count in parts:
        size = int(np.frombuffer(stream, "<u4", 1, at)[0])
        words = np.frombuffer(stream, "<u2", size // 2, at + 4)
        found.append(_weights(np.unpackbits(words.astype(">u2").view(np.uint8)).tolist(), known, count))
        at += 4 + size
    assert at == len(stream)
    return np.concatenate(found)


def _weights(bits: Sequence[int], known: Mapping[tuple[int, int], int], count: int) -> Weights:
    found: list[int] = []
    code = length = 0
    for bit in bits:
        if len(found) == count:
            break
        code, length = code << 1 | bit, length + 1
        if (length, code) in known:
            found.append(known[length, code])
            code = length = 0
    return np.array(found, np.int8)


def steps(weights: Weights) -> int:
    """How often the table is asked, what long codes take beside, and what filling the table takes."""
    content = weights.tobytes()
    counts = [0] * (LONGEST + 1)
    for _, length in _codes(content).values():
        counts[length] += 1
    return _steps(content) + FILLING * _fillings(counts, _INDEX_BITS, 1)


def _fillings(counts: Sequence[int], room: int, known: int) -> int:
    """How often entries are filled behind some codes: so many bits of them, from so many weights on."""
    if known > _MOST or room == 0:
        return 0
    behind = (counts[length] * _fillings(counts, room - length, known + 1) for length in range(1, room + 1))
    return 1 + sum(behind)


@lru_cache(maxsize=256)
def _steps(content: bytes) -> int:
    codes = _codes(content)
    lengths = np.zeros(256, np.int64)
    for value, (_, length) in codes.items():
        lengths[value + 128] = length
    found, room, together = 0, 0, 0
    for length in lengths[np.frombuffer(content, np.int8).astype(np.int64) + 128].tolist():
        if length > room or together == _MOST:
            found, room, together = found + 1, _INDEX_BITS, 0
        if length > _INDEX_BITS:
            found, room = found + LONG_CODE, 0
        room, together = room - length, together + 1
    return found


HUFFMAN = Encoding(
    name="huffman",
    function="es_unpack_huffman_s8",
    encode=encode,
    decode=decode,
    units=steps,
    table_bytes=MappingProxyType({"reference": 1056, "dsp": 1056, "mve": 1056}),
    costs=MappingProxyType(
        {
            "small": UnpackCost(once=3820, part=100, weight=0.77, unit=21.2),
            "portable": UnpackCost(once=2660, part=100, weight=0.32, unit=12.05),
            "dsp": UnpackCost(once=2130, part=100, weight=0.35, unit=11.95),
            "mve": UnpackCost(once=2500, part=100, weight=0.52, unit=12.2),
        }
    ),
    pairs=UnpackCost(once=2130, part=110, weight=1.5, unit=11.95),
)
"""The smallest where values occur unequally often, and few of them are zero."""
