"""Files that are one thing to one reader and another to the next."""

from __future__ import annotations

import io
import json
import shutil
import struct
import zipfile
from pathlib import Path

import h5py

from runtime_tests.support.hostile.attack import Attacks, Canaries, Make
from runtime_tests.support.hostile.edits import CONFIG, parts_of, with_parts, write_parts
from runtime_tests.support.hostile.honest import Honest

ATTACKS = Attacks("outside")
BLOCK = 512
"""Where HDF5 may begin, instead of at the first byte."""


def _with_user_block(source: Path, block: bytes) -> bytes:
    """An HDF5 file whose content starts behind a block of somebody else's."""
    size = BLOCK
    while size < len(block):
        size *= 2
    stream = io.BytesIO()
    with h5py.File(source, "r") as old, h5py.File(stream, "w", userblock_size=size) as new:
        for key, value in old.attrs.items():
            new.attrs[key] = value
        for key in old:
            old.copy(key, new)
    content = bytearray(stream.getvalue())
    content[: len(block)] = block
    return bytes(content)


def _zip_around_hdf5(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    """Starts as an honest ``.keras``; Keras finds the ``.h5`` with code behind the first 512 bytes."""
    hdf5 = _with_user_block(honest.coded("tf_keras.h5"), b"")[BLOCK:]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        name = "pad"
        fill = BLOCK - 30 - len(name)
        archive.writestr(zipfile.ZipInfo(name), bytes(fill) + hdf5)
        for part, content in parts_of(honest.keras3).items():
            archive.writestr(part, content)
    path = folder / "model.h5"
    path.write_bytes(stream.getvalue())
    return path


def _two_configs(folder: Path, honest: Honest, evil_first: bool) -> Path:
    parts = list(parts_of(honest.keras3).items())
    evil = (CONFIG, parts_of(honest.coded("keras3.keras"))[CONFIG])
    return write_parts(folder / "m.keras", [evil, *parts] if evil_first else [*parts, evil])


def _renamed_in_directory(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    """The directory calls the harmful part something else than the part itself does."""
    path = with_parts(honest.keras3, folder / "m.keras")
    content = bytearray(path.read_bytes())
    central = content.rfind(CONFIG.encode())
    content[central : central + 6] = b"CONFIG"
    path.write_bytes(content)
    return path


def _hidden_in_a_gap(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    """Bytes between two parts that no part has."""
    path = with_parts(honest.keras3, folder / "m.keras")
    content = path.read_bytes()
    second = content.find(b"PK\x03\x04", 4)
    gap = honest.coded("keras3.h5").read_bytes()
    head, tail = content[:second], bytearray(content[second:])
    directory = tail.find(b"PK\x01\x02")
    end = tail.rfind(b"PK\x05\x06")
    place = directory
    while place < end:
        offset = struct.unpack_from("<I", tail, place + 42)[0]
        struct.pack_into("<I", tail, place + 42, offset + len(gap) if offset else 0)
        lengths = struct.unpack_from("<3H", tail, place + 28)
        place += 46 + sum(lengths)
    (start,) = struct.unpack_from("<I", tail, end + 16)
    struct.pack_into("<I", tail, end + 16, start + len(gap))
    path.write_bytes(head + gap + tail)
    return path


def _end_behind_zip(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    """An HDF5 file that says that the ZIP behind it is a part of it."""
    content = bytearray(honest.keras3_h5.read_bytes() + honest.coded("keras3.keras").read_bytes())
    place = 40 if content[8] < 2 else 28
    struct.pack_into("<Q", content, place, len(content))
    return _written(folder / "m.keras", bytes(content))


def _commented(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    path = with_parts(honest.keras3, folder / "m.keras")
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"an HDF5 file: \x89HDF\r\n\x1a\n"
    return path


def _folder_with_config(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    """A folder as newer versions of Keras 3 open it, with code."""
    place = folder / "model.keras"
    place.mkdir()
    for name, content in parts_of(honest.coded("keras3.keras")).items():
        (place / name).write_bytes(content)
    return place


def _saved_model_with_config(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    """An honest SavedModel with a Keras 3 model beside it, which Keras 3 would take."""
    place = folder / "model"
    shutil.copytree(honest.saved_model, place)
    for name, content in parts_of(honest.coded("keras3.keras")).items():
        (place / name).write_bytes(content)
    return place


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _behind_block(block: bytes) -> Make:
    """An HDF5 file with code behind some bytes."""

    def make(folder: Path, honest: Honest, canaries: Canaries) -> Path:
        return _written(folder / "m.h5", _with_user_block(honest.coded("tf_keras.h5"), block))

    return make


def _between(before: bytes, behind: bytes) -> Make:
    """An honest ``.keras`` between some bytes."""

    def make(folder: Path, honest: Honest, canaries: Canaries) -> Path:
        return _written(folder / "m.keras", before + honest.keras3.read_bytes() + behind)

    return make


def _with_part(name: str) -> Make:
    """An honest ``.keras`` with one part more."""

    def make(folder: Path, honest: Honest, canaries: Canaries) -> Path:
        return write_parts(folder / "m.keras", [*parts_of(honest.keras3).items(), (name, b"x")])

    return make


ATTACKS.add("a ZIP with HDF5 in it, called .h5", _zip_around_hdf5, "UnsupportedModelError", "parts that no")
ATTACKS.add(
    "HDF5 with a ZIP behind it, called .keras",
    lambda folder, honest, canaries: _written(
        folder / "m.keras", honest.keras3_h5.read_bytes() + honest.coded("keras3.keras").read_bytes()
    ),
    "UnsafeModelError",
    "behind its end",
)
ATTACKS.add("HDF5 that takes the ZIP behind it in", _end_behind_zip, "UnsafeModelError", "behind its end")
for _number, _block in enumerate((b"#!/bin/sh\n", b"\x89HDF", b"GIF89a", b"\0" * 600)):
    ATTACKS.add(
        f"a user block before HDF5 ({_number})",
        _behind_block(_block),
        "ModelFileError",
        "neither a ZIP nor an HDF5",
    )
ATTACKS.add(
    "an honest .keras as user block of an HDF5 file with code",
    lambda folder, honest, canaries: _written(
        folder / "m.h5", _with_user_block(honest.coded("tf_keras.h5"), honest.keras3.read_bytes())
    ),
    "UnsafeModelError",
    "more than one file",
)
ATTACKS.add("bytes before a ZIP", _between(b"MZ\x90\0", b""), "ModelFileError", "neither a ZIP")
ATTACKS.add(
    "bytes behind a ZIP", _between(b"", b"trailing"), "UnsafeModelError|ModelFileError", "behind it|damaged"
)
ATTACKS.add(
    "two ZIPs",
    lambda folder, honest, canaries: _written(
        folder / "m.keras", honest.keras3.read_bytes() + honest.coded("keras3.keras").read_bytes()
    ),
    "UnsafeModelError",
    "more than one file",
)
ATTACKS.add("a ZIP with a comment", _commented, "UnsafeModelError", "behind it")
ATTACKS.add(
    "two configurations, the second with code",
    lambda folder, honest, canaries: _two_configs(folder, honest, evil_first=False),
    "UnsafeModelError",
    "two parts named",
)
ATTACKS.add(
    "two configurations, the first with code",
    lambda folder, honest, canaries: _two_configs(folder, honest, evil_first=True),
    "UnsafeModelError",
    "two parts named",
)
ATTACKS.add("a part under two names", _renamed_in_directory, "ModelFileError", "ZIP archive with|damaged")
ATTACKS.add("something in a gap between parts", _hidden_in_a_gap, "UnsafeModelError", "between its parts")
for _name in ("../evil", "/tmp/evil", "a/../../evil", "..\\evil"):
    ATTACKS.add(f"a part called {_name}", _with_part(_name), "UnsafeModelError", "leads outside")
ATTACKS.add("a Keras 3 folder with code", _folder_with_config, "ModelFileError", "not a SavedModel")
ATTACKS.add("a Keras 3 model with code in a SavedModel", _saved_model_with_config, "opens")
ATTACKS.add(
    "code under the name of metadata",
    lambda folder, honest, canaries: with_parts(
        honest.keras3, folder / "m.keras", metadata=json.dumps([{"keras_version": "3.0"}]).encode()
    ),
    "ModelFileError",
    "does not name a version",
)
