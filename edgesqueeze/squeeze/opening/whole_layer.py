"""What computes, as one layer of a tf_keras graph: a function of TensorFlow, or a subclassed model."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from typing import Any

import tf_keras

from edgesqueeze.squeeze.opening.keras_layer import KerasLayer

# A configuration must be JSON, a model object is not: copies of a layer find theirs by number.
_held: dict[int, Any] = {}
_numbers = itertools.count()


@tf_keras.saving.register_keras_serializable("edgesqueeze")
class WholeLayer(tf_keras.layers.Layer):  # type: ignore[misc]
    """Calls ``whole``, which stays the same object in every clone.

    Its configuration is understood only in the process that made it.

    Args:
        whole: called with what the layer is called with, and ``training=False`` if it takes that; has
            ``variables`` of TensorFlow.
        held: the number of one that another layer has; instead of ``whole``.
    """

    def __init__(self, whole: Any = None, held: int | None = None, **options: Any) -> None:
        super().__init__(autocast=False, **{**options, "trainable": False})
        self.number = next(_numbers) if held is None else held
        if held is None:
            _held[self.number] = whole
        # Behind the tracking of Keras, which would make a part of the model of it.
        self.__dict__["whole"] = _held[self.number]
        called: Callable[..., Any] = getattr(self.whole, "call", None) or self.whole
        self._trains = "training" in inspect.signature(called).parameters
        # Known as weights, so that a conversion freezes them.
        self._non_trainable_weights.extend(self.whole.variables)

    def call(self, inputs: Any, *others: Any) -> Any:
        """What it computes at inference."""
        return self.whole(inputs, *others, **({"training": False} if self._trains else {}))

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """No mask: it keeps its own."""
        return

    def get_config(self) -> dict[str, Any]:
        """Configuration with the number of what is held."""
        config = super().get_config()
        config.pop("autocast", None)
        return {**config, "held": self.number}


def whole_layers(model: Any) -> list[str]:
    """Names of the layers of a flat tf_keras model that are a graph or a subclassed model."""
    return [layer.name for layer in model.layers if is_whole(layer)]


def is_whole(layer: Any) -> bool:
    """Whether a layer is a graph or a model that no pass can look into."""
    import keras

    return isinstance(layer, WholeLayer) or (
        isinstance(layer, KerasLayer) and isinstance(layer.layer, keras.Model)
    )
