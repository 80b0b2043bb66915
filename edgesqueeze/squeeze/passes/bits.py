"""Kernels of four bits: fifteen even levels for each channel, found while the model is trained.

A weight is ``k / 7 * scale`` with a whole number ``k`` from -7 to 7 and a scale for each output channel. In
training the forward pass uses the rounded weights and the gradient passes the rounding unchanged
(straight-through estimator: Bengio, Leonard and Courville, 2013, arXiv:1308.3432); the scales are trained
with them (as in learned step size quantization: Esser and others, 2020, arXiv:1902.08153), here as a factor
on a scale that least squares found. int8 conversion maps such a kernel to ``round(127 * k / most)``, which
``graph/int4.py`` recognizes and stores as ``k``. Dense kernels have one scale for all channels, since
TensorFlow Lite Micro takes no others in four bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from edgesqueeze.base.findings import Finding
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.int4 import MOST_LEVELS, with_int4
from edgesqueeze.recipe.sections import Bits
from edgesqueeze.squeeze.layers.grid import FloatArray, channel_maximum
from edgesqueeze.squeeze.layers.kernels import DEPTHWISE, KernelKey
from edgesqueeze.squeeze.layers.rewrite import rewrite
from edgesqueeze.squeeze.layers.weights import Kernel, kernels_of, model_kernels
from edgesqueeze.squeeze.passes.mixed import check_budget, is_automatic, mixture
from edgesqueeze.squeeze.passes.precision import Stored
from edgesqueeze.squeeze.passes.promises import find_parts
from edgesqueeze.squeeze.passes.scaled import ScaledKernel, bare_model, carried
from edgesqueeze.squeeze.passes.selection import select
from edgesqueeze.squeeze.passes.state import Outcome, Setting, State

OWNERS = (
    tf_keras.layers.Conv1D,
    tf_keras.layers.Conv2D,
    tf_keras.layers.Dense,
    *DEPTHWISE,
)
"""Layers that become operators that take INT4 weights: ``graph.int4.WEIGHT_SLOTS``."""
LEVELS = 2 * MOST_LEVELS + 1
CLIPS = np.linspace(0.4, 1.0, 25, dtype=np.float32)
"""Shares of a channel's largest weight that are tried as the largest level."""


class EvenKernel(ScaledKernel):
    """A kernel whose normal part is rounded to fifteen even levels wherever it is used.

    Args:
        value: the kernel.
        stored: how the file will hold it.
        mask: whether weights that are zero stay zero and no others become zero.
    """

    def __init__(self, value: FloatArray, stored: Stored, *, mask: bool = False) -> None:
        super().__init__(value, stored, best_scales(value.reshape(stored.grid.shape), stored), mask=mask)

    def call(self, inputs: Any) -> Any:
        """The kernel as it is stored, with the gradient of one that is not rounded."""
        # Beyond the largest level nothing is to be won by moving on.
        kept = tf.clip_by_value(self.kernel, -1.0, 1.0)
        rounded = tf.round(kept * MOST_LEVELS)
        if self.mask is not None:
            rounded = self.mask * tf.where(rounded == 0, tf.where(kept < 0, -1.0, 1.0), rounded)
        levels = kept + tf.stop_gradient(rounded / MOST_LEVELS - kept)
        return tf.reshape(levels * (self._initial_scale * (1.0 + self.scale_change)), self._shape)

    def value(self, *, lifted: bool = False) -> FloatArray:
        """The kernel as it is stored; ``lifted`` makes no difference to it."""
        normal = np.asarray(self.kernel.numpy(), np.float32)
        levels = _levels(normal)
        if self.mask is not None:
            levels = self.mask * np.where(levels == 0, np.where(normal < 0, -1, 1), levels)
        return (levels / np.float32(MOST_LEVELS) * self.scale()).astype(np.float32).reshape(self._shape)


def run(state: State, options: Bits, setting: Setting) -> Outcome:
    """Train the chosen kernels as they are stored in four bits, and leave them so.

    Raises:
        RecipeError: a pattern that matches no layer, or a budget that cannot be met.
        UnsupportedModelError: the training diverged.
    """
    chosen = select(state.model, "bits", options)
    keys = _possible(state.model, chosen.keys)
    skipped = tuple(_skipped(key) for key in sorted(chosen.keys - keys))
    if is_automatic(options):
        mixed = mixture(state.model, options, setting, keys, lambda one: _even(one, state, setting).value())
        keys, skipped = mixed.keys, (*skipped, *mixed.findings)
    student = with_even_kernels(state, setting, keys)
    trained = setting.train(student, setting.steps)
    promises = state.promising(keys, levels=LEVELS, bits=4, settled=True)
    reference = state.before_rounding(trained)
    after = replace(state, model=bare_model(student), promises=promises, reference=reference)
    return Outcome(after, (*chosen.skipped, *skipped), trained)


def check(model: Any, options: Bits) -> None:
    """Refuse what is not possible, before any work is done.

    Raises:
        RecipeError: a pattern that matches no layer, or a budget that cannot be met.
    """
    check_budget(model, options, _possible(model, select(model, "bits", options).keys))


def _possible(model: Any, keys: frozenset[KernelKey]) -> frozenset[KernelKey]:
    """Those of some kernels that runtimes take in four bits."""
    return frozenset(one.key for one in model_kernels(model) if one.key in keys and type(one.owner) in OWNERS)


def _skipped(key: KernelKey) -> Finding:
    message = f"{'/'.join(key)} keeps eight bits: no runtime has its operator with INT4 weights"
    return Finding(code="bits-skipped", subject=key.layer, message=message)


def _even(kernel: Kernel, state: State, setting: Setting) -> EvenKernel:
    """A kernel in four bits, with the zeros that were promised."""
    stored = setting.precision.stored(kernel)
    one = isinstance(kernel.owner, tf_keras.layers.Dense)
    mask = kernel.key in state.sparse
    return EvenKernel(kernel.value, stored.with_one_scale() if one else stored, mask=mask)


def with_even_kernels(state: State, setting: Setting, keys: frozenset[KernelKey]) -> Any:
    """A copy of the model that rounds the chosen kernels while it is trained.

    Args:
        state: a folded, flat tf_keras model, pruned or not, and the zeros that it keeps; it is not changed.
        setting: how conversion will store each kernel.
        keys: kernels of four bits.
    """

    def make(kernel: Kernel) -> Any:
        if kernel.key in keys:
            return _even(kernel, state, setting)
        return ScaledKernel(kernel.value, setting.precision.stored(kernel), mask=kernel.key in state.sparse)

    return rewrite(state.model, lambda layer: carried(layer, make) if kernels_of(layer) else None)


def _levels(normal: FloatArray) -> FloatArray:
    """The nearest of the fifteen levels, as whole numbers, of weights whose largest level is 1."""
    return np.rint(np.clip(normal, -1, 1) * MOST_LEVELS)


def best_scales(kernel: FloatArray, stored: Stored) -> FloatArray:
    """The largest level of each channel with the least squared error of its rounded weights.

    Args:
        kernel: weights in the grid's shape.
        stored: how the file will hold them.

    Returns:
        float32 in the shape of the scales; at most the channel's largest magnitude.
    """
    scales = stored.grid.scales
    axes = tuple(axis for axis, size in enumerate(scales) if size == 1)
    largest = channel_maximum(kernel, scales)
    best, least = largest, np.full(scales, np.inf, np.float64)
    for clip in CLIPS:
        scale = largest * clip
        levels = _levels(kernel / scale) / np.float32(MOST_LEVELS)
        error = np.square(levels * scale - kernel, dtype=np.float64).sum(axis=axes, keepdims=True)
        best = np.where(error < least, scale, best).astype(np.float32)
        least = np.minimum(error, least)
    return best


def in_four_bits(model: Any, tflite: TfliteModel, state: State) -> TfliteModel:
    """The .tflite with INT4 tensors where four bits were promised.

    Args:
        model: the compressed tf_keras model of plain layers.
        tflite: what it was converted to.
        state: with what was promised of its kernels.
    """
    only = frozenset(_tensors(model, tflite, state))
    return with_int4(tflite, only) if only else tflite


def _tensors(model: Any, tflite: TfliteModel, state: State) -> Iterator[int]:
    for kernel in model_kernels(model):
        if state.promise(kernel.key).bits == 4:
            yield from (tensor.index for _, tensor in find_parts(tflite, kernel))
