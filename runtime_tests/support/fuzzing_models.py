"""Damaged model files and configurations for what opens strangers' Keras models."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import h5py

from edgesqueeze.base.worker import from_told
from edgesqueeze.errors import EdgeSqueezeError
from edgesqueeze.squeeze.opening.config import Rules, checked, parse_json
from edgesqueeze.squeeze.opening.opener import ask
from runtime_tests.support.fuzzing import Reader
from runtime_tests.support.hostile.honest import Honest

RULES = Rules("m.keras", frozenset(), False)
NAMES = (
    *(b'"class_name"', b'"config"', b'"module"', b'"registered_name"', b'"Lambda"', b'"__lambda__"'),
    *(b'"Functional"', b'"inbound_nodes"', b'"function"', b'"activation"', b'"os"', b'"keras.layers"'),
    *(b"null", b"[]", b"{}", b"{", b"}", b"[", b"]", b'"', b",", b":", b"1e999", b"-1", b"NaN", b"\\ud800"),
)
MARKS = (
    b"PK\x03\x04",
    b"PK\x01\x02",
    b"PK\x05\x06",
    b"\x89HDF\r\n\x1a\n",
    b"TREE",
    b"SNOD",
    b"HEAP",
    b"OHDR",
)


def model_readers(folder: Path, honest: Honest) -> Mapping[str, Reader]:
    """The readers by name.

    Args:
        folder: for the files that are opened.
        honest: small models of every format.
    """
    refused = (EdgeSqueezeError,)
    files = [path.read_bytes() for path in (honest.keras3, honest.keras3_h5, honest.tf_keras_h5)]
    configs = [_zipped(honest.keras3), _zipped(honest.tf_keras), _stored(honest.operations)]
    return {
        "configuration": Reader(configs, NAMES, _read_config, refused),
        "container": Reader(files, MARKS, lambda content: _read_file(content, folder), refused),
    }


def _zipped(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read("config.json")


def _stored(path: Path) -> bytes:
    with h5py.File(path) as file:
        return json.dumps(json.loads(file.attrs["model_config"])).encode()


def _read_config(content: bytes) -> object:
    return checked(parse_json(content, RULES.name), RULES)


def _read_file(content: bytes, folder: Path) -> object:
    path, target = folder / "m.keras", folder / "shelf"
    path.write_bytes(content)
    target.write_bytes(b"")
    told = ask("sift", str(path), str(target), (), False)
    if "error" in told:
        raise from_told(told)
    return told["index"]
