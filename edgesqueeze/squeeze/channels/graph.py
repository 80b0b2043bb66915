"""Which channels of a model can only be removed together, and which have to stay.

Every layer that makes channels (a convolution, a dense layer) gives each a label. The graph is walked from
its inputs to its outputs, and what a layer does with the labels stands in the table of ``rules``:
some let them through, some make those of two tensors the same, some read them. Whatever is not in the table
holds the channels that reach it: they stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import tensorflow as tf

from edgesqueeze.squeeze.channels.labels import Ints, Labels
from edgesqueeze.squeeze.channels.rules import RULES, Call, Flow, Role, Rule, follow
from edgesqueeze.squeeze.layers.rewrite import nodes_in_order


@dataclass(frozen=True, eq=False)
class ChannelGraph:
    """The channels of a model.

    Attributes:
        roles: what each layer with weights, or with a number of channels of its own, does with which units;
            by the layer's name. A unit is a number from 0 for channels that go together, or ``FIXED``.
        count: number of units.
        held: why some or all of a layer's channels have to stay, by the name of the layer that makes them.
    """

    roles: Mapping[str, Role]
    count: int
    held: Mapping[str, str]

    def macs(self) -> int:
        """Multiply-accumulates of the layers in ``roles``, for one sample."""
        return sum(role.macs() for role in self.roles.values())


def channel_graph(
    model: Any,
    kept_out: Mapping[str, str] = MappingProxyType({}),
    rules: Mapping[type, Rule] = RULES,
) -> ChannelGraph:
    """Find out which channels of a model go together.

    Args:
        model: a folded, flat tf_keras model of plain layers.
        kept_out: layers whose channels shall stay, by name, and why.
        rules: what each class of layers does with channels.
    """
    flow = Flow(Labels(), {}, rules)
    known: dict[int, Ints] = {}
    for tensor in model.inputs:
        known[id(tensor)] = flow.labels.fresh(_channels(tensor), "it is an input of the model")
    for node in nodes_in_order(model):
        tensors = [one for one in tf.nest.flatten((node.call_args, node.call_kwargs)) if id(one) in known]
        outputs = tf.nest.flatten(node.outputs)
        call = Call(
            layer=node.layer,
            inputs=tuple(known[id(one)] for one in tensors),
            shapes=tuple(tuple(one.shape) for one in tensors),
            output_shapes=tuple(tuple(one.shape) for one in outputs),
            args=node.call_args,
            kwargs=dict(node.call_kwargs),
        )
        for tensor, labels in zip(outputs, follow(flow, call), strict=True):
            known[id(tensor)] = labels
    for tensor in model.outputs:
        flow.labels.hold(known[id(tensor)], "they are an output of the model", above_all=True)
    for name, reason in kept_out.items():
        role = flow.roles.get(name)
        for kept in () if role is None else (role.makes, role.carries):
            if kept is not None:
                flow.labels.hold(kept, reason)
    return _finished(flow)


def _channels(tensor: Any) -> int:
    """Size of a tensor's last axis; 0 where it has none but the batch, or of any size."""
    return (tensor.shape[-1] or 0) if len(tensor.shape) > 1 else 0


def _finished(flow: Flow) -> ChannelGraph:
    units = flow.labels.units()
    makers = {name: role for name, role in flow.roles.items() if role.makes is not None}
    held = {name: flow.labels.reason(role.makes) for name, role in makers.items() if role.makes is not None}
    roles = {name: role.in_units(units) for name, role in flow.roles.items()}
    count = int(units.max()) + 1 if units.size else 0
    return ChannelGraph(roles, max(count, 0), {name: reason for name, reason in held.items() if reason})
