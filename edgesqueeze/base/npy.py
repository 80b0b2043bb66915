"""NumPy's own file formats, read as what a stranger may have made.

``numpy.load`` makes an array of whatever size the header names before it looks how much there is. Here a
header is believed only if the file has exactly as many bytes as it promises.
"""

from __future__ import annotations

import ast
import io
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.files import open_regular, size_of
from edgesqueeze.base.zips import Members, ZipError

MAGIC = b"\x93NUMPY"
MOST_HEADER_BYTES = 10_000
MOST_DIMENSIONS = 32
LENGTHS = {b"\x01\x00": 2, b"\x02\x00": 4}
"""Version of the format -> bytes that the header's length takes."""
LEAST_LIMIT, MOST_RATIO = 512 << 20, 100
"""Bytes that an archive may unpack to in any case, and as a multiple of its own size."""
KINDS = "biufcSU"
"""Numbers and texts; no Python objects, no records."""

Fill = Callable[[memoryview, int], None]
"""Fills a place with what comes behind the header, whose size is given."""


def read_arrays(path: Path) -> dict[str, Array]:
    """The arrays of an .npz file by name, or of an .npy file as ``x``.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it cannot be read.
        ValueError: it is no such file, is damaged, or has something else than numbers and texts.
    """
    with open_regular(path) as file:
        start, size = file.read(len(MAGIC)), size_of(file)
        if start == MAGIC:
            return {"x": _bare(file, size)}
        if not start.startswith(b"PK"):
            raise ValueError("it is neither an .npz nor an .npy file")
        members = Members(file, max(LEAST_LIMIT, MOST_RATIO * size))
        return {name.removesuffix(".npy"): _member(members, name) for name in members.infos}


def array_of(content: bytes) -> Array:
    """The array that the bytes of an .npy file are.

    Raises:
        ValueError: as ``read_arrays``.
    """
    return _bare(io.BytesIO(content), len(content))


def _bare(file: IO[bytes], size: int) -> Array:
    file.seek(0)
    head = file.read(MOST_HEADER_BYTES + 16)

    def fill(place: memoryview, skip: int) -> None:
        file.seek(skip)
        if file.readinto(place) != len(place):  # type: ignore[attr-defined]
            raise ValueError("it is cut off")

    return _array(head, size, fill)


def _member(members: Members, name: str) -> Array:
    if not name.endswith(".npy"):
        raise ZipError(f"its part '{name}' is no array")
    head = members.head(name, MOST_HEADER_BYTES + 16)
    return _array(
        head, members.infos[name].file_size, lambda place, skip: members.read_into(name, place, skip)
    )


def _array(head: bytes, size: int, fill: Fill) -> Array:
    """The array of a file that starts with ``head`` and has ``size`` bytes in all."""
    shape, fortran, dtype, start = _header(head)
    if dtype.kind not in KINDS or dtype.hasobject:
        raise ValueError(f"an array has elements of type {dtype}, which are no numbers")
    if math.prod(shape) * dtype.itemsize != size - start:
        raise ValueError(f"an array claims the shape {shape} of {dtype}, and has {size - start:,} bytes")
    flat: Array = np.empty(math.prod(shape), dtype)
    if flat.nbytes:
        fill(flat.view(np.uint8).data, start)
    return flat.reshape(shape, order="F" if fortran else "C")


def _header(head: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether the first index runs fastest, type of the elements, and where they start."""
    major, length = head[6:7], LENGTHS.get(head[6:8])
    if length is None or head[: len(MAGIC)] != MAGIC:
        raise ValueError(f"an array is of format {int.from_bytes(major, 'little')}, which is not understood")
    start = 8 + length + int.from_bytes(head[8 : 8 + length], "little")
    text = head[8 + length : start].decode("latin-1")
    if start > len(head):
        raise ValueError(f"an array's header has {start:,} bytes, more than there are or can be")
    try:
        # Python 2 wrote long numbers.
        described = ast.literal_eval(re.sub(r"(\d)L\b", r"\1", text).strip())
        shape, fortran = described["shape"], described["fortran_order"]
        dtype = np.dtype(described["descr"]) if isinstance(described["descr"], str) else None
    except (
        ValueError,
        SyntaxError,
        TypeError,
        KeyError,
        RecursionError,
        MemoryError,
        OverflowError,
    ) as error:
        raise ValueError(f"an array's header is damaged ({type(error).__name__})") from error
    if dtype is None:
        raise ValueError("an array has records as elements, which are no numbers")
    if not isinstance(shape, tuple) or len(shape) > MOST_DIMENSIONS or not all(map(_is_size, shape)):
        raise ValueError(f"an array claims the shape {str(shape)[:80]}")
    return shape, bool(fortran), dtype, start


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 62
