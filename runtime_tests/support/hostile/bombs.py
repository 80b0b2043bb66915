"""Small files that would take hours or terabytes."""

from __future__ import annotations

import io
import json
import shutil
import struct
import zipfile
from pathlib import Path
from typing import Any

from runtime_tests.support.hostile.attack import Attacks, Canaries, Make
from runtime_tests.support.hostile.edits import (
    CONFIG,
    WEIGHTS,
    layers_of,
    parts_of,
    setting,
    settings_of,
    with_config,
    write_parts,
)
from runtime_tests.support.hostile.honest import Honest

ATTACKS = Attacks("bounds")
DAMAGED = "ModelFileError"
TOO_MUCH = "asks for more|cannot open"


def _packed(**changed: bytes) -> Make:
    """Parts that become a thousand times larger when they are unpacked."""

    def make(folder: Path, honest: Honest, canaries: Canaries) -> Path:
        names = {"config": CONFIG, "weights": WEIGHTS}
        parts = parts_of(honest.keras3) | {names[key]: content for key, content in changed.items()}
        return write_parts(folder / "m.keras", parts.items(), zipfile.ZIP_DEFLATED)

    return make


def _overlapping(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    """Three hundred parts that are all the same bytes of the file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts_of(honest.keras3).items():
            archive.writestr(name, content)
        archive.writestr("bomb", bytes(10 << 20))
    content = stream.getvalue()
    start, end = content.rfind(b"PK\x01\x02"), content.rfind(b"PK\x05\x06")
    entry = content[start:end]
    copies = b"".join(entry.replace(b"bomb", f"b{number:03}".encode()) for number in range(300))
    tail = bytearray(content[end:])
    count, size = (
        struct.unpack_from("<H", tail, 10)[0] + 300,
        struct.unpack_from("<I", tail, 12)[0] + len(copies),
    )
    struct.pack_into("<HHI", tail, 8, count, count, size)
    path = folder / "m.keras"
    path.write_bytes(content[:end] + copies + tail)
    return path


def _many_parts(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    extra = [(f"assets/{number}", b"") for number in range(12_000)]
    return write_parts(folder / "m.keras", [*parts_of(honest.keras3).items(), *extra])


def _text(text: str, file: str = "keras3") -> Make:
    def make(folder: Path, honest: Honest, canaries: Canaries) -> Path:
        source = getattr(honest, file)
        return with_config(source, folder / f"m{source.suffix}", lambda config: text)

    return make


def _setting(key: str, value: Any, layer: int = 1, file: str = "keras3") -> Make:
    def make(folder: Path, honest: Honest, canaries: Canaries) -> Path:
        source = getattr(honest, file)
        return setting(source, folder / f"m{source.suffix}", key, value, layer)

    return make


def _instead(name: str, file: str = "keras3", **settings: Any) -> Make:
    """Another layer in the place of the convolution."""

    def make(folder: Path, honest: Honest, canaries: Canaries) -> Path:
        source = getattr(honest, file)

        def change(config: Any) -> None:
            layers_of(config)[1].update(class_name=name)
            layers_of(config)[1].pop("build_config", None)
            settings_of(config).clear()
            settings_of(config).update(name="conv", **settings)

        return with_config(source, folder / f"m{source.suffix}", change)

    return make


def _many_layers(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    """A hundred thousand layers, one after the other, in a small file."""

    def change(config: Any) -> None:
        layers = layers_of(config)
        one = {"class_name": "Activation", "module": "keras.layers", "registered_name": None}
        before, tensor = "image", {"shape": [None, 6, 6, 1], "dtype": "float32"}
        for number in range(100_000):
            history = {
                "class_name": "__keras_tensor__",
                "config": {**tensor, "keras_history": [before, 0, 0]},
            }
            before = f"a{number}"
            node = [{"args": [history], "kwargs": {}}]
            layers.append(
                {
                    **one,
                    "name": before,
                    "config": {"name": before, "activation": "relu"},
                    "inbound_nodes": node,
                }
            )

    text = io.BytesIO()
    config = json.loads(parts_of(honest.keras3)[CONFIG])
    change(config)
    text.write(json.dumps(config).encode())
    parts = parts_of(honest.keras3) | {CONFIG: text.getvalue()}
    return write_parts(folder / "m.keras", parts.items(), zipfile.ZIP_DEFLATED)


def _operations(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    """Functions of keras.ops: what the last layer gives, a hundred million times."""

    def change(config: Any) -> None:
        last = layers_of(config)[-1]["name"]
        for kind, settings in (("Tile", {"repeats": [1, 10**8]}), ("Max", {"axis": 1, "keepdims": True})):
            tensor = {"shape": [None, 3], "dtype": "float32", "keras_history": [last, 0, 0]}
            last = kind.lower()
            layers_of(config).append(
                {
                    "module": "keras.src.ops.numpy",
                    "class_name": kind,
                    "registered_name": kind,
                    "name": last,
                    "config": {"name": last, **settings},
                    "inbound_nodes": [
                        {"args": [{"class_name": "__keras_tensor__", "config": tensor}], "kwargs": {}}
                    ],
                }
            )
        config["config"]["output_layers"] = [[last, 0, 0]]

    return with_config(honest.keras3, folder / "m.keras", change)


def _nested_models(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    def change(config: Any) -> None:
        inner = layers_of(config)[1]
        for _ in range(70):
            inner = {
                "class_name": "Sequential",
                "module": "keras",
                "registered_name": None,
                "name": "conv",
                "config": {"name": "conv", "layers": [inner]},
            }
        layers_of(config)[1] = {**inner, "inbound_nodes": layers_of(config)[1]["inbound_nodes"]}

    return with_config(honest.keras3, folder / "m.keras", change)


def _large_variables(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    """A SavedModel whose variables have other shapes than numbers: terabytes."""
    place = folder / "model"
    shutil.copytree(honest.saved_model, place)
    path = place / "variables" / "variables.index"
    content = path.read_bytes()
    # In the description of a shape: a dimension of 32, in the field that holds its size.
    small, large = b"\x12\x02\x08\x20", b"\x12\x02\x08\x7f"
    assert small in content
    path.write_bytes(content.replace(small, large))
    return place


def _saved_model_cut(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    place = folder / "model"
    shutil.copytree(honest.saved_model, place)
    data = place / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:64])
    return place


def _linked_in(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    """A SavedModel with a link to something that never ends."""
    place = folder / "model"
    shutil.copytree(honest.saved_model, place)
    (place / "assets" / "more").symlink_to("/dev/zero")
    return place


def _elsewhere(target: str) -> Make:
    """A file that is none."""

    def make(folder: Path, honest: Honest, canaries: Canaries) -> Path:
        path = folder / "m.keras"
        path.symlink_to(target)
        return path

    return make


def _pipe(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    import os

    os.mkfifo(folder / "m.h5")
    return folder / "m.h5"


NESTED = 200_000
ATTACKS.add("weights of zeros, packed", _packed(weights=bytes(300 << 20)), DAMAGED, "when unpacked")
ATTACKS.add("a configuration of spaces, packed", _packed(config=b" " * (40 << 20)), DAMAGED, "claims to have")
ATTACKS.add(
    "parts that overlap",
    _overlapping,
    "UnsupportedModelError|ModelFileError|UnsafeModelError",
    "overlap|unpacked",
)
ATTACKS.add("twelve thousand parts", _many_parts, DAMAGED, "parts, more than")
for _file in ("keras3", "keras3_h5", "tf_keras_h5"):
    ATTACKS.add(
        f"lists in lists, {_file}", _text("[" * NESTED + "]" * NESTED, _file), DAMAGED, "nested too deeply"
    )
    ATTACKS.add(
        f"objects in objects, {_file}",
        _text('{"a":' * NESTED + "1" + "}" * NESTED, _file),
        DAMAGED,
        "nested too deeply",
    )
ATTACKS.add("lists in lists, not closed", _text("[" * NESTED), DAMAGED, "nested|cannot be read")
ATTACKS.add("a number of a million digits", _text("1" * 1_000_000), DAMAGED, "cannot be read")
ATTACKS.add(
    "a setting nested 300 deep", _setting("padding", json.loads("[" * 300 + "]" * 300)), DAMAGED, "nested"
)
ATTACKS.add("seventy models in one another", _nested_models, DAMAGED, "nested|cannot open|asks for more")
ATTACKS.add("operations that are no layers", _operations, DAMAGED, TOO_MUCH)
ATTACKS.add("a hundred thousand layers", _many_layers, DAMAGED, "claims to have|asks for more")
for _file in ("keras3", "tf_keras_h5"):
    ATTACKS.add(f"a billion units, {_file}", _setting("units", 10**9, 3, _file), DAMAGED, TOO_MUCH)
    ATTACKS.add(f"a billion filters, {_file}", _setting("filters", 10**9, 1, _file), DAMAGED, TOO_MUCH)
    ATTACKS.add(f"a number of 400 digits, {_file}", _setting("filters", 10**400, 1, _file), DAMAGED, TOO_MUCH)
    ATTACKS.add(
        f"a padding of a million, {_file}", _instead("ZeroPadding2D", _file, padding=10**6), DAMAGED, TOO_MUCH
    )
    ATTACKS.add(
        f"a hundred thousand times larger, {_file}",
        _instead("UpSampling2D", _file, size=10**5),
        DAMAGED,
        TOO_MUCH,
    )
ATTACKS.add("an image of a terabyte", _setting("batch_shape", [None, 10**6, 10**6, 1], 0), DAMAGED, TOO_MUCH)
ATTACKS.add("a batch of a billion", _setting("batch_shape", [10**9, 6, 6, 1], 0), DAMAGED, TOO_MUCH)
ATTACKS.add(
    "an orthogonal matrix of 20,000 rows",
    _instead("Dense", units=20_000, kernel_initializer="orthogonal"),
    DAMAGED,
    TOO_MUCH,
)
ATTACKS.add("variables of other shapes", _large_variables, DAMAGED, "promise more|damaged")
ATTACKS.add("variables that are cut off", _saved_model_cut, DAMAGED, "promise more|damaged")
ATTACKS.add("a link that never ends, in a SavedModel", _linked_in, DAMAGED, "no file")
for _target in ("/dev/zero", "/dev/random", "/proc/self/mem", "nowhere", "m.keras"):
    ATTACKS.add(
        f"a link to {_target}",
        _elsewhere(_target),
        DAMAGED,
        "there is no file|cannot read|cannot be read|is empty",
    )
ATTACKS.add("a pipe that nobody writes to", _pipe, DAMAGED, "cannot read")
