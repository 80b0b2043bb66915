"""Fold what multiplies and shifts channels into kernels next to it; split what is several layers in one.

Pruning and clustering work on what remains, so that nothing scales their kernels afterwards: a converter
that folds a clustered kernel turns its 16 values into up to 16 per channel, or as many as it has weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import tensorflow as tf
import tf_keras

from edgesqueeze.base.findings import Finding
from edgesqueeze.squeeze.layers.attention import split_attention
from edgesqueeze.squeeze.layers.rewrite import is_symbol, nodes_in_order, rewrite
from edgesqueeze.squeeze.passes.affine import (
    Affine,
    affine_of,
    as_layer,
    gives_outputs,
    scaled_inputs,
    scaled_outputs,
    takes_inputs,
)

layers = tf_keras.layers

SEPARABLE = MappingProxyType(
    {
        layers.SeparableConv1D: (layers.DepthwiseConv1D, layers.Conv1D),
        layers.SeparableConv2D: (layers.DepthwiseConv2D, layers.Conv2D),
    }
)
"""Separable convolution -> the two layers that it is."""
# They do nothing at inference, and would stand between a layer and its batch norm.
INFERENCE_IDENTITIES = (
    layers.ActivityRegularization,
    layers.AlphaDropout,
    layers.Dropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
)


def fold(model: Any, *, lifts: bool = True) -> tuple[Any, tuple[Finding, ...]]:
    """Fold every batch norm, and all else that multiplies and shifts channels one by one.

    Separable convolutions and attentions are split, and layers that do nothing at inference are dropped.

    Args:
        model: a flat tf_keras model; it is not changed.
        lifts: whether a rescaling of the model's inputs stays, to be lifted out of the model.

    Returns:
        A new flat tf_keras model that computes the same at inference, and a finding for each batch norm
        that stays, with the reason.
    """
    model = rewrite(model, _simplify)
    added: set[str] = set()
    # What is folded may have stood between two others.
    while True:
        plan = _plan(model, lifts, added)
        if not plan.replaced:
            return model, tuple(plan.findings)
        model = rewrite(model, plan.of)


def _simplify(layer: Any) -> Any:
    if isinstance(layer, INFERENCE_IDENTITIES):
        return []
    if type(layer) in SEPARABLE:
        return _split(layer)
    attend = split_attention(layer)
    return None if attend is None else [attend]


def _split(layer: Any) -> list[Any]:
    """A separable convolution as the depthwise and the pointwise convolution that TFLite runs."""
    config = layer.get_config()
    depthwise_class, pointwise_class = SEPARABLE[type(layer)]
    shape, padding, before = layer._build_input_shape, config["padding"], []
    if padding == "causal":
        reach = config["dilation_rate"][0] * (config["kernel_size"][0] - 1)
        before = [layers.ZeroPadding1D((reach, 0), name=f"{layer.name}_padding")]
        shape, padding = before[0].compute_output_shape(shape), "valid"
    depthwise = depthwise_class(
        config["kernel_size"],
        strides=config["strides"],
        padding=padding,
        dilation_rate=config["dilation_rate"],
        depth_multiplier=config["depth_multiplier"],
        use_bias=False,
        name=f"{layer.name}_depthwise",
    )
    pointwise = pointwise_class(
        config["filters"],
        1,
        activation=config["activation"],
        use_bias=config["use_bias"],
        name=f"{layer.name}_pointwise",
    )
    depthwise_kernel, *rest = layer.get_weights()
    depthwise.build(shape)
    depthwise.set_weights([depthwise_kernel])
    pointwise.build(depthwise.compute_output_shape(shape))
    pointwise.set_weights(rest)
    return [*before, depthwise, pointwise]


class _Links(NamedTuple):
    """Who reads whom in a model.

    Attributes:
        nodes: the calls of each layer, by its name.
        sources: the layers whose tensors it reads, one for each tensor.
        readers: the layers that read it, one for each tensor.
        outputs: the layers that make the model's outputs.
    """

    nodes: Mapping[str, list[Any]]
    sources: Mapping[str, list[Any]]
    readers: Mapping[str, list[Any]]
    outputs: set[str]

    def once(self, layer: Any) -> bool:
        """Whether the model calls a layer once."""
        return len(self.nodes[layer.name]) == 1


def _links(model: Any) -> _Links:
    nodes: dict[str, list[Any]] = {layer.name: [] for layer in model.layers}
    sources: dict[str, list[Any]] = {layer.name: [] for layer in model.layers}
    readers: dict[str, list[Any]] = {layer.name: [] for layer in model.layers}
    for node in nodes_in_order(model):
        nodes[node.layer.name].append(node)
        for tensor in filter(is_symbol, tf.nest.flatten((node.call_args, dict(node.call_kwargs)))):
            source = tensor._keras_history.layer
            sources[node.layer.name].append(source)
            readers[source.name].append(node.layer)
    return _Links(nodes, sources, readers, {one._keras_history.layer.name for one in model.outputs})


class _Past:
    """A layer that is called with what comes before layers that only multiply and shift.

    Args:
        layer: it does that itself.
        names: the layers that are passed by.
    """

    def __init__(self, layer: Any, names: set[str]) -> None:
        self.layer, self.names = layer, names

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer."""
        args, kwargs = tf.nest.map_structure(self._source, (args, kwargs))
        return self.layer(*args, **kwargs)

    def _source(self, value: Any) -> Any:
        if not is_symbol(value) or value._keras_history.layer.name not in self.names:
            return value
        history = value._keras_history
        return tf.nest.flatten(history.layer._inbound_nodes[history.node_index].input_tensors)[0]


class _Plan:
    """What becomes of layers, while it is found out.

    Attributes:
        replaced: a layer or layers in the place of each, by name.
        passed: which layers a layer passes by, by its name.
        findings: what could not be folded.
    """

    def __init__(self) -> None:
        self.replaced: dict[str, Any] = {}
        self.passed: dict[str, set[str]] = {}
        self.findings: list[Finding] = []

    def now(self, layer: Any) -> Any:
        """The layer, or what has taken its place so far."""
        return self.replaced.get(layer.name, layer)

    def of(self, layer: Any) -> Any:
        """What becomes of a layer, as ``rewrite`` asks."""
        new = self.replaced.get(layer.name)
        return [_Past(new, self.passed[layer.name])] if layer.name in self.passed else new


def _plan(model: Any, lifts: bool, added: set[str]) -> _Plan:
    """What becomes of the layers of a model.

    Args:
        model: the model.
        lifts: whether a rescaling of the inputs stays.
        added: names of layers that were made on the way; more may come.
    """
    links, plan = _links(model), _Plan()
    for layer in model.layers:
        affine = affine_of(layer) if links.nodes[layer.name] else None
        if affine is None or layer.name in added or (lifts and _is_rescaled_input(layer, links)):
            continue
        reason = affine.why_not
        if not reason and links.once(layer):
            if _into_source(layer, affine, links, plan) or _into_readers(layer, affine, links, plan):
                continue
            _past(layer, affine, links, plan, added)
        if type(layer) is layers.BatchNormalization:
            reason = reason or "no convolution or dense layer next to it can take it in"
            plan.findings.append(Finding(code="batch-norm-kept", subject=layer.name, message=reason))
    return plan


def _is_rescaled_input(layer: Any, links: _Links) -> bool:
    first = links.sources[layer.name][0]
    return type(layer) is layers.Rescaling and type(first) is layers.InputLayer


def _into_source(layer: Any, affine: Affine, links: _Links, plan: _Plan) -> bool:
    """Let the layer before multiply and shift, if it can and nobody else reads it."""
    (source,) = links.sources[layer.name]
    alone = links.readers[source.name] == [layer] and source.name not in links.outputs
    called = len(links.nodes[source.name]) <= 1
    if affine.rest is not None or not (alone and called and gives_outputs(source)):
        return False
    plan.replaced[source.name] = scaled_outputs(plan.now(source), affine)
    plan.replaced[layer.name] = []
    return True


def _into_readers(layer: Any, affine: Affine, links: _Links, plan: _Plan) -> bool:
    """Let all layers that read it multiply and shift, if they can."""
    readers = _different(links.readers[layer.name])
    if not readers or layer.name in links.outputs:
        return False
    if not all(_takes(reader, layer, links) for reader in readers):
        return False
    for reader in readers:
        plan.replaced[reader.name] = scaled_inputs(plan.now(reader), affine)
    plan.replaced[layer.name] = [] if affine.rest is None else affine.rest
    return True


def _past(layer: Any, affine: Affine, links: _Links, plan: _Plan, added: set[str]) -> None:
    """Let those do it themselves that a converter would make do it, past a layer that others need."""
    readers = [
        one
        for one in _different(links.readers[layer.name])
        if type(one) is layers.Dense and _takes(one, layer, links)
    ]
    name = layer.name
    if readers and affine.rest is not None:
        name = f"{layer.name}_affine"
        added.add(name)
        output = links.nodes[layer.name][0].output_shapes
        plan.replaced[layer.name] = [affine.rest, as_layer(affine, name, output)]
    for reader in readers:
        plan.replaced[reader.name] = scaled_inputs(plan.now(reader), affine)
        plan.passed.setdefault(reader.name, set()).add(name)


def _different(found: list[Any]) -> list[Any]:
    return list({id(one): one for one in found}.values())


def _takes(reader: Any, layer: Any, links: _Links) -> bool:
    """Whether a layer that reads another can do what that does to channels."""
    return takes_inputs(reader) and links.once(reader) and links.sources[reader.name] == [layer]
