"""A Keras 3 layer inside a tf_keras graph.

For layers that tf_keras has no counterpart of: the user's own, and those that are new in Keras 3. It runs the
layer itself (Keras 3 must use TensorFlow as its backend); the weights become constants on conversion and no
pass changes them.
"""

from __future__ import annotations

import itertools
from typing import Any

import tensorflow as tf
import tf_keras

from edgesqueeze.errors import UnsupportedModelError

# A configuration must be JSON, a layer object is not: copies of a wrapper find theirs by number.
_held: dict[int, Any] = {}
_numbers = itertools.count()


@tf_keras.saving.register_keras_serializable("edgesqueeze")
class KerasLayer(tf_keras.layers.Layer):  # type: ignore[misc]
    """Calls the Keras 3 layer ``layer``, which stays the same object in every clone.

    Its configuration is understood only in the process that made it.
    """

    def __init__(self, layer: Any = None, held: int | None = None, **options: Any) -> None:
        super().__init__(autocast=False, **options)
        self.number = next(_numbers) if held is None else held
        if held is None:
            _held[self.number] = layer
        self.layer = _held[self.number]
        # Known to tf_keras as weights, so that a conversion freezes them.
        self._non_trainable_weights.extend(variable._value for variable in self.layer.variables)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer in inference mode."""
        if self.layer._call_has_training_arg:
            kwargs["training"] = False
        return self.layer(*args, **kwargs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """No mask: Keras 3 has them as explicit arguments."""
        return

    def get_config(self) -> dict[str, Any]:
        """Configuration with the number of the held layer."""
        config = super().get_config()
        config.pop("autocast", None)
        return {**config, "held": self.number}


def wrap(layer: Any, name: str) -> KerasLayer:
    """Wrap a built Keras 3 layer.

    Raises:
        UnsupportedModelError: Keras does not use TensorFlow.
    """
    import keras

    if keras.config.backend() != "tensorflow":
        raise UnsupportedModelError(
            f"layer '{layer.name}' ({type(layer).__name__}) has no counterpart in tf_keras",
            expected="Keras running on TensorFlow, which could run the layer itself",
            got=f"Keras running on {keras.config.backend()}",
            hint="set KERAS_BACKEND=tensorflow",
        )
    return KerasLayer(layer, name=name, trainable=False, dtype=tf.as_dtype(layer.variable_dtype).name)


def copy_of(layer: Any, name: str) -> Any:
    """A fresh Keras 3 layer like the one that was wrapped; its weights are still to be set."""
    import keras

    if isinstance(layer, keras.layers.Lambda):
        return keras.layers.Lambda(
            layer.function,
            layer._output_shape,
            layer.mask,
            layer.arguments,
            name=name,
            dtype=layer.dtype_policy,
        )
    # No scope of its own: that would hide the user's functions and classes, which the configuration may name.
    return type(layer).from_config({**layer.get_config(), "name": name})
