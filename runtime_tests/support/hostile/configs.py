"""Configurations that name code, modules and files."""

from __future__ import annotations

import base64
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runtime_tests.support.hostile.attack import OPENS, Attacks, Canaries, Make
from runtime_tests.support.hostile.edits import layers_of, setting, settings_of, with_config, with_layer
from runtime_tests.support.hostile.honest import CONTAINERS, Honest

ATTACKS = Attacks("names")
UNSAFE, CUSTOM, DAMAGED = "UnsafeModelError", "CustomLayerError", "ModelFileError"

Value = Callable[[Canaries], Any]


def _function(module: str | None, name: Any) -> dict[str, Any]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def _class(module: str | None, name: str, **config: Any) -> dict[str, Any]:
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


def _everywhere(name: str, value: Value, error: str, words: str, key: str = "kernel_initializer") -> None:
    """One value, as a setting of a layer, in every format that has settings."""
    for attribute in ("keras3", "keras3_h5", "tf_keras", "tf_keras_h5"):

        def make(folder: Path, honest: Honest, canaries: Canaries, attribute: str = attribute) -> Path:
            source = getattr(honest, attribute)
            return setting(source, folder / f"m{source.suffix}", key, value(canaries))

        ATTACKS.add(f"{name}, in {attribute}", make, error, words)


def _once(name: str, value: Value, error: str, words: str, key: str = "kernel_initializer") -> None:
    """One value, in the newest format."""

    def make(folder: Path, honest: Honest, canaries: Canaries) -> Path:
        return setting(honest.keras3, folder / "m.keras", key, value(canaries))

    ATTACKS.add(name, make, error, words)


def _layer(name: str, error: str, words: str, file: str = "keras3", **entry: Any) -> None:
    """One layer's entry with other keys."""

    def make(folder: Path, honest: Honest, canaries: Canaries) -> Path:
        source = getattr(honest, file)
        return with_layer(source, folder / f"m{source.suffix}", **entry)

    ATTACKS.add(name, make, error, words)


class _Pickled:
    def __reduce__(self) -> Any:
        return exec, ("import os; os.system('touch /tmp/edgesqueeze-canary')",)


def _nested_code(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    """A Lambda in a wrapper, which makes it with ``from_config``: CVE-2026-12481."""

    def change(config: Any) -> None:
        code = {"name": "inner", "function": {"class_name": "__lambda__", "config": {}}}
        wrapped = {"module": "keras.layers", "class_name": "Lambda", "registered_name": None, "config": code}
        layers_of(config)[1].update(class_name="TimeDistributed")
        settings_of(config).clear()
        settings_of(config).update(name="conv", layer=wrapped)

    return with_config(honest.keras3, folder / "m.keras", change)


def _unsafe_first(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    """Switches Keras's own checks off before the layer with code comes: CVE-2025-9906."""

    def change(config: Any) -> None:
        layers_of(config)[0]["config"]["dtype"] = _function("keras.config", "enable_unsafe_deserialization")

    return with_config(honest.coded("keras3.keras"), folder / "m.keras", change)


def _compiled(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    """Code in what is only needed for training, of the model and of a layer in it."""

    def change(config: Any) -> None:
        evil = {"optimizer": _class("os", "system"), "loss": _function("builtins", "eval")}
        config["compile_config"] = evil
        layers_of(config)[1]["compile_config"] = evil

    return with_config(honest.keras3, folder / "m.keras", change)


def _vocabulary(folder: Path, honest: Honest, canaries: Canaries) -> Path:
    """A layer that reads a file as soon as it is made."""
    settings = {"name": "conv", "vocabulary": str(canaries.secret)}
    return with_layer(honest.tf_keras_h5, folder / "m.h5", class_name="StringLookup", config=settings)


def _saved_model(old: bytes, new: bytes) -> Make:
    """A SavedModel whose metadata name something else, of the same length."""

    def make(folder: Path, honest: Honest, canaries: Canaries) -> Path:
        place = folder / "model"
        shutil.copytree(honest.saved_model, place)
        path = place / "keras_metadata.pb"
        content = path.read_bytes()
        assert old in content
        assert len(old) == len(new)
        path.write_bytes(content.replace(old, new))
        return place

    return make


def _coded(container: str) -> Make:
    return lambda folder, honest, canaries: honest.coded(container)


for _container in CONTAINERS:
    ATTACKS.add(
        f"CVE-2024-3660, CVE-2025-9905: code in a Lambda layer, {_container}",
        _coded(_container),
        UNSAFE,
        "'code' is a Lambda",
    )
_everywhere("code as an initializer", lambda _: {"class_name": "__lambda__", "config": {}}, UNSAFE, "lambda")
_everywhere(
    "CVE-2025-1550: a module and a function of Python",
    lambda _: _function("subprocess", "run"),
    UNSAFE,
    "run",
)
_everywhere(
    "CVE-2025-8747: the function that fetches files",
    lambda c: _function("keras.utils", "get_file"),
    UNSAFE,
    "get_file",
)
_everywhere(
    "CVE-2025-12058: a vocabulary in a file",
    lambda c: _class("keras.layers", "StringLookup", vocabulary=str(c.secret)),
    UNSAFE,
    "reads the file",
)
_once(
    "CVE-2025-12058: by URL",
    lambda c: _class("keras.layers", "TextVectorization", vocabulary=c.url),
    UNSAFE,
    "http",
)
_once(
    "the same, of numbers",
    lambda c: _class("keras.layers", "IntegerLookup", vocabulary=str(c.secret)),
    UNSAFE,
    "file",
)
ATTACKS.add("CVE-2025-12058: as a layer", _vocabulary, UNSAFE, "reads the file")
ATTACKS.add("CVE-2025-9906: checks switched off first", _unsafe_first, UNSAFE, "enable_unsafe|Lambda")
ATTACKS.add("CVE-2026-12481: code in a wrapper", _nested_code, UNSAFE, "'inner' is a Lambda")
_layer(
    "CVE-2025-49655: a pickled PyTorch module",
    UNSAFE,
    "TorchModuleWrapper",
    class_name="TorchModuleWrapper",
    config={"name": "t", "module": base64.b64encode(pickle.dumps(_Pickled())).decode()},
)
_layer(
    "CVE-2026-1462: a SavedModel elsewhere",
    UNSAFE,
    "TFSMLayer",
    class_name="TFSMLayer",
    config={"name": "t", "filepath": "/tmp/elsewhere", "call_endpoint": "serve"},
)
for _name in ("JaxLayer", "FlaxLayer"):
    _layer(f"code for {_name}", UNSAFE, _name, class_name=_name, config={"name": "t"})
_layer("a dotted class", UNSAFE, "layers.Lambda", module="keras", class_name="layers.Lambda")
_layer("a dotted function", UNSAFE, "get_file", module="keras", class_name="utils.get_file")
_layer(
    "a class of a class",
    UNSAFE,
    "TFOpLambda",
    module="keras.src.layers.core",
    class_name="tf_op_layer.TFOpLambda",
)
_layer(
    "an outer and an inner name",
    UNSAFE,
    "Popen",
    "tf_keras",
    module="subprocess",
    class_name="Popen.communicate",
)
_layer("a module of Python as a class", UNSAFE, "os.system", module="os", class_name="system", config={})
_layer("a builtin", UNSAFE, "builtins.eval", module="builtins", class_name="eval", config={})
_layer("a module that is imported", CUSTOM, "evil.module", module="evil.module", class_name="Layer")
_layer("an import in tf_keras", UNSAFE, "antigravity", "tf_keras", module="antigravity", class_name="fly")
_layer(
    "a module of Keras that no model needs",
    UNSAFE,
    "keras.saving",
    module="keras.saving",
    class_name="load_model",
)
_layer("a part of TensorFlow", UNSAFE, "tensorflow", module="tensorflow.io", class_name="write_file")
_layer("a class of ours under a known name", CUSTOM, "KerasLayer", registered_name="edgesqueeze>KerasLayer")
_layer("a class of ours", CUSTOM, "OpLayer", "tf_keras_h5", class_name="edgesqueeze>OpLayer")
_layer("a class that is none", DAMAGED, "class without a name", class_name=["Lambda"])
_layer("a module that is none", DAMAGED, "class without a name", module={"a": 1})
_layer("a registered name that is none", DAMAGED, "class without a name", registered_name=["x"])
for _file in ("keras3", "tf_keras", "tf_keras_h5"):
    _layer(
        f"a module for a type, {_file}",
        UNSAFE,
        "typespec",
        _file,
        class_name="__typespec__",
        module="os",
        spec_name="system",
        registered_name=None,
        config=["touch x"],
    )
_layer(
    "a type of TensorFlow",
    UNSAFE,
    "TypeSpec",
    "tf_keras_h5",
    class_name="TypeSpec",
    type_spec="tf.Variant",
    serialized=[],
)
_layer(
    "a tensor of parts",
    UNSAFE,
    "CompositeTensor",
    "tf_keras_h5",
    class_name="CompositeTensor",
    spec={},
    tensors=[],
)
for _name, _config in (
    ("InstanceProperty", {"name": "p", "attr_name": "__class__"}),
    ("InstanceMethod", {"name": "p", "attr_name": "__init__"}),
    ("ClassMethod", {"name": "p", "cls_symbol": "io.gfile.GFile", "method_name": "__init__"}),
):
    _layer(f"attributes of Python: {_name}", UNSAFE, _name, "operations", class_name=_name, config=_config)
_once(
    "a function that goes to the network and the home folder",
    lambda _: _function("keras.applications.imagenet_utils", "decode_predictions"),
    UNSAFE,
    "decode_predictions",
    key="activation",
)
_everywhere(
    "a name as an activation", lambda _: "decode_predictions", CUSTOM, "decode_predictions", key="activation"
)
_everywhere(
    "what looks names up, as an activation", lambda _: "deserialize", CUSTOM, "deserialize", key="activation"
)
_once("a layer as an initializer", lambda _: _class("keras.layers", "Dense", units=3), DAMAGED, "is a Dense")
_once(
    "a function without a name",
    lambda _: _function("builtins", ["relu"]),
    DAMAGED,
    "without a name",
    key="activation",
)
_once(
    "a type as an element of a gigabyte",
    lambda _: {"class_name": "__numpy__", "config": {"value": [""], "dtype": "S1000000000"}},
    DAMAGED,
    "S1000000000",
)
_once("a registered class as a text", lambda _: "edgesqueeze>KerasLayer", CUSTOM, "KerasLayer", key="padding")
_once("a type that is looked up", lambda _: "float32; import os", DAMAGED, "import os", key="dtype")
ATTACKS.add("code for training", _compiled, OPENS)
ATTACKS.add(
    "a Lambda in a SavedModel's metadata", _saved_model(b'"Conv2D"', b'"Lambda"'), UNSAFE, "is a Lambda"
)
ATTACKS.add(
    "a module in a SavedModel's metadata",
    _saved_model(b"GlorotUniform", b"os.popen.read"),
    CUSTOM,
    "os.popen",
)
