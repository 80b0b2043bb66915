"""Kernels in training, each split into a normal part and a scale per channel, and a layer that uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

from edgesqueeze.squeeze.layers.grid import FloatArray, lift_survivors
from edgesqueeze.squeeze.layers.kernels import KernelKey
from edgesqueeze.squeeze.layers.rewrite import clone_layer, rewrite
from edgesqueeze.squeeze.layers.weights import Kernel, kernels_of
from edgesqueeze.squeeze.passes.precision import Precision, Stored

TYPICAL_WEIGHT = 0.2
"""Root mean square of a kernel as it is trained.

Adam moves every weight by about the learning rate, so a kernel of small weights would be torn apart by a
rate that hardly moves one of large weights. Folding leaves kernels of both kinds.
"""

_Prunable = tfmot.sparsity.keras.PrunableLayer
_Clusterable = tfmot.clustering.keras.ClusterableLayer


class ScaledKernel(tf_keras.layers.Layer, _Prunable, _Clusterable):  # type: ignore[misc, valid-type]
    """Gives the kernel ``kernel * mask * scale * (1 + scale_change)``, whatever it is called on.

    TFMOT prunes and clusters ``kernel``; what it does to it reaches every channel in the same way, and the
    scale is learned beside it. TFMOT's own registry leaves depthwise kernels out; here all are
    alike.

    The scale's learned part is relative because an optimizer with a fixed step would move scales of 0.01
    and of 10 by the same amount.

    Args:
        value: the kernel.
        stored: how the file will hold it.
        scale: float32 that broadcasts over the kernel in the grid's shape. Without it one number for all of
            the kernel, which brings a typical weight to ``TYPICAL_WEIGHT`` and is not trained; the kernel is
            then trained in its own shape, which pruning by structure needs.
        mask: whether weights that are zero stay zero.
        train_kernel: whether the kernel is trained.
        train_scale: whether the scale is trained.
    """

    def __init__(
        self,
        value: FloatArray,
        stored: Stored,
        scale: FloatArray | None = None,
        *,
        mask: bool = False,
        train_kernel: bool = True,
        train_scale: bool = True,
    ) -> None:
        super().__init__(name="kernel")
        shape = value.shape if scale is None else stored.grid.shape
        factor = _typical(value) if scale is None else scale
        self.stored = stored
        self._shape = value.shape
        self._initial_scale = factor
        self.mask = (value != 0).astype(np.float32).reshape(shape) if mask else None
        self.kernel = self.add_weight(
            "kernel",
            shape,
            initializer=tf_keras.initializers.Constant(value.reshape(shape) / factor),
            trainable=train_kernel,
        )
        self.scale_change = self.add_weight(
            "scale_change",
            factor.shape,
            initializer="zeros",
            trainable=train_scale and scale is not None,
        )
        self.built = True

    def call(self, inputs: Any) -> Any:
        """The composed kernel."""
        kernel = self.kernel * (self._initial_scale * (1.0 + self.scale_change))
        if self.mask is not None:
            kernel *= self.mask
        return tf.reshape(kernel, self._shape)

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

    def value(self, *, lifted: bool = False) -> FloatArray:
        """The composed kernel as trained so far.

        Args:
            lifted: whether weights that the file would round to zero are raised (see ``lift_survivors``).
        """
        kernel: FloatArray = np.asarray(self.kernel.numpy(), np.float32) * self.scale()
        if self.mask is not None:
            kernel *= self.mask
        if lifted:
            grid = self.stored.grid
            kernel = lift_survivors(kernel.reshape(grid.shape), grid.scales)
        return kernel.reshape(self._shape)

    def shaped(self, kernel: FloatArray) -> FloatArray:
        """A kernel in the grid's shape, in its own."""
        return kernel.reshape(self._shape)


def _typical(value: FloatArray) -> FloatArray:
    rms = float(np.sqrt(np.mean(np.square(value, dtype=np.float64))))
    return np.full([1] * value.ndim, rms / TYPICAL_WEIGHT if rms > 0 else 1.0, np.float32)


class Carrier(tf_keras.layers.Layer):  # type: ignore[misc]
    """Computes what ``inner`` does, with kernels that are given and trained beside it.

    Nothing in it drops out while it is trained: the teacher does not either.

    Args:
        inner: a built layer that has kernels; it is owned by this layer from here on.
        makers: for each of its kernels a ``ScaledKernel``, or TFMOT's wrapper around one.
    """

    def __init__(self, inner: Any, makers: Sequence[Any]) -> None:
        super().__init__(name=inner.name, dtype=inner.dtype_policy)
        self.inner = inner
        self.makers = list(makers)
        # Behind the tracking of Keras, as the cells are the inner layer's own.
        self.__dict__["_kernels"] = kernels_of(inner)
        self.supports_masking = inner.supports_masking

    def call(self, inputs: Any, mask: Any = None, initial_state: Any = None) -> Any:
        """Apply the inner layer with the composed kernels."""
        names = self.inner._call_spec.arg_names
        given = {"mask": mask, "initial_state": initial_state}
        options = {key: value for key, value in given.items() if key in names and value is not None}
        if "training" in names:
            options["training"] = False
        kernels = [maker(tf.zeros(())) for maker in self.makers]
        # The composed kernels are no variables and belong to this call only.
        owned = [(one.owner.__dict__, one.attribute) for one in self._kernels]
        before = [owner[attribute] for owner, attribute in owned]
        try:
            for (owner, attribute), kernel in zip(owned, kernels, strict=True):
                owner[attribute] = kernel
            return self.inner.call(inputs, **options)
        finally:
            for (owner, attribute), variable in zip(owned, before, strict=True):
                owner[attribute] = variable

    @property
    def stateful(self) -> bool:
        """Whether the inner layer keeps a state from call to call."""
        return bool(getattr(self.inner, "stateful", False))

    @stateful.setter
    def stateful(self, value: bool) -> None:
        """Keras says so of every new layer; it is up to the inner one."""

    def reset_states(self) -> None:
        """Let the inner layer begin with zeros again."""
        self.inner.reset_states()

    @property
    def trainable_weights(self) -> list[Any]:
        """The inner layer's without its kernels, and those of the makers."""
        replaced = {id(getattr(one.owner, one.attribute)) for one in self._kernels}
        return [weight for weight in super().trainable_weights if id(weight) not in replaced]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the inner layer."""
        return self.inner.compute_output_shape(input_shape)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """That of the inner layer."""
        return self.inner.compute_mask(inputs, mask)

    def replaced(self, replace: Callable[[KernelKey, Any], Any]) -> Carrier:
        """A carrier with other makers.

        Args:
            replace: gives the new maker for a kernel, from its key and its maker.
        """
        return Carrier(copied(self.inner), [replace(*pair) for pair in self._pairs()])

    def bare(self, value: Callable[[KernelKey, Any], FloatArray]) -> Any:
        """A plain layer of the inner layer's class with the trained biases.

        Args:
            value: gives the value of a kernel from its key and its maker.
        """
        plain = copied(self.inner)
        for kernel, pair in zip(kernels_of(plain), self._pairs(), strict=True):
            getattr(kernel.owner, kernel.attribute).assign(value(*pair))
        return plain

    def _pairs(self) -> Iterator[tuple[KernelKey, Any]]:
        yield from zip((one.key for one in self._kernels), self.makers, strict=True)


def copied(layer: Any) -> Any:
    """A built copy of a built layer."""
    copy = clone_layer(layer)
    shape = layer._build_input_shape
    if type(layer) is tf_keras.layers.TimeDistributed:
        # How many steps there are makes no difference to it.
        shape = (None, None, *layer.layer._build_input_shape[1:])
    copy.build(shape)
    copy.set_weights(layer.get_weights())
    return copy


def carried(layer: Any, make: Callable[[Kernel], Any]) -> Carrier:
    """A ``Carrier`` around a copy of a layer of a model; the layer is not changed.

    Args:
        layer: a layer that has kernels.
        make: gives the maker of each.
    """
    return Carrier(copied(layer), [make(kernel) for kernel in kernels_of(layer)])


def trainable_model(model: Any, precision: Precision) -> Any:
    """A copy of a model whose kernels are trained as ``ScaledKernel``s.

    Args:
        model: a flat tf_keras model of plain layers.
        precision: how conversion will store each kernel.
    """

    def make(kernel: Kernel) -> ScaledKernel:
        return ScaledKernel(kernel.value, precision.stored(kernel))

    return rewrite(model, lambda layer: carried(layer, make) if kernels_of(layer) else None)


def bare_model(model: Any) -> Any:
    """A model with its ``Carrier`` layers made plain again."""

    def value(key: KernelKey, maker: ScaledKernel) -> FloatArray:
        return maker.value(lifted=maker.mask is not None)

    def plain(layer: Any) -> Any:
        return layer.bare(value) if isinstance(layer, Carrier) else None

    return rewrite(model, plain)
