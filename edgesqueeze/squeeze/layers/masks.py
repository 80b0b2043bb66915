"""Masks of sequences as numbers, since comparisons of real numbers have no integer form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras

layers = tf_keras.layers
MASK_READERS = (layers.Attention, layers.AdditiveAttention, layers.MultiHeadAttention, layers.Softmax)
"""Layers that take a mask for truth values; those of ``Gate`` are numbers."""

CERTAIN = 1e4
"""What a value's distance from the mask value is multiplied by: one step of int8 is far above 1 then."""


class Gate(layers.Layer):  # type: ignore[misc, name-defined]
    """Masking in numbers: the mask is 1.0 where a step differs from the mask value, and 0.0 elsewhere.

    Comparisons of real numbers have no integer form; a distance that is multiplied until it is cut off does.
    """

    def __init__(self, mask_value: float, **options: Any) -> None:
        super().__init__(**options)
        self.mask_value = mask_value
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """The inputs; masked steps hold zeros, as behind Keras's layer."""
        return inputs if self.mask_value == 0 else inputs * self.compute_mask(inputs)[..., tf.newaxis]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """1.0 or 0.0 a step, ``[batch, steps]``."""
        return _counting(inputs, self.mask_value)


class Steps(layers.Layer):  # type: ignore[misc, name-defined]
    """Which steps count, 1.0 or 0.0 each, ``[batch, steps]``: ``Gate``'s mask where a model spells it out."""

    def __init__(self, mask_value: float, **options: Any) -> None:
        super().__init__(**options)
        self.mask_value = mask_value

    def call(self, inputs: Any) -> Any:
        """The mask of a sequence ``[batch, steps, features]``."""
        return _counting(inputs[0] if isinstance(inputs, list | tuple) else inputs, self.mask_value)


def _counting(inputs: Any, mask_value: float) -> Any:
    """1.0 for each step that differs from the mask value in some feature, else 0.0."""
    distance = inputs if mask_value == 0 else inputs - mask_value
    largest = tf.reduce_max(tf.abs(distance), axis=-1)
    return tf.nn.relu6(largest * CERTAIN) * (1.0 / 6.0)


def spelled_masks(model: Any, is_recurrent: Callable[[Any], bool]) -> dict[str, float | None]:
    """Masks that the model computes itself for recurrent layers alone: ``any(x != value)`` over the features.

    So does Keras 3 write down what its Masking layer does.

    Args:
        model: a flat tf_keras model.
        is_recurrent: whether a layer takes a mask of numbers.

    Returns:
        By layer's name the mask value for the layer that says "any", and None for the one that compares.
    """
    found: dict[str, float | None] = {}
    for layer in model.layers:
        value = _compared_with(layer)
        readers = [node.layer for node in layer.outbound_nodes]
        if value is None or not readers or not all(_any_over_features(one) for one in readers):
            continue
        if all(is_recurrent(node.layer) for one in readers for node in one.outbound_nodes):
            found[layer.name] = None
            found |= {one.name: value for one in readers}
    return found


def _compared_with(layer: Any) -> float | None:
    """The number that a layer compares a real tensor with; None for any other layer."""
    if getattr(layer, "op", None) != "not_equal" or not layer.input.dtype.is_floating:
        return None
    tensors = [one for one in layer.arguments.args if isinstance(one, dict)]
    numbers = [one for one in layer.arguments.args if isinstance(one, int | float)]
    return float(numbers[0]) if tensors == [{"tensor": 0}] and len(numbers) == 1 else None


def _any_over_features(layer: Any) -> bool:
    """Whether a layer says for each step if any of its features is true."""
    if getattr(layer, "op", None) != "any":
        return False
    rank, arguments = len(layer.input.shape), layer.arguments
    axis = dict(zip(("axis", "keepdims"), arguments.args[1:], strict=False)) | arguments.kwargs
    return rank == 3 and axis.get("axis") in (-1, 2) and not axis.get("keepdims", False)
