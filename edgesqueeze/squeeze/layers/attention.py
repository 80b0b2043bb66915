"""Multi-head attention (Vaswani et al., 2017, arXiv:1706.03762), split into dense layers and what is between.

The dense layers are pruned, clustered, quantized and cut like all others; ``Heads`` has no weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from edgesqueeze.squeeze.layers.rewrite import rewrite

layers = tf_keras.layers
INPUTS = ("query", "value", "key")
"""Parameters of a multi-head attention's call, in their order; without a key, the value is the key."""


class Heads(layers.Layer):  # type: ignore[misc, name-defined]
    """``softmax(query @ key^T) @ value`` for each head by itself; the query is scaled already.

    It is called with query, value and key, ``[batch, steps, heads * features]``, and gives
    ``[batch, steps of the query, heads * features of the value]``. The numbers of steps are fixed.

    Args:
        heads: how many there are.
    """

    def __init__(self, heads: int, **options: Any) -> None:
        super().__init__(**options)
        self.heads = heads

    def call(self, query: Any, value: Any, key: Any) -> Any:
        """Attend."""

        def split(tensor: Any) -> Any:
            steps, width = tensor.shape[1:]
            parts = tf.reshape(tensor, (-1, steps, self.heads, width // self.heads))
            return tf.transpose(parts, (0, 2, 1, 3))

        scores = tf.matmul(split(query), split(key), transpose_b=True)
        joined = tf.transpose(tf.matmul(tf.nn.softmax(scores), split(value)), (0, 2, 1, 3))
        return tf.reshape(joined, (-1, query.shape[1], value.shape[-1]))

    def get_config(self) -> dict[str, Any]:
        """Configuration in JSON's types."""
        return {**super().get_config(), "heads": self.heads}


def between(query: Any, value: Any, key: Any, heads: int, name: str) -> Any:
    """What ``Heads`` computes, in layers of tf_keras.

    Args:
        query: ``[batch, steps, heads * features]``.
        value: likewise; its steps and features may be other numbers.
        key: the features of ``query``, the steps of ``value``.
        heads: how many there are.
        name: of the last layer; those of the others begin with it.
    """

    def split(tensor: Any, part: str) -> Any:
        steps, width = tensor.shape[1:]
        shaped = layers.Reshape((steps, heads, width // heads), name=f"{name}_{part}")(tensor)
        return layers.Permute((2, 1, 3), name=f"{name}_{part}_apart")(shaped)

    parts = [split(*one) for one in zip((query, value, key), INPUTS, strict=True)]
    joined = layers.Permute((2, 1, 3), name=f"{name}_together")(layers.Attention(name=f"{name}_each")(parts))
    return layers.Reshape((query.shape[1], value.shape[-1]), name=name)(joined)


def spelled_heads(model: Any) -> Any:
    """A model with layers of tf_keras in place of every ``Heads``; ``model`` itself where there is none."""
    if not any(type(layer) is Heads for layer in model.layers):
        return model

    def replace(layer: Any) -> Any:
        if type(layer) is not Heads:
            return None
        return [lambda query, value, key: between(query, value, key, heads=layer.heads, name=layer.name)]

    return rewrite(model, replace)


def split_attention(layer: Any) -> Any:
    """What computes the same as a multi-head attention, called in the same way, and can be pruned.

    Args:
        layer: a layer of a flat tf_keras model.

    Returns:
        A function of query, value and key; None for every other layer, and for an attention with a mask, over
        several axes, over any number of steps, or whose scores are asked for.
    """
    if type(layer) is not layers.MultiHeadAttention or not all(map(_is_plain, layer._inbound_nodes)):
        return None
    if layer._output_dense.kernel.shape.rank != 3 or layer._attention_axes not in ((1,), [1]):
        return None
    # Keras divides what it makes of the query.
    scale = 1 / np.sqrt(layer._key_dim)
    query = _dense(layer, "query", scale)
    key, value, output = (_dense(layer, name) for name in ("key", "value", "output"))
    heads = Heads(layer._num_heads, name=f"{layer.name}_heads")

    def attend(query_input: Any, value_input: Any, key_input: Any = None, **_: Any) -> Any:
        key_input = value_input if key_input is None else key_input
        return output(heads(query(query_input), value(value_input), key(key_input)))

    return lambda *args, **kwargs: attend(*args, **_by_parameter(kwargs))


def _by_parameter(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {f"{name}_input": kwargs[name] for name in INPUTS if name in kwargs}


def _is_plain(node: Any) -> bool:
    """Whether a call has no mask and asks for nothing but the output."""
    tensors = tf.nest.flatten((node.call_args, dict(node.call_kwargs)))
    tensors = [one for one in tensors if hasattr(one, "_keras_history")]
    masked = any(getattr(one, "_keras_mask", None) is not None for one in tensors)
    fixed = all(len(one.shape) == 3 and None not in one.shape[1:] for one in tensors)
    others = [
        name
        for name, value in dict(node.call_kwargs).items()
        if name not in INPUTS and value is not None and value is not False
    ]
    return fixed and not masked and len(node.call_args) <= len(INPUTS) and set(others) <= {"training"}


def _dense(layer: Any, name: str, scale: float = 1.0) -> Any:
    """The dense layer that stands for one of the projections, or for what joins the heads."""
    part = getattr(layer, f"_{name}_dense")
    kernel = part.kernel.numpy().astype(np.float64) * scale
    joins = name == "output"
    kernel = kernel.reshape(-1, kernel.shape[-1]) if joins else kernel.reshape(kernel.shape[0], -1)
    weights = [kernel]
    if part.bias is not None:
        weights.append(part.bias.numpy().astype(np.float64).reshape(-1) * scale)
    made = layers.Dense(kernel.shape[1], use_bias=part.bias is not None, name=f"{layer.name}_{name}")
    made.build((None, None, kernel.shape[0]))
    made.set_weights([one.astype(np.float32) for one in weights])
    return made
