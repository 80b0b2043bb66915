"""Which channels can be divided by a factor that the next layer takes back: the table ``SCALING``.

Whatever stands between must be positively homogeneous, ``f(x / s) = f(x) / s`` for every ``s > 0``: ReLU,
pooling, padding, sums of tensors that are divided alike. The table is an allow list, as ``RULES`` is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from edgesqueeze.squeeze.channels.labels import Ints
from edgesqueeze.squeeze.channels.rules import RULES, Call, Flow, Role, Rule
from edgesqueeze.squeeze.layers.grid import FloatArray
from edgesqueeze.squeeze.layers.kernels import DEPTHWISE, TRANSPOSED, kernel_of
from edgesqueeze.squeeze.opening.activations import OWN

layers = tf_keras.layers

HOMOGENEOUS = (
    tf_keras.activations.linear,
    tf_keras.activations.relu,
    OWN["leaky_relu"],
    tf.nn.relu,
    tf.nn.leaky_relu,
)
"""Activations that a factor passes through."""


def _activation(flow: Flow, call: Call) -> Ints | None:
    _hold_unless(flow, call.inputs[0], call.layer)
    return call.inputs[0]


def _hold_unless(flow: Flow, labels: Ints, layer: Any) -> None:
    """Hold channels that a layer's activation treats by their size."""
    if layer.activation not in HOMOGENEOUS:
        name = getattr(layer.activation, "__name__", "activation")
        flow.labels.hold(labels, f"the {name} of {layer.name!r} depends on how large they are")


def _relu(flow: Flow, call: Call) -> Ints | None:
    layer = call.layer
    if layer.max_value is not None or layer.threshold:
        flow.labels.hold(call.inputs[0], f"{layer.name!r} clips them")
    return call.inputs[0]


def _sum(flow: Flow, call: Call) -> Ints | None:
    """Tensors of as many channels each, which are divided alike."""
    first, *others = call.inputs
    if any(one.size != first.size for one in others):
        return None
    for one in others:
        flow.labels.same(first, one)
    return first


def _product(flow: Flow, call: Call) -> Ints | None:
    """Of the factors one may be divided, where the others, as gates, are known to stay."""
    free = [one for one in call.inputs if not flow.labels.reason(one)]
    if len(free) != 1 or any(one.size not in (1, free[0].size) for one in call.inputs):
        return None
    return free[0]


def _mixing(flow: Flow, call: Call) -> Ints | None:
    made = RULES[layers.Dense](flow, call)
    if made is not None:
        _hold_unless(flow, made, call.layer)
    return made


def _depthwise(flow: Flow, call: Call) -> Ints | None:
    """Its output may be divided by other factors than its input."""
    layer = call.layer
    if len(call.inputs) != 1:
        return None
    known = flow.roles.get(layer.name)
    size = call.inputs[0].size * layer.depth_multiplier
    makes = known.makes if known is not None and known.makes is not None else flow.labels.fresh(size)
    role = flow.play(Role(layer, reads=call.inputs[0], makes=makes))
    _hold_unless(flow, makes, layer)
    return role.makes


def _operation(flow: Flow, call: Call) -> Ints | None:
    """An operation of Keras 3: what ``_sum`` is for, with two tensors."""
    summed = call.layer.op in ("add", "subtract", "maximum", "minimum")
    return _sum(flow, call) if summed and len(call.inputs) == 2 else None


_LINEAR = (
    *(layers.Cropping1D, layers.Cropping2D, layers.ZeroPadding1D, layers.ZeroPadding2D),
    *(layers.AveragePooling1D, layers.AveragePooling2D, layers.MaxPooling1D, layers.MaxPooling2D),
    *(layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D),
    *(layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D),
    *(layers.UpSampling1D, layers.UpSampling2D, layers.Resizing, layers.RepeatVector),
    *(layers.Flatten, layers.Reshape, layers.Permute, layers.Concatenate, layers.PReLU, layers.LeakyReLU),
)
"""Layers that do to a divided channel what they do to the channel, and treat it as ``RULES`` says."""

SCALING: Mapping[type, Rule] = MappingProxyType(
    {
        **{kind: RULES[kind] for kind in _LINEAR},
        **dict.fromkeys((layers.Add, layers.Average, layers.Subtract), _sum),
        **dict.fromkeys((layers.Maximum, layers.Minimum), _sum),
        **dict.fromkeys((layers.Conv1D, layers.Conv2D, *TRANSPOSED, layers.Dense), _mixing),
        **dict.fromkeys(DEPTHWISE, _depthwise),
        layers.Multiply: _product,
        layers.Activation: _activation,
        layers.ReLU: _relu,
        **{kind: _operation for kind in RULES if kind.__name__ == "OpLayer"},
    }
)
"""Class of a layer -> what it does with channels that are divided. The exact class."""


def read_axis(layer: Any) -> int:
    """The axis of a kernel along which the channels lie that it reads."""
    rank = kernel_of(layer).ndim
    return rank - 1 if isinstance(layer, TRANSPOSED) else rank - 2


def rows_of(layer: Any, kernel: FloatArray) -> FloatArray:
    """A kernel as ``[channels made, places of the window, channels read]``; depthwise: one channel read.

    Args:
        layer: a layer of ``SCALING`` with a kernel.
        kernel: its kernel, or what has its shape.
    """
    if isinstance(layer, DEPTHWISE):
        return kernel.reshape(-1, kernel.shape[-2] * kernel.shape[-1], 1).transpose(1, 0, 2)
    last = np.moveaxis(kernel, read_axis(layer), -1)
    return last.reshape(-1, *last.shape[-2:]).transpose(1, 0, 2)
