"""Operators of Keras 3 that are a standard layer of tf_keras under another name.

Passes and readers understand standard layers better than operators, so these come first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tf_keras

from edgesqueeze.squeeze.opening import activations
from edgesqueeze.squeeze.opening.op_layer import OpCall

layers = tf_keras.layers

MERGES = {
    "add": layers.Add,
    "subtract": layers.Subtract,
    "multiply": layers.Multiply,
    "maximum": layers.Maximum,
    "minimum": layers.Minimum,
}
RESHAPES = ("reshape", "squeeze", "expand_dims")


def as_layer(op: str, call: OpCall, tensors: Sequence[Any], outputs: Sequence[Any], name: str) -> Any:
    """The standard layer that does what an operation does, None if there is none.

    Args:
        op: name in ``op_table.OPS``.
        call: its arguments, with settings by name.
        tensors: the tf_keras tensors among them.
        outputs: the tensors that Keras 3 gives, for their shapes.
        name: name of the layer.
    """
    if len(outputs) != 1 or len(tensors[0].shape) < 2:
        return None
    if any(getattr(tensor, "_keras_mask", None) is not None for tensor in tensors):
        return None  # the layer would hand the mask on, which the operation does not
    if op in MERGES:
        return _merge(op, call, tensors, name)
    if op == "concatenate":
        axis = call.kwargs.get("axis", 0)
        lone_list = len(call.args) == 1 and len(tensors) == len(_items(call.args[0]))
        same = len({t.dtype for t in tensors}) == 1
        return layers.Concatenate(axis=axis, name=name) if axis != 0 and lone_list and same else None
    if len(tensors) != 1 or len(call.args) != 1:
        return None
    if op in RESHAPES:
        return _reshape(tensors[0], outputs[0], name)
    maker = MAKERS.get(op)
    if maker is not None and tensors[0].dtype.is_floating:
        return maker(tensors[0], call.kwargs, name)
    return None


def _items(value: Any) -> list[Any]:
    return list(value.get("tuple", [])) if isinstance(value, dict) else list(value)


def _merge(op: str, call: OpCall, tensors: Sequence[Any], name: str) -> Any:
    # The layers broadcast like the operators only between tensors of one rank.
    same = len(tensors) == 2 and len({(len(t.shape), t.dtype) for t in tensors}) == 1
    if not same or call.kwargs or not tensors[0].dtype.is_floating or tensors[0] is tensors[1]:
        return None
    return MERGES[op](name=name)


def _reshape(tensor: Any, output: Any, name: str) -> Any:
    before, after = tuple(tensor.shape[1:]), tuple(output.shape[1:])
    if tensor.shape[0] != output.shape[0] or None in before or None in after:
        return None
    return layers.Reshape(after, name=name) if np.prod(before) == np.prod(after) else None


def _transpose(tensor: Any, kwargs: dict[str, Any], name: str) -> Any:
    axes = _axes(kwargs.get("axes"), tensor)
    return layers.Permute(axes[1:], name=name) if len(axes) > 2 and axes[0] == 0 else None


def _axes(value: Any, tensor: Any) -> tuple[int, ...]:
    if value is None:
        return ()
    rank = len(tensor.shape)
    return tuple(axis % rank for axis in ([value] if isinstance(value, int) else _items(value)))


def _global(one: Any, two: Any) -> Callable[[Any, dict[str, Any], str], Any]:
    """Average or maximum over all places of a sequence or an image."""

    def make(tensor: Any, kwargs: dict[str, Any], name: str) -> Any:
        if kwargs.get("initial") is not None:
            return None
        axes = tuple(sorted(_axes(kwargs.get("axis"), tensor)))
        keepdims = kwargs.get("keepdims", False)
        if (len(tensor.shape), axes) == (4, (1, 2)):
            return two(keepdims=keepdims, name=name)
        return one(keepdims=keepdims, name=name) if (len(tensor.shape), axes) == (3, (1,)) else None

    return make


def _pad(tensor: Any, kwargs: dict[str, Any], name: str) -> Any:
    if kwargs.get("mode", "constant") != "constant" or kwargs.get("constant_values") not in (None, 0, 0.0):
        return None
    widths = kwargs.get("pad_width")
    pairs = [tuple(_items(pair)) for pair in _items(widths)] if not isinstance(widths, int) else []
    if len(pairs) != 4 or pairs[0] != (0, 0) or pairs[3] != (0, 0):
        return None
    return layers.ZeroPadding2D((pairs[1], pairs[2]), name=name)


def _pool(cls: Any) -> Callable[[Any, dict[str, Any], str], Any]:
    def make(tensor: Any, kwargs: dict[str, Any], name: str) -> Any:
        if len(tensor.shape) != 4 or kwargs.get("data_format") == "channels_first":
            return None
        size, strides = (
            tuple(_items(v)) if isinstance(v, (dict, list)) else v
            for v in (kwargs["pool_size"], kwargs.get("strides"))
        )
        return cls(size, strides, kwargs.get("padding", "valid"), name=name)

    return make


def _activation(op: str) -> Callable[[Any, dict[str, Any], str], Any]:
    function = activations.to_tf_keras(op)

    def make(tensor: Any, kwargs: dict[str, Any], name: str) -> Any:
        plain = all(value == ACTIVATION_DEFAULTS.get(key) for key, value in kwargs.items())
        return layers.Activation(function, name=name) if plain else None

    return make


def _relu6(tensor: Any, kwargs: dict[str, Any], name: str) -> Any:
    return layers.ReLU(max_value=6.0, name=name)


def _leaky_relu(tensor: Any, kwargs: dict[str, Any], name: str) -> Any:
    return layers.LeakyReLU(kwargs.get("negative_slope", 0.2), name=name)


# An operation with other settings than these is not what the activation of its name does.
ACTIVATION_DEFAULTS = {"axis": -1, "alpha": 1.0, "approximate": False, "threshold": 0.5, "b": 4}

MAKERS: dict[str, Callable[[Any, dict[str, Any], str], Any]] = {
    **{
        op: _activation(op)
        for op in (*activations.SAME, *activations.OWN)
        if op not in ("linear", "exponential")
    },
    "relu6": _relu6,
    "leaky_relu": _leaky_relu,
    "transpose": _transpose,
    "mean": _global(layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D),
    "max": _global(layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D),
    "pad": _pad,
    "max_pool": _pool(layers.MaxPooling2D),
    "average_pool": _pool(layers.AveragePooling2D),
}
