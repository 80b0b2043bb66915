"""Files that are broken in ways that Keras's own reader does not expect."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runtime_tests.support.hostile.attack import OPENS, Attacks, Canaries, Make
from runtime_tests.support.hostile.edits import (
    METADATA,
    layers_of,
    parts_of,
    settings_of,
    with_config,
    with_parts,
    write_parts,
)
from runtime_tests.support.hostile.honest import Honest

ATTACKS = Attacks("damage")
DAMAGED = "ModelFileError"


def _header(offset: int, value: int) -> Make:
    """A ``.keras`` with a number changed in the headers of all its parts."""

    def make(folder: Path, honest: Honest, canaries: Canaries) -> Path:
        path = with_parts(honest.keras3, folder / "m.keras")
        content = bytearray(path.read_bytes())
        for mark, shift in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
            place = content.find(mark)
            while place >= 0:
                struct.pack_into("<H", content, place + offset + shift, value)
                place = content.find(mark, place + 4)
        path.write_bytes(content)
        return path

    return make


def _metadata(value: Any) -> Make:
    def make(folder: Path, honest: Honest, canaries: Canaries) -> Path:
        return with_parts(honest.keras3, folder / "m.keras", metadata=json.dumps(value).encode())

    return make


def _config(change: Callable[[Any], Any], file: str = "keras3") -> Make:
    def make(folder: Path, honest: Honest, canaries: Canaries) -> Path:
        source = getattr(honest, file)
        return with_config(source, folder / f"m{source.suffix}", change)

    return make


def _only(*names: str) -> Make:
    def make(folder: Path, honest: Honest, canaries: Canaries) -> Path:
        parts = parts_of(honest.keras3)
        return write_parts(folder / "m.keras", [(name, parts.get(name, b"")) for name in names])

    return make


def _without_metadata(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    parts = parts_of(honest.tf_keras)
    del parts[METADATA]
    return write_parts(folder / "m.keras", parts.items())


def _packed(method: int) -> Make:
    def make(folder: Path, honest: Honest, canaries: Canaries) -> Path:
        return write_parts(folder / "m.keras", parts_of(honest.keras3).items(), method)

    return make


def _set(key: str, value: Any, layer: int = 1) -> Callable[[Any], None]:
    return lambda config: settings_of(config, layer).update({key: value})


def _entry(**changed: Any) -> Callable[[Any], None]:
    return lambda config: layers_of(config)[1].update(changed)


def _text(text: str) -> Callable[[Any], str]:
    return lambda config: text


METADATA_VALUES: tuple[Any, ...] = (
    [],
    "3.0",
    3,
    None,
    {"keras_version": ["3"]},
    {"keras_version": {"a": 1}},
)
VERSIONS = ("²", "3" * 5000, "", "x.y", "-1", "3\x1b[31m")
CONFIGS: tuple[Any, ...] = (
    [],
    [1],
    "Sequential",
    3,
    None,
    {},
    {"class_name": "Functional"},
    {"class_name": 1, "config": {}},
)
TEXTS = ("", "{", "nonsense", '{"a": NaN', '"\\ud800"', "\ufeff{}")
SETTINGS: tuple[tuple[str, Any], ...] = (
    ("filters", "two"),
    ("filters", -1),
    ("filters", None),
    ("kernel_size", [[[]]]),
    ("kernel_size", {"a": 1}),
    ("activation", ["relu"]),
    ("activation", {"class_name": "function", "config": ["relu"], "module": "builtins"}),
    ("name", None),
    ("name", ["conv"]),
    ("name", "\ud800"),
    ("name", "a/b\x1b[2J"),
    ("dtype", ["float32"]),
    ("dtype", "float33"),
    ("unknown", 1),
    ("data_format", 7),
    ("trainable", {"class_name": "Dense", "config": {}}),
)
NO_SHAPE: dict[str, Any] = {"class_name": "__keras_tensor__", "config": {}}
BACKWARDS: dict[str, Any] = {
    "class_name": "__keras_tensor__",
    "config": {"dtype": "float32", "shape": [6], "keras_history": ["last", 9, 9]},
}
ENTRIES: tuple[dict[str, Any], ...] = (
    {"inbound_nodes": "image"},
    {"inbound_nodes": [[]]},
    {"inbound_nodes": [{"args": [], "kwargs": []}]},
    {"inbound_nodes": [{"args": [NO_SHAPE], "kwargs": {}}]},
    {"inbound_nodes": [{"args": [BACKWARDS], "kwargs": {}}]},
    {"config": None},
    {"config": []},
    {"name": "last"},
    {"build_config": {"input_shape": "x"}},
    {"shared_object_id": []},
)
ANY = f"{DAMAGED}|UnsupportedModelError|CustomLayerError|{OPENS}"


def _circle(config: Any) -> None:
    tensor = layers_of(config)[1]["inbound_nodes"][0]["args"][0]
    tensor["config"].update(keras_history=["last", 0, 0])


ATTACKS.add("encrypted parts", _header(6, 0x1), DAMAGED, "encrypted")
ATTACKS.add("parts packed by method 99", _header(8, 99), DAMAGED, "method 99")
ATTACKS.add("parts packed by a method that Python knows", _packed(zipfile.ZIP_LZMA), DAMAGED, "method 14")
ATTACKS.add("another one", _packed(zipfile.ZIP_BZIP2), DAMAGED, "method 12")
ATTACKS.add("a header of a version to come", _header(4, 255), DAMAGED, "damaged")
for _value in METADATA_VALUES:
    ATTACKS.add(f"metadata {_value!r}", _metadata(_value), DAMAGED, "does not name a version")
for _version in VERSIONS:
    ATTACKS.add(f"the version {_version[:9]!r}", _metadata({"keras_version": _version}), f"{OPENS}|{DAMAGED}")
for _value in CONFIGS:
    ATTACKS.add(f"the configuration {_value!r}", _config(_text(json.dumps(_value))), DAMAGED)
    ATTACKS.add(f"the same in .h5: {_value!r}", _config(_text(json.dumps(_value)), "tf_keras_h5"), DAMAGED)
for _words in TEXTS:
    ATTACKS.add(f"the text {_words!r}", _config(_text(_words)), DAMAGED)
for _key, _value in SETTINGS:
    ATTACKS.add(f"the setting {_key} = {_value!r}", _config(_set(_key, _value)), ANY)
    ATTACKS.add(f"in tf_keras: {_key} = {_value!r}", _config(_set(_key, _value), "tf_keras_h5"), ANY)
for _changed in ENTRIES:
    ATTACKS.add(f"an entry with {_changed!r}"[:90], _config(_entry(**_changed)), f"{DAMAGED}|{OPENS}")
ATTACKS.add("a circle of layers", _config(_circle), DAMAGED)
ATTACKS.add("no layers", _config(lambda config: config["config"].update(layers=[])), ANY)
ATTACKS.add(
    "outputs that are not there",
    _config(lambda config: config["config"].update(output_layers=[["none", 0, 0]])),
    DAMAGED,
)
ATTACKS.add("weights only", _only("model.weights.h5", "metadata.json"), DAMAGED, "ZIP archive with")
ATTACKS.add("empty weights", _only("model.weights.h6", "config.json"), DAMAGED, "without")
ATTACKS.add("no metadata", _without_metadata, OPENS)
