"""Changes to honest model files: other configurations, other parts, other weights."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import h5py

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"

Change = Callable[[Any], Any]


def parts_of(path: Path) -> dict[str, bytes]:
    """The parts of a ``.keras`` file by name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_parts(path: Path, parts: Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> Path:
    """A ``.keras`` file of parts; a name may come twice."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in parts:
            archive.writestr(name, content)
    return path


def with_parts(source: Path, target: Path, **changed: bytes) -> Path:
    """A copy with other parts: ``config``, ``metadata``, ``weights``."""
    names = {"config": CONFIG, "metadata": METADATA, "weights": WEIGHTS}
    parts = parts_of(source) | {names[key]: content for key, content in changed.items()}
    return write_parts(target, parts.items())


def with_config(source: Path, target: Path, change: Change) -> Path:
    """A copy with another configuration; works on both formats.

    Args:
        source: honest file.
        target: where the copy goes.
        change: gets the configuration, changes it or returns another one; a text is taken as it is.
    """
    if source.suffix == ".keras":
        return with_parts(source, target, config=_changed(parts_of(source)[CONFIG], change))
    shutil.copy(source, target)
    with h5py.File(target, "r+") as file:
        file.attrs["model_config"] = _changed(file.attrs["model_config"], change)
    return target


def _changed(stored: str | bytes, change: Change) -> bytes:
    config = json.loads(stored)
    result = change(config)
    result = config if result is None else result
    return result.encode() if isinstance(result, str) else json.dumps(result).encode()


def layers_of(config: Any) -> list[Any]:
    """The layers in a model's configuration: input, convolution, flattening, dense layer."""
    layers: list[Any] = config["config"]["layers"]
    return layers


def settings_of(config: Any, layer: int = 1) -> dict[str, Any]:
    """The settings of one layer; of the convolution by default."""
    settings: dict[str, Any] = layers_of(config)[layer]["config"]
    return settings


def setting(source: Path, target: Path, key: str, value: Any, layer: int = 1) -> Path:
    """A copy in which one setting of a layer has another value."""
    return with_config(source, target, lambda config: settings_of(config, layer).update({key: value}))


def with_layer(source: Path, target: Path, layer: int = 1, **changed: Any) -> Path:
    """A copy in which a layer's entry has other keys: ``class_name``, ``module``, ``config`` ..."""

    def change(config: Any) -> None:
        layers_of(config)[layer].update(changed)

    return with_config(source, target, change)


def with_hdf5(source: Path, target: Path, change: Callable[[Any], None], group: str = "") -> Path:
    """A copy in which the weights were changed with h5py; works on both formats.

    Args:
        source: honest file.
        target: where the copy goes.
        change: gets the file, or a group in it.
        group: name of the group.
    """
    h5 = target.with_suffix(".tmp")
    if source.suffix == ".keras":
        h5.write_bytes(parts_of(source)[WEIGHTS])
    else:
        shutil.copy(source, h5)
    with h5py.File(h5, "r+") as file:
        change(file[group] if group else file)
    if source.suffix == ".keras":
        with_parts(source, target, weights=h5.read_bytes())
        h5.unlink()
    else:
        h5.replace(target)
    return target
