"""Read ZIP archives that strangers made: every size is checked before it is believed.

Only what ``zipfile`` and NumPy write is understood: members stored or deflated, one after the other from the
first byte, and the directory behind them up to the last byte.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import IO

MOST_MEMBERS = 10_000
METHODS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
ENCRYPTED, DESCRIPTOR, PATCHED = 0x1, 0x8, 0x20
LOCAL_HEADER = struct.Struct("<4s5H3I2H")
END_BYTES = 22
BLOCK = 1 << 20
DESCRIPTORS = (12, 16, 20, 24)
"""Sizes of what follows a member that was written as a stream."""
FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    ValueError,
    EOFError,
    RuntimeError,  # NotImplementedError is one
    OverflowError,
    MemoryError,
    KeyError,
    IndexError,
    struct.error,
)
"""What ``zipfile`` raises on damaged archives."""


class ZipError(ValueError):
    """An archive that is damaged, or has something that none of ours has.

    Attributes:
        hides: whether it has a place where something may hide: before, between or behind its members, or in
            a name that leads outside.
    """

    def __init__(self, problem: str, hides: bool = False) -> None:
        self.hides = hides
        super().__init__(problem)


class Members:
    """The members of an archive, checked but not read.

    Args:
        file: open for reading, with its position anywhere.
        most_bytes: what all members may have together when they are unpacked.

    Raises:
        ZipError: it is no archive of the kind that is understood.
    """

    def __init__(self, file: IO[bytes], most_bytes: int) -> None:
        try:
            self._archive = zipfile.ZipFile(file)
            self.infos: Mapping[str, zipfile.ZipInfo] = _checked(self._archive, file, most_bytes)
        except ZipError:
            raise
        except FAULTS as error:
            raise ZipError(f"it is cut off or damaged ({_words(error)})") from error

    def read(self, name: str) -> bytes:
        """The content of a member.

        Raises:
            ZipError: it is damaged.
        """
        content = bytearray(self.infos[name].file_size)
        self.read_into(name, memoryview(content))
        return bytes(content)

    def read_into(self, name: str, place: memoryview, skip: int = 0) -> None:
        """Unpack a member into a place of its size, less the bytes that are skipped at its start.

        Raises:
            ZipError: it is damaged, or of another size.
        """
        try:
            with self._archive.open(self.infos[name]) as stream:
                stream.read(skip)
                done = 0
                while done < len(place) and (block := stream.read(min(BLOCK, len(place) - done))):
                    place[done : done + len(block)] = block
                    done += len(block)
                if done < len(place) or stream.read(1):
                    raise ZipError(f"its part '{name}' has another size than it says")
        except ZipError:
            raise
        except FAULTS as error:
            raise ZipError(f"its part '{name}' is damaged ({_words(error)})") from error

    def head(self, name: str, size: int) -> bytes:
        """The first bytes of a member.

        Raises:
            ZipError: it is damaged.
        """
        try:
            with self._archive.open(self.infos[name]) as stream:
                return stream.read(size)
        except FAULTS as error:
            raise ZipError(f"its part '{name}' is damaged ({_words(error)})") from error


def _checked(archive: zipfile.ZipFile, file: IO[bytes], most_bytes: int) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > MOST_MEMBERS:
        raise ZipError(f"it has {len(infos)} parts, more than {MOST_MEMBERS}")
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        _check_member(info)
        if info.filename in found:
            raise ZipError(f"it has two parts named '{info.filename}'", hides=True)
        found[info.filename] = info
    total = sum(info.file_size for info in infos)
    if total > most_bytes:
        raise ZipError(f"it claims to have {total:,} bytes when unpacked, more than {most_bytes:,}")
    _check_layout(archive, infos, file)
    return found


def _check_member(info: zipfile.ZipInfo) -> None:
    name = info.filename
    path = PurePosixPath(name)
    if (
        info.orig_filename != name
        or "\\" in name
        or path.is_absolute()
        or ".." in path.parts
        or not path.parts
    ):
        raise ZipError(f"it has a part with a name that leads outside: {info.orig_filename!r}", hides=True)
    if info.flag_bits & (ENCRYPTED | PATCHED):
        raise ZipError(f"its part '{name}' is encrypted")
    if info.compress_type not in METHODS:
        raise ZipError(f"its part '{name}' is packed by method {info.compress_type}, which is not understood")
    if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
        raise ZipError(f"its part '{name}' has another size than it says")


def _check_layout(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo], file: IO[bytes]) -> None:
    """See that the members lie side by side, with nothing before, between and behind them."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - END_BYTES))
    end = file.read(END_BYTES)
    if archive.comment or end[:4] != b"PK\x05\x06":
        raise ZipError("something stands behind it", hides=True)
    place = 0
    gaps: tuple[int, ...] = (0,)
    for info in sorted(infos, key=lambda one: one.header_offset):
        if info.header_offset - place not in gaps:
            raise ZipError("something stands before or between its parts, or they overlap", hides=True)
        file.seek(info.header_offset)
        header = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
        if header[0] != b"PK\x03\x04":
            raise ZipError(f"its part '{info.filename}' is not where it says")
        place = info.header_offset + LOCAL_HEADER.size + header[9] + header[10] + info.compress_size
        gaps = DESCRIPTORS if info.flag_bits & DESCRIPTOR else (0,)
    if archive.start_dir - place not in gaps:
        raise ZipError("something stands between its parts and their directory", hides=True)


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
