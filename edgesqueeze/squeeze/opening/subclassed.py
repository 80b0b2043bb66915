"""A subclassed model as a functional one of a single layer, which calls it: its graph is Python code."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf
import tf_keras

from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.squeeze.opening.faults import first_line

WHOLE_NUMBERS = ("int32", "int64")
ONLY_COMPARED = ("NotEqual", "Shape")
"""What else a layer does with whole numbers beside looking up: mask_zero, and asking for the batch."""


def as_functional(model: Any) -> Any:
    """A functional model of the same library that calls a subclassed one; another model as it is.

    Args:
        model: a Keras 3 or tf_keras model.

    Raises:
        UnsupportedModelError: it was never called, so that its input shape is not known, or it cannot be
            called on symbols.
    """
    if not is_subclassed(model):
        return model
    library = keras if isinstance(model, keras.Model) else tf_keras
    arguments = _keras_arguments(model) if library is keras else _tf_keras_arguments(model)
    if arguments is None:
        raise UnsupportedModelError(
            f"the subclassed model '{model.name}' ({type(model).__name__}) was never called",
            expected="a model that knows the shape of its inputs",
            hint="call it once on a batch, model(x), and give it, or save it, after that",
        )
    try:
        return library.Model(_only(arguments), model(*arguments), name=model.name)
    except Exception as error:  # whatever the user's code raises
        raise UnsupportedModelError(
            f"the subclassed model '{model.name}' ({type(model).__name__}) cannot be called on keras.Input: "
            f"{first_line(error)}",
            expected="a call() that works with symbolic tensors",
            hint="give keras.Model(inputs, model(inputs)) with a keras.Input for each argument, or the "
            "folder that model.export('FOLDER') writes",
        ) from error


def _only(arguments: list[Any]) -> Any:
    return arguments[0] if len(arguments) == 1 else arguments


def is_subclassed(model: Any) -> bool:
    """Whether a model's layers are called in Python code: it has no graph of them."""
    if isinstance(model, keras.Model):
        return not isinstance(model, keras.Sequential) and not hasattr(model, "_nodes_by_depth")
    graph = getattr(model, "_is_graph_network", False)
    return not graph and not isinstance(model, tf_keras.Sequential)


def _keras_arguments(model: Any) -> list[Any] | None:
    """Inputs as Keras recorded them at the first call: the shapes, and not the types."""
    shapes = getattr(model, "_build_shapes_dict", None)
    if not shapes:
        return None
    names = dict(_named_shapes({key.removesuffix("_shape"): value for key, value in shapes.items()}))
    kinds = _types(model, shapes)
    made = iter(
        keras.Input(shape=shape[1:], dtype=kind, name=_other_than(model.name, name))
        for (name, shape), kind in zip(names.items(), kinds, strict=True)
    )
    return [_mapped(value, lambda _: next(made)) for value in shapes.values()]


def _named_shapes(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Each shape with a name, in TensorFlow's order: that of the keys."""
    if _is_shape(value):
        yield name or "input", value
        return
    parts = sorted(value.items()) if isinstance(value, dict) else enumerate(value)
    for key, one in parts:
        yield from _named_shapes(one, str(key) if isinstance(value, dict) else f"{name}_{key}")


def _other_than(taken: str, name: str) -> str:
    """A layer may not have the name of another one; here the other one is the model."""
    return name if name != taken else f"{name}_input"


def _is_shape(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(one is None or isinstance(one, int) for one in value)


def _mapped(value: Any, change: Any) -> Any:
    if _is_shape(value):
        return change(value)
    if isinstance(value, dict):
        return {key: _mapped(one, change) for key, one in sorted(value.items())}
    return [_mapped(one, change) for one in value]


def _types(model: Any, shapes: Any) -> list[str]:
    """Element type of each input: whole numbers where the model makes such of it before all else."""
    specs = [_mapped(value, _float_spec) for value in shapes.values()]
    try:
        traced = tf.function(lambda *inputs: model(*inputs)).get_concrete_function(*specs)
    except Exception:  # the caller calls it once more, and says why
        return ["float32"] * len(tf.nest.flatten(specs))
    return [_type(symbol) for symbol in traced.inputs[: len(tf.nest.flatten(specs))]]


def _float_spec(shape: Any) -> Any:
    return tf.TensorSpec((None, *shape[1:]), tf.float32)


def _type(symbol: Any) -> str:
    uses = [use for use in symbol.consumers() if use.type not in ONLY_COMPARED]
    made = {tf.as_dtype(use.get_attr("DstT")).name if use.type == "Cast" else "" for use in uses}
    return made.pop() if len(made) == 1 and made <= set(WHOLE_NUMBERS) else "float32"


def _tf_keras_arguments(model: Any) -> list[Any] | None:
    """Inputs as tf_keras recorded them at the first call."""
    recorded = model.save_spec(dynamic_batch=True)
    if recorded is None:
        return None
    numbers = itertools.count()

    def made(spec: Any) -> Any:
        name = (spec.name or f"input_{next(numbers)}").replace("/", "_")
        return tf_keras.Input(shape=spec.shape[1:], dtype=spec.dtype, name=_other_than(model.name, name))

    return [tf.nest.map_structure(made, one) for one in recorded[0]]
