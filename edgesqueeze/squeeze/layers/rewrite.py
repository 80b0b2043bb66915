"""Rebuild a flat tf_keras graph with some of its layers replaced.

Every pass that changes the graph (folding, splitting, unwrapping) says what becomes of one layer; the
wiring is done here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf
import tf_keras

# What a pass says about one layer: None keeps it, a layer takes its place, several are applied one after
# the other, and an empty sequence lets the layer's input through.
Replacement = Any
Replace = Callable[[Any], Replacement]

KNOWN_PACKAGES = ("edgesqueeze.", "tensorflow_model_optimization.", "tf_keras.")


def rewrite(
    model: Any,
    replace: Replace | None = None,
    *,
    clone: bool = True,
    name: str | None = None,
    batch: int | None = None,
    entry: Callable[[Any], Sequence[Any]] | None = None,
) -> Any:
    """Rebuild ``model``, which is not changed, with the layers that ``replace`` gives.

    Args:
        model: a flat tf_keras Functional model (see ``bridge.flatten``).
        replace: called once for each layer that is not an InputLayer, in topological order. It returns
            ``None`` to keep the layer, a new layer to take its place, a sequence of new layers to apply
            one after the other (the first receives all that the old layer received), or ``[]`` to drop
            the layer and let its first input through. A layer that the model applies several times is
            asked about once, and its replacement is shared. A new layer must be built to have its weights.
        clone: kept layers become fresh objects with copies of the weights; else both models share them.
        name: name of the new model; that of the old one if not given.
        batch: samples in a batch, fixed; as in ``model`` if not given.
        entry: gives for an InputLayer the layers that its tensor goes through first.

    Returns:
        A tf_keras Functional model with the inputs, outputs, names and structure of ``model``: if the layer
        that made an output was dropped or renamed, a linear activation with the old name stands at the end.

    Raises:
        ValueError: ``model`` has another model as a layer.
    """
    for node in nodes_in_order(model):
        if isinstance(node.layer, tf_keras.Model):
            raise ValueError(f"'{node.layer.name}' is a model inside the model; flatten it first.")
    layers = _Layers(replace, clone)
    inputs = clone_inputs(model, batch)
    walk = replay if needs_autograph(model) else tf.autograph.experimental.do_not_convert(replay)
    outputs = walk(model, _entered(model, tf.nest.flatten(inputs), entry), layers.apply)
    layers.fill_clones()
    return tf_keras.Model(
        inputs, name_outputs(outputs, model.output_names), name=model.name if name is None else name
    )


class _Layers:
    """What becomes of each layer: asked once, and shared by all its calls."""

    def __init__(self, replace: Replace | None, clone: bool) -> None:
        self._replace, self._clone = replace, clone
        self._chosen: dict[int, list[Any]] = {}
        self._clones: list[tuple[Any, Any]] = []

    def apply(self, layer: Any, args: Any, kwargs: Any) -> Any:
        """What a call of the layer gives now."""
        if id(layer) not in self._chosen:
            self._chosen[id(layer)] = self._choose(layer)
        return _apply_chain(layer, self._chosen[id(layer)], args, kwargs)

    def fill_clones(self) -> None:
        """Give fresh layers the weights of those that they stand for."""
        for original, copy in self._clones:
            copy.set_weights(original.get_weights())

    def _choose(self, layer: Any) -> list[Any]:
        replacement = None if self._replace is None else self._replace(layer)
        if replacement is None and not self._clone:
            return [layer]
        if replacement is None:
            self._clones.append((layer, clone_layer(layer)))
            return [self._clones[-1][1]]
        return list(replacement) if isinstance(replacement, (list, tuple)) else [replacement]


def _entered(model: Any, feed: Sequence[Any], entry: Callable[[Any], Sequence[Any]] | None) -> Sequence[Any]:
    """The inputs, each behind the layers that it goes through first."""
    if entry is None:
        return feed
    return [
        _through(entry(symbol._keras_history.layer), one)
        for symbol, one in zip(model.inputs, feed, strict=True)
    ]


def needs_autograph(model: Any) -> bool:
    """Whether a model has layers whose Python code TensorFlow may have to rewrite: the user's own.

    For all others the rewriting only costs time, seconds for every graph that is built.
    """
    return not all(type(one).__module__.startswith(KNOWN_PACKAGES) for one in model._flatten_layers())


def nodes_in_order(model: Any) -> Iterator[Any]:
    """The nodes (layer calls) of a tf_keras Functional model in topological order, inputs left out."""
    by_depth = model._nodes_by_depth
    for depth in sorted(by_depth, reverse=True):
        yield from (node for node in by_depth[depth] if not node.is_input)


def replay(model: Any, feed: Sequence[Any], apply: Callable[[Any, Any, Any], Any]) -> Any:
    """Walk the graph of ``model`` from the tensors ``feed`` with ``apply(layer, args, kwargs)`` as each call.

    Args:
        model: a tf_keras Functional model.
        feed: one tensor for each of ``model.inputs``, in that order.
        apply: makes the call and returns what the layer would return. Arguments that are not tensors come
            as the model recorded them.

    Returns:
        The outputs, in the structure in which the model gives them.
    """
    values = {id(symbol): tensor for symbol, tensor in zip(model.inputs, feed, strict=True)}
    nodes = list(nodes_in_order(model))
    ends = [id(symbol) for symbol in model.outputs]
    readers = Counter([*ends, *(id(one) for node in nodes for one in _read_by(node))])
    for node in nodes:
        args, kwargs = tf.nest.map_structure(
            lambda value: values.get(id(value), value), (node.call_args, dict(node.call_kwargs))
        )
        # What nobody reads any more need not stay in memory.
        readers.subtract(id(one) for one in _read_by(node))
        for symbol in _read_by(node):
            if not readers[id(symbol)]:
                values.pop(id(symbol), None)
        results = tf.nest.flatten(apply(node.layer, args, kwargs))
        for symbol, result in zip(tf.nest.flatten(node.outputs), results, strict=True):
            values[id(symbol)] = result
    return tf.nest.map_structure(lambda symbol: values[id(symbol)], model._nested_outputs)


def _read_by(node: Any) -> list[Any]:
    """The tensors of the graph that a node reads."""
    return [one for one in tf.nest.flatten((node.call_args, dict(node.call_kwargs))) if is_symbol(one)]


def is_symbol(value: Any) -> bool:
    """Whether it is a tensor of a graph, and no setting."""
    return hasattr(value, "_keras_history")


def clone_inputs(model: Any, batch: int | None = None) -> Any:
    """Fresh input tensors like the model's, float32 for float64; ``batch`` fixes how many samples."""

    def fresh(symbol: Any) -> Any:
        config = symbol._keras_history.layer.get_config()
        if config["dtype"] == "float64":
            config["dtype"] = "float32"
        if batch is not None:
            config["batch_input_shape"] = (batch, *config["batch_input_shape"][1:])
        return tf_keras.layers.InputLayer.from_config(config)._inbound_nodes[0].outputs

    return tf.nest.map_structure(fresh, model._nested_inputs)


def clone_layer(layer: Any, **changes: Any) -> Any:
    """A new, unbuilt layer of the same class and configuration, with some configuration entries changed."""
    if type(layer) is tf_keras.layers.Lambda:  # its code is in memory already; do not load it from the config
        return tf_keras.layers.Lambda(
            layer.function,
            layer._output_shape,
            layer.mask,
            layer.arguments,
            **{"name": layer.name, "dtype": layer.dtype, **changes},
        )
    # A wrapper (Bidirectional, TimeDistributed) looks its inner layer up by the name of the class.
    classes = {type(inner).__name__: type(inner) for inner in layer._flatten_layers()}
    with tf_keras.utils.custom_object_scope(classes):
        return type(layer).from_config({**layer.get_config(), **changes})


def name_outputs(outputs: Any, names: Sequence[str]) -> Any:
    """Give the output tensors these names, one each in flat order, by a linear activation where needed."""
    flat = tf.nest.flatten(outputs)
    named = [
        tensor
        if name == wanted
        else tf_keras.layers.Activation("linear", name=wanted, dtype=tensor.dtype)(tensor)
        for tensor, name, wanted in zip(flat, unique_output_names(flat), names, strict=True)
    ]
    return tf.nest.pack_sequence_as(outputs, named)


def unique_output_names(flat: Sequence[Any]) -> list[str]:
    """The names that tf_keras will give: that of the layer, numbered where a layer makes several."""
    seen: dict[str, int] = {}
    names = []
    for tensor in flat:
        name = tensor._keras_history.layer.name
        names.append(f"{name}_{seen[name]}" if name in seen else name)
        seen[name] = seen.get(name, 0) + 1
    return names


def _apply_chain(layer: Any, chain: list[Any], args: Any, kwargs: Any) -> Any:
    if not chain:
        return tf.nest.flatten((args, kwargs))[0]
    # Only a kept layer surely understands the keyword arguments of the call.
    known = kwargs if type(chain[0]) is type(layer) else _understood(chain[0], kwargs)
    return _through(chain[1:], chain[0](*args, **known))


def _through(chain: Sequence[Any], tensor: Any) -> Any:
    for layer in chain:
        tensor = layer(tensor)
    return tensor


def _understood(layer: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Leave out ``training`` and ``mask`` where the new layer does not take them."""
    if not isinstance(layer, tf_keras.layers.Layer):
        return kwargs
    names = set(layer._call_spec.arg_names)
    return {key: value for key, value in kwargs.items() if key in names or key not in ("training", "mask")}
