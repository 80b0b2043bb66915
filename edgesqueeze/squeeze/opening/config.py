"""Read a model's configuration as what a stranger may have written, and keep only what is allowed.

A configuration names classes and functions, and Keras looks them up, imports modules for them and calls
them with whatever else it says. Here every name is compared with a list (``allowed``) or with the user's own
``custom_objects`` before Keras sees anything, and what Keras gets is the copy that was made on the way.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from edgesqueeze.base.plain import plain
from edgesqueeze.errors import CustomLayerError, UnsafeModelError, UnsupportedModelError
from edgesqueeze.squeeze.opening import allowed, allowed_tensorflow
from edgesqueeze.squeeze.opening.faults import damaged

MOST_MISSING = 20
"""Classes and functions that one error names."""

MOST_DEPTH = 200
"""Models in models in models need about fifty."""

# Classes that bring code with them, in the file or from somewhere else.
CODE = frozenset(
    {
        "ClassMethod",
        "CompositeTensor",
        "FlaxLayer",
        "InstanceMethod",
        "InstanceProperty",
        "JaxLayer",
        "Lambda",
        "TFSMLayer",
        "TorchModuleWrapper",
        "TypeSpec",
        "__lambda__",
        "__typespec__",
    }
)

# What a model needs only where it is trained on.
FOR_TRAINING = ("compile_config", "training_config", "save_spec")

PLAIN_NAME = re.compile(r"[\w./]+")
REGISTERED = re.compile(r"[\w.]+>[\w.]+")


@dataclass(frozen=True)
class Rules:
    """What a file may name.

    Attributes:
        name: of the file, for messages.
        custom: names of the user's own classes and functions.
        unsafe: whether the user lets the file run code.
    """

    name: str
    custom: Collection[str]
    unsafe: bool


def parse_json(text: str | bytes, name: str) -> Any:
    """Read JSON.

    Raises:
        ModelFileError: it is none, or nested too deeply.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise damaged(name, "its configuration is nested too deeply") from error
    except ValueError as error:
        raise damaged(name, f"its configuration cannot be read ({error})") from error
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MOST_DEPTH:
            raise damaged(name, "its configuration is nested too deeply")
        level = [
            item
            for one in level
            if isinstance(one, (dict, list))
            for item in (one.values() if isinstance(one, dict) else one)
        ]
    return value


def checked(config: Any, rules: Rules) -> dict[str, Any]:
    """A copy of a model's configuration that names only what is allowed.

    Raises:
        UnsafeModelError: it names something that could run code; not with ``unsafe``.
        CustomLayerError: it names a class or function that is neither on the lists nor among ``custom``.
        ModelFileError: it is no configuration of a model.
    """
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise damaged(rules.name, "its configuration is not a model's")
    if not isinstance(config.get("config"), (dict, list)):
        raise damaged(rules.name, "its configuration is not a model's")
    try:
        copy = _copy(config, rules)
    except _MissingError as first:
        raise _all_missing(config, rules, first) from None
    assert isinstance(copy, dict)
    return copy


class _MissingError(CustomLayerError):
    """A class or function that was not given, with the module that the file names for it."""

    module = ""
    name = ""


def _missing(module: str, name: str, problem: str, **more: str) -> _MissingError:
    error = _MissingError(problem, **more)
    error.module, error.name = module, name
    return error


def _all_missing(config: Any, rules: Rules, first: _MissingError) -> CustomLayerError:
    """One error for all that was not given: each is taken for given, to see what comes after it."""
    found = [first]
    while len(found) < MOST_MISSING and found[-1].name:
        tried = replace(rules, custom={*rules.custom, *(one.name for one in found)})
        try:
            _copy(config, tried)
            break
        except _MissingError as following:
            if following.name in tried.custom:
                break
            found.append(following)
    options = " ".join(f"--custom-objects {one.module or 'MODULE'}:{one.name or 'NAME'}" for one in found)
    objects = ", ".join(f"'{one.name or 'NAME'}': ..." for one in found)
    others = f"; it also needs {', '.join(one.name for one in found[1:])}" if len(found) > 1 else ""
    return CustomLayerError(
        first.problem + others,
        expected=first.expected,
        got=first.got,
        hint=f"if you know it, pass it: {options}, or custom_objects={{{objects}}}",
    )


def _copy(value: Any, rules: Rules) -> Any:
    if isinstance(value, list):
        return [_copy(item, rules) for item in value]
    if isinstance(value, str):
        _check_text(value, rules)
        return value
    if not isinstance(value, dict):
        return value
    if "class_name" in value:
        value = _entry(value, rules)
    return {key: _copy(item, rules) for key, item in value.items() if key not in FOR_TRAINING}


def _check_text(text: str, rules: Rules) -> None:
    """A text that is the name of a registered class would be replaced by the class."""
    if ">" in text and REGISTERED.fullmatch(text) and not _given(rules, text) and not rules.unsafe:
        raise _custom(rules, {}, text, "")


def _entry(entry: dict[str, Any], rules: Rules) -> dict[str, Any]:
    """An entry that makes an object, once it is known to be allowed."""
    name, module = entry["class_name"], entry.get("module")
    registered = entry.get("registered_name")
    if not isinstance(name, str) or not isinstance(module, (str, type(None))):
        raise damaged(rules.name, "its configuration has a class without a name")
    if not isinstance(registered, (str, type(None))):
        raise damaged(rules.name, "its configuration has a class without a name")
    if rules.unsafe:
        return entry
    if name in allowed.VALUES:
        return _value(entry, name, rules)
    if name == "function":
        return _function(entry, module, rules)
    key = _given(rules, registered) or _given(rules, name)
    if key:
        return {**entry, "class_name": key, "module": "builtins", "registered_name": key}
    if name in CODE:
        raise _unsafe(rules, f"'{_title(entry, name)}' is a {name.strip('_')}, which holds Python code")
    _check_class(entry, name, module, registered, rules)
    return _layer(entry, name, rules)


def _value(entry: dict[str, Any], name: str, rules: Rules) -> dict[str, Any]:
    config = entry.get("config")
    dtype = config.get("dtype") if isinstance(config, dict) else None
    known = dtype in allowed.DTYPES or (name == "__keras_tensor__" and dtype == "string")
    if name in ("__numpy__", "__tensor__", "__keras_tensor__") and not known:
        raise damaged(rules.name, f"its configuration has values of type {plain(str(dtype))[:80]!r}")
    return entry


def _function(entry: dict[str, Any], module: str | None, rules: Rules) -> dict[str, Any]:
    name = entry.get("config")
    if not isinstance(name, str):
        raise damaged(rules.name, "its configuration has a function without a name")
    key = _given(rules, name)
    if key:
        return {**entry, "module": "builtins", "config": key, "registered_name": key}
    if entry.get("registered_name") not in (None, name, "function"):
        raise _custom(rules, entry, str(entry["registered_name"]), "")
    if name in allowed.FUNCTION_MODULES.get(module, ()):
        return entry
    if module in allowed.FUNCTION_MODULES:
        raise _missing(
            "",
            _word(name, ""),
            f"'{rules.name}' uses the function '{plain(name)}', which is not Keras's",
            expected="a model of Keras's own layers, or its functions given",
        )
    raise _unsafe(rules, f"it names the function {plain(str(module))}.{plain(name)}")


def _check_class(
    entry: dict[str, Any], name: str, module: str | None, registered: str | None, rules: Rules
) -> None:
    """Raise unless a class is on the lists, by its name and the module that it is said to be in."""
    names = allowed.WITHOUT_MODULE if module is None else allowed.BY_MODULE.get(module, frozenset())
    if name in names and registered in (None, name):
        return
    if name in allowed.QUANTIZED:
        raise UnsupportedModelError(
            f"'{rules.name}' is quantized already ({name})",
            expected="a float model",
            hint="save the model before quantizing it",
        )
    of_its_author = module in (None, "builtins") and ">" in (registered or "")
    if module is not None and _is_foreign(module) and not of_its_author and name not in names:
        raise _unsafe(rules, f"it names {plain(module)}.{plain(name)}, which is no part of a model")
    raise _custom(rules, entry, registered or name, module or "")


def _layer(entry: dict[str, Any], name: str, rules: Rules) -> dict[str, Any]:
    """An allowed entry, once its settings are known to be values or the names of allowed functions."""
    config = entry.get("config")
    if not isinstance(config, dict):
        return entry
    if name in allowed.OPERATION_LAYERS:
        return {**entry, "config": _operation(config, _title(entry, name), rules)}
    if isinstance(config.get("vocabulary"), str):
        raise _unsafe(rules, f"'{_title(entry, name)}' reads the file {plain(config['vocabulary'])[:200]!r}")
    for key, value in config.items():
        _check_setting(key, value, _title(entry, name), rules)
    return entry


def _check_setting(key: str, value: Any, title: str, rules: Rules) -> None:
    """A text that Keras looks up, and the class of what it makes of a setting."""
    names = next((names for end, names in allowed.BY_KEY.items() if key.split("_")[-1] == end), None)
    if names is None:
        if key in ("dtype", "dtype_policy") and isinstance(value, str) and not PLAIN_NAME.fullmatch(value):
            raise damaged(rules.name, f"'{title}' has the type {plain(value)[:80]!r}")
        return
    if isinstance(value, str) and value not in names and not _given(rules, value):
        raise _missing(
            "",
            _word(value, ""),
            f"'{rules.name}' has '{plain(value)[:80]}' as {plain(key)} of '{title}', which is not Keras's",
            expected="a model of Keras's own layers, or its functions given",
        )
    made = value.get("class_name") if isinstance(value, dict) else None
    if (
        names is not allowed.ACTIVATIONS
        and made in allowed.WITHOUT_MODULE - names
        and not _given(rules, made)
    ):
        _entry(value, rules)  # may have something worse to say
        raise damaged(rules.name, f"the {plain(key)} of '{title}' is a {made}")


def _operation(config: dict[str, Any], title: str, rules: Rules) -> dict[str, Any]:
    """The settings of a layer that names a function or an operator of TensorFlow."""
    if "node_def" not in config:
        symbol = config.get("function")
        if not isinstance(symbol, str) or symbol not in allowed_tensorflow.FUNCTIONS:
            raise _unsafe(rules, f"'{title}' calls TensorFlow's {plain(str(symbol))[:80]}")
        return config
    node = _node(config["node_def"], rules)
    if node.get("op") not in allowed_tensorflow.OPERATORS:
        raise _unsafe(rules, f"'{title}' is TensorFlow's operator {plain(str(node.get('op')))[:80]}")
    return {**config, "node_def": node}


def _node(stored: Any, rules: Rules) -> dict[str, Any]:
    """A node of a graph in the form that newer versions write: as a dictionary."""
    if isinstance(stored, dict):
        return stored
    from google.protobuf import json_format
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework import node_def_pb2

    try:
        node = node_def_pb2.NodeDef.FromString(stored.encode())
    except (DecodeError, AttributeError, UnicodeEncodeError) as error:
        raise damaged(rules.name, "a TensorFlow operation in it cannot be read") from error
    as_json: dict[str, Any] = json_format.MessageToDict(node)
    return as_json


def _given(rules: Rules, name: str | None) -> str:
    """The user's name for a class or function, as the file may have it with its package; empty if none."""
    if name is None:
        return ""
    return next((one for one in (name, _last(name)) if one and one in rules.custom), "")


def _last(name: str) -> str:
    return name.split(">")[-1]


def _is_foreign(module: str) -> bool:
    """A module of Python itself, or a part of Keras that no model needs."""
    top = module.split(".")[0]
    return top in sys.stdlib_module_names or top in ("builtins", "keras", "tf_keras", "tensorflow", "numpy")


def _title(entry: Mapping[str, Any], name: str) -> str:
    config = entry.get("config")
    own = entry.get("name") or (config.get("name") if isinstance(config, dict) else "") or name
    return plain(str(own))[:80]


def _unsafe(rules: Rules, what: str) -> UnsafeModelError:
    return UnsafeModelError(
        f"opening '{rules.name}' could run code that is stored in it: {what}",
        expected="a model of layers only",
        hint="if you trust its author, pass --unsafe (unsafe=True); better, replace it with a layer",
    )


def _custom(rules: Rules, entry: Mapping[str, Any], name: str, module: str) -> _MissingError:
    title, last = _title(entry, ""), plain(_last(name))[:80]
    where = f"layer '{title}' of class {last}" if title else f"the class {last}"
    source = "" if module in ("builtins", "__main__") else _word(module, "")
    return _missing(
        source,
        _word(name, ""),
        f"'{rules.name}' has {where}, which is not Keras's",
        expected="a model of Keras's own layers, or its classes given",
        got=plain(f"{module}.{name}" if module else name)[:160],
    )


def _word(text: str, otherwise: str) -> str:
    """A name that people may copy into a shell."""
    last = _last(text)
    return last if len(last) <= 80 and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", last) else otherwise
