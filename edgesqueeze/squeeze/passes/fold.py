"""Fold batch normalization into the layer before or after it, and split separable convolutions.

Pruning and clustering work on what remains, so that nothing scales their kernels afterwards: a converter
that folds a clustered kernel turns its 16 values into up to 16 per channel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tf_keras

from edgesqueeze.base.findings import Finding
from edgesqueeze.squeeze.layers.kernels import KERNELS, kernel_of, kernel_spec
from edgesqueeze.squeeze.layers.rewrite import nodes_in_order, rewrite

layers = tf_keras.layers
Vector = npt.NDArray[np.float64]

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


def fold(model: Any) -> tuple[Any, tuple[Finding, ...]]:
    """Fold every batch norm that can be folded; split separable convolutions; drop inference identities.

    Args:
        model: a flat tf_keras model; it is not changed.

    Returns:
        A new flat tf_keras model that computes the same at inference, and a finding for each batch norm
        that stays, with the reason.
    """
    model = rewrite(model, _simplify)
    plan, findings = _plan(model)
    return rewrite(model, lambda layer: plan.get(layer.name)), findings


def _simplify(layer: Any) -> Any:
    if isinstance(layer, INFERENCE_IDENTITIES):
        return []
    if type(layer) is layers.SeparableConv2D:
        return _split(layer)
    return None


def _split(layer: Any) -> list[Any]:
    """A separable convolution as the depthwise and the pointwise convolution that TFLite runs."""
    config = layer.get_config()
    depthwise = layers.DepthwiseConv2D(
        config["kernel_size"],
        strides=config["strides"],
        padding=config["padding"],
        dilation_rate=config["dilation_rate"],
        depth_multiplier=config["depth_multiplier"],
        use_bias=False,
        name=f"{layer.name}_depthwise",
    )
    pointwise = layers.Conv2D(
        config["filters"],
        1,
        activation=config["activation"],
        use_bias=config["use_bias"],
        name=f"{layer.name}_pointwise",
    )
    depthwise_kernel, *rest = layer.get_weights()
    depthwise.build(layer._build_input_shape)
    depthwise.set_weights([depthwise_kernel])
    pointwise.build(depthwise.compute_output_shape(layer._build_input_shape))
    pointwise.set_weights(rest)
    return [depthwise, pointwise]


def _plan(model: Any) -> tuple[Mapping[str, Any], tuple[Finding, ...]]:
    """What becomes of each layer, by name: a folded layer in its place, or nothing."""
    before, after = _neighbours(model)
    plan: dict[str, Any] = {}
    findings = []
    for layer in model.layers:
        if type(layer) is not layers.BatchNormalization:
            continue
        reason = _why_not(layer)
        previous, following = before.get(layer.name), after.get(layer.name)
        factor, shift = _affine(layer)
        if previous is not None and not reason and _takes_from_behind(previous, after, layer):
            source = plan.get(previous.name, previous)
            plan[previous.name] = _scaled_outputs(source, factor, shift)
            plan[layer.name] = []
        elif following is not None and not reason and _takes_from_front(following, before, layer):
            plan[following.name] = _scaled_inputs(plan.get(following.name, following), factor, shift)
            plan[layer.name] = []
        else:
            findings.append(_kept(layer, reason or "no convolution or dense layer next to it can take it in"))
    return plan, tuple(findings)


def _kept(layer: Any, reason: str) -> Finding:
    return Finding(code="batch-norm-kept", subject=layer.name, message=reason)


def _neighbours(model: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The only layer before and the only layer after each layer that is called once."""
    calls: Counter[str] = Counter()
    parents: dict[str, list[Any]] = {}
    children: dict[str, list[Any]] = {}
    for node in nodes_in_order(model):
        calls[node.layer.name] += 1
        sources = node.inbound_layers
        sources = list(sources) if isinstance(sources, list | tuple) else [sources]
        parents.setdefault(node.layer.name, []).extend(sources)
        for source in sources:
            children.setdefault(source.name, []).append(node.layer)
    outputs = {tensor._keras_history.layer.name for tensor in model.outputs}
    before = {name: only[0] for name, only in parents.items() if len(only) == 1 and calls[name] == 1}
    after = {
        name: only[0]
        for name, only in children.items()
        if len(only) == 1 and calls[name] <= 1 and name not in outputs
    }
    return before, after


def _why_not(layer: Any) -> str:
    axis = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
    rank = len(layer._build_input_shape)
    if [one % rank for one in axis] != [rank - 1]:
        return "it normalizes another axis than the last"
    return ""


def _takes_from_behind(previous: Any, after: Mapping[str, Any], norm: Any) -> bool:
    return (
        kernel_spec(previous) is not None
        and previous.activation is tf_keras.activations.linear
        and after.get(previous.name) is norm
    )


def _takes_from_front(following: Any, before: Mapping[str, Any], norm: Any) -> bool:
    """Whether a layer can take in a batch norm on its input: its padding must not see the shift."""
    if before.get(following.name) is not norm or kernel_spec(following) is None:
        return False
    if type(following) is layers.Dense:
        return True
    if type(following) not in (layers.Conv1D, layers.Conv2D, layers.DepthwiseConv2D):
        return False
    pointwise = all(size == 1 for size in following.kernel_size)
    return (following.padding == "valid" or pointwise) and following.groups == 1


def _affine(norm: Any) -> tuple[Vector, Vector]:
    """A batch norm at inference as ``x * factor + shift``, float64 ``[channels]``."""
    mean = norm.moving_mean.numpy().astype(np.float64)
    variance = norm.moving_variance.numpy().astype(np.float64)
    gamma = norm.gamma.numpy().astype(np.float64) if norm.scale else np.ones_like(mean)
    beta = norm.beta.numpy().astype(np.float64) if norm.center else np.zeros_like(mean)
    factor = gamma / np.sqrt(variance + norm.epsilon)
    return factor, beta - mean * factor


def _scaled_outputs(layer: Any, factor: Vector, shift: Vector) -> Any:
    kernel = kernel_of(layer).astype(np.float64)
    axes = KERNELS[type(layer)].channel_axes
    shape = [size if axis in axes else 1 for axis, size in enumerate(kernel.shape)]
    return with_bias(layer, kernel * factor.reshape(shape), _bias(layer, factor.size) * factor + shift)


def _scaled_inputs(layer: Any, factor: Vector, shift: Vector) -> Any:
    kernel = kernel_of(layer).astype(np.float64)
    if type(layer) is layers.DepthwiseConv2D:
        scaled = kernel * factor[:, np.newaxis]
        added = (kernel * shift[:, np.newaxis]).sum(axis=(0, 1)).reshape(-1)
    else:
        scaled = kernel * factor[:, np.newaxis]
        added = (
            np.tensordot(kernel, shift, axes=([kernel.ndim - 2], [0])).reshape(-1, kernel.shape[-1]).sum(0)
        )
    return with_bias(layer, scaled, _bias(layer, added.size) + added)


def _bias(layer: Any, size: int) -> Vector:
    return layer.bias.numpy().astype(np.float64) if layer.use_bias else np.zeros(size)


def with_bias(layer: Any, kernel: npt.NDArray[Any], bias: Vector) -> Any:
    """A copy of a layer that has a bias, with a kernel and a bias of its own."""
    folded = type(layer).from_config({**layer.get_config(), "use_bias": True})
    folded.build(layer._build_input_shape)
    folded.set_weights([kernel.astype(np.float32), bias.astype(np.float32)])
    return folded
