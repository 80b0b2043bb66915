"""Inline the models inside a tf_keras model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from edgesqueeze.base.findings import Finding
from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.squeeze.layers.rewrite import clone_inputs, clone_layer, name_outputs, nodes_in_order
from edgesqueeze.squeeze.opening.bridge_layers import OTHER_FLOATS, is_inert, refuse_channels_first
from edgesqueeze.squeeze.opening.subclassed import is_subclassed
from edgesqueeze.squeeze.opening.whole_layer import WholeLayer


def plain_name(name: str) -> str:
    """A layer's or model's name as tf_keras takes it: TensorFlow forbids spaces and letters with accents."""
    plain = re.sub(r"[^A-Za-z0-9_.\\>-]", "_", name)
    return plain if re.match(r"[A-Za-z0-9.]", plain) else f"layer{plain}"


class Names:
    """Gives each layer of a flat model a name of its own, its old one wherever possible.

    Args:
        reserved: names that only the layers in ``renamed`` get.
        renamed: new names by ``id`` of the old layer.
    """

    def __init__(self, reserved: Sequence[str], renamed: dict[int, str]) -> None:
        self._taken = set(reserved)
        self._renamed = renamed

    def of(self, layer: Any, scope: Sequence[str]) -> str:
        """Name for a layer that stands in the nested models ``scope``."""
        if id(layer) in self._renamed:
            return self._renamed[id(layer)]
        name = plain_name(str(layer.name))
        candidates = [name, *("_".join((*scope[depth:], name)) for depth in reversed(range(len(scope))))]
        chosen = next((c for c in candidates if c not in self._taken), None)
        number = 1
        while chosen is None:
            numbered = f"{candidates[-1]}_{number}"
            chosen = None if numbered in self._taken else numbered
            number += 1
        self._taken.add(chosen)
        return chosen


def flatten(model: Any, findings: list[Finding] | None = None) -> Any:
    """A flat copy of a tf_keras Functional or Sequential model.

    Models inside the model are replaced by their layers; what was shared stays shared. Layers are fresh
    objects with copies of the weights, and random augmentation is dropped. Names of inputs, outputs and
    layers stay; where two inner models use the same layer name, that of the inner model is put in front.

    Args:
        model: a built tf_keras model; it is not changed.
        findings: takes a note for each layer that was dropped.

    Raises:
        UnsupportedModelError: the model is not Functional or Sequential, or a layer is channels_first.
    """
    state = _Flattening(
        names_for(model, model.output_names, _leaf, _layer_of), [] if findings is None else findings
    )
    inputs = clone_inputs(model)
    outputs = _replay(model, tf.nest.flatten(inputs), state, (), {})
    for original, copy in state.clones.values():
        copy.set_weights(original.get_weights())
    return tf_keras.Model(inputs, name_outputs(outputs, model.output_names), name=model.name)


def names_for(model: Any, wanted: Sequence[str], leaf: Any, layer_of: Any) -> Names:
    """Names such that the layers which make the outputs are called as the outputs.

    Args:
        model: the model to be inlined, of either library.
        wanted: the names of its outputs.
        leaf: finds the innermost tensor that an output comes from.
        layer_of: the layer that made a tensor.
    """
    leaves = [layer_of(leaf(output)) for output in model.outputs]
    renamed: dict[int, str] = {}
    for maker, name in zip(leaves, wanted, strict=True):
        if type(maker).__name__ != "InputLayer":
            renamed.setdefault(id(maker), name)
    inputs = [layer_of(symbol).name for symbol in model.inputs]
    return Names([*wanted, *inputs], renamed)


class _Flattening:
    """What one run of ``flatten`` has made so far."""

    def __init__(self, names: Names, findings: list[Finding]) -> None:
        self.names = names
        self.findings = findings
        self.clones: dict[int, tuple[Any, Any]] = {}
        self.dropped: set[int] = set()


def _replay(model: Any, feed: Sequence[Any], state: _Flattening, scope: tuple[str, ...], passed: Any) -> Any:
    values = {id(symbol): tensor for symbol, tensor in zip(model.inputs, feed, strict=True)}
    for node in nodes_in_order(model):
        args, kwargs = tf.nest.map_structure(
            lambda value: values.get(id(value), value), (node.call_args, dict(node.call_kwargs))
        )
        results = tf.nest.flatten(_call(node.layer, args, kwargs, state, scope, passed))
        for symbol, result in zip(tf.nest.flatten(node.outputs), results, strict=True):
            values[id(symbol)] = result
    return tf.nest.map_structure(lambda symbol: values[id(symbol)], model._nested_outputs)


def _call(layer: Any, args: Any, kwargs: Any, state: _Flattening, scope: tuple[str, ...], passed: Any) -> Any:
    if isinstance(layer, tf_keras.Model) and not is_subclassed(layer):
        refuse_unbuilt(layer)
        # `inner(x, training=False)` holds for all layers inside.
        training = kwargs.get("training", passed.get("training"))
        inner = {} if training is None else {"training": training}
        return _replay(layer, layer._flatten_to_reference_inputs(args[0]), state, (*scope, layer.name), inner)
    if is_inert(layer):
        if id(layer) not in state.dropped:
            state.dropped.add(id(layer))
            state.findings.append(dropped_finding(layer))
        return keep_dtype(args[0], layer.compute_dtype)
    if isinstance(layer, tf_keras.layers.SpectralNormalization):
        # At inference the wrapper only calls its layer.
        return _call(layer.layer, args, {}, state, scope, passed)
    if id(layer) not in state.clones and isinstance(layer, tf_keras.Model):
        state.clones[id(layer)] = (layer, WholeLayer(layer, name=state.names.of(layer, scope)))
        state.findings.append(whole_finding(layer))
    if id(layer) not in state.clones:
        refuse_channels_first(layer.get_config(), layer.name)
        changes = {"name": state.names.of(layer, scope), **_float32(layer)}
        state.clones[id(layer)] = (layer, clone_layer(layer, **changes))
    if passed and layer._expects_training_arg:
        kwargs = {**passed, **kwargs}
    return state.clones[id(layer)][1](*args, **kwargs)


def _float32(layer: Any) -> dict[str, str]:
    """Other real numbers become float32."""
    name = layer.dtype_policy.name if hasattr(layer.dtype_policy, "name") else layer.dtype_policy
    return {"dtype": "float32"} if name in OTHER_FLOATS else {}


def dropped_finding(layer: Any) -> Finding:
    """Say that a layer was left out because it does nothing at inference."""
    return Finding(
        code="augmentation-dropped",
        subject=layer.name,
        message=f"'{layer.name}' ({type(layer).__name__}) does nothing at inference and was left out.",
    )


def keep_dtype(tensor: Any, dtype: Any) -> Any:
    """The tensor, cast to a dropped layer's dtype: such a layer turns integers into floats."""
    if tensor.dtype == dtype or not tf.as_dtype(dtype).is_floating or tensor.dtype.is_floating:
        return tensor
    # A layer that both libraries have, so that the way back needs no operator.
    return tf_keras.layers.Rescaling(1.0, dtype=dtype)(tensor)


def refuse_unbuilt(model: Any) -> None:
    """Raise UnsupportedModelError for a tf_keras Sequential model that does not know its input shape."""
    if not getattr(model, "_is_graph_network", False):
        raise unbuilt_error(model)


def unbuilt_error(model: Any) -> UnsupportedModelError:
    """The error for a Sequential model that does not know its input shape."""
    return UnsupportedModelError(
        f"the Sequential model '{model.name}' does not know its input shape",
        expected="a model that starts with an Input layer",
        hint="put keras.Input(shape=...) first, or call model.build(...), and save it again",
    )


def whole_finding(model: Any) -> Finding:
    """Say that a subclassed model is converted as it is."""
    return Finding(
        code="kept-whole",
        subject=model.name,
        message=(
            f"'{model.name}' ({type(model).__name__}) is a subclassed model: its layers are called in Python "
            "code. It is quantized as it is; its weights are neither pruned nor clustered nor trained."
        ),
    )


def _leaf(tensor: Any) -> Any:
    layer, _, tensor_index = tensor._keras_history
    if isinstance(layer, tf_keras.Model) and getattr(layer, "_is_graph_network", False):
        inner = layer.outputs[tensor_index]
        return _leaf(inner)
    return tensor


def _layer_of(tensor: Any) -> Any:
    return tensor._keras_history.layer
