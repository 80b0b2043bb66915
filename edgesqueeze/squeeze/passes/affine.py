"""Layers that multiply and shift each channel, and the layers that can take that into their kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tf_keras

from edgesqueeze.squeeze.layers.kernels import DEPTHWISE, KERNELS, kernel_of, kernel_spec
from edgesqueeze.squeeze.opening.op_layer import OpLayer, decode_call

layers = tf_keras.layers
Vector = npt.NDArray[np.float64]


class Affine(NamedTuple):
    """What a layer does last: ``x * factor + shift``.

    Attributes:
        factor: one number for each channel of the last axis, float64 ``[channels]``.
        shift: likewise.
        rest: the layer without it; None: nothing would be left.
        why_not: why nothing else can do it; empty if something may.
    """

    factor: Vector
    shift: Vector
    rest: Any = None
    why_not: str = ""


def affine_of(layer: Any) -> Affine | None:
    """How a layer multiplies and shifts each channel of its only input, None for every other layer."""
    read = AFFINE.get(type(layer))
    return None if read is None else read(layer)


def _batch_norm(norm: Any) -> Affine:
    """A batch norm at inference."""
    mean = norm.moving_mean.numpy().astype(np.float64)
    variance = norm.moving_variance.numpy().astype(np.float64)
    gamma = norm.gamma.numpy().astype(np.float64) if norm.scale else np.ones_like(mean)
    beta = norm.beta.numpy().astype(np.float64) if norm.center else np.zeros_like(mean)
    factor = gamma / np.sqrt(variance + norm.epsilon)
    last = _is_last(norm)
    return Affine(
        factor, beta - mean * factor, why_not="" if last else "it normalizes another axis than the last"
    )


def _layer_norm(norm: Any) -> Affine | None:
    """What is learned of a layer norm; the rest divides by what it finds in the sample."""
    if not (norm.scale or norm.center) or not _is_last(norm):
        return None
    channels = norm._build_input_shape[-1]
    gamma = norm.gamma.numpy().astype(np.float64) if norm.scale else np.ones(channels)
    beta = norm.beta.numpy().astype(np.float64) if norm.center else np.zeros(channels)
    rest = layers.LayerNormalization.from_config({**norm.get_config(), "scale": False, "center": False})
    rest.build(norm._build_input_shape)
    return Affine(gamma, beta, rest)


def _is_last(norm: Any) -> bool:
    axis = norm.axis if isinstance(norm.axis, list | tuple) else [norm.axis]
    rank = len(norm._build_input_shape)
    return [one % rank for one in axis] == [rank - 1]


def _rescaling(layer: Any) -> Affine | None:
    return _vectors(layer._build_input_shape, layer.scale, layer.offset)


def _operation(layer: Any) -> Affine | None:
    """An operation of Keras 3 on one tensor and a vector."""
    if layer.op not in VECTOR_OPS:
        return None
    args, kwargs = decode_call(layer.arguments, [None, None], layer.get_weights())
    operands = [*args, *kwargs.values()]
    if len(operands) != 2 or sum(one is None for one in operands) != 1:
        return None
    first = operands[0] is None
    vector = np.asarray(operands[1] if first else operands[0])
    if not np.issubdtype(vector.dtype, np.floating):
        return None
    shape = layer._build_input_shape
    factor, shift = VECTOR_OPS[layer.op](vector.astype(np.float64), first)
    return _vectors(shape[0] if isinstance(shape, list) else shape, factor, shift)


def _quotient(vector: Vector, first: bool) -> tuple[Any, Any]:
    """A tensor by a vector; a vector by a tensor is nothing of the kind."""
    return (1 / vector, 0.0) if first and vector.all() else (1.0, 0.0)


VECTOR_OPS: Mapping[str, Callable[[Vector, bool], tuple[Any, Any]]] = MappingProxyType(
    {
        "add": lambda vector, first: (1.0, vector),
        "divide": _quotient,
        "multiply": lambda vector, first: (vector, 0.0),
        "subtract": lambda vector, first: (1.0, -vector) if first else (-1.0, vector),
    }
)
"""Operation -> factor and shift of its tensor, from the vector and whether the tensor comes first."""


def _vectors(shape: Any, factor: Any, shift: Any) -> Affine | None:
    """Factors and shifts where at least one of them has a number for each channel."""
    channels = int(shape[-1] or 0) if len(shape) > 1 else 0
    found = [np.asarray(one, np.float64) for one in (factor, shift)]
    along = [one.ndim and one.size == one.shape[-1] == channels for one in found]
    if not any(along) or not all(one.size == 1 or fits for one, fits in zip(found, along, strict=True)):
        return None
    if any(one.ndim > len(shape) for one in found):
        return None
    factors, shifts = (np.zeros(channels) + one.reshape(-1) for one in found)
    return Affine(factors, shifts)


AFFINE: Mapping[type, Callable[[Any], Affine | None]] = MappingProxyType(
    {
        layers.BatchNormalization: _batch_norm,
        layers.LayerNormalization: _layer_norm,
        layers.Rescaling: _rescaling,
        OpLayer: _operation,
    }
)
"""Class of a layer -> how it multiplies and shifts. The exact class."""


def as_layer(affine: Affine, name: str, shape: Any) -> Any:
    """A layer of its own that multiplies and shifts, for inputs of a shape with the batch in front."""
    norm = layers.BatchNormalization(name=name)
    norm.build(shape)
    one = np.ones_like(affine.factor)
    gamma = affine.factor * np.sqrt(1 + norm.epsilon)
    norm.set_weights([part.astype(np.float32) for part in (gamma, affine.shift, 0 * one, one)])
    return norm


def gives_outputs(layer: Any) -> bool:
    """Whether a layer can multiply and shift its own outputs instead: it does nothing else to them."""
    return kernel_spec(layer) is not None and layer.activation is tf_keras.activations.linear


def takes_inputs(layer: Any) -> bool:
    """Whether a layer can take in what is done to its inputs: its padding must not see the shift."""
    if type(layer) is layers.Dense:
        return True
    if type(layer) not in (layers.Conv1D, layers.Conv2D, *DEPTHWISE):
        return False
    pointwise = all(size == 1 for size in layer.kernel_size)
    return (layer.padding == "valid" or pointwise) and layer.groups == 1


def scaled_outputs(layer: Any, affine: Affine) -> Any:
    """A copy of a layer that multiplies and shifts its outputs."""
    kernel = kernel_of(layer).astype(np.float64)
    axes = KERNELS[type(layer)].channel_axes
    shape = [size if axis in axes else 1 for axis, size in enumerate(kernel.shape)]
    bias = _bias(layer, affine.factor.size) * affine.factor + affine.shift
    return with_bias(layer, kernel * affine.factor.reshape(shape), bias)


def scaled_inputs(layer: Any, affine: Affine) -> Any:
    """A copy of a layer that multiplies and shifts its inputs; ``takes_inputs`` holds for it."""
    kernel = kernel_of(layer).astype(np.float64)
    scaled = kernel * affine.factor[:, np.newaxis]
    if type(layer) in DEPTHWISE:
        window = tuple(range(kernel.ndim - 2))
        added = (kernel * affine.shift[:, np.newaxis]).sum(axis=window).reshape(-1)
    else:
        products = np.tensordot(kernel, affine.shift, axes=([kernel.ndim - 2], [0]))
        added = products.reshape(-1, kernel.shape[-1]).sum(0)
    return with_bias(layer, scaled, _bias(layer, added.size) + added)


def _bias(layer: Any, size: int) -> Vector:
    return layer.bias.numpy().astype(np.float64) if layer.use_bias else np.zeros(size)


def with_bias(layer: Any, kernel: npt.NDArray[Any], bias: Vector) -> Any:
    """A copy of a layer that has a bias, with a kernel and a bias of its own."""
    folded = type(layer).from_config({**layer.get_config(), "use_bias": True})
    folded.build(layer._build_input_shape)
    folded.set_weights([kernel.astype(np.float32), bias.astype(np.float32)])
    return folded
