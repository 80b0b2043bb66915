"""What a .tflite says to the app around it: names, labels, normalization. Read without trusting it.

The form is TFLite's metadata (``metadata_schema.fbs`` of TFLite Support): a FlatBuffer of its own with the
identifier ``M001`` in the buffer that the model's metadata call ``TFLITE_METADATA``, and label files in a ZIP
archive behind the model. Android's Task Library, ML Kit, MediaPipe Tasks, Android Studio and Python's
tflite-support read it. Some exporters append a JSON file alone; its name is listed, and it is not read.

Only what is listed in ``graph/metadata_slots.py`` is read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema
from flatbuffers.table import Table

from edgesqueeze.base.plain import plain
from edgesqueeze.base.records import Record
from edgesqueeze.base.zips import ZipError
from edgesqueeze.errors import TfliteError
from edgesqueeze.graph import metadata_slots as slots
from edgesqueeze.graph.appended import appended_files
from edgesqueeze.graph.read import DAMAGE, as_model
from edgesqueeze.graph.records import TfliteModel
from edgesqueeze.graph.walk import Walk

MOST_LABELS = 1_000_000


class PortMetadata(Record):
    """What is said of one input or output.

    Attributes:
        name: name for people; empty if none is given.
        description: what the values mean; empty if it is not said.
        content: kind of the values: ``image``, ``audio``, ``features`` or ``boxes``; empty if it is not said.
        mean: what is taken off each raw value, for each channel or one for all; empty without normalization.
        std: what each difference is divided by: the model's input is ``(raw - mean) / std``; empty without
            normalization.
        labels: names of the positions along the last axis, such as classes; empty if there are none.
    """

    name: str = ""
    description: str = ""
    content: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def normalizes(self) -> bool:
        """Whether raw values are changed at all."""
        return bool(set(self.mean) - {0.0} or set(self.std) - {1.0})


class Metadata(Record):
    """What a .tflite says about itself to an app.

    Attributes:
        name: the model's name for people; empty if none is given.
        description: what the model is for; empty if it is not said.
        version: version of the model, as its maker counts; ``compress`` writes the hash of the recipe.
        author: who made the model; empty if it is not said.
        license: terms of use; empty if they are not said.
        inputs: one record for each input of the first graph, in its order.
        outputs: one record for each output of the first graph, in its order.
        files: names of the files in the archive behind the model.
    """

    name: str = ""
    description: str = ""
    version: str = ""
    author: str = ""
    license: str = ""
    inputs: tuple[PortMetadata, ...] = ()
    outputs: tuple[PortMetadata, ...] = ()
    files: tuple[str, ...] = ()


def read_metadata(model: str | Path | TfliteModel) -> Metadata | None:
    """What a .tflite says about itself; None where it has neither metadata nor files behind it.

    Args:
        model: the .tflite, or its path.

    Raises:
        TfliteError: the metadata are damaged, or name a file that is not there. The model itself may be
            fine: runtimes do not look at them.
    """
    model = as_model(model)
    try:
        files = appended_files(model.content)
        raw = metadata_buffer(model)
        if raw is None:
            return Metadata(files=tuple(map(plain, files))) if files else None
        return _parse(raw, files)
    except ZipError as error:
        raise _damaged(model, f"the archive behind the model: {error}") from error
    except DAMAGE as error:
        raise _damaged(model, str(error)) from error


def metadata_buffer(model: TfliteModel) -> bytes | None:
    """The FlatBuffer of TFLite's metadata; None if there is none.

    Raises:
        ValueError: the model's list of metadata is damaged.
    """
    walk = Walk(model.content)
    root = schema.Model.GetRootAsModel(model.content, 0)
    for index in walk.entries(root.MetadataLength(), 4):
        entry = root.Metadata(index)
        if entry.Name() != slots.ENTRY:
            continue
        if not 0 <= entry.Buffer() < root.BuffersLength():
            raise ValueError(f"they name buffer {entry.Buffer()} of {root.BuffersLength()}")
        buffer = root.Buffers(entry.Buffer())
        walk.entries(buffer.DataLength(), 1)
        return bytes(buffer.DataAsNumpy()) if buffer.DataLength() else b""
    return None


def _damaged(model: TfliteModel, problem: str) -> TfliteError:
    return TfliteError(
        f"the metadata of {model.name} are damaged: {problem}",
        expected="a FlatBuffer with the identifier M001, and the files that it names behind the model",
        hint="make the file again; runtimes do not read metadata, and may run it all the same",
    )


def _parse(raw: bytes, files: Mapping[str, bytes]) -> Metadata:
    if len(raw) < 8 or raw[4:8] != slots.IDENTIFIER:
        raise ValueError(f"{len(raw)} bytes without the identifier M001")
    place = int.from_bytes(raw[:4], "little")
    root = _Tables(raw).table(place)
    graphs = root.tables(slots.MODEL["subgraph_metadata"])
    first = next(graphs, None)
    texts = {key: root.text(slots.MODEL[key]) for key in slots.MODEL_TEXTS}
    return Metadata(
        **texts,
        inputs=() if first is None else tuple(_ports(first, "input_tensor_metadata", files)),
        outputs=() if first is None else tuple(_ports(first, "output_tensor_metadata", files)),
        files=tuple(map(plain, files)),
    )


def _ports(graph: _Node, field: str, files: Mapping[str, bytes]) -> Iterator[PortMetadata]:
    for port in graph.tables(slots.GRAPH[field]):
        mean, std = _normalization(port)
        yield PortMetadata(
            name=port.text(slots.TENSOR["name"]),
            description=port.text(slots.TENSOR["description"]),
            content=_content(port),
            mean=mean,
            std=std,
            labels=_labels(port, files),
        )


def _content(port: _Node) -> str:
    content = port.child(slots.TENSOR["content"])
    if content is None:
        return ""
    return slots.CONTENTS.get(content.byte(slots.CONTENT["content_properties_type"]), "")


def _normalization(port: _Node) -> tuple[tuple[float, ...], tuple[float, ...]]:
    for unit in port.tables(slots.TENSOR["process_units"]):
        if unit.byte(slots.UNIT["options_type"]) == slots.NORMALIZATION_OPTIONS:
            options = unit.child(slots.UNIT["options"])
            if options is None:
                raise ValueError("a normalization without its numbers")
            mean = options.floats(slots.NORMALIZATION["mean"])
            std = options.floats(slots.NORMALIZATION["std"])
            # One may stand for all channels, as in many files with a mean for each of them.
            size = max(len(mean), len(std))
            mean, std = (one * size if len(one) == 1 else one for one in (mean, std))
            if not 0 < len(mean) == len(std) or not all(map(math.isfinite, mean + std)) or 0.0 in std:
                raise ValueError(f"a normalization with mean {list(mean)} and std {list(std)}")
            return mean, std
    return (), ()


def _labels(port: _Node, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """The lines of the first file of labels; others are of other languages."""
    for file in port.tables(slots.TENSOR["associated_files"]):
        if file.byte(slots.FILE["type"]) not in slots.LABEL_TYPES:
            continue
        name = file.text(slots.FILE["name"])
        if name not in files:
            raise ValueError(f"they name {name!r}, which is not behind the model")
        lines = files[name].decode("utf-8").splitlines()
        if len(lines) > MOST_LABELS:
            raise ValueError(f"{name!r} has {len(lines):,} lines")
        return tuple(map(plain, lines))
    return ()


class _Tables:
    """The tables of an untrusted FlatBuffer."""

    def __init__(self, content: bytes) -> None:
        self.walk = Walk(content)

    def table(self, place: int) -> _Node:
        """The table at a place."""
        if not 0 < place <= len(self.walk.content) - 4:
            raise ValueError(f"a table at {place} in {len(self.walk.content)} bytes")
        # Each table that is visited counts, so that a list of one table a thousand times ends.
        self.walk.entries(4, 1)
        return _Node(self, Table(self.walk.content, place))


class _Node:
    """One table: its fields by their slot."""

    def __init__(self, tables: _Tables, table: Table) -> None:
        self._tables, self._table = tables, table

    def byte(self, slot: int) -> int:
        """A number of one byte; 0 if absent."""
        place = self._place(slot)
        return 0 if place is None else self._tables.walk.content[place]

    def text(self, slot: int) -> str:
        """A string in one line; empty if absent."""
        place = self._place(slot)
        return "" if place is None else self._tables.walk.text(self._table.String(place))

    def floats(self, slot: int) -> tuple[float, ...]:
        """A vector of float32; empty if absent."""
        if self._place(slot) is None:
            return ()
        field = self._table.Offset(4 + 2 * slot)
        count = self._table.VectorLen(field)
        start = self._table.Vector(field)
        raw = self._tables.walk.content[start : start + 4 * count]
        if len(self._tables.walk.entries(count, 4)) * 4 != len(raw):
            raise ValueError(f"a vector of {count} numbers leads outside")
        return slots.floats(raw)

    def child(self, slot: int) -> _Node | None:
        """A table; None if absent."""
        place = self._place(slot)
        return None if place is None else self._tables.table(self._table.Indirect(place))

    def tables(self, slot: int) -> Iterator[_Node]:
        """A vector of tables; empty if absent."""
        if self._place(slot) is None:
            return
        field = self._table.Offset(4 + 2 * slot)
        start = self._table.Vector(field)
        for index in self._tables.walk.entries(self._table.VectorLen(field), 4):
            yield self._tables.table(self._table.Indirect(start + 4 * index))

    def _place(self, slot: int) -> int | None:
        offset = self._table.Offset(4 + 2 * slot)
        return int(offset + self._table.Pos) if offset else None
