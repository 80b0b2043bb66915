"""The operations of Keras 3 that EdgeSqueeze knows, each with its TensorFlow implementation.

The implementations take the arguments of ``keras.ops`` (the operation's own settings by name) and use the
TensorFlow operations that convert to TFLite builtins.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from edgesqueeze.squeeze.opening import activations


@dataclass(frozen=True)
class Op:
    """One operation.

    Attributes:
        tf: implementation in TensorFlow.
        keras: how to call it in Keras 3, where that is not ``keras.ops.NAME`` with the same arguments.
    """

    tf: Callable[..., Any]
    keras: Callable[..., Any] | None = None


def op_name(operation: Any) -> str:
    """Name in the table of an operation object of Keras 3: that of the function in ``keras.ops``."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(operation).__name__).lower()
    return {"absolute": "abs", "true_divide": "divide", "amax": "max", "amin": "min"}.get(snake, snake)


def keras_function(name: str) -> Callable[..., Any]:
    """The function of Keras 3 that makes the operation ``name``."""
    import keras

    return OPS[name].keras or getattr(keras.ops, name)


def _is_int(x: Any) -> bool:
    return isinstance(x, (bool, int)) or (not isinstance(x, float) and not _dtype(x).is_floating)


def _dtype(x: Any) -> Any:
    return tf.as_dtype(x.dtype)


def _binary(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Give both operands one dtype, as Keras does: a float beats an integer, the wider the narrower."""

    def apply(x1: Any, x2: Any) -> Any:
        dtypes = [_dtype(x) for x in (x1, x2) if hasattr(x, "dtype")]
        floats = [d for d in dtypes if d.is_floating]
        if floats:
            common = max(floats, key=lambda d: d.size)
        elif isinstance(x1, float) or isinstance(x2, float):
            common = tf.float32
        else:
            common = max(dtypes, key=lambda d: d.size)
        return function(tf.cast(x1, common), tf.cast(x2, common))

    return apply


def _divide(x1: Any, x2: Any) -> Any:
    if _is_int(x1) and _is_int(x2):
        x1, x2 = tf.cast(x1, tf.float32), tf.cast(x2, tf.float32)
    return _binary(tf.divide)(x1, x2)


def _reduce(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return function(x, axis=axis, keepdims=keepdims)

    return apply


def _extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
        if initial is not None:
            raise ValueError("`initial` is not supported")
        return function(x, axis=axis, keepdims=keepdims)

    return apply


def _mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return tf.reduce_mean(tf.cast(x, tf.float32) if _is_int(x) else x, axis=axis, keepdims=keepdims)


def _cumsum(x: Any, axis: Any = None, dtype: Any = None) -> Any:
    return tf.cumsum(x if dtype is None else tf.cast(x, dtype), axis=axis)


def _any_all(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axis=None, keepdims=False: function(tf.cast(x, tf.bool), axis=axis, keepdims=keepdims)


def _arg(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        rank = x.shape.rank
        if axis is None:
            x, axis = tf.reshape(x, [-1]), 0
            keepdims = False if not keepdims else _refuse("keepdims without an axis")
        result = function(x, axis=axis % rank if axis < 0 else axis, output_type=tf.int32)
        return tf.expand_dims(result, axis) if keepdims else result

    return apply


def _refuse(what: str) -> bool:
    raise ValueError(f"{what} is not supported")


def _reshape(x: Any, newshape: Any) -> Any:
    return tf.reshape(x, [-1 if d is None else d for d in np.atleast_1d(np.asarray(newshape, object))])


def _getitem(x: Any, key: Any) -> Any:
    return x[key]


def _split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    if isinstance(indices_or_sections, int):
        return tf.split(x, indices_or_sections, axis=axis)
    edges = [0, *(int(i) for i in indices_or_sections), x.shape[axis]]
    return tf.split(x, np.diff(edges).tolist(), axis=axis)


def _pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    widths = np.broadcast_to(np.asarray(pad_width), (x.shape.rank, 2)).tolist()
    return tf.pad(
        x, widths, mode=mode.upper(), constant_values=0 if constant_values is None else constant_values
    )


def _take(x: Any, indices: Any, axis: int | None = None) -> Any:
    if axis is None:
        x, axis = tf.reshape(x, [-1]), 0
    return tf.gather(x, indices, axis=axis)


def _clip(x: Any, x_min: Any, x_max: Any) -> Any:
    return tf.clip_by_value(x, tf.cast(x_min, x.dtype), tf.cast(x_max, x.dtype))


def _where(condition: Any, x1: Any, x2: Any) -> Any:
    return _binary(lambda a, b: tf.where(tf.cast(condition, tf.bool), a, b))(x1, x2)


def _matmul(x1: Any, x2: Any) -> Any:
    # A one-dimensional right side is a matrix of one column.
    if len(x2.shape) == 1:
        return tf.squeeze(tf.matmul(x1, tf.expand_dims(x2, -1)), -1)
    return tf.matmul(x1, x2)


def _variance(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    mean = tf.reduce_mean(x, axis=axis, keepdims=True)
    return tf.reduce_mean(tf.square(x - mean), axis=axis, keepdims=keepdims)


def _one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    if sparse:
        _refuse("a sparse result")
    return tf.one_hot(tf.cast(x, tf.int32), num_classes, axis=axis, dtype=dtype or tf.float32)


def _swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    order = list(range(x.shape.rank))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return tf.transpose(x, order)


def _moveaxis(x: Any, source: Any, destination: Any) -> Any:
    sources, targets = np.atleast_1d(source).tolist(), np.atleast_1d(destination).tolist()
    order = np.moveaxis(np.empty([1] * x.shape.rank), sources, targets)  # checks the arguments
    rank = order.ndim
    moved = {t % rank: s % rank for s, t in zip(sources, targets, strict=True)}
    rest = iter(axis for axis in range(rank) if axis not in moved.values())
    return tf.transpose(x, [moved[i] if i in moved else next(rest) for i in range(rank)])


def _normalize(x: Any, axis: int = -1, order: int = 2, epsilon: float | None = None) -> Any:
    if order != 2:
        raise ValueError("only order 2 is supported")
    epsilon = 1e-7 if epsilon is None else epsilon
    square_sum = tf.reduce_sum(tf.square(x), axis=axis, keepdims=True)
    return x * tf.math.rsqrt(tf.maximum(square_sum, epsilon * epsilon))


def _refuse_channels_first(data_format: str | None) -> None:
    if data_format == "channels_first":
        _refuse("channels_first")


def _blocks(function: Callable[[Any, int], Any]) -> Callable[..., Any]:
    def apply(x: Any, block_size: int, data_format: str | None = None) -> Any:
        _refuse_channels_first(data_format)
        return function(x, block_size)

    return apply


def _pool(kind: str) -> Callable[..., Any]:
    def apply(
        x: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: Any = None
    ) -> Any:
        _refuse_channels_first(data_format)
        return tf.nn.pool(x, _each(x, pool_size), kind, _each(x, strides or pool_size), padding.upper())

    return apply


def _each(x: Any, value: Any) -> list[int]:
    return [value] * (x.shape.rank - 2) if isinstance(value, int) else list(value)


def _resize(
    images: Any, size: Any, interpolation: str = "bilinear", antialias: bool = False, **others: Any
) -> Any:
    settings = {"crop_to_aspect_ratio": False, "pad_to_aspect_ratio": False}
    if any(others.get(key, value) != value for key, value in settings.items()):
        raise ValueError("keeping the aspect ratio is not supported")
    return tf.image.resize(images, size, method=interpolation, antialias=antialias)


def _keras_resize(images: Any, size: Any, **options: Any) -> Any:
    import keras

    return keras.ops.image.resize(images, size, **options)


def _einsum(*operands: Any, subscripts: str) -> Any:
    return tf.einsum(subscripts, *operands)


def _keras_einsum(*operands: Any, subscripts: str) -> Any:
    import keras

    return keras.ops.einsum(subscripts, *operands)


def _unary(function: Callable[[Any], Any]) -> Op:
    """An operation that gives floats for whatever it gets."""
    return Op(lambda x: function(tf.cast(x, tf.float32) if _is_int(x) else x))


def _converted(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    """What is a tensor already, as everything in a model is; dense, as everything here is."""
    return tf.identity(x) if dtype is None else tf.cast(x, dtype)


# The names are those of keras.ops.
OPS: dict[str, Op] = {
    # one tensor
    "abs": Op(tf.abs),
    "negative": Op(tf.negative),
    "sign": Op(tf.sign),
    "square": Op(tf.square),
    "relu": Op(tf.nn.relu),
    "relu6": Op(activations.relu6),
    "logical_not": Op(lambda x: tf.logical_not(tf.cast(x, tf.bool))),
    "stop_gradient": Op(lambda variable: tf.identity(variable)),
    "copy": Op(tf.identity),
    "cast": Op(lambda x, dtype: tf.cast(x, dtype)),
    "convert_to_tensor": Op(_converted),
    "round": Op(lambda x, decimals=0: tf.round(x) if decimals == 0 else _refuse("decimals")),
    "reciprocal": _unary(lambda x: 1.0 / x),
    "ceil": _unary(tf.math.ceil),
    "floor": _unary(tf.floor),
    "sqrt": _unary(tf.sqrt),
    "rsqrt": _unary(tf.math.rsqrt),
    "exp": _unary(tf.exp),
    "expm1": _unary(tf.math.expm1),
    "log": _unary(tf.math.log),
    "log1p": _unary(tf.math.log1p),
    "log2": _unary(lambda x: tf.math.log(x) * (1.0 / np.log(2.0))),
    "log10": _unary(lambda x: tf.math.log(x) * (1.0 / np.log(10.0))),
    "sin": _unary(tf.sin),
    "cos": _unary(tf.cos),
    "tan": _unary(tf.tan),
    "arctan": _unary(tf.atan),
    "tanh": _unary(tf.tanh),
    "sinh": _unary(tf.sinh),
    "cosh": _unary(tf.cosh),
    "erf": _unary(tf.math.erf),
    "sigmoid": _unary(tf.sigmoid),
    "softplus": _unary(tf.nn.softplus),
    "softsign": _unary(tf.nn.softsign),
    "silu": _unary(lambda x: x * tf.sigmoid(x)),
    "selu": _unary(tf.nn.selu),
    "elu": Op(activations.elu),
    "gelu": Op(lambda x, approximate=True: tf.nn.gelu(x, approximate=approximate)),
    "softmax": Op(lambda x, axis=-1: tf.nn.softmax(x, axis=axis)),
    **{name: Op(function) for name, function in activations.OWN.items() if name != "relu6"},
    "threshold": Op(lambda x, threshold, default_value: tf.where(x > threshold, x, default_value)),
    # two tensors
    "add": Op(_binary(tf.add)),
    "subtract": Op(_binary(tf.subtract)),
    "multiply": Op(_binary(tf.multiply)),
    "divide": Op(_divide),
    "floor_divide": Op(_binary(tf.math.floordiv)),
    "mod": Op(_binary(tf.math.floormod)),
    "power": Op(_binary(tf.pow)),
    "maximum": Op(_binary(tf.maximum)),
    "minimum": Op(_binary(tf.minimum)),
    "arctan2": Op(_binary(tf.atan2)),
    "equal": Op(_binary(tf.equal)),
    "not_equal": Op(_binary(tf.not_equal)),
    "greater": Op(_binary(tf.greater)),
    "greater_equal": Op(_binary(tf.greater_equal)),
    "less": Op(_binary(tf.less)),
    "less_equal": Op(_binary(tf.less_equal)),
    "logical_and": Op(lambda x1, x2: tf.logical_and(tf.cast(x1, tf.bool), tf.cast(x2, tf.bool))),
    "logical_or": Op(lambda x1, x2: tf.logical_or(tf.cast(x1, tf.bool), tf.cast(x2, tf.bool))),
    "matmul": Op(_matmul),
    "einsum": Op(_einsum, _keras_einsum),
    "where": Op(_where),
    # along axes
    "sum": Op(_reduce(tf.reduce_sum)),
    "mean": Op(_mean),
    "prod": Op(lambda x, axis=None, keepdims=False, dtype=None: tf.reduce_prod(x, axis, keepdims)),
    "max": Op(_extreme(tf.reduce_max)),
    "min": Op(_extreme(tf.reduce_min)),
    "var": Op(_variance),
    "std": Op(lambda x, axis=None, keepdims=False: tf.sqrt(_variance(x, axis, keepdims))),
    "any": Op(_any_all(tf.reduce_any)),
    "all": Op(_any_all(tf.reduce_all)),
    "argmax": Op(_arg(tf.argmax)),
    "argmin": Op(_arg(tf.argmin)),
    "logsumexp": Op(_reduce(tf.reduce_logsumexp)),
    "cumsum": Op(_cumsum),
    "normalize": Op(_normalize),
    # shapes
    "reshape": Op(_reshape),
    "squeeze": Op(lambda x, axis=None: tf.squeeze(x, axis=axis)),
    "expand_dims": Op(lambda x, axis: tf.expand_dims(x, axis=axis)),
    "transpose": Op(lambda x, axes=None: tf.transpose(x, perm=axes)),
    "swapaxes": Op(_swapaxes),
    "moveaxis": Op(_moveaxis),
    "flip": Op(
        lambda x, axis=None: tf.reverse(x, range(x.shape.rank) if axis is None else np.atleast_1d(axis))
    ),
    "roll": Op(lambda x, shift, axis: tf.roll(x, shift, axis)),
    "tile": Op(lambda x, repeats: tf.tile(x, repeats)),
    "repeat": Op(lambda x, repeats, axis=None: tf.repeat(x, repeats, axis=axis)),
    "broadcast_to": Op(lambda x, shape: tf.broadcast_to(x, shape)),
    "concatenate": Op(lambda xs, axis=0: tf.concat(xs, axis=axis)),
    "stack": Op(lambda x, axis=0: tf.stack(x, axis=axis)),
    "unstack": Op(lambda x, num=None, axis=0: tf.unstack(x, num=num, axis=axis)),
    "split": Op(_split),
    "pad": Op(_pad),
    "get_item": Op(_getitem),
    "take": Op(_take),
    "one_hot": Op(_one_hot),
    "zeros_like": Op(lambda x, dtype=None: tf.zeros_like(x, dtype=dtype)),
    "ones_like": Op(lambda x, dtype=None: tf.ones_like(x, dtype=dtype)),
    "clip": Op(_clip),
    # images
    "resize": Op(_resize, _keras_resize),
    "max_pool": Op(_pool("MAX")),
    "average_pool": Op(_pool("AVG")),
    "depth_to_space": Op(_blocks(tf.nn.depth_to_space)),
    "space_to_depth": Op(_blocks(tf.nn.space_to_depth)),
}
