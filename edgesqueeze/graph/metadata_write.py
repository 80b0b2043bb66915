"""Write into a .tflite what an app needs to know of it; see ``graph/metadata.py`` for the form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph import metadata_slots as slots
from edgesqueeze.graph.appended import with_appended
from edgesqueeze.graph.metadata import Metadata, PortMetadata
from edgesqueeze.graph.read import parse_tflite
from edgesqueeze.graph.records import Tensor, TfliteModel
from edgesqueeze.graph.repack import pack

LABELS = "labels.txt"


def with_metadata(model: TfliteModel, metadata: Metadata) -> TfliteModel:
    """The same model with metadata, in place of those that it had; what it computes stays as it is.

    Args:
        model: stays as it is.
        metadata: one record for each input and each output of the main graph; ``files`` is not looked at.
            Of ``content`` only ``image`` is written, for tensors with one or three channels.
    """
    files = _label_files(metadata.outputs)
    record = schema.ModelT.InitFromPackedBuf(model.content, 0)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(_packed(model, metadata, files), np.uint8)
    own = [one for one in record.metadata or () if one.name == slots.ENTRY]
    if own:
        record.buffers[own[0].buffer] = buffer
    else:
        entry = schema.MetadataT()
        entry.name, entry.buffer = slots.ENTRY, len(record.buffers)
        record.metadata = [*(record.metadata or ()), entry]
        record.buffers.append(buffer)
    appended = {name: "\n".join(labels).encode() + b"\n" for labels, name in files.items()}
    content = with_appended(pack(record, len(model.content)), appended)
    return parse_tflite(content, model.name)


def _label_files(outputs: Sequence[PortMetadata]) -> Mapping[tuple[str, ...], str]:
    """A file for each list of labels; outputs with the same labels share one."""
    lists = list(dict.fromkeys(port.labels for port in outputs if port.labels))
    return {labels: f"labels_{index}.txt" if index else LABELS for index, labels in enumerate(lists)}


def _packed(model: TfliteModel, metadata: Metadata, files: Mapping[tuple[str, ...], str]) -> bytes:
    builder = flatbuffers.Builder(512)
    sides = {
        "input_tensor_metadata": (metadata.inputs, model.main.input_tensors),
        "output_tensor_metadata": (metadata.outputs, model.main.output_tensors),
    }
    vectors = {
        slots.GRAPH[field]: _vector(
            builder, [_port(builder, *pair, files) for pair in zip(ports, tensors, strict=True)]
        )
        for field, (ports, tensors) in sides.items()
    }
    graph = _table(builder, vectors)
    texts = {key: getattr(metadata, key) for key in slots.MODEL_TEXTS}
    fields = _texts(builder, {**texts, "min_parser_version": slots.PARSER_VERSION}, slots.MODEL)
    fields[slots.MODEL["subgraph_metadata"]] = _vector(builder, [graph])
    builder.Finish(_table(builder, fields), slots.IDENTIFIER)
    return bytes(builder.Output())


def _port(
    builder: flatbuffers.Builder, port: PortMetadata, tensor: Tensor, files: Mapping[tuple[str, ...], str]
) -> int:
    fields = _texts(builder, {"name": port.name, "description": port.description}, slots.TENSOR)
    if port.content == "image":
        colors = {slots.IMAGE["color_space"]: slots.COLOR_SPACES[tensor.shape[-1]]}
        image = _table(builder, {}, colors)
        kinds = {number: kind for kind, number in slots.CONTENTS.items()}
        fields[slots.TENSOR["content"]] = _table(
            builder,
            {slots.CONTENT["content_properties"]: image},
            {slots.CONTENT["content_properties_type"]: kinds["image"]},
        )
    if port.std:
        numbers = {"mean": port.mean, "std": port.std}
        options = _table(
            builder,
            {
                slots.NORMALIZATION[key]: int(builder.CreateNumpyVector(np.asarray(values, np.float32)))
                for key, values in numbers.items()
            },
        )
        kind = {slots.UNIT["options_type"]: slots.NORMALIZATION_OPTIONS}
        unit = _table(builder, {slots.UNIT["options"]: options}, kind)
        fields[slots.TENSOR["process_units"]] = _vector(builder, [unit])
    if port.labels:
        name = _texts(builder, {"name": files[port.labels]}, slots.FILE)
        file = _table(builder, name, {slots.FILE["type"]: slots.AXIS_LABELS})
        fields[slots.TENSOR["associated_files"]] = _vector(builder, [file])
    return _table(builder, fields)


def _texts(
    builder: flatbuffers.Builder, texts: Mapping[str, str], numbers: Mapping[str, int]
) -> dict[int, int]:
    return {numbers[key]: int(builder.CreateString(text)) for key, text in texts.items() if text}


def _vector(builder: flatbuffers.Builder, tables: Sequence[int]) -> int:
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    return int(builder.EndVector())


def _table(
    builder: flatbuffers.Builder, offsets: Mapping[int, int], numbers: Mapping[int, int] | None = None
) -> int:
    """A table of fields by their slot: what lies elsewhere in the file, and numbers of one byte."""
    builder.StartObject(max([*offsets, *(numbers or ())], default=-1) + 1)
    for slot, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    for slot, number in (numbers or {}).items():
        builder.PrependUint8Slot(slot, number, 0)
    return int(builder.EndObject())
