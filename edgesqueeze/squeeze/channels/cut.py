"""Remove channels from a model: every layer that makes, carries or reads them is rebuilt without them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import tf_keras

from edgesqueeze.squeeze.channels.graph import ChannelGraph
from edgesqueeze.squeeze.channels.labels import FIXED, Ints
from edgesqueeze.squeeze.channels.rules import Role
from edgesqueeze.squeeze.layers.attention import Heads
from edgesqueeze.squeeze.layers.grid import FloatArray
from edgesqueeze.squeeze.layers.kernels import DEPTHWISE, TRANSPOSED, kernel_of
from edgesqueeze.squeeze.layers.rewrite import rewrite

layers = tf_keras.layers
Kept = npt.NDArray[np.bool_]
NO_MEANS: Mapping[str, FloatArray] = MappingProxyType({})


def cut(model: Any, graph: ChannelGraph, kept: Kept, means: Mapping[str, FloatArray] = NO_MEANS) -> Any:
    """A copy of a model without some of its channels.

    What is left computes what the model would if every layer read zeros in place of what is gone; with
    ``means`` it is as if the layers with a bias read those. Only a layer norm takes mean and spread of what
    is left.

    Args:
        model: a folded, flat tf_keras model of plain layers; it is not changed.
        graph: its channels.
        kept: whether each unit of the graph stays, ``[units]``. Every layer keeps a channel.
        means: what is to be read in place of removed channels, by the name of the layer that reads:
            ``[channels read]``. Layers that are not there read zeros. It is exact where a window does not
            reach into padding.
    """

    def replace(layer: Any) -> Any:
        role = graph.roles.get(layer.name)
        if role is None or all(stays(one, kept).all() for one in _axes(role)):
            return None
        return CUTTERS[type(layer)](role, kept, means.get(layer.name))

    return rewrite(model, replace)


def stays(units: Ints, kept: Kept) -> Kept:
    """Which of these channels stay, given for each its unit."""
    found: Kept = np.ones(units.shape, bool)
    found[units != FIXED] = kept[units[units != FIXED]]
    return found


def _axes(role: Role) -> list[Ints]:
    return [one for one in (role.reads, role.makes, role.carries) if one is not None]


def _mixing(role: Role, kept: Kept, mean: FloatArray | None) -> Any:
    """A dense layer or a convolution with fewer inputs and outputs."""
    assert role.reads is not None and role.makes is not None
    layer, kernel = role.layer, kernel_of(role.layer)
    read, made = stays(role.reads, kept), stays(role.makes, kept)
    transposed = isinstance(layer, TRANSPOSED)
    taken, given = (kernel.ndim - 1, kernel.ndim - 2) if transposed else (kernel.ndim - 2, kernel.ndim - 1)
    bias = layer.bias.numpy() if layer.use_bias else np.zeros(made.size, np.float32)
    compensated = False
    if mean is not None and not transposed and not read.all():
        compensated = True
        rows = kernel.reshape(-1, read.size, made.size).sum(axis=0, dtype=np.float64)
        bias = bias + (np.where(read, 0, mean) @ rows).astype(np.float32)
    smaller = np.compress(made, np.compress(read, kernel, axis=taken), axis=given)
    has_bias = layer.use_bias or compensated
    size = "units" if isinstance(layer, layers.Dense) else "filters"
    changes = {size: int(made.sum()), "use_bias": has_bias}
    return _rebuilt(layer, int(read.sum()), [smaller, bias[made]] if has_bias else [smaller], changes)


def _depthwise(role: Role, kept: Kept, mean: FloatArray | None) -> Any:
    assert role.carries is not None
    layer, carried = role.layer, stays(role.carries, kept)
    weights = [np.compress(carried, kernel_of(layer), axis=-2)]
    if layer.use_bias:
        weights.append(layer.bias.numpy()[np.repeat(carried, layer.depth_multiplier)])
    return _rebuilt(layer, int(carried.sum()), weights)


def _along_last(role: Role, kept: Kept, mean: FloatArray | None) -> Any:
    """A layer whose weights all have the channels along their last axis."""
    assert role.carries is not None
    carried = stays(role.carries, kept)
    weights = [np.compress(carried, one, axis=-1) for one in role.layer.get_weights()]
    return _rebuilt(role.layer, int(carried.sum()), weights)


def _heads(role: Role, kept: Kept, mean: FloatArray | None) -> Any:
    """Fewer heads: the channels of one stay or go together."""
    assert role.carries is not None
    share = stays(role.carries, kept).mean()
    return Heads(round(role.layer.heads * float(share)), name=role.layer.name)


def _reshape(role: Role, kept: Kept, mean: FloatArray | None) -> Any:
    assert role.carries is not None
    shape = (*role.layer.target_shape[:-1], int(stays(role.carries, kept).sum()))
    return layers.Reshape.from_config({**role.layer.get_config(), "target_shape": shape})


def _rebuilt(
    layer: Any, inputs: int, weights: list[FloatArray], changes: Mapping[str, Any] = MappingProxyType({})
) -> Any:
    """A layer of the same class for ``inputs`` channels, with these weights."""
    made = type(layer).from_config({**layer.get_config(), **changes})
    made.build((*tuple(layer._build_input_shape)[:-1], inputs))
    made.set_weights(weights)
    return made


Cutter = Callable[[Role, Kept, FloatArray | None], Any]
CUTTERS: Mapping[type, Cutter] = MappingProxyType(
    {
        layers.BatchNormalization: _along_last,
        **dict.fromkeys((layers.Conv1D, layers.Conv2D, *TRANSPOSED, layers.Dense), _mixing),
        **dict.fromkeys(DEPTHWISE, _depthwise),
        Heads: _heads,
        layers.LayerNormalization: _along_last,
        layers.PReLU: _along_last,
        layers.Reshape: _reshape,
    }
)
"""Class of a layer -> how it is rebuilt; every class that has a role in ``rules``."""
