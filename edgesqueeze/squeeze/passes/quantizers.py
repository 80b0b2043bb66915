"""What int8 makes of weights and activations, while a model is trained.

Rounding has no gradient of its own; it is passed on as if there were none (straight-through estimator:
Bengio, Leonard and Courville, 2013, arXiv:1308.3432), and values that are cut off get none. What a range is
trained by is the gradient of learned step size quantization (Esser and others, 2020, arXiv:1902.08153), with
a learned lower end as in LSQ+ (Bhalgat and others, 2020, arXiv:2004.09576): unlike that of plain clipping it
also makes a range narrower where finer steps help more than the values that are cut off cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from edgesqueeze.graph.int4 import MOST_LEVELS
from edgesqueeze.graph.ranges import STEPS, Range, nudged
from edgesqueeze.squeeze.layers.grid import TOP_LEVEL, FloatArray
from edgesqueeze.squeeze.passes.bits import EvenKernel
from edgesqueeze.squeeze.passes.scaled import Carrier, ScaledKernel

LOOKED_AT = 8
"""A range is trained by an eighth of each batch."""
ASIDE = 0.004
"""Part of a step that moves a half, and no hundredth, to another integer."""
NARROWEST = 1e-3
"""Part of its first width that a range keeps at least."""


class QuantizedActivation(tf_keras.layers.Layer):  # type: ignore[misc]
    """Rounds what it is called on to the 256 values that an int8 tensor of its range has.

    Args:
        first: the range to begin with; zero is in it.
        name: name of the layer.
        learned: whether the range is trained. A range that begins or ends at zero does so always.
    """

    def __init__(self, first: Range, name: str, *, learned: bool) -> None:
        super().__init__(name=name)
        self._first = first
        # Relative, as an optimizer moves ranges of 0.1 and of 100 by the same amount.
        self.change = self.add_weight("change", (2,), initializer="zeros", trainable=learned)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """The rounded values."""
        low, high = self._ends(self.change[0], self.change[1])
        return _rounded(inputs, low, high)

    def _ends(self, low: Any, high: Any) -> tuple[Any, Any]:
        """Both ends of the range, with zero between them."""
        first = self._first
        width = first.high - first.low
        least = NARROWEST * width
        below = tf.minimum(first.low + width * low, 0.0 if first.high else -least) if first.low else 0.0
        above = tf.maximum(first.high + width * high, least) if first.high else 0.0
        return below, above

    def grid(self) -> tuple[Any, Any]:
        """The value of the least integer, and the step from one to the next."""
        low, high = self._ends(self.change[0], self.change[1])
        step = (high - low) / STEPS
        return -step * tf.round(-low / step), step

    def range(self) -> Range:
        """The range as trained so far, moved to where zero is one of the 256 values, as it is stored."""
        low, high = (float(one) for one in self._ends(*self.change.numpy()))
        return nudged(Range(low, high))


class HalvesAway(tf_keras.layers.Layer):  # type: ignore[misc]
    """Moves halves of a step away from the integer 0, as average pooling of int8 rounds them.

    Means of a few integers are halves often. Elsewhere they are too rare to matter.

    Args:
        quantizer: what rounds the values after it.
        name: name of the layer.
    """

    def __init__(self, quantizer: QuantizedActivation, name: str) -> None:
        super().__init__(name=name)
        self._quantizer = quantizer

    def call(self, inputs: Any) -> Any:
        """The values with a small part of a step added to each."""
        low, step = self._quantizer.grid()
        return inputs + tf.stop_gradient(tf.sign(inputs - low - 128 * step) * (ASIDE * step))


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _rounded(values: Any, low: Any, high: Any) -> Any:
    """Values rounded to the 256 of a range, and the gradient of it."""
    low, high = tf.convert_to_tensor(low, tf.float32), tf.convert_to_tensor(high, tf.float32)
    found = tf.quantization.fake_quant_with_min_max_vars(values, low, high)

    def gradient(upstream: Any) -> tuple[Any, Any, Any]:
        passed, below, above = tf.quantization.fake_quant_with_min_max_vars_gradient(
            upstream, values, low, high
        )
        # With a value of low + step * k and its rounding error e in steps, the gradient of the step is e
        # inside of the range, 255 above it and 0 below. Its sum is that of two products of whole tensors.
        # One part of the batch is enough to tell where a range should go, and all of it takes its time.
        count = tf.shape(values)[0]
        seen = (count + LOOKED_AT - 1) // LOOKED_AT
        weight, given, rounded, kept = (one[:seen] for one in (upstream, values, found, passed))
        stretched = _dot(weight, rounded - low) - _dot(kept, given - low)
        width = stretched / (high - low) * tf.cast(count / seen, tf.float32)
        return passed, below + above - width, width

    return found, gradient


def _dot(one: Any, other: Any) -> Any:
    return tf.tensordot(tf.reshape(one, [-1]), tf.reshape(other, [-1]), 1)


class QuantizedKernel(ScaledKernel):
    """A kernel that is rounded to the integers of the file wherever it is used.

    Each channel's largest weight is 127 or -127, as the converter has it.

    Args:
        value: the kernel.
        stored: how the file will hold it.
        mask: whether weights that are zero stay zero and no others become zero.
    """

    def call(self, inputs: Any) -> Any:
        """The kernel as it is stored, with the gradient of one that is not rounded."""
        kernel = self.kernel if self.mask is None else self.kernel * self.mask
        shaped = tf.reshape(kernel, self.stored.grid.shape)
        scales = self.stored.grid.scales
        axes = [axis for axis, size in enumerate(scales) if size == 1]
        largest = tf.reduce_max(tf.abs(shaped), axis=axes, keepdims=True)
        step = tf.where(largest > 0, largest, 1.0) / TOP_LEVEL
        integers = tf.round(shaped / step)
        if self.mask is not None:
            mask = self.mask.reshape(self.stored.grid.shape)
            integers = mask * tf.where(integers == 0, tf.where(shaped < 0, -1.0, 1.0), integers)
        rounded = tf.reshape(integers * step, kernel.shape)
        stepped = kernel + tf.stop_gradient(rounded - kernel)
        return stepped * self._initial_scale

    def value(self, *, lifted: bool = False) -> FloatArray:
        """The kernel as it is stored; ``lifted`` makes no difference to it."""
        return np.asarray(self.call(None).numpy(), np.float32)


class RoundedBias(Carrier):
    """A carrier whose bias is rounded too: to whole products of a step of the input and one of the weights.

    Steps of four bits are so long that it shows.

    Args:
        inner: a built layer with one kernel and a bias.
        makers: what gives its kernel.
        source: what rounds its input.
    """

    def __init__(self, inner: Any, makers: Sequence[Any], source: QuantizedActivation) -> None:
        super().__init__(inner, makers)
        self._source = source

    def call(self, inputs: Any, mask: Any = None, initial_state: Any = None) -> Any:
        """Apply the inner layer with the composed kernel and the rounded bias."""
        owner = self.inner.__dict__
        bias = owner["bias"]
        step = tf.reshape(_steps_of(self.makers[0]), [-1]) * self._source.grid()[1]
        # A channel whose weights are all zero has no step of its own.
        rounded = tf.where(step > 0, tf.round(bias / tf.where(step > 0, step, 1.0)) * step, bias)
        owner["bias"] = bias + tf.stop_gradient(rounded - bias)
        try:
            return super().call(inputs, mask, initial_state)
        finally:
            owner["bias"] = bias


def _steps_of(maker: Any) -> Any:
    """The step from one integer to the next of each channel of a kernel, as trained so far."""
    if isinstance(maker, EvenKernel):
        return maker._initial_scale * (1.0 + maker.scale_change) / MOST_LEVELS
    grid = maker.stored.grid
    axes = [axis for axis, size in enumerate(grid.scales) if size == 1]
    return tf.reduce_max(tf.abs(tf.reshape(maker(tf.zeros(())), grid.shape)), axis=axes) / TOP_LEVEL
