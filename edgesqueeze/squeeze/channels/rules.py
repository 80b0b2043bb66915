"""What each class of layers does with the channels along the last axis of its inputs: the table ``RULES``.

The table is an allow list: a layer that is not in it holds all channels that reach it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras.src.layers.core.tf_op_layer import TFOpLambda

from edgesqueeze.squeeze.channels.labels import Ints, Labels
from edgesqueeze.squeeze.layers.attention import Heads
from edgesqueeze.squeeze.layers.kernels import DEPTHWISE, TRANSPOSED
from edgesqueeze.squeeze.layers.rewrite import is_symbol
from edgesqueeze.squeeze.opening.activations import OWN, SAME
from edgesqueeze.squeeze.opening.op_layer import OpLayer

layers = tf_keras.layers
Shape = tuple[int | None, ...]

ACROSS_CHANNELS = ("softmax", "log_softmax", "glu")
"""Activations that look at several channels at once."""
ELEMENTWISE: tuple[Callable[..., Any], ...] = (
    *(getattr(tf_keras.activations, name) for name in SAME.values() if name not in ACROSS_CHANNELS),
    *(function for name, function in OWN.items() if name not in ACROSS_CHANNELS),
    *(tf_keras.activations.hard_sigmoid, tf.nn.relu, tf.nn.relu6, tf.nn.sigmoid, tf.nn.tanh),
)
"""Activations that compute each value from itself alone."""
ELEMENTWISE_OPS = frozenset(name for name in OWN if name not in ACROSS_CHANNELS) | {
    *("abs", "copy", "elu", "exp", "gelu", "negative", "relu", "relu6", "rsqrt", "selu", "sigmoid", "silu"),
    *("softplus", "softsign", "sqrt", "square", "tanh"),
}
"""Operations of Keras 3 with one tensor and plain settings, value by value."""
JOINING_OPS = frozenset({"add", "subtract", "multiply", "divide", "maximum", "minimum"})
"""Operations of Keras 3 with two tensors, or a tensor and a number, value by value."""
REDUCING_OPS = frozenset({"mean", "sum", "max", "min"})
FUNCTIONS = frozenset(
    (
        *("__operators__.add", "math.add", "math.maximum", "math.minimum", "math.multiply", "math.subtract"),
        *("identity", "math.sigmoid", "math.tanh", "nn.relu", "nn.relu6", "nn.silu"),
    )
)
"""Functions of TensorFlow in a tf_keras graph that work value by value."""


@dataclass(frozen=True, eq=False)
class Role:
    """What a layer does with channels: along which axes of its weights they lie.

    Attributes:
        layer: the layer.
        reads: labels or units of the inputs that its kernel mixes; None: it mixes none.
        makes: those of the channels that it makes; None: it makes none.
        carries: those of the channels that it lets through one by one; None: there are none.
        work: multiply-accumulates of one sample for each pair of a read and a made channel, or for each
            channel that is carried.
        places: places of its output, in one sample.
    """

    layer: Any
    reads: Ints | None = None
    makes: Ints | None = None
    carries: Ints | None = None
    work: int = 0
    places: int = 0

    def macs(self) -> int:
        """Multiply-accumulates of the layer for one sample."""
        if self.reads is not None and self.makes is not None:
            return self.work * self.reads.size * self.makes.size
        return self.work * (0 if self.carries is None else self.carries.size)

    def in_units(self, units: Ints) -> Role:
        """The same with the units of the labels."""

        def numbers(labels: Ints | None) -> Ints | None:
            return None if labels is None else units[labels]

        return replace(
            self, reads=numbers(self.reads), makes=numbers(self.makes), carries=numbers(self.carries)
        )


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer.

    Attributes:
        layer: the layer.
        inputs: labels of the last axis of each tensor that it is called with.
        shapes: their shapes, the batch first.
        output_shapes: shapes of what it gives.
        args: all that it is called with.
        kwargs: all that it is called with by name.
    """

    layer: Any
    inputs: tuple[Ints, ...]
    shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    args: Any = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Flow:
    """What is known while a graph is walked.

    Attributes:
        labels: the channels.
        roles: what layers do with them, by their names; filled in as they are met.
        rules: what each class of layers does with them; the exact class.
    """

    labels: Labels
    roles: dict[str, Role]
    rules: Mapping[type, Rule]

    def play(self, role: Role) -> Role:
        """Note what a layer does; if it is called several times, the channels of all calls go together."""
        first = self.roles.get(role.layer.name)
        if first is None:
            self.roles[role.layer.name] = role
            return role
        for one, other in zip(_parts(first), _parts(role), strict=True):
            self.labels.same(one, other)
        self.roles[role.layer.name] = replace(
            first, work=first.work + role.work, places=first.places + role.places
        )
        return first


def _parts(role: Role) -> list[Ints]:
    return [one for one in (role.reads, role.makes, role.carries) if one is not None]


Rule = Callable[[Flow, Call], Ints | None]
"""Gives the labels of the output, or None: it is not known how the layer treats channels."""


def follow(flow: Flow, call: Call) -> list[Ints]:
    """Labels of the outputs of a call; what is not known is held."""
    rule = flow.rules.get(type(call.layer))
    sizes = [(shape[-1] or 0) if len(shape) > 1 else 0 for shape in call.output_shapes]
    if rule is not None and len(sizes) == 1 and call.inputs and all(one.size for one in call.inputs):
        made = rule(flow, call)
        if made is not None and made.size == sizes[0]:
            return [made]
    kind = type(call.layer).__name__
    reason = f"{call.layer.name!r} takes them, and it is not known how a {kind} treats single channels"
    for labels in call.inputs:
        flow.labels.hold(labels, reason)
    return [flow.labels.fresh(size, reason) for size in sizes]


def _through(flow: Flow, call: Call) -> Ints | None:
    """Every channel of the output comes from the same channel of the only input."""
    return call.inputs[0] if len(call.inputs) == 1 else None


def _activation(flow: Flow, call: Call) -> Ints | None:
    if call.layer.activation in ELEMENTWISE:
        return _through(flow, call)
    flow.labels.hold(call.inputs[0], f"{call.layer.name!r} looks at all channels at once")
    return call.inputs[0]


def _join(flow: Flow, call: Call) -> Ints | None:
    """Element by element; what has one channel only meets all channels of the others."""
    widest = max(call.inputs, key=lambda one: one.size)
    for labels in call.inputs:
        if labels.size == widest.size:
            flow.labels.same(widest, labels)
        elif labels.size == 1:
            flow.labels.hold(
                labels, f"it is the only channel, which {call.layer.name!r} applies to all others"
            )
        else:
            return None
    return widest


def _concatenate(flow: Flow, call: Call) -> Ints | None:
    rank = len(call.shapes[0])
    if call.layer.axis % rank == rank - 1:
        return np.concatenate(call.inputs)
    return _join(flow, call)


def _flatten(flow: Flow, call: Call) -> Ints | None:
    spread = call.shapes[0][1:-1]
    return None if None in spread else np.tile(call.inputs[0], math.prod(size or 0 for size in spread))


def _reshape(flow: Flow, call: Call) -> Ints | None:
    """The last axis of the result, if it holds the same channels at every place."""
    before, after = call.shapes[0][1:], call.output_shapes[0][1:]
    if None in (*before, *after) or not after:
        return None
    spread = np.broadcast_to(call.inputs[0], [size or 0 for size in before])
    rows = spread.reshape(-1, after[-1] or 0)
    if not (rows == rows[0]).all():
        return None
    return flow.play(Role(call.layer, carries=rows[0].copy())).carries


def _permute(flow: Flow, call: Call) -> Ints | None:
    dims = tuple(call.layer.dims)
    return call.inputs[0] if dims[-1] == len(dims) else None


def _norm(flow: Flow, call: Call) -> Ints | None:
    """Every channel by itself; without some, a layer norm takes mean and spread of the others."""
    axis = call.layer.axis if isinstance(call.layer.axis, list | tuple) else [call.layer.axis]
    rank = len(call.shapes[0])
    if [one % rank for one in axis] != [rank - 1]:
        return None
    return flow.play(Role(call.layer, carries=call.inputs[0])).carries


def _heads(flow: Flow, call: Call) -> Ints | None:
    """All channels of a head go together: of its query, its key and its value."""
    query, value, key = call.inputs
    heads, steps = call.layer.heads, (call.shapes[0][1] or 1) * (call.shapes[1][1] or 1)
    for head in range(heads):
        parts = [np.split(one, heads)[head] for one in (query, key, value)]
        for part in parts:
            flow.labels.same(part, np.full(part.size, parts[0][0]))
    # A channel of the query meets one of the key, and one of the value the scores, at every pair of steps.
    flow.play(Role(call.layer, carries=np.concatenate([query, value]), work=steps))
    return value


def _prelu(flow: Flow, call: Call) -> Ints | None:
    if call.layer.alpha.shape[-1] != call.inputs[0].size:
        return call.inputs[0]
    return flow.play(Role(call.layer, carries=call.inputs[0])).carries


def _mixing(flow: Flow, call: Call) -> Ints | None:
    """A dense layer or a convolution: it reads all channels, and makes others."""
    layer = call.layer
    if len(call.inputs) != 1 or getattr(layer, "groups", 1) != 1:
        return None
    places = _places(call.output_shapes[0])
    window = math.prod(() if isinstance(layer, layers.Dense) else layer.kernel_size)
    work = window * (_places(call.shapes[0]) if isinstance(layer, TRANSPOSED) else places)
    size = int(call.output_shapes[0][-1] or 0)
    known = flow.roles.get(layer.name)
    makes = known.makes if known is not None and known.makes is not None else flow.labels.fresh(size)
    role = flow.play(Role(layer, reads=call.inputs[0], makes=makes, work=work, places=places))
    if layer.activation not in ELEMENTWISE:
        flow.labels.hold(makes, "its activation looks at all channels at once")
    return role.makes


def _places(shape: Shape) -> int:
    """Places of a tensor in one sample; dimensions that are not known count as one, before and after."""
    return math.prod(size or 1 for size in shape[1:-1])


def _depthwise(flow: Flow, call: Call) -> Ints | None:
    layer = call.layer
    if len(call.inputs) != 1 or layer.activation not in ELEMENTWISE:
        return None
    places = _places(call.output_shapes[0])
    work = places * math.prod(layer.kernel_size) * layer.depth_multiplier
    role = flow.play(Role(layer, carries=call.inputs[0], work=work, places=places * layer.depth_multiplier))
    return None if role.carries is None else np.repeat(role.carries, layer.depth_multiplier)


def _operation(flow: Flow, call: Call) -> Ints | None:
    """An operation of Keras 3."""
    layer, tensors = call.layer, len(call.inputs)
    plain = all(map(_settings, (*layer.arguments.args, *layer.arguments.kwargs.values())))
    if layer.op in REDUCING_OPS and tensors == 1:
        return call.inputs[0] if _keeps_channels(layer.arguments, len(call.shapes[0])) else None
    if not plain or layer.constant_specs:
        return None
    if layer.op in ELEMENTWISE_OPS and tensors == 1:
        return call.inputs[0]
    return _join(flow, call) if layer.op in JOINING_OPS else None


def _settings(value: Any) -> bool:
    """Whether there is nothing but tensors and numbers among the arguments of an operation."""
    if isinstance(value, dict):
        return "tensor" in value or isinstance(value.get("array"), int | float)
    return value is None or isinstance(value, bool | int | float)


def _keeps_channels(arguments: Any, rank: int) -> bool:
    """Whether a reduction leaves the last axis alone."""
    given = arguments.kwargs.get("axis", arguments.args[1] if len(arguments.args) > 1 else None)
    if isinstance(given, dict):
        given = given.get("tuple")
    axes = [given] if isinstance(given, int) else given
    if not isinstance(axes, list) or not all(isinstance(one, int) for one in axes):
        return False
    # A result without the batch has another last axis than it seems.
    return not {one % rank for one in axes} & {0, rank - 1}


def _function(flow: Flow, call: Call) -> Ints | None:
    """A function of TensorFlow in a tf_keras graph."""
    given = tf.nest.flatten((call.args, call.kwargs))
    plain = all(one is None or isinstance(one, bool | int | float | str) or is_symbol(one) for one in given)
    if call.layer.symbol not in FUNCTIONS or not plain:
        return None
    return _join(flow, call)


def _rows(rule: Rule, *kinds: Any) -> dict[type, Rule]:
    return dict.fromkeys(kinds, rule)


def _spatial(names: Sequence[str]) -> list[type]:
    return [getattr(layers, f"{name}{rank}D") for name in names for rank in (1, 2)]


RULES: Mapping[type, Rule] = MappingProxyType(
    {
        **_rows(_mixing, layers.Conv1D, layers.Conv2D, *TRANSPOSED, layers.Dense),
        **_rows(_depthwise, *DEPTHWISE),
        **_rows(_join, layers.Add, layers.Average, layers.Maximum, layers.Minimum),
        **_rows(_join, layers.Multiply, layers.Subtract),
        **_rows(_concatenate, layers.Concatenate),
        **_rows(_flatten, layers.Flatten),
        **_rows(_reshape, layers.Reshape),
        **_rows(_permute, layers.Permute),
        **_rows(_norm, layers.BatchNormalization, layers.LayerNormalization),
        **_rows(_heads, Heads),
        **_rows(_prelu, layers.PReLU),
        **_rows(_activation, layers.Activation),
        **_rows(_through, layers.ELU, layers.LeakyReLU, layers.ReLU, layers.ThresholdedReLU),
        **_rows(_through, layers.Dropout, layers.GaussianDropout, layers.GaussianNoise),
        **_rows(_through, layers.RepeatVector, layers.Resizing),
        **_rows(
            _through,
            *_spatial(("AveragePooling", "MaxPooling", "GlobalAveragePooling", "GlobalMaxPooling")),
            *_spatial(("Cropping", "SpatialDropout", "UpSampling", "ZeroPadding")),
        ),
        **_rows(_operation, OpLayer),
        **_rows(_function, TFOpLambda),
    }
)
"""Class of a layer -> what it does with channels. The exact class: a subclass may do something else."""
