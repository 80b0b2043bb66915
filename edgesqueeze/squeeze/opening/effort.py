"""What one call of a model takes, bounded from shapes alone, so that it need not be tried.

Only for layers whose work is at most their weights times the places where they are applied.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import keras
import tf_keras

_LINEAR = """
Activation Add Average BatchNormalization Concatenate Conv1D Conv2D Conv2DTranspose Dense DepthwiseConv2D
Dropout Flatten GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D GlobalMaxPooling2D InputLayer
LayerNormalization LeakyReLU Maximum Minimum Multiply Normalization PReLU Permute ReLU Rescaling Reshape
SeparableConv1D SeparableConv2D Softmax SpatialDropout1D SpatialDropout2D Subtract UpSampling1D UpSampling2D
ZeroPadding1D ZeroPadding2D
"""
LINEAR = frozenset(_LINEAR.split())
"""Layers that a bound can be given for, by class name."""
MOST_STEPS = 4_000_000_000
MOST_BYTES = 256 << 20
BYTES = 4


def is_small(model: Any) -> bool:
    """Whether a call with one sample certainly takes few steps and little memory.

    Args:
        model: a Keras 3 or tf_keras model. Nothing is computed.
    """
    steps = size = patches = 0
    for layer in _layers(model):
        kind = type(layer)
        if kind.__name__ not in LINEAR or kind not in _own(kind.__name__):
            return False
        weights = sum(math.prod(weight.shape) for weight in layer.weights)
        for sizes in _shapes(layer):
            shape = [one for one in sizes if one is not None]
            if len(shape) != len(sizes):
                return False
            places = math.prod(shape[:-1])
            steps += places * weights + math.prod(shape)
            size += BYTES * math.prod(shape)
            # A convolution may unroll its input, and lets go of that before the next one.
            patches = max(patches, BYTES * places * _patch(layer))
    return steps <= MOST_STEPS and size + patches <= MOST_BYTES


def _layers(model: Any) -> Iterator[Any]:
    # Functions of keras.ops are operations of a model, and no layers of it.
    for layer in getattr(model, "operations", model.layers):
        if isinstance(layer, (keras.Model, tf_keras.Model)):
            yield from _layers(layer)
        else:
            yield layer


def _own(name: str) -> tuple[Any, ...]:
    """The libraries' own classes of a name; a user's may have the same one."""
    return tuple(getattr(library.layers, name, None) for library in (keras, tf_keras))


def _shapes(layer: Any) -> Iterator[tuple[int | None, ...]]:
    """Shapes of all that a layer is given and gives, in all its calls, for one sample."""
    for node in layer._inbound_nodes:
        for side in ("input_tensors", "output_tensors"):
            found = getattr(node, side, None)
            for tensor in found if isinstance(found, (list, tuple)) else [found]:
                if tensor is not None:
                    yield (tensor.shape[0] or 1, *tensor.shape[1:])


def _patch(layer: Any) -> int:
    """Numbers that a place may need at once: the window of a convolution in all its channels."""
    return max((math.prod(weight.shape[:-1]) for weight in layer.weights), default=1)
