"""Adaptive rounding: each kernel's integers are chosen so that the layer's outputs stay what they are.

Layer by layer, from the inputs to the outputs: what a layer reads in the model that is rounded so far is
held against what it reads in the model as it was, and the integers, and the bias, are those with the least
squared error of its outputs on samples (``moments.py``, ``lattice.py``). No labels, and no gradients.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from edgesqueeze.base.findings import Finding
from edgesqueeze.graph.int4 import MOST_LEVELS
from edgesqueeze.recipe.sections import Round
from edgesqueeze.squeeze.layers.grid import TOP_LEVEL, FloatArray, channel_maximum
from edgesqueeze.squeeze.layers.kernels import DEPTHWISE, kernel_of, key_of
from edgesqueeze.squeeze.layers.rewrite import nodes_in_order, replay, rewrite
from edgesqueeze.squeeze.layers.streams import is_stateful
from edgesqueeze.squeeze.layers.weights import kernel_layers, kernels_of
from edgesqueeze.squeeze.passes.bits import best_scales
from edgesqueeze.squeeze.passes.lattice import DAMPING, Doubles, Problem, solve, solve_with_scales
from edgesqueeze.squeeze.passes.looks import samples_of
from edgesqueeze.squeeze.passes.moments import Moments, moments
from edgesqueeze.squeeze.passes.precision import Stored
from edgesqueeze.squeeze.passes.scaled import copied
from edgesqueeze.squeeze.passes.selection import left_out
from edgesqueeze.squeeze.passes.state import Outcome, Promise, Setting, State

OWNERS = (
    tf_keras.layers.Conv1D,
    tf_keras.layers.Conv2D,
    tf_keras.layers.Dense,
    *DEPTHWISE,
)
"""Layers whose windows ``moments.py`` knows."""
MOST_INPUTS = 4608
"""Weights of one output whose covariances are computed, at most: 3 x 3 x 512."""
MOST_BYTES = 1 << 30
"""What the tensors of all samples may take, by the largest of them."""
SAMPLES = 512
"""Training samples that are looked at, at most."""


def run(state: State, options: Round, setting: Setting) -> Outcome:
    """Choose the integers of all kernels, one layer after the other.

    Raises:
        RecipeError: a pattern that matches no layer.
    """
    reference = state.reference or state.model
    reasons = dict(_reasons(state, options, setting))
    walk = _Walk(state, reference, setting, frozenset(reasons))
    made = walk.rounded()
    keys = frozenset(key_of(layer) for layer in made.values())
    findings = tuple(
        Finding(code="round-skipped", subject=name, message=reason) for name, reason in reasons.items()
    )
    promises = dict(state.promising(keys, settled=True))
    for key in keys:
        if promises[key].bits is None:
            promises[key] = replace(promises[key], bits=8)
    model = rewrite(state.model, lambda layer: made.get(layer.name))
    return Outcome(replace(state, model=model, promises=promises, reference=reference), findings)


def _reasons(state: State, options: Round, setting: Setting) -> Iterator[tuple[str, str]]:
    """Layers that are not rounded here, by name, and why."""
    named_out = left_out(state.model, options)
    calls = Counter(node.layer.name for node in nodes_in_order(state.model))
    for layer in kernel_layers(state.model):
        reason = named_out.get(layer.name) or _reason(state, layer, calls[layer.name], setting)
        if reason:
            yield layer.name, reason


def _reason(state: State, layer: Any, calls: int, setting: Setting) -> str:
    if is_stateful(state.model):
        return "the model keeps a state from sample to sample"
    if type(layer) not in OWNERS or getattr(layer, "groups", 1) != 1:
        return f"how a {type(layer).__name__} reads its input is not known here"
    if calls > 1:
        return f"the model applies it {calls} times"
    (kernel,) = kernels_of(layer)
    if setting.precision.stored(kernel).type != "int8":
        return "its weights are not stored as integers"
    if state.promise(kernel.key).settled and state.reference is None:
        return "its integers were found in training"
    if _inputs(layer) > MOST_INPUTS:
        return f"each of its outputs has {_inputs(layer):,} weights, more than {MOST_INPUTS:,}"
    return ""


def _inputs(layer: Any) -> int:
    """Weights that one output is computed from."""
    size = kernel_of(layer).shape
    return int(np.prod(size[:-2] if isinstance(layer, DEPTHWISE) else size[:-1]))


class _Walk:
    """A walk through a model as it was and the one that is rounded so far, side by side in one batch."""

    def __init__(self, state: State, reference: Any, setting: Setting, left: frozenset[str]) -> None:
        self._state, self._setting, self._left = state, setting, left
        self._before = {layer.name: layer for layer in kernel_layers(reference)}
        self._made: dict[str, Any] = {}

    def rounded(self) -> Mapping[str, Any]:
        """The rounded layers, by name."""
        if len(self._left) == len(self._before):
            return {}
        samples = samples_of(
            self._state.model, self._setting.samples, SAMPLES, MOST_BYTES // 2, self._setting.seed
        )
        replay(self._state.model, [tf.concat([one, one], axis=0) for one in samples], self._apply)
        return self._made

    def _apply(self, layer: Any, args: Any, kwargs: Any) -> Any:
        """Both models' outputs of a layer; the layer is rounded first, if it is one of those."""
        original = self._before.get(layer.name)
        if original is None:
            return layer(*args, **kwargs)
        was, now = tf.split(args[0], 2, axis=0)
        current = layer
        if layer.name not in self._left:
            current = self._made[layer.name] = self._round(layer, original, was, now)
        return tf.concat([original(was, **kwargs), current(now, **kwargs)], axis=0)

    def _round(self, layer: Any, original: Any, was: Any, now: Any) -> Any:
        found = moments(original, was, now, self._setting.seed)
        (kernel,) = kernels_of(original)
        promise = self._state.promise(kernel.key)
        stored = self._setting.precision.stored(kernel)
        return rounded_layer(layer, original, found, promise, stored)


def rounded_layer(layer: Any, original: Any, found: Moments, promise: Promise, stored: Stored) -> Any:
    """A layer with the best integers, and with the bias that makes up for what is left in the mean.

    Args:
        layer: the layer with the integers that it has so far, if any were promised.
        original: the layer before rounding.
        found: what both read.
        promise: what was promised of the kernel.
        stored: how the file will hold it.
    """
    if not original.use_bias:
        found = found.around_zero()
    kernel = kernel_of(original)
    rows = to_rows(original, kernel)
    covariance = found.yy[0] if len(found.yy) == 1 else np.repeat(found.yy, rows.shape[0] // len(found.yy), 0)
    wanted = _made_up(original, rows, found)
    plan = _plan(layer, original, promise, stored)
    zero = rows == 0 if promise.zeros is not None else None
    problem = Problem(wanted, covariance, plan.levels, zero, plan.fixed).damped()
    if promise.bits == 4:
        chosen, _ = solve_with_scales(problem, plan.scales, shared=plan.shared)
    else:
        chosen = solve(problem, plan.scales)
    bias = []
    if original.use_bias:
        moved = _outputs(found.x_mean, rows) - _outputs(found.y_mean, chosen)
        bias = [(original.bias.numpy() + moved).astype(np.float32)]
    made = copied(original)
    made.set_weights([from_rows(original, chosen).astype(np.float32), *bias])
    return made


@dataclass(frozen=True, eq=False)
class _Plan:
    """How the rows of a kernel may be rounded.

    Attributes:
        levels: the allowed levels, ascending; the largest magnitude is 1.
        scales: what 1 stands for, ``[rows]``.
        fixed: levels of weights that keep them, ``[rows, inputs]``; not a number: free.
        shared: whether all rows have one scale.
    """

    levels: Doubles
    scales: Doubles
    fixed: Doubles | None = None
    shared: bool = False


def _plan(layer: Any, original: Any, promise: Promise, stored: Stored) -> _Plan:
    kernel = kernel_of(original)
    if promise.bits == 4:
        shared = isinstance(layer, tf_keras.layers.Dense)
        grid = (stored.with_one_scale() if shared else stored).grid
        scales = best_scales(kernel.reshape(grid.shape), stored.with_one_scale() if shared else stored)
        levels = np.arange(-MOST_LEVELS, MOST_LEVELS + 1) / MOST_LEVELS
        return _Plan(levels, _of_rows(original, scales, grid.shape), shared=shared)
    grid = stored.grid
    # Clustered kernels have their levels, and the largest weights at the largest of them.
    own = kernel_of(layer) if promise.settled else kernel
    top = channel_maximum(own.reshape(grid.shape), grid.scales)
    normal = to_rows(original, (own.reshape(grid.shape) / top).reshape(own.shape))
    fixed = np.where(_first_largest(normal), np.rint(normal), np.nan)
    if promise.settled:
        levels = np.unique(np.rint(normal * TOP_LEVEL)) / TOP_LEVEL
    else:
        levels = np.arange(-TOP_LEVEL, TOP_LEVEL + 1) / TOP_LEVEL
    return _Plan(levels, _of_rows(original, top, grid.shape), fixed)


def _first_largest(normal: Doubles) -> Any:
    """The first weight of each row that has the magnitude 1, by which conversion finds the scale."""
    places = np.abs(normal).argmax(axis=1)
    found = np.zeros(normal.shape, bool)
    found[np.arange(len(normal)), places] = True
    return found & (np.abs(normal) > 0.999)


def _of_rows(layer: Any, scales: FloatArray, shape: tuple[int, ...]) -> Doubles:
    """Scales in the grid's shape, one for each row."""
    wide = np.broadcast_to(scales, shape).reshape(kernel_of(layer).shape)
    found: Doubles = to_rows(layer, wide)[:, 0]
    return found


def _made_up(layer: Any, rows: Doubles, found: Moments) -> Doubles:
    """Rows that make up for what rounding did to the inputs of a layer: regression on what it reads now."""
    variance = np.diagonal(found.yy, axis1=1, axis2=2).mean(axis=1)
    damping = DAMPING * np.where(variance > 0, variance, 1.0)
    steady = found.yy + damping[:, None, None] * np.eye(rows.shape[1])
    grouped = rows.reshape(len(steady), -1, rows.shape[1]).transpose(0, 2, 1)
    added = np.linalg.solve(steady, (found.yx - found.yy) @ grouped)
    whole: Doubles = rows + added.transpose(0, 2, 1).reshape(rows.shape)
    return whole


def _outputs(mean: Doubles, rows: Doubles) -> Doubles:
    """Mean outputs for mean windows, ``[rows]``."""
    grouped = rows.reshape(len(mean), -1, rows.shape[1])
    found: Doubles = np.einsum("gow,gw->go", grouped, mean).reshape(-1)
    return found


def to_rows(layer: Any, kernel: Any) -> Doubles:
    """A kernel as ``[outputs, window]`` float64; depthwise by channel and then by multiplier."""
    if isinstance(layer, DEPTHWISE):
        return np.asarray(kernel, np.float64).reshape(-1, kernel.shape[-2] * kernel.shape[-1]).T
    return np.asarray(kernel, np.float64).reshape(-1, kernel.shape[-1]).T


def from_rows(layer: Any, rows: Doubles) -> Doubles:
    """The kernel that ``to_rows`` gave rows of."""
    found: Doubles = rows.T.reshape(kernel_of(layer).shape)
    return found
