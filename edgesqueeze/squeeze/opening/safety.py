"""Read a model's configuration and refuse what would run stored code, before Keras sees it.

A configuration names classes and functions, and Keras looks them up; some of them (Lambda) carry code. Only
names of Keras itself and of the user's ``custom_objects`` pass.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from edgesqueeze.errors import CustomLayerError, ModelFileError, UnsafeModelError
from edgesqueeze.squeeze.opening.archive import Archive

# Classes that bring code with them, in the file or from somewhere else.
CODE_CLASSES = (
    "Lambda",
    "__lambda__",
    "TorchModuleWrapper",
    "TFSMLayer",
    "FlaxLayer",
    "JaxLayer",
    "ClassMethod",
)

# Marks that Keras puts around plain values.
VALUE_MARKS = (
    "CompositeTensor",
    "TensorShape",
    "TypeSpec",
    "__bytes__",
    "__complex__",
    "__ellipsis__",
    "__keras_tensor__",
    "__numpy__",
    "__slice__",
    "__tensor__",
    "__tuple__",
    "__typespec__",
)

# Where Keras keeps what a model is made of. keras.utils, keras.saving and keras.config are not among them:
# they have functions that fetch files or switch the checks off.
MODULES = re.compile(
    r"(tf_)?keras(\.src|\.api|\.engine)*"
    r"(\.(models|layers|initializers|regularizers|constraints|activations|ops|dtype_policies|optimizers|losses"
    r"|metrics|random|quantizers|applications|mixed_precision|engine|backend\.(common\.)?(dtype_policies|random))"
    r"(\..*)?)?"
)

# Classes that stand in a configuration without being exported by name.
INTERNAL = (
    "Functional",
    "InstanceMethod",
    "InstanceProperty",
    "Model",
    "SlicingOpLambda",
    "TFOpLambda",
    "TensorFlowOpLayer",
)

# TensorFlow functions that a TFOpLambda may name: those that compute.
SYMBOLS = re.compile(
    r"(compat\.v\d\.)?((math|nn|image|linalg|signal|bitwise|strings|random|dtypes|quantization|sets|sparse|ragged"
    r"|keras\.activations|keras\.backend|__operators__)\.)?\w+"
)
FORBIDDEN_SYMBOLS = re.compile(
    r"(^|\.)(\w*file\w*|py_function|numpy_function|py_func|load\w*|save\w*|restore\w*|print|eval|function|import\w*)$",
    re.IGNORECASE,
)
FORBIDDEN_NODE = re.compile(r"File|PyFunc|Save|Restore|Load|Print")


def check_config(archive: Archive, custom_objects: Mapping[str, Any], unsafe: bool) -> None:
    """Check all that a model file's configuration names.

    Args:
        archive: a file that was read but not opened by Keras.
        custom_objects: the user's classes and functions by name.
        unsafe: let code in the file pass.

    Raises:
        UnsafeModelError: opening the model would run code from the file; not with ``unsafe``.
        CustomLayerError: a class or function that is neither Keras's nor among ``custom_objects``.
        ModelFileError: the configuration is not one of a model.
    """
    for config in archive.configs:
        if not isinstance(config, dict):
            raise ModelFileError(f"'{archive.path}' is damaged: its configuration is not a model's.")
        # Losses and metrics of the model itself are never opened: it is loaded without compiling.
        inside = {
            k: v for k, v in config.items() if k not in ("compile_config", "training_config", "save_spec")
        }
        for entry in _entries(inside):
            _check_entry(entry, archive, custom_objects, unsafe)


def _entries(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if isinstance(value.get("class_name"), str):
            yield value
        for item in value.values():
            yield from _entries(item)
    elif isinstance(value, list):
        for item in value:
            yield from _entries(item)


def _check_entry(entry: dict[str, Any], archive: Archive, custom: Mapping[str, Any], unsafe: bool) -> None:
    name, module = entry["class_name"], entry.get("module")
    if name in VALUE_MARKS:
        return
    if not unsafe:
        _refuse_code(entry, name, archive)
    if name == "function":
        _check_function(entry, archive, custom, unsafe)
        return
    if _given(name, entry, custom):
        return
    if isinstance(module, str) and not _is_internal_name(entry):
        if MODULES.fullmatch(module):
            return
        if _is_foreign(module) and not unsafe:
            raise _unsafe(archive, f"it names {module}.{name}, which is no part of a model")
        if unsafe:
            return
        raise _custom(entry, name, module, archive)
    if name in keras_names() or name in INTERNAL or (unsafe and name in CODE_CLASSES):
        return
    raise _custom(entry, name, str(module or ""), archive)


def _is_internal_name(entry: dict[str, Any]) -> bool:
    """A class that its author registered: the module is None or says nothing about where it comes from."""
    registered = entry.get("registered_name")
    return (
        isinstance(registered, str) and ">" in registered and str(entry.get("module")).startswith("builtins")
    )


def _refuse_code(entry: dict[str, Any], name: str, archive: Archive) -> None:
    config = entry.get("config")
    layer = entry.get("name") or (config.get("name") if isinstance(config, dict) else "") or name
    if name in CODE_CLASSES:
        raise _unsafe(archive, f"'{layer}' is a {name.strip('_')}, which holds Python code")
    if not isinstance(config, dict):
        return
    if name in ("TFOpLambda", "SlicingOpLambda"):
        symbol = str(config.get("function", ""))
        if not SYMBOLS.fullmatch(symbol) or FORBIDDEN_SYMBOLS.search(symbol):
            raise _unsafe(archive, f"'{layer}' calls TensorFlow's {symbol}")
    if name == "TensorFlowOpLayer" and FORBIDDEN_NODE.search(str(config.get("node_def", ""))):
        raise _unsafe(archive, f"'{layer}' is a TensorFlow operation that touches files")
    if str(config.get("attr_name", "")).startswith("_"):
        raise _unsafe(archive, f"'{layer}' reaches into Python's own attributes")
    if isinstance(config.get("vocabulary"), str):
        raise _unsafe(archive, f"'{layer}' reads the file {config['vocabulary']}")


def _check_function(entry: dict[str, Any], archive: Archive, custom: Mapping[str, Any], unsafe: bool) -> None:
    module, config = entry.get("module"), entry.get("config")
    name = config if isinstance(config, str) else str((config or {}).get("name", ""))
    if name in custom or name.split(">")[-1] in custom or unsafe:
        return
    if module in (None, "builtins") or MODULES.fullmatch(str(module)):
        if name in keras_names():
            return
        raise CustomLayerError(
            f"'{archive.path}' uses the function '{name}', which is not Keras's.",
            expected="a model of Keras's own layers, or its functions given",
            hint=f"Pass it: --custom-objects MODULE:{name.split('>')[-1]}, or custom_objects={{...}}.",
        )
    raise _unsafe(archive, f"it names the function {module}.{name}")


def _given(name: str, entry: dict[str, Any], custom: Mapping[str, Any]) -> bool:
    registered = str(entry.get("registered_name") or "")
    return any(n and (n in custom or n.split(">")[-1] in custom) for n in (name, registered))


def _is_foreign(module: str) -> bool:
    """A module of Python itself, or a part of Keras that no model needs."""
    top = module.split(".")[0]
    return top in sys.stdlib_module_names or top in ("builtins", "keras", "tf_keras", "tensorflow", "numpy")


@cache
def keras_names() -> frozenset[str]:
    """Names of the classes and functions that either Keras has for building models."""
    import keras
    import tf_keras

    names: set[str] = set()
    for library in (keras, tf_keras):
        parts: Iterable[Any] = (
            getattr(library, part, None)
            for part in ("activations", "constraints", "initializers", "layers", "models", "regularizers")
        )
        for part in parts:
            names |= {name for name in dir(part) if not name.startswith("_")}
    return frozenset(names | {"DTypePolicy", "Policy", "Sequential", "swish", "SeedGenerator"}) - {
        "deserialize",
        "get",
        "serialize",
        "load_model",
        "save_model",
        "clone_model",
    }


def _unsafe(archive: Archive, what: str) -> UnsafeModelError:
    return UnsafeModelError(
        f"Opening '{archive.path}' could run code that is stored in it: {what}.",
        expected="a model of layers only",
        hint="If you trust its author, pass --unsafe (unsafe=True); better, replace it with a layer.",
    )


def _custom(entry: dict[str, Any], name: str, module: str, archive: Archive) -> CustomLayerError:
    config = entry.get("config")
    layer = entry.get("name") or (config.get("name", "") if isinstance(config, dict) else "")
    where = f"layer '{layer}' of class {name}" if layer else f"the class {name}"
    source = module if module and module not in ("builtins", "__main__") else "MODULE"
    return CustomLayerError(
        f"'{archive.path}' has {where}, which is not Keras's.",
        expected="a model of Keras's own layers, or its classes given",
        got=f"{module}.{name}" if module else name,
        hint=f"Pass it: --custom-objects {source}:{name}, or custom_objects={{'{name}': {name}}}.",
    )
