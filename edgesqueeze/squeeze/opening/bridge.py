"""Rebuild a Keras 3 model as one flat tf_keras model.

TFMOT, and with it every pass of EdgeSqueeze, works on tf_keras. The graph is walked node by node: layers are
translated by ``bridge_layers``, operators by ``op_table``, and models inside the model are inlined.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from edgesqueeze.base.findings import Finding
from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.squeeze.layers.rewrite import name_outputs
from edgesqueeze.squeeze.opening import bridge_layers
from edgesqueeze.squeeze.opening.bridge_ops import as_layer
from edgesqueeze.squeeze.opening.flatten import (
    Names,
    dropped_finding,
    flatten,
    keep_dtype,
    names_for,
    plain_name,
    unbuilt_error,
    whole_finding,
)
from edgesqueeze.squeeze.opening.keras_layer import KerasLayer
from edgesqueeze.squeeze.opening.op_layer import OpLayer, encode_call
from edgesqueeze.squeeze.opening.op_table import OPS, op_name
from edgesqueeze.squeeze.opening.subclassed import is_subclassed

__all__ = ["Bridged", "bridge", "flatten"]


@dataclass(frozen=True)
class Bridged:
    """A rebuilt model.

    Attributes:
        model: flat tf_keras model.
        findings: what was dropped or kept in an unusual way.
        trace: name, tensor of the original and tensor of ``model``, for each layer call at the top.
    """

    model: Any
    findings: tuple[Finding, ...]
    trace: tuple[tuple[str, Any, Any], ...]


@dataclass
class _Bridging:
    """What one run has made so far."""

    names: Names
    findings: list[Finding] = field(default_factory=list)
    made: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    trace: list[tuple[str, Any, Any]] = field(default_factory=list)


def bridge(model: Any) -> Bridged:
    """Rebuild a Keras 3 Functional or Sequential model in tf_keras.

    Args:
        model: a built Keras 3 model; it is not changed.

    Returns:
        The flat model. Inputs and outputs have the original's names, order, shapes and structure.

    Raises:
        UnsupportedModelError: something in the model has no counterpart; the message names it.
    """
    name = plain_name(model.name)
    model = functional(model)
    wanted = _unique(model.output_names)
    state = _Bridging(names_for(model, wanted, _leaf, _operation_of))
    inputs = tf.nest.map_structure(_new_input, model._inputs_struct)
    outputs = _replay(model, tf.nest.flatten(inputs), state, ())
    for original, layer in state.made.values():
        if isinstance(original, keras.layers.Layer):
            copy_weights(original, layer)
    flat = tf_keras.Model(inputs, name_outputs(outputs, wanted), name=name)
    return Bridged(flat, tuple(state.findings), tuple(state.trace))


def functional(model: Any) -> Any:
    """The graph of a Keras 3 model that is not subclassed: the model itself, or that inside a Sequential.

    Raises:
        UnsupportedModelError: a Sequential that does not know its input shape.
    """
    if isinstance(model, keras.Sequential):
        if model._functional is None:
            raise unbuilt_error(model)
        return model._functional
    return model


def copy_weights(original: Any, layer: Any) -> None:
    """Copy weights between two built layers of the two libraries, in either direction.

    Raises:
        UnsupportedModelError: the shapes differ.
    """
    if isinstance(layer, (KerasLayer, OpLayer)) or isinstance(original, OpLayer):
        return
    if isinstance(original, KerasLayer):
        original = original.layer
    if type(layer).__name__ == "Normalization":  # has them as settings
        return
    if type(layer).__name__ == "TimeDistributed" and isinstance(layer.layer, (tf_keras.Model, keras.Model)):
        return  # the model inside came with its weights
    values = original.get_weights()
    shapes = [tuple(v.shape) for v in values]
    if shapes != [tuple(w.shape) for w in layer.weights]:
        raise UnsupportedModelError(
            f"the weights of layer '{original.name}' ({type(original).__name__}) do not fit its counterpart",
            expected=str([tuple(w.shape) for w in layer.weights]),
            got=str(shapes),
            hint="this is a gap in EdgeSqueeze: please report the layer with its settings",
        )
    layer.set_weights([np.asarray(value) for value in values])


def _new_input(symbol: Any) -> Any:
    layer = symbol._keras_history.operation
    return tf_keras.Input(
        batch_size=symbol.shape[0],
        shape=symbol.shape[1:],
        dtype="float32" if symbol.dtype == "float64" else symbol.dtype,
        name=layer.name.replace("/", "_"),
    )


def _replay(model: Any, feed: Sequence[Any], state: _Bridging, scope: tuple[str, ...]) -> Any:
    values = {id(symbol): tensor for symbol, tensor in zip(model._inputs, feed, strict=True)}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input:
                continue
            results = tf.nest.flatten(_call(node, values, state, scope))
            for symbol, result in zip(node.outputs, results, strict=True):
                values[id(symbol)] = result
                if not scope:
                    state.trace.append((node.operation.name, symbol, result))
    return tf.nest.map_structure(lambda symbol: values[id(symbol)], model._outputs_struct)


def _call(node: Any, values: dict[int, Any], state: _Bridging, scope: tuple[str, ...]) -> Any:
    operation = node.operation
    if not isinstance(operation, keras.layers.Layer):
        return _call_operator(node, values, state, scope)
    args, kwargs = node.arguments.fill_in(values)
    if _has_graph(operation):
        inner = functional(operation)
        return _replay(inner, _feed(inner, args[0]), state, (*scope, operation.name))
    if bridge_layers.is_inert(operation):
        if id(operation) not in state.made and type(operation).__name__ != "StochasticDepth":
            state.findings.append(dropped_finding(operation))
        return keep_dtype(args[0], operation.compute_dtype)
    if type(operation).__name__ == "LayerScale" and operation.__module__.startswith("keras."):
        return _layer_scale(operation, args[0], state, scope)
    layer = _layer_for(operation, state, scope)
    return layer(*args, **_call_arguments(layer, kwargs))


def _layer_for(operation: Any, state: _Bridging, scope: tuple[str, ...]) -> Any:
    if isinstance(operation, keras.layers.SpectralNormalization):
        operation = operation.layer  # at inference the wrapper only calls it
    if id(operation) not in state.made:
        name = state.names.of(operation, scope)
        layer = bridge_layers.to_tf_keras(operation, name, _inner)
        state.made[id(operation)] = (operation, layer)
        if isinstance(operation, keras.Model):
            state.findings.append(whole_finding(operation))
        elif isinstance(layer, KerasLayer):
            state.findings.append(_kept_finding(operation))
    return state.made[id(operation)][1]


def _inner(layer: Any) -> Any:
    """The counterpart of a layer that stands inside a wrapper."""
    if _has_graph(layer):
        return bridge(layer).model
    return bridge_layers.to_tf_keras(layer, _without_direction(layer.name), _inner)


def _without_direction(name: str) -> str:
    """Bidirectional puts these in front by itself."""
    return plain_name(name.removeprefix("forward_").removeprefix("backward_"))


def _call_arguments(layer: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments of a call, less those that Keras 3 adds by itself.

    It records ``training=False`` and masks of all kinds; the whole is rebuilt for inference, and tf_keras's
    attention finds the masks of its inputs by itself.
    """
    own = ["training"]
    if type(layer).__name__ == "MultiHeadAttention":
        own += ["query_mask", "value_mask", "key_mask"]
    return {key: value for key, value in kwargs.items() if key not in own and value is not None}


def _layer_scale(operation: Any, tensor: Any, state: _Bridging, scope: tuple[str, ...]) -> Any:
    """ConvNeXt's scale: a multiplication by one constant a channel."""
    if id(operation) not in state.made:
        gamma = np.asarray(operation.gamma)
        layer = OpLayer(
            "multiply",
            [{"tensor": 0}, {"constant": 0}],
            constants=[(gamma.shape, gamma.dtype)],
            weights=[gamma],
            name=state.names.of(operation, scope),
        )
        state.made[id(operation)] = (operation, layer)
    return state.made[id(operation)][1]([tensor])


def _call_operator(node: Any, values: dict[int, Any], state: _Bridging, scope: tuple[str, ...]) -> Any:
    operation = node.operation
    name = op_name(operation)
    if name not in OPS or not type(operation).__module__.startswith("keras.src.ops."):
        raise _unknown_operator(operation, name)
    settings = {key: value for key, value in operation.get_config().items() if key != "name"}
    try:
        call, symbols, constants = encode_call(
            node.arguments.args, {**settings, **node.arguments.kwargs}, lambda value: id(value) in values
        )
    except TypeError as error:
        raise UnsupportedModelError(
            f"operation '{operation.name}' ({name}) has an argument that cannot be kept: {error}",
            hint="put the step into a layer of your own, or do it outside the model",
        ) from error
    tensors = [values[id(symbol)] for symbol in symbols]
    if id(operation) in state.made:
        layer = state.made[id(operation)][1]
    else:
        layer_name = state.names.of(operation, scope)
        layer = as_layer(name, call, tensors, node.outputs, layer_name) or OpLayer(
            name,
            call.args,
            call.kwargs,
            [(array.shape, array.dtype) for array in constants],
            weights=constants or None,
            name=layer_name,
        )
        state.made[id(operation)] = (operation, layer)
    try:
        return layer(tensors if isinstance(layer, OpLayer) or len(tensors) > 1 else tensors[0])
    except (TypeError, ValueError) as error:
        raise UnsupportedModelError(
            f"operation '{operation.name}' ({name}) is used in a way that cannot be rebuilt: {error}",
            hint="put the step into a layer of your own, or do it outside the model",
        ) from error


def _unknown_operator(operation: Any, name: str) -> UnsupportedModelError:
    near = difflib.get_close_matches(name, OPS, n=3, cutoff=0.4)
    return UnsupportedModelError(
        f"operation '{operation.name}' is a {type(operation).__name__}, which EdgeSqueeze does not support",
        expected=f"one of the {len(OPS)} supported operations"
        + (f", such as {', '.join(near)}" if near else ""),
        got=f"{type(operation).__module__}.{type(operation).__name__}",
        hint="rebuild the model with supported operations, or put this one into a layer of your own",
    )


def _kept_finding(layer: Any) -> Finding:
    return Finding(
        code="kept-as-keras-layer",
        subject=layer.name,
        message=(
            f"'{layer.name}' ({type(layer).__name__}) has no counterpart in tf_keras. It is converted as it "
            "is; its weights are neither pruned nor clustered nor trained."
        ),
    )


def _feed(model: Any, given: Any) -> list[Any]:
    """The argument of an inner model's call, one tensor for each of its inputs."""
    if isinstance(given, dict) and not isinstance(model._inputs_struct, dict):
        return [given[symbol.name] for symbol in model._inputs]
    return list(tf.nest.flatten(given))


def _unique(names: Sequence[str]) -> list[str]:
    """Output names as tf_keras numbers them where one layer makes several."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        plain = plain_name(name)
        result.append(f"{plain}_{seen[plain]}" if plain in seen else plain)
        seen[plain] = seen.get(plain, 0) + 1
    return result


def _leaf(tensor: Any) -> Any:
    operation, _, index = tensor._keras_history
    return _leaf(functional(operation)._outputs[index]) if _has_graph(operation) else tensor


def _has_graph(operation: Any) -> bool:
    """Whether it is a model whose layers can be seen."""
    return isinstance(operation, keras.Model) and not is_subclassed(operation)


def _operation_of(tensor: Any) -> Any:
    return tensor._keras_history.operation
