"""Give a compressed model back in the library that it came from."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
import tf_keras

from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.squeeze.layers.attention import spelled_heads
from edgesqueeze.squeeze.layers.rewrite import nodes_in_order
from edgesqueeze.squeeze.opening.bridge import copy_weights
from edgesqueeze.squeeze.opening.bridge_layers import to_keras
from edgesqueeze.squeeze.opening.op_layer import OpLayer, decode_call
from edgesqueeze.squeeze.opening.op_table import keras_function
from edgesqueeze.squeeze.opening.sameness import require_same, sample_inputs


def save_model(model: Any, family: str, path: Path, custom_objects: Mapping[str, Any] | None = None) -> None:
    """Write a flat tf_keras model as a ``.keras`` file of the family that the user's model came from.

    Args:
        model: flat tf_keras model, bridged or flattened by EdgeSqueeze and perhaps changed since.
        family: ``"keras3"`` or ``"tf_keras"``. The file opens with that library alone, and with the user's
            own classes where the model has some.
        path: where to write; a file there is overwritten.
        custom_objects: the user's own classes and functions by name.

    Raises:
        UnsupportedModelError: a layer has no counterpart in Keras 3, or the family is unknown.
        BridgeError: the model rebuilt in Keras 3 computes something else than ``model``.
    """
    if family == "keras3":
        write, scope = keras.saving.save_model, keras.saving.custom_object_scope
    elif family == "tf_keras":
        write, scope = tf_keras.models.save_model, tf_keras.utils.custom_object_scope
    else:
        raise UnsupportedModelError(
            f"unknown model family '{family}'", expected="keras3 or tf_keras", hint="please report it"
        )
    model = spelled_heads(model)
    # Both libraries choose the format by the suffix, which the caller's temporary path may lack.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".edgesqueeze-") as folder:
        written = Path(folder) / "model.keras"
        with scope(dict(custom_objects or {})):
            write(unbridge(model) if family == "keras3" else model, str(written))
        written.replace(path)


def unbridge(model: Any) -> Any:
    """Rebuild a flat tf_keras model in Keras 3, with standard layers and ``keras.ops`` only.

    Returns:
        A Keras 3 Functional model with the names, structure and weights of ``model``.

    Raises:
        UnsupportedModelError: a layer has no counterpart in Keras 3.
        BridgeError: the outputs differ.
    """
    made: dict[int, tuple[Any, Any]] = {}
    inputs = tf.nest.map_structure(_new_input, _plain(model._nested_inputs))
    values = {id(s): t for s, t in zip(model.inputs, tf.nest.flatten(inputs), strict=True)}
    for node in nodes_in_order(model):
        args, kwargs = tf.nest.map_structure(
            lambda value: values.get(id(value), value), (node.call_args, dict(node.call_kwargs))
        )
        results = tf.nest.flatten(_call(node.layer, args, kwargs, made))
        for symbol, result in zip(tf.nest.flatten(node.outputs), results, strict=True):
            values[id(symbol)] = result
    for layer, copy in made.values():
        copy_weights(layer, copy)
    outputs = tf.nest.map_structure(lambda symbol: values[id(symbol)], _plain(model._nested_outputs))
    rebuilt = keras.Model(inputs, outputs, name=model.name.replace("/", "_"))
    require_same(model, rebuilt, sample_inputs(model))
    return rebuilt


def _new_input(symbol: Any) -> Any:
    layer = symbol._keras_history.layer
    dtype = tf.as_dtype(symbol.dtype).name
    return keras.Input(batch_shape=tuple(symbol.shape), dtype=dtype, name=layer.name.replace("/", "_"))


def _plain(structure: Any) -> Any:
    """Lists and dictionaries instead of tf_keras's own kinds of them."""
    if isinstance(structure, dict):
        return {key: _plain(value) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        return [_plain(value) for value in structure]
    return structure


def _call(layer: Any, args: Any, kwargs: Any, made: dict[int, tuple[Any, Any]]) -> Any:
    args, kwargs = _plain(args), _plain(kwargs)
    if isinstance(layer, OpLayer):
        return _call_operator(layer, args[0])
    if isinstance(layer, tf_keras.layers.Attention) and len(args[0][0].shape) == 4:
        return _attend(*args[0])
    if id(layer) not in made:
        made[id(layer)] = (layer, to_keras(layer, _inner))
    kwargs.pop("training", None)
    if isinstance(args[0], list) and isinstance(layer, (tf_keras.layers.RNN, tf_keras.layers.Bidirectional)):
        # tf_keras puts the initial state into the list of inputs.
        sequence, *state = args[0]
        args, kwargs = (sequence,), {**kwargs, "initial_state": state}
    return made[id(layer)][1](*args, **kwargs)


def _call_operator(layer: OpLayer, tensors: Any) -> Any:
    tensors = tensors if isinstance(tensors, list) else [tensors]
    args, kwargs = decode_call(layer.arguments, tensors, layer.get_weights())
    result = keras_function(layer.op)(*args, **kwargs)
    first = tf.nest.flatten(result)[0]
    # An operator that makes an output gives it its name.
    first._keras_history.operation.name = layer.name
    return result


def _attend(query: Any, value: Any, key: Any) -> Any:
    """Attention of several heads at once, ``[batch, heads, steps, features]``."""
    scores = keras.ops.matmul(query, keras.ops.transpose(key, (0, 1, 3, 2)))
    return keras.ops.matmul(keras.ops.softmax(scores), value)


def _inner(layer: Any) -> Any:
    if isinstance(layer, tf_keras.Model):
        return unbridge(layer)
    copy = to_keras(layer, _inner)
    copy.name = copy.name.removeprefix("forward_").removeprefix("backward_")
    return copy
