"""Models from the fresh files that ``shelf`` writes; nothing else is ever given to Keras."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import tensorflow as tf
import tf_keras

from edgesqueeze.errors import EdgeSqueezeError, ModelFileError
from edgesqueeze.squeeze.opening import sameness
from edgesqueeze.squeeze.opening.effort import is_small
from edgesqueeze.squeeze.opening.faults import first_line
from edgesqueeze.squeeze.opening.graph_model import graph_model, read_fresh_function, taken_function
from edgesqueeze.squeeze.opening.saved_model import Variables, restore
from edgesqueeze.squeeze.opening.shelf import CONFIG, Archive, Container, Content


def open_clean(
    content: Content, fresh: Path, name: str, custom_objects: Mapping[str, Any], unsafe: bool
) -> Any:
    """The model of a fresh file.

    Args:
        content: what it was made from.
        fresh: the file.
        name: the stranger's file, for messages.
        custom_objects: the user's own classes and functions by name.
        unsafe: whether the file may run code.

    Raises:
        ModelFileError: Keras cannot open it.
    """
    archive, custom = content.archive, dict(custom_objects)
    try:
        if archive.container == "graph":
            return graph_model(taken_function(content, name))
        if archive.container == "saved_model":
            model = _from_config(archive, content.config, fresh, custom, unsafe)
            values = {int(entry.path[0]): array for entry, array in content.arrays() if entry.path}
            restore(model, Variables(content.objects, values), name)
            return model
        library = keras.saving if archive.family == "keras3" else tf_keras.models
        return library.load_model(str(fresh), custom, compile=False, safe_mode=not unsafe)
    except EdgeSqueezeError:
        raise
    except Exception as error:  # Keras raises all kinds for one and the same fault
        raise cannot_open(archive, name, error) from error


def rehearse(archive: Archive, fresh: Path, name: str) -> None:
    """Do with the model of a fresh file what opening does, as far as the file has a say in it.

    Its layers are made, and called once with zeros where a call may take much. The numbers of its weights
    are left out: they are plain arrays by now.

    Raises:
        ModelFileError: Keras cannot open it.
    """
    try:
        if archive.container == "graph":
            graph_model(read_fresh_function(fresh, name))  # which tries it on zeros
            return
        config = stored_config(fresh, archive.container)
        model = _from_config(archive, config, fresh, {}, unsafe=False)
        if getattr(model, "inputs", None) and all(map(_is_plain, model.inputs)) and not is_small(model):
            sameness.evaluate(model, [_zeros(symbol) for symbol in model.inputs])
    except (EdgeSqueezeError, MemoryError):
        raise
    except Exception as error:
        raise cannot_open(archive, name, error) from error


def cannot_open(archive: Archive, name: str, error: BaseException) -> ModelFileError:
    """The error for a file on which Keras fails."""
    library = "Keras 3" if archive.family == "keras3" else "tf_keras"
    library = "TensorFlow" if archive.container == "graph" else library
    return ModelFileError(
        f"{library} cannot open '{name}': {first_line(error)}",
        expected=f"a model that {library} itself opens",
        hint="open it with the version that wrote it and save it again",
    )


def stored_config(fresh: Path, container: Container) -> Any:
    """The configuration in a fresh file, as plain JSON."""
    if container == "keras":
        with zipfile.ZipFile(fresh) as archive:
            return json.loads(archive.read(CONFIG))
    with h5py.File(fresh, "r") as file:
        return json.loads(file.attrs["model_config"])


def _from_config(archive: Archive, config: Any, fresh: Path, custom: dict[str, Any], unsafe: bool) -> Any:
    """The model without its weights; with them where Keras has no function for less."""
    if archive.family == "keras3" and archive.container == "h5":
        return keras.saving.load_model(str(fresh), custom, compile=False, safe_mode=not unsafe)
    if archive.container == "keras":
        library = keras if archive.family == "keras3" else tf_keras
        return library.saving.deserialize_keras_object(config, custom, safe_mode=not unsafe)
    return tf_keras.models.model_from_config(decoded(config), custom)


def decoded(value: Any) -> Any:
    """Configuration with the values that older files write as dictionaries."""
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    mark = value.get("class_name")
    if mark == "TensorShape":
        return tf.TensorShape(value["items"])
    if mark == "__tuple__":
        return tuple(decoded(item) for item in value["items"])
    if mark == "__ellipsis__":
        return Ellipsis
    if mark == "__bytes__" and "value" in value:
        return value["value"].encode()
    return {key: decoded(item) for key, item in value.items()}


def _is_plain(symbol: Any) -> bool:
    """Whether an input takes numbers and has a known shape."""
    dtype = tf.as_dtype(symbol.dtype)
    sparse = getattr(symbol, "sparse", False) is True or type(symbol).__name__ in (
        "RaggedKerasTensor",
        "SparseKerasTensor",
    )
    return dtype != tf.string and not sparse and None not in symbol.shape[1:]


def _zeros(symbol: Any) -> Any:
    return np.zeros((symbol.shape[0] or 1, *symbol.shape[1:]), tf.as_dtype(symbol.dtype).as_numpy_dtype)
