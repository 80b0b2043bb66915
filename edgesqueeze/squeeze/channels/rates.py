"""About how many instructions the channels of a layer take: what is saved when some of them go."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import tf_keras

from edgesqueeze.emit.native.packing.cost import COSTS, LayerCost
from edgesqueeze.emit.native.packing.sites import Kind
from edgesqueeze.recipe.filled import Kernels
from edgesqueeze.squeeze.channels.rules import Role
from edgesqueeze.squeeze.layers.attention import Heads

EVEN: Mapping[Kind, LayerCost] = MappingProxyType(
    dict.fromkeys(COSTS["portable"], LayerCost(mac=1.0, output=0.0))
)
"""Every multiply-accumulate costs the same: where nothing was counted, as of XNNPACK."""


class Rates(NamedTuple):
    """Instructions of a layer in one inference.

    Attributes:
        pair: for each pair of a channel that is read and one that is made; of a carried one, for itself.
        first: for each channel that is read or carried, besides.
        second: for each channel that is made, besides.
    """

    pair: float
    first: float
    second: float


def rates_of(role: Role, kernels: Kernels) -> Rates:
    """What the channels of a layer cost.

    Args:
        role: the layer.
        kernels: what runs it.
    """
    costs = EVEN if kernels == "xnnpack" else COSTS[kernels]
    cost = costs[_kind(role)]
    if role.makes is None:
        return Rates(cost.mac * role.work + cost.output * role.places, 0.0, 0.0)
    return Rates(cost.mac * role.work, cost.input * role.work, cost.output * role.places)


def _kind(role: Role) -> Kind:
    """The kind of kernel that runs a layer."""
    layer: Any = role.layer
    if isinstance(layer, Heads):
        return "conv2d_1x1"
    if isinstance(layer, tf_keras.layers.Dense):
        return "fully_connected" if role.places == 1 else "conv2d_1x1"
    window = tuple(layer.kernel_size)
    if role.makes is None:
        return "depthwise_3x3" if window == (3, 3) else "depthwise"
    return "conv2d_1x1" if set(window) == {1} else "conv2d"
