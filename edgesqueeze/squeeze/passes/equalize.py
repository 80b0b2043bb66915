"""Cross-layer equalization: channels are divided by factors that the next layers take back.

The function stays the same, and rounding it to integers costs less (``factors.py``). Factors pass through
whatever is positively homogeneous (``channels/scaling.py``); a clip at 6 is taken away first where the
samples hardly reach it (``clips.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from edgesqueeze.base.findings import Finding
from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.recipe.filled import FilledEqualize
from edgesqueeze.squeeze.channels.graph import ChannelGraph, channel_graph
from edgesqueeze.squeeze.channels.labels import FIXED
from edgesqueeze.squeeze.channels.rules import Role
from edgesqueeze.squeeze.channels.scaling import SCALING, read_axis
from edgesqueeze.squeeze.layers.kernels import DEPTHWISE, kernel_of
from edgesqueeze.squeeze.layers.rewrite import replay, rewrite
from edgesqueeze.squeeze.passes.clips import clipped_shares, outputs_of, without_clips
from edgesqueeze.squeeze.passes.factors import (
    Doubles,
    Range,
    Widths,
    best_factors,
    readers_of,
    reduce_ranges,
)
from edgesqueeze.squeeze.passes.looks import batches
from edgesqueeze.squeeze.passes.scaled import copied
from edgesqueeze.squeeze.passes.selection import left_out
from edgesqueeze.squeeze.passes.state import Outcome, Setting, State

SAMPLES = 512
"""Training samples that are looked at, at most."""
SAME = 1e-3
"""By how much the outputs may differ after, relative to the largest: rounding of float32, many times over."""
ACTIVATION_STEPS: Mapping[str, int] = {"int8": 255, "int16x8": 65_535}
"""Mode -> steps between the least and the greatest value of an activation."""


def run(state: State, options: FilledEqualize, setting: Setting) -> Outcome:
    """Divide channels by the factors that make rounding cost least.

    Raises:
        RecipeError: a pattern that matches no layer.
        UnsupportedModelError: the model computed something else afterwards.
    """
    kept_out = left_out(state.model, options)
    model, findings = _unclipped(state.model, options, setting)
    graph = channel_graph(model, kept_out, SCALING)
    findings += [
        Finding(code="equalize-skipped", subject=name, message=f"its outputs stay as they are: {reason}")
        for name, reason in graph.held.items()
    ]
    if not graph.count:
        return Outcome(replace(state, model=model), tuple(findings))
    widths = Widths(options.levels, ACTIVATION_STEPS[setting.precision.mode], options.levels < 127)
    seen = _seen(model, graph, setting)
    factors = best_factors(graph.count, list(readers_of(graph, seen, widths).values()), widths)
    made = _divided(model, graph, factors)
    _check_same(model, made, setting)
    return Outcome(replace(state, model=made), tuple(findings))


def _batches(model: Any, setting: Setting) -> Iterator[Any]:
    return batches(model, setting.samples, SAMPLES, setting.seed)


def _unclipped(model: Any, options: FilledEqualize, setting: Setting) -> tuple[Any, list[Finding]]:
    """The model without clips that hardly act, and what there is to say about that."""
    shares = clipped_shares(model, _batches(model, setting))
    gone = {name: share for name, share in shares.items() if share <= options.clipped}
    if not gone:
        return model, []
    message = (
        f"the clip at 6 of {len(gone)} of {len(shares)} activations was taken away: it changed "
        f"{max(gone.values()):.2%} of the values at most"
    )
    return without_clips(model, frozenset(gone)), [
        Finding(code="clips-removed", subject="equalize", message=message)
    ]


def _seen(model: Any, graph: ChannelGraph, setting: Setting) -> Mapping[str, Range]:
    """What samples show of the input of each layer that reads channels."""
    parts: dict[str, list[Any]] = {name: [] for name, role in graph.roles.items() if role.reads is not None}

    def apply(layer: Any, args: Any, kwargs: Any) -> Any:
        if layer.name in parts:
            rows = tf.reshape(args[0], (-1, args[0].shape[-1]))
            square = tf.reduce_mean(tf.square(rows), axis=0)
            parts[layer.name].append((tf.reduce_min(rows, axis=0), tf.reduce_max(rows, axis=0), square))
        return layer(*args, **kwargs)

    for inputs in _batches(model, setting):
        replay(model, list(inputs), apply)
    return {name: reduce_ranges(found) for name, found in parts.items()}


def _divided(model: Any, graph: ChannelGraph, factors: Doubles) -> Any:
    """A copy of a model with every unit divided by its factor."""

    def replace_layer(layer: Any) -> Any:
        role = graph.roles.get(layer.name)
        if role is None or role.reads is None or role.makes is None:
            return None
        return _scaled(role, factors)

    return rewrite(model, replace_layer)


def _scaled(role: Role, factors: Doubles) -> Any:
    """A copy of a layer that reads and makes channels that are divided."""
    assert role.reads is not None and role.makes is not None
    layer = role.layer
    read, made = (np.where(one == FIXED, 1.0, factors[one]) for one in (role.reads, role.makes))
    kernel = kernel_of(layer).astype(np.float64)
    if isinstance(layer, DEPTHWISE):
        kernel = kernel * (np.repeat(read, kernel.shape[-1]) / made).reshape(kernel.shape[-2:])
    else:
        axis = read_axis(layer)
        other = 2 * kernel.ndim - 3 - axis
        kernel = kernel * _along(read, axis, kernel.ndim) / _along(made, other, kernel.ndim)
    bias = [layer.bias.numpy() / made] if layer.use_bias else []
    copy = copied(layer)
    copy.set_weights([kernel.astype(np.float32), *bias])
    return copy


def _along(values: Doubles, axis: int, rank: int) -> Doubles:
    return values.reshape([-1 if one == axis else 1 for one in range(rank)])


def _check_same(before: Any, after: Any, setting: Setting) -> None:
    """Refuse to go on with a model that computes something else than before."""
    pairs = zip(
        outputs_of(before, _batches(before, setting)),
        outputs_of(after, _batches(after, setting)),
        strict=True,
    )
    for wanted, found in pairs:
        off = float(np.abs(found - wanted).max() / max(float(np.abs(wanted).max()), 1e-12))
        if not off <= SAME:
            raise UnsupportedModelError(
                f"equalized channels changed an output by {off:.2g} of its largest value",
                expected=f"at most {SAME:g}, from rounding",
                got=f"{off:.2g}",
                hint="leave out [equalize]",
            )
