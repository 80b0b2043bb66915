"""A layer whose kernel is split into a normal part and a scale per channel, for training."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow_model_optimization as tfmot
import tf_keras

from edgesqueeze.squeeze.layers.grid import FloatArray, lift_survivors
from edgesqueeze.squeeze.layers.kernels import channel_shape, kernel_of, kernel_spec
from edgesqueeze.squeeze.layers.rewrite import rewrite

TYPICAL_WEIGHT = 0.2
"""Root mean square of a kernel as it is trained.

Adam moves every weight by about the learning rate, so a kernel of small weights would be torn apart by a
rate that hardly moves one of large weights. Folding leaves kernels of both kinds.
"""

_Prunable = tfmot.sparsity.keras.PrunableLayer
_Clusterable = tfmot.clustering.keras.ClusterableLayer


class ScaledKernel(tf_keras.layers.Layer, _Prunable, _Clusterable):  # type: ignore[misc, valid-type]
    """Computes what ``inner`` does with the kernel ``kernel * mask * scale * (1 + scale_change)``.

    TFMOT prunes and clusters ``kernel``; what it does to it reaches every channel in the same way, and the
    scale is learned beside it. TFMOT's own registry leaves depthwise kernels out; here every layer with a
    kernel is the same to it.

    The scale's learned part is relative because an optimizer with a fixed step would move scales of 0.01
    and of 10 by the same amount.

    Args:
        inner: a built layer that ``kernels.KERNELS`` knows; it is owned by this layer from here on.
        scale: float32 that broadcasts over the kernel.
        mask: 1 for weights that take part and 0 for weights that stay zero, in the kernel's shape.
        train_kernel: whether the kernel is trained.
        train_scale: whether the scale is trained.
    """

    def __init__(
        self,
        inner: Any,
        scale: FloatArray,
        *,
        mask: FloatArray | None = None,
        train_kernel: bool = True,
        train_scale: bool = True,
    ) -> None:
        super().__init__(name=inner.name, dtype=inner.dtype_policy)
        spec = kernel_spec(inner)
        assert spec is not None
        self.inner = inner
        self._attribute = spec.attribute
        self._initial_scale = scale
        self.mask = mask
        self._trains = (train_kernel, train_scale)

    def build(self, input_shape: Any) -> None:
        """Take the kernel over from the inner layer."""
        train_kernel, train_scale = self._trains
        normal = kernel_of(self.inner) / self._initial_scale
        # The bias stays the inner layer's own; its kernel variable is left aside.
        getattr(self.inner, self._attribute)._trainable = False
        self.inner._trainable_weights = [
            weight
            for weight in self.inner._trainable_weights
            if weight is not getattr(self.inner, self._attribute)
        ]
        self.kernel = self.add_weight(
            "kernel",
            normal.shape,
            initializer=tf_keras.initializers.Constant(normal),
            trainable=train_kernel,
        )
        self.scale_change = self.add_weight(
            "scale_change", self._initial_scale.shape, initializer="zeros", trainable=train_scale
        )
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Apply the inner layer with the composed kernel."""
        kernel = self.kernel * (self._initial_scale * (1.0 + self.scale_change))
        if self.mask is not None:
            kernel *= self.mask
        # Behind the tracking of Keras: the composed kernel is no variable and belongs to this call only.
        own = self.inner.__dict__[self._attribute]
        self.inner.__dict__[self._attribute] = kernel
        try:
            return self.inner.call(inputs)
        finally:
            self.inner.__dict__[self._attribute] = own

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the inner layer."""
        return self.inner.compute_output_shape(input_shape)

    def get_prunable_weights(self) -> list[Any]:
        """What TFMOT prunes."""
        return [self.kernel]

    def get_clusterable_weights(self) -> list[tuple[str, Any]]:
        """What TFMOT clusters."""
        return [("kernel", self.kernel)]

    def scale(self) -> FloatArray:
        """The scale as trained so far."""
        change = np.asarray(self.scale_change.numpy(), np.float32)
        # Training cannot be allowed to turn a channel around: its levels would change sign.
        return np.asarray(self._initial_scale * np.maximum(1.0 + change, 1e-3), np.float32)

    def value(self) -> FloatArray:
        """The composed kernel as trained so far."""
        kernel: FloatArray = np.asarray(self.kernel.numpy(), np.float32) * self.scale()
        if self.mask is not None:
            kernel *= self.mask
        return kernel

    def bare(self, kernel: FloatArray) -> Any:
        """A plain layer of the inner layer's class with the given kernel and the trained bias."""
        plain = built(type(self.inner).from_config(self.inner.get_config()), self.inner)
        plain.set_weights([kernel, self.inner.bias.numpy()] if self.inner.use_bias else [kernel])
        return plain


def built(layer: Any, like: Any) -> Any:
    """Build a new layer for the input shape that another one was built for."""
    layer.build(like._build_input_shape)
    return layer


def scaled(layer: Any, scale: FloatArray | None = None, **options: Any) -> ScaledKernel:
    """A ``ScaledKernel`` around a copy of a built layer.

    Args:
        layer: a layer that ``kernels.KERNELS`` knows; it is not changed.
        scale: see ``ScaledKernel``. Without it one number for the whole kernel, which brings a typical
            weight to ``TYPICAL_WEIGHT``, and it is not trained.
        options: the other arguments of ``ScaledKernel``.
    """
    if scale is None:
        rms = float(np.sqrt(np.mean(np.square(kernel_of(layer), dtype=np.float64))))
        scale = np.full(channel_shape(layer), rms / TYPICAL_WEIGHT if rms > 0 else 1.0, np.float32)
        options = {"train_scale": False, **options}
    copy = built(type(layer).from_config(layer.get_config()), layer)
    copy.set_weights(layer.get_weights())
    return ScaledKernel(copy, scale, **options)


def bare_model(model: Any) -> Any:
    """A model with its ``ScaledKernel`` layers made plain again."""

    def plain(layer: Any) -> Any:
        if not isinstance(layer, ScaledKernel):
            return None
        kernel = layer.value()
        if layer.mask is not None:
            kernel = lift_survivors(kernel, channel_shape(layer.inner))
        return layer.bare(kernel)

    return rewrite(model, plain)
