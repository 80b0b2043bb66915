"""What a model computes, counted roughly: how many training steps it can be given in minutes."""

from __future__ import annotations

import math
from typing import Any

import tf_keras

from edgesqueeze.squeeze.layers.kernels import TRANSPOSED


def sample_macs(model: Any) -> int:
    """Multiply-accumulates with weights for one sample: each matrix of weights, once a place.

    Products of activations, as in attention, are left out.

    Args:
        model: a flat tf_keras model.
    """
    total = 0
    for layer in model.layers:
        sizes = [math.prod(weight.shape) for weight in layer.trainable_weights if len(weight.shape) > 1]
        if isinstance(layer, tf_keras.layers.Embedding) or not sizes:
            continue
        total += sum(sizes) * sum(_places(layer, node) for node in layer._inbound_nodes)
    return total


def _places(layer: Any, node: Any) -> int:
    """At how many places one call of a layer applies its weights."""
    recurrent = isinstance(layer, tf_keras.layers.RNN | tf_keras.layers.Bidirectional)
    # A recurrent layer may give its last step only, and a transposed convolution spreads what it takes.
    of_input = recurrent or isinstance(layer, TRANSPOSED)
    shape = (node.input_shapes if of_input else node.output_shapes) or ()
    shape = shape[0] if isinstance(shape, list) else shape
    return math.prod(size or 1 for size in shape[1:-1])
