"""What the confined process hands over: numbers, one after the other, and an index of them in JSON.

That is all that crosses: simple enough to be checked again, without a library that has to understand what a
stranger made. From it the fresh file is written that Keras opens.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal, get_args

import h5py
import numpy as np

from edgesqueeze.base.plain import plain

Family = Literal["keras3", "tf_keras"]
Container = Literal["keras", "h5", "saved_model", "graph"]

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
MOST_INDEX_BYTES = 1 << 28
DTYPES = ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8", "|V2")
LONGEST_NAME = 1 << 12


@dataclass(frozen=True)
class Archive:
    """What a model file turned out to be.

    Attributes:
        family: the library that opens it.
        container: ``keras``, ``h5``, ``saved_model``, or ``graph`` for a SavedModel without Keras layers.
        version: version of Keras that wrote it; empty if it does not tell.
        sha256: of the file, or of the names and contents of the folder's files in sorted order.
    """

    family: Family
    container: Container
    version: str
    sha256: str

    @property
    def source(self) -> str:
        """In words, for a report."""
        if self.container == "graph":
            return "SavedModel without Keras layers"
        library = "Keras 3" if self.family == "keras3" else "tf_keras"
        kind = {"keras": ".keras", "h5": ".h5", "saved_model": "SavedModel"}[self.container]
        return f"{library} {kind}" + (f" (Keras {self.version})" if self.version else "")


@dataclass(frozen=True)
class Entry:
    """A group of weights, or the numbers of one.

    Attributes:
        path: names of the groups that it lies in, and its own.
        attributes: texts, and lists of texts, by name.
        dtype: of its numbers, as NumPy writes it; empty for a group.
        shape: of its numbers.
    """

    path: tuple[str, ...]
    attributes: Mapping[str, str | list[str]]
    dtype: str = ""
    shape: tuple[int, ...] = ()

    @property
    def bytes(self) -> int:
        """Size of its numbers."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize if self.dtype else 0


@dataclass(frozen=True)
class Content:
    """Everything that is handed over.

    Attributes:
        archive: what the file was.
        config: the model's configuration; of a graph its inputs and outputs.
        entries: its weights; of a SavedModel by the number of their object.
        objects: of a SavedModel, what hangs on each object, by name.
        numbers: those of the entries, in order.
    """

    archive: Archive
    config: dict[str, Any]
    entries: tuple[Entry, ...]
    objects: tuple[Mapping[str, int], ...]
    numbers: memoryview

    def arrays(self) -> Iterator[tuple[Entry, Any]]:
        """The entries, with an array for each that has numbers."""
        place = 0
        for entry in self.entries:
            part = self.numbers[place : place + entry.bytes]
            place += entry.bytes
            array = np.frombuffer(part, entry.dtype).reshape(entry.shape) if entry.dtype else None
            yield entry, array


class Shelf:
    """Takes weights as they are found.

    Args:
        target: open for writing.
    """

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._entries: list[Entry] = []

    def put(self, path: Sequence[str], attributes: Mapping[str, Any], array: Any = None) -> None:
        """Add a group, or an array of numbers."""
        if array is None:
            self._entries.append(Entry(tuple(path), attributes))
            return
        plain_array = np.asarray(array)
        little = np.ascontiguousarray(plain_array, plain_array.dtype.newbyteorder("<"))
        self._entries.append(Entry(tuple(path), attributes, little.dtype.str, plain_array.shape))
        self._target.write(little.reshape(-1).view(np.uint8).data if little.size else b"")

    def close(
        self, archive: Archive, config: Mapping[str, Any], objects: Sequence[Mapping[str, int]] = ()
    ) -> int:
        """Write the index; where it starts."""
        place = self._target.tell()
        index = {
            "archive": asdict(archive),
            "config": config,
            "entries": [asdict(entry) for entry in self._entries],
            "objects": [dict(one) for one in objects],
        }
        self._target.write(json.dumps(index).encode())
        self._target.flush()
        return place


def read_shelf(content: bytes, place: int) -> Content:
    """Read what was handed over, without trusting it.

    Args:
        content: all that was written.
        place: where the index starts.

    Raises:
        ValueError: it is not what a ``Shelf`` writes.
    """
    if not 0 <= place <= len(content) <= place + MOST_INDEX_BYTES:
        raise ValueError("there is no index")
    try:
        index = json.loads(content[place:])
        entries = tuple(_entry(**one) for one in index["entries"])
        archive = archive_of(index["archive"])
        objects = tuple(
            {_text(key): _number(value) for key, value in one.items()} for one in index["objects"]
        )
        config = index["config"]
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"the index is none ({type(error).__name__})") from error
    if not isinstance(config, dict):
        raise ValueError("the index describes no model")
    if sum(entry.bytes for entry in entries) != place:
        raise ValueError("the numbers are not as many as the index says")
    return Content(archive, config, entries, objects, memoryview(content)[:place])


def archive_of(told: Mapping[str, Any]) -> Archive:
    """An archive from the dictionary that ``dataclasses.asdict`` makes of one.

    Raises:
        ValueError: it is no such dictionary.
        KeyError: it lacks something.
    """
    family, container = told["family"], told["container"]
    if family not in get_args(Family) or container not in get_args(Container):
        raise ValueError("that describes no model")
    return Archive(family, container, _text(told["version"]), _text(told["sha256"]))


def _entry(path: Any, attributes: Any, dtype: Any, shape: Any) -> Entry:
    if dtype and dtype not in DTYPES:
        raise ValueError("an array has a type of its own")
    names = tuple(_name(name) for name in path)
    if not names and dtype:
        raise ValueError("an array has no name")
    texts = {
        _name(key): [_text(one) for one in value] if isinstance(value, list) else _text(value)
        for key, value in attributes.items()
    }
    return Entry(names, texts, dtype, tuple(_number(size) for size in shape))


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("a text is none")
    return value


def _name(value: Any) -> str:
    name = _text(value)
    if not 0 < len(name) <= LONGEST_NAME or "/" in name or name in (".", ".."):
        raise ValueError("a name is none")
    return name


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 62:
        raise ValueError("a number is none")
    return value


def write_fresh(content: Content, folder: Path) -> Path:
    """Write the file that Keras opens: a ``.keras``, or an ``.h5`` for one.

    Args:
        content: what was handed over; of a SavedModel only the configuration is written.
        folder: where the file goes.
    """
    metadata = {"keras_version": plain(content.archive.version)}
    if content.archive.container == "keras":
        path = folder / "model.keras"
        stream = io.BytesIO()
        with h5py.File(stream, "w") as file:
            _write_entries(content, file)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(METADATA, json.dumps(metadata))
            archive.writestr(CONFIG, json.dumps(content.config))
            archive.writestr(WEIGHTS, stream.getbuffer())
        return path
    path = folder / "model.h5"
    with h5py.File(path, "w") as file:
        _write_entries(content, file)
        file.attrs["model_config"] = json.dumps(content.config).encode()
        file.attrs["keras_version"] = content.archive.version.encode("utf-8", "replace")
        file.attrs["backend"] = b"tensorflow"
    return path


def _write_entries(content: Content, file: Any) -> None:
    for entry, array in content.arrays():
        place = file
        for name in entry.path[:-1]:
            place = place[name]
        made = file
        if entry.path and array is None:
            made = place.create_group(entry.path[-1])
        elif entry.path:
            made = place.create_dataset(entry.path[-1], data=array)
        for key, value in entry.attributes.items():
            made.attrs[key] = [one.encode() for one in value] if isinstance(value, list) else value
