"""What kind of file is it, and what does it say about itself? Nothing in here runs or imports Keras."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py

from edgesqueeze.errors import ModelFileError, UnsafeModelError, UnsupportedModelError

Family = Literal["keras3", "tf_keras"]
EXPECTED = "a .keras or .h5 file of Keras 3 or tf_keras, or a SavedModel folder written by tf_keras"
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"

# Where a file of another kind gives itself away: offset, bytes, what it is, what to do about it.
OTHER_KINDS = (
    (4, b"TFL3", "a .tflite, which is converted already", "Give the Keras model that it was made from."),
    (0, b"\x89PNG", "a PNG image", ""),
    (0, b"\xff\xd8\xff", "a JPEG image", ""),
    (0, b"%PDF", "a PDF document", ""),
    (0, b"\x1f\x8b", "a gzip archive", "Unpack it first."),
    (0, b"\x80\x02", "a Python pickle, perhaps a PyTorch checkpoint", "Save the model with Keras."),
    (0, b"\x80\x04", "a Python pickle", "Save the model with Keras: model.save('model.keras')."),
    (0, b"\x93NUMPY", "a NumPy array", ""),
)


@dataclass(frozen=True)
class Archive:
    """A model file that looks like what it should be.

    Attributes:
        path: file or folder.
        family: the library that opens it.
        container: ``keras``, ``h5`` or ``saved_model``.
        configs: the model configurations inside, as plain JSON; one, or one for each layer of a SavedModel.
        version: version of Keras that wrote it.
    """

    path: Path
    family: Family
    container: Literal["keras", "h5", "saved_model"]
    configs: tuple[Any, ...]
    version: str

    @property
    def source(self) -> str:
        """In words, for a report."""
        library = "Keras 3" if self.family == "keras3" else "tf_keras"
        kind = {"keras": ".keras", "h5": ".h5", "saved_model": "SavedModel"}[self.container]
        return f"{library} {kind}" + (f" (Keras {self.version})" if self.version else "")


def read_archive(path: Path) -> Archive:
    """Find out what a model file is and read its configuration.

    Raises:
        ModelFileError: it does not exist, is damaged, is of another kind, or has weights only.
        UnsafeModelError: its weights would be read from somewhere outside the file.
        UnsupportedModelError: a SavedModel without a Keras graph.
    """
    if not path.exists():
        raise ModelFileError(f"There is no file '{path}'.", expected=EXPECTED)
    if path.is_dir():
        return _saved_model(path)
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise ModelFileError(f"'{path}' is empty.", expected=EXPECTED)
    if head.startswith(b"PK"):
        return _keras_zip(path)
    if head.startswith(HDF5_MAGIC):
        return _h5(path)
    raise _wrong_kind(path, head)


def digest(path: Path) -> str:
    """SHA-256 of a file; for a folder, of the names and contents of its files in sorted order."""
    total = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        if path.is_dir():
            total.update(file.relative_to(path).as_posix().encode() + b"\0")
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                total.update(block)
    return total.hexdigest()


def _wrong_kind(path: Path, head: bytes) -> ModelFileError:
    got, hint = "", ""
    for offset, magic, what, advice in OTHER_KINDS:
        if head[offset : offset + len(magic)] == magic:
            got, hint = what, advice
            break
    else:
        if path.suffix == ".onnx" or (head[:1] == b"\x08" and b"\x12" in head[:8] and path.suffix != ".pb"):
            got, hint = "what looks like an ONNX model", "Give the Keras model."
        elif path.suffix == ".pb":
            got = "a TensorFlow graph (.pb)"
            hint = "Give the SavedModel folder that it lies in, or a .keras file."
        else:
            got = "neither a ZIP nor an HDF5 file"
    return ModelFileError(f"'{path}' is not a Keras model.", expected=EXPECTED, got=got, hint=hint)


def _keras_zip(path: Path) -> Archive:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            _check_members(path, names)
            damaged = archive.testzip()
            if damaged is not None:
                raise ModelFileError(f"'{path}' is damaged: its part '{damaged}' fails the checksum.")
            config = json.loads(archive.read("config.json"))
            metadata = json.loads(archive.read("metadata.json")) if "metadata.json" in names else {}
            _check_weights(path, io.BytesIO(archive.read("model.weights.h5")))
    except (zipfile.BadZipFile, EOFError) as error:
        raise ModelFileError(
            f"'{path}' is cut off or damaged: {error}.",
            expected=EXPECTED,
            hint="Copy or save the file again.",
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError) as error:
        raise ModelFileError(f"'{path}' is damaged: its configuration cannot be read ({error}).") from error
    version = str(metadata.get("keras_version", ""))
    return Archive(path, _family(version), "keras", (config,), version)


def _check_members(path: Path, names: list[str]) -> None:
    if any(name.startswith(("/", "\\")) or ".." in Path(name).parts for name in names):
        raise UnsafeModelError(f"'{path}' has parts that would be written outside its folder.")
    if "config.json" in names and "model.weights.h5" in names:
        return
    if any(name.endswith("data.pkl") for name in names):
        got = "a PyTorch file"
    elif "config.json" in names:
        got = "a .keras file without model.weights.h5"
    else:
        got = "a ZIP archive with " + ", ".join(sorted(names)[:3])
    raise ModelFileError(
        f"'{path}' is not a Keras model.",
        expected=EXPECTED,
        got=got,
        hint="Save it with model.save('model.keras').",
    )


def _h5(path: Path) -> Archive:
    _check_weights(path, path)
    with h5py.File(path, "r") as file:
        attributes = dict(file.attrs)
    if "model_config" not in attributes:
        raise ModelFileError(
            f"'{path}' has weights only: the model's architecture is not in it.",
            expected="a file that model.save() wrote",
            got="one that model.save_weights() wrote, or an HDF5 file of another program",
            hint="Build the model, load the weights into it, and save it with model.save('model.keras').",
        )
    try:
        config = json.loads(_text(attributes["model_config"]))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelFileError(f"'{path}' is damaged: its configuration cannot be read ({error}).") from error
    version = _text(attributes.get("keras_version", ""))
    return Archive(path, _family(version), "h5", (config,), version)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _family(version: str) -> Family:
    return "keras3" if version.split(".")[0].isdigit() and int(version.split(".")[0]) >= 3 else "tf_keras"


def _check_weights(path: Path, source: Any) -> None:
    """Open an HDF5 file, follow none of its links, and see that all data lie inside it."""
    outside: list[str] = []

    def visit(group: Any) -> None:
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                outside.append(name)
                continue
            member = group.get(name)
            if isinstance(member, h5py.Group) and isinstance(link, h5py.HardLink):
                visit(member)
            elif isinstance(member, h5py.Dataset) and (member.external or member.is_virtual):
                outside.append(name)

    try:
        with h5py.File(source, "r") as file:
            visit(file)
    except (OSError, RuntimeError, KeyError) as error:
        raise ModelFileError(
            f"'{path}' is cut off or damaged: {error}.",
            expected=EXPECTED,
            hint="Copy or save the file again.",
        ) from error
    if outside:
        raise UnsafeModelError(
            f"'{path}' takes data from other files: {', '.join(outside[:3])}.",
            expected="a file that holds all of its weights",
        )


def _saved_model(path: Path) -> Archive:
    if not (path / "saved_model.pb").is_file():
        raise ModelFileError(
            f"The folder '{path}' is not a SavedModel: it has no saved_model.pb.", expected=EXPECTED
        )
    metadata_file = path / "keras_metadata.pb"
    if not metadata_file.is_file():
        raise UnsupportedModelError(
            f"The SavedModel '{path}' has no Keras graph, only TensorFlow functions.",
            expected="a model with its Keras layers, which pruning and clustering need",
            got="what Keras 3's model.export() or tf.saved_model.save() writes",
            hint="Save the model with model.save('model.keras').",
        )
    from google.protobuf.message import DecodeError
    from tf_keras.protobuf import saved_metadata_pb2

    metadata = saved_metadata_pb2.SavedMetadata()
    try:
        metadata.ParseFromString(metadata_file.read_bytes())
        configs = tuple(json.loads(node.metadata) for node in metadata.nodes if node.metadata)
    except (DecodeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelFileError(f"'{metadata_file}' is damaged: {error}.") from error
    _check_operations(path)
    return Archive(path, "tf_keras", "saved_model", configs, "")


def _check_operations(path: Path) -> None:
    """Refuse a SavedModel whose graph reads or writes files or calls Python."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    graph = saved_model_pb2.SavedModel()
    try:
        graph.ParseFromString((path / "saved_model.pb").read_bytes())
    except DecodeError as error:
        raise ModelFileError(f"'{path / 'saved_model.pb'}' is damaged: {error}.") from error
    found: set[str] = set()
    for meta in graph.meta_graphs:
        nodes = [*meta.graph_def.node, *(n for f in meta.graph_def.library.function for n in f.node_def)]
        found |= {node.op for node in nodes if node.op in FORBIDDEN_OPERATIONS}
    if found:
        raise UnsafeModelError(
            f"The SavedModel '{path}' would touch files or call Python: {', '.join(sorted(found))}."
        )


# SavedModels write and read their own variables with SaveV2, RestoreV2, MergeV2Checkpoints.
FORBIDDEN_OPERATIONS = frozenset({"EagerPyFunc", "PyFunc", "PyFuncStateless", "ReadFile", "WriteFile"})
