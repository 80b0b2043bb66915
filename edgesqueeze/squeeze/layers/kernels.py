"""Which weight of a layer is its kernel, and along which axis TFLite gives it scales.

This is what can take in a batch norm. ``weights.py`` has all that can be pruned and clustered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tf_keras

from edgesqueeze.squeeze.layers.grid import FloatArray


class KernelKey(NamedTuple):
    """Which kernel of a model: a layer may have several, as an LSTM has.

    Attributes:
        layer: name of the layer in the flat model.
        variable: name of the layer's attribute that holds the kernel; where the kernel belongs to something
            inside of the layer, that one's name comes first, as in ``forward_lstm/kernel``.
    """

    layer: str
    variable: str = "kernel"


@dataclass(frozen=True)
class KernelSpec:
    """Where a layer class keeps its kernel.

    Attributes:
        attribute: name of the layer's kernel variable.
        channel_axes: axes of the kernel that have a scale of their own in TFLite.
    """

    attribute: str
    channel_axes: tuple[int, ...]


# The one table of layer classes with one kernel. Separable convolutions are not here because folding splits
# them in two (see fold.py).
KERNELS: Mapping[type, KernelSpec] = {
    tf_keras.layers.Conv1D: KernelSpec("kernel", (2,)),
    tf_keras.layers.Conv1DTranspose: KernelSpec("kernel", (1,)),
    tf_keras.layers.Conv2D: KernelSpec("kernel", (3,)),
    tf_keras.layers.Conv2DTranspose: KernelSpec("kernel", (2,)),
    tf_keras.layers.Dense: KernelSpec("kernel", (1,)),
    tf_keras.layers.DepthwiseConv1D: KernelSpec("depthwise_kernel", (1, 2)),
    tf_keras.layers.DepthwiseConv2D: KernelSpec("depthwise_kernel", (2, 3)),
}
DEPTHWISE = (tf_keras.layers.DepthwiseConv1D, tf_keras.layers.DepthwiseConv2D)
"""Those whose kernels are ``[..., channels, multiplier]``, a window for each channel."""
TRANSPOSED = (tf_keras.layers.Conv1DTranspose, tf_keras.layers.Conv2DTranspose)
"""Those whose kernels are ``[..., outputs, inputs]``."""


def kernel_spec(layer: Any) -> KernelSpec | None:
    """The one kernel of a layer, or None for any other layer."""
    # The exact class: a subclass may compute something else with its kernel.
    return KERNELS.get(type(layer))


def kernel_of(layer: Any) -> FloatArray:
    """The kernel's value, float32."""
    spec = KERNELS[type(layer)]
    return np.asarray(getattr(layer, spec.attribute).numpy(), np.float32)


def key_of(layer: Any) -> KernelKey:
    """The key of a layer's kernel."""
    return KernelKey(layer.name, KERNELS[type(layer)].attribute)


def channel_shape(layer: Any) -> tuple[int, ...]:
    """Shape of the per-channel scale of a layer's kernel: the kernel's, with 1 on shared axes."""
    spec = KERNELS[type(layer)]
    shape = getattr(layer, spec.attribute).shape
    return tuple(size if axis in spec.channel_axes else 1 for axis, size in enumerate(shape))


def tflite_layout(layer: Any, kernel: FloatArray) -> FloatArray:
    """A kernel as TFLite stores it: ``[outputs, h, w, inputs]``, depthwise ``[1, h, w, channels]``."""
    if isinstance(layer, tf_keras.layers.Dense):
        return kernel.T
    if isinstance(layer, DEPTHWISE):
        *window, channels, multiplier = kernel.shape
        return np.reshape(kernel, (1, *(1,) * (2 - len(window)), *window, channels * multiplier))
    if isinstance(layer, TRANSPOSED):
        outputs_first = np.moveaxis(kernel, -2, 0)
    else:
        outputs_first = np.moveaxis(kernel, -1, 0)
    return outputs_first if kernel.ndim == 4 else outputs_first[:, np.newaxis]


def keras_layout(layer: Any, kernel: FloatArray) -> FloatArray:
    """A kernel that TFLite stores, in the layer's own shape: the inverse of ``tflite_layout``."""
    if isinstance(layer, tf_keras.layers.Dense):
        return kernel.T
    if isinstance(layer, DEPTHWISE):
        return np.reshape(kernel, kernel_of(layer).shape)
    outputs_first = kernel if kernel_of(layer).ndim == 4 else kernel[:, 0]
    return np.moveaxis(outputs_first, 0, -2 if isinstance(layer, TRANSPOSED) else -1)
