"""The dense layers inside of a multi-head attention (Vaswani et al., 2017, arXiv:1706.03762)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import tf_keras

INPUTS = ("query", "value", "key")
"""Parameters of the layer's call, in their order; without a key, the value is the key."""
PROJECTIONS: Mapping[str, str] = MappingProxyType(
    {"query": "_query_dense", "key": "_key_dense", "value": "_value_dense", "output": "_output_dense"}
)
"""What goes into a dense layer, or leaves it -> the attribute that holds it.

Kernels are ``[channels, heads, features of a head]``; the last one is ``[heads, features, channels]``.
"""


def is_attention(layer: Any) -> bool:
    """Whether it is Keras's layer; a subclass may compute something else."""
    return type(layer) is tf_keras.layers.MultiHeadAttention


def projections_of(layer: Any) -> dict[str, Any]:
    """The dense layers of a built multi-head attention, by the keys of ``PROJECTIONS``."""
    return {name: getattr(layer, attribute) for name, attribute in PROJECTIONS.items()}


def built_attention(config: Mapping[str, Any]) -> Any:
    """A multi-head attention that has its weights, from a configuration with the shapes of its inputs."""
    made = tf_keras.layers.MultiHeadAttention.from_config(dict(config))
    query, key, value = (tuple(config[f"{name}_shape"]) for name in ("query", "key", "value"))
    if not made._built_from_signature:
        made._build_from_signature(query, value, key)
    heads = (config["num_heads"], config["value_dim"] or config["key_dim"])
    shapes = {"query": query, "key": key, "value": value, "output": (*query[:-1], *heads)}
    for name, dense in projections_of(made).items():
        if not dense.built:
            dense.build(shapes[name])
    made.built = True
    return made


def input_tensors(args: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """What a call gives to each of ``INPUTS``."""
    given = {**dict(zip(INPUTS, args, strict=False)), **{key: kwargs[key] for key in INPUTS if key in kwargs}}
    if given.get("key") is None:
        given["key"] = given["value"]
    return given
