"""What kind of file is it, and what is in it, as far as it is allowed.

What a stranger made is read here and nowhere else, once, by its own bytes. Keras never sees it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import IO

from edgesqueeze.base.files import open_regular, size_of
from edgesqueeze.base.hashes import sha256_of_file, sha256_of_files
from edgesqueeze.base.plain import plain
from edgesqueeze.base.zips import Members, ZipError
from edgesqueeze.errors import ModelFileError, UnsafeModelError, UnsupportedModelError
from edgesqueeze.squeeze.opening import hdf5, saved_model
from edgesqueeze.squeeze.opening.config import Rules, checked, parse_json
from edgesqueeze.squeeze.opening.faults import EXPECTED, damaged
from edgesqueeze.squeeze.opening.graph_file import read_function
from edgesqueeze.squeeze.opening.graph_model import put_function
from edgesqueeze.squeeze.opening.shelf import (
    CONFIG,
    METADATA,
    WEIGHTS,
    Archive,
    Container,
    Family,
    Shelf,
)

PARTS = {METADATA, CONFIG, WEIGHTS}

LEAST_LIMIT, MOST_RATIO = 64 << 20, 64
"""Bytes that a file may unpack to in any case, and as a multiple of its own size."""
LEAST_TEXT, MOST_TEXT_RATIO = 1 << 20, 32
"""The same for its configuration, which is text."""

# Where a file of another kind gives itself away: offset, bytes, what it is, what to do about it.
OTHER_KINDS = (
    (4, b"TFL3", "a .tflite, which is converted already", "give the Keras model that it was made from"),
    (0, b"\x89PNG", "a PNG image", ""),
    (0, b"\xff\xd8\xff", "a JPEG image", ""),
    (0, b"%PDF", "a PDF document", ""),
    (0, b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (0, b"\x80\x02", "a Python pickle, perhaps a PyTorch checkpoint", "save the model with Keras"),
    (0, b"\x80\x04", "a Python pickle", "save the model with Keras: model.save('model.keras')"),
    (0, b"\x93NUMPY", "a NumPy array", ""),
)


def bytes_of(path: Path) -> int:
    """Size of a model file, or of all files of a model's folder.

    Raises:
        ModelFileError: there is no such file, or it is something else.
    """
    try:
        if path.is_dir():
            return sum(file.stat().st_size for file in saved_model.files_of(path))
        with open_regular(path) as file:
            return size_of(file)
    except (FileNotFoundError, ValueError):
        raise ModelFileError(f"there is no file '{path}'", expected=EXPECTED, hint="check the path") from None
    except OSError as error:
        raise ModelFileError(
            f"cannot read '{path}'", expected=EXPECTED, got=error.strerror or str(error)
        ) from error


def sift(path: Path, target: IO[bytes], rules: Rules) -> int:
    """Read a model file and write down what is allowed of it.

    Args:
        path: what a stranger made.
        target: open for writing; is filled as a ``Shelf`` does.
        rules: what it may name.

    Returns:
        Where the index starts in ``target``.

    Raises:
        ModelFileError: it is damaged, of another kind, has weights only, or promises more than it has.
        UnsafeModelError: it could run code, or holds more than one file.
        CustomLayerError: it needs a class that was not given.
        UnsupportedModelError: it has no Keras layers, or something that EdgeSqueeze cannot handle.
    """
    shelf = Shelf(target)
    if path.is_dir():
        return _saved_model(path, shelf, rules)
    with open_regular(path) as file:
        head = file.read(64)
        if not head:
            raise ModelFileError(f"'{path}' is empty", expected=EXPECTED)
        sha256 = sha256_of_file(file)
        file.seek(0)
        if head.startswith(b"PK"):
            return _keras_zip(file, shelf, rules, sha256)
        if head.startswith(hdf5.MAGIC):
            return _h5(file.read(), shelf, rules, sha256)
    raise _wrong_kind(path, head)


def _wrong_kind(path: Path, head: bytes) -> ModelFileError:
    got, hint = "", ""
    for offset, magic, what, advice in OTHER_KINDS:
        if head[offset : offset + len(magic)] == magic:
            got, hint = what, advice
            break
    else:
        if path.suffix == ".onnx" or (head[:1] == b"\x08" and b"\x12" in head[:8] and path.suffix != ".pb"):
            got, hint = "what looks like an ONNX model", "give the Keras model"
        elif path.suffix == ".pb":
            got = "a TensorFlow graph (.pb)"
            hint = "give the SavedModel folder that it lies in, or a .keras file"
        else:
            got = "neither a ZIP nor an HDF5 file"
    return ModelFileError(f"'{path}' is not a Keras model", expected=EXPECTED, got=got, hint=hint)


def _limit(size: int) -> int:
    return max(LEAST_LIMIT, MOST_RATIO * size)


def _text_limit(size: int) -> int:
    return max(LEAST_TEXT, MOST_TEXT_RATIO * size)


def _budget(size: int) -> hdf5.Budget:
    return hdf5.Budget(objects=size // hdf5.LEAST_OBJECT_BYTES, bytes=_limit(size))


def _keras_zip(file: IO[bytes], shelf: Shelf, rules: Rules, sha256: str) -> int:
    size = size_of(file)
    try:
        members = Members(file, _limit(size))
        _check_parts(members, rules.name, _text_limit(size))
        metadata = parse_json(members.read(METADATA), rules.name) if METADATA in members.infos else {}
        config = parse_json(members.read(CONFIG), rules.name)
        image = members.read(WEIGHTS)
    except ZipError as error:
        raise _hidden(rules.name, error) if error.hides else damaged(rules.name, error) from error
    version = metadata.get("keras_version", "") if isinstance(metadata, dict) else None
    if not isinstance(version, str):
        raise damaged(rules.name, f"its {METADATA} does not name a version of Keras")
    config = checked(config, rules)
    with hdf5.opened(image, rules.name) as source:
        hdf5.take_group(source, shelf, _budget(len(image)), rules.name, leave_out=("optimizer",))
    return shelf.close(_archive("keras", version, sha256), config)


def _hidden(name: str, error: ZipError) -> UnsafeModelError:
    return UnsafeModelError(
        f"'{name}' may be more than one file: {plain(str(error))}",
        expected="an archive as Keras writes it",
        hint="open it with the program that wrote it, and save it again",
    )


def _check_parts(members: Members, name: str, most_text: int) -> None:
    names = set(members.infos)
    if {CONFIG, WEIGHTS} <= names:
        for text in {CONFIG, METADATA} & names:
            if members.infos[text].file_size > most_text:
                raise ZipError(f"its part '{text}' claims to have {members.infos[text].file_size:,} bytes")
        extra = sorted(one for one in names - PARTS if not one.endswith("/"))
        if extra:
            raise UnsupportedModelError(
                f"'{name}' has parts that no model of numbers needs: {', '.join(extra[:3])}",
                expected=", ".join(sorted(PARTS)),
                hint="do text preprocessing outside the model and save the model without it",
            )
        return
    if any(one.endswith("data.pkl") for one in names):
        got = "a PyTorch file"
    elif CONFIG in names:
        got = f"a .keras file without {WEIGHTS}"
    else:
        got = "a ZIP archive with " + ", ".join(sorted(names)[:3])
    raise ModelFileError(
        f"'{name}' is not a Keras model",
        expected=EXPECTED,
        got=got,
        hint="save it with model.save('model.keras')",
    )


def _h5(image: bytes, shelf: Shelf, rules: Rules, sha256: str) -> int:
    with hdf5.opened(image, rules.name) as source:
        text = hdf5.attribute(source, "model_config", _text_limit(len(image)), rules.name)
        if text is None:
            raise ModelFileError(
                f"'{rules.name}' has weights only: the model's architecture is not in it",
                expected="a file that model.save() wrote",
                got="one that model.save_weights() wrote, or an HDF5 file of another program",
                hint="build the model, load the weights into it, and save it with model.save('model.keras')",
            )
        version = hdf5.attribute(source, "keras_version", 64, rules.name) or ""
        config = checked(parse_json(text, rules.name), rules)
        leave_out = [key for key in source if key != "model_weights"]
        hdf5.take_group(source, shelf, _budget(len(image)), rules.name, leave_out)
    return shelf.close(_archive("h5", version, sha256), config)


def _saved_model(folder: Path, shelf: Shelf, rules: Rules) -> int:
    text = saved_model.read_config(folder)
    if not text:
        function = read_function(folder, _limit(bytes_of(folder)))
        archive = Archive("tf_keras", "graph", "", sha256_of_files(folder, saved_model.files_of(folder)))
        return shelf.close(archive, put_function(shelf, function))
    stored = parse_json(text, rules.name)
    if not isinstance(stored, dict):
        raise damaged(rules.name, "its configuration is not a model's")
    # Beside these two it describes what was called with what, which is only of use with the graph.
    config = checked({key: stored.get(key) for key in ("class_name", "config")}, rules)
    variables = saved_model.read_variables(folder, _limit(bytes_of(folder)))
    for number, value in variables.values.items():
        shelf.put([str(number)], {}, value)
    archive = Archive("tf_keras", "saved_model", "", sha256_of_files(folder, saved_model.files_of(folder)))
    return shelf.close(archive, config, variables.children)


def _archive(container: Container, version: str, sha256: str) -> Archive:
    major = re.match(r"[0-9]{1,4}", version)
    family: Family = "keras3" if major and int(major[0]) >= 3 else "tf_keras"
    return Archive(family, container, plain(version)[:40], sha256)
