"""Activations of Keras 3 that tf_keras lacks, or computes differently.

Each is written in the operations that the TFLite converter knows best: ``hard_silu`` in the form that it
turns into one HARD_SWISH, and so on. They are registered with tf_keras, so a layer that uses one can be
cloned and saved like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras

Activation = Callable[[Any], Any]

# The same function under both roofs, by Keras 3's name.
SAME = {
    "elu": "elu",
    "exponential": "exponential",
    "gelu": "gelu",
    "linear": "linear",
    "mish": "mish",
    "relu": "relu",
    "selu": "selu",
    "sigmoid": "sigmoid",
    "silu": "swish",
    "softmax": "softmax",
    "softplus": "softplus",
    "softsign": "softsign",
    "tanh": "tanh",
}


def celu(x: Any, alpha: float = 1.0) -> Any:
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1)): ELU of another size."""
    return tf.nn.elu(x) if alpha == 1.0 else alpha * tf.nn.elu(x / alpha)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """``x`` above zero, alpha * (exp(x) - 1) below: in operators that have integer kernels everywhere."""
    return tf.nn.elu(x) if alpha == 1.0 else tf.nn.relu(x) + alpha * tf.minimum(tf.nn.elu(x), 0.0)


def glu(x: Any, axis: int = -1) -> Any:
    """The first half of ``axis``, gated by the sigmoid of the second."""
    value, gate = tf.split(x, 2, axis=axis)
    return value * tf.sigmoid(gate)


def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """``x`` where its magnitude exceeds the threshold, 0 elsewhere."""
    return tf.where(tf.abs(x) > threshold, x, tf.zeros_like(x))


def hard_sigmoid(x: Any) -> Any:
    """relu6(x + 3) / 6: Keras 3's definition, which is not tf_keras's."""
    return tf.nn.relu6(x + 3.0) * (1.0 / 6.0)


def hard_silu(x: Any) -> Any:
    """x * relu6(x + 3) / 6."""
    return x * tf.nn.relu6(x + 3.0) * (1.0 / 6.0)


def hard_tanh(x: Any) -> Any:
    """``x`` clipped to [-1, 1]."""
    return tf.clip_by_value(x, -1.0, 1.0)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """``x`` above zero, ``negative_slope * x`` below."""
    return tf.nn.leaky_relu(x, alpha=negative_slope)


def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x)), kept from overflowing."""
    return -tf.nn.softplus(-x)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """log(softmax(x))."""
    return tf.nn.log_softmax(x, axis=axis)


def relu6(x: Any) -> Any:
    """``x`` clipped to [0, 6]."""
    return tf.nn.relu6(x)


def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """``x`` moved towards zero by the threshold."""
    return tf.nn.relu(x - threshold) - tf.nn.relu(-x - threshold)


def sparse_plus(x: Any) -> Any:
    """0 below -1, ``x`` above 1, (x + 1)^2 / 4 between."""
    return tf.where(x >= 1.0, x, 0.25 * tf.square(tf.nn.relu(x + 1.0)))


def sparse_sigmoid(x: Any) -> Any:
    """(x + 1) / 2 clipped to [0, 1]."""
    return tf.clip_by_value(0.5 * (x + 1.0), 0.0, 1.0)


def squareplus(x: Any, b: float = 4) -> Any:
    """(x + sqrt(x^2 + b)) / 2."""
    return 0.5 * (x + tf.sqrt(tf.square(x) + float(b)))


def tanh_shrink(x: Any) -> Any:
    """x - tanh(x)."""
    return x - tf.tanh(x)


OWN: dict[str, Activation] = {
    function.__name__: tf_keras.saving.register_keras_serializable("edgesqueeze")(function)
    for function in (
        celu,
        glu,
        hard_shrink,
        hard_sigmoid,
        hard_silu,
        hard_tanh,
        leaky_relu,
        log_sigmoid,
        log_softmax,
        relu6,
        soft_shrink,
        sparse_plus,
        sparse_sigmoid,
        squareplus,
        tanh_shrink,
    )
}


def to_tf_keras(name: str) -> Activation | None:
    """The tf_keras function for an activation of Keras 3, None if there is none."""
    if name in SAME:
        return getattr(tf_keras.activations, SAME[name])  # type: ignore[no-any-return]
    return OWN.get(name)


def to_keras(function: Activation) -> str | None:
    """Keras 3's name of an activation that stands in a bridged tf_keras model, None if it has none."""
    for name, own in OWN.items():
        if function is own:
            return name
    name = getattr(function, "__name__", "")
    return {theirs: ours for ours, theirs in SAME.items()}.get(name)
