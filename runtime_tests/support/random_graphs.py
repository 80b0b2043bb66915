"""Random tf_keras models of the layers whose channels can be removed, and models that read zeros instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import tf_keras

from edgesqueeze.base.arrays import Array
from edgesqueeze.squeeze.channels.cut import stays
from edgesqueeze.squeeze.channels.graph import ChannelGraph
from edgesqueeze.squeeze.layers.kernels import TRANSPOSED, kernel_of
from edgesqueeze.squeeze.layers.rewrite import rewrite

layers = tf_keras.layers
Generator = np.random.Generator
Grow = Callable[[Generator, list[Any]], Any]

WIDTHS = (4, 6, 8)


def _any(rng: Generator, tensors: list[Any]) -> Any:
    return tensors[rng.integers(len(tensors))]


def _twins(rng: Generator, tensors: list[Any]) -> tuple[Any, Any]:
    """Two tensors of one shape; the second may have to be made."""
    one = _any(rng, tensors)
    same = [other for other in tensors if other is not one and other.shape[1:] == one.shape[1:]]
    return one, (_any(rng, same) if same else layers.Conv2D(one.shape[-1], 3, padding="same")(one))


def _conv(rng: Generator, tensors: list[Any]) -> Any:
    return layers.Conv2D(
        int(rng.choice(WIDTHS)),
        int(rng.choice([1, 3])),
        padding="same",
        use_bias=bool(rng.integers(2)),
        activation=str(rng.choice(["relu", "linear", "tanh", "sigmoid"])),
    )(_any(rng, tensors))


def _depthwise(rng: Generator, tensors: list[Any]) -> Any:
    return layers.DepthwiseConv2D(3, padding="same", depth_multiplier=int(rng.integers(1, 3)))(
        _any(rng, tensors)
    )


def _elementwise(rng: Generator, tensors: list[Any]) -> Any:
    made = (
        layers.ReLU,
        layers.LeakyReLU,
        layers.PReLU,
        layers.BatchNormalization,
        lambda: layers.PReLU(shared_axes=[1, 2]),
        lambda: layers.Activation("elu"),
        lambda: layers.Dropout(0.3),
    )
    return made[rng.integers(len(made))]()(_any(rng, tensors))


def _merge(rng: Generator, tensors: list[Any]) -> Any:
    kinds = (layers.Add, layers.Multiply, layers.Subtract, layers.Maximum, layers.Average)
    return kinds[rng.integers(len(kinds))]()(list(_twins(rng, tensors)))


def _operator(rng: Generator, tensors: list[Any]) -> Any:
    one, other = _twins(rng, tensors)
    return one + other if rng.integers(2) else one * 0.5


def _concatenate(rng: Generator, tensors: list[Any]) -> Any:
    return layers.Concatenate()([_any(rng, tensors), _any(rng, tensors)])


def _gate(rng: Generator, tensors: list[Any]) -> Any:
    """Squeeze and excite."""
    x = _any(rng, tensors)
    y = layers.GlobalAveragePooling2D()(x)
    y = layers.Reshape((1, 1, x.shape[-1]))(y)
    y = layers.Conv2D(4, 1, activation="relu")(y)
    return layers.Multiply()([x, layers.Conv2D(x.shape[-1], 1, activation="sigmoid")(y)])


def _around(rng: Generator, tensors: list[Any]) -> Any:
    """Padding, cropping, growing and pooling, back to the same size."""
    x = _any(rng, tensors)
    ways = (
        lambda: layers.MaxPooling2D(3, strides=1)(layers.ZeroPadding2D(1)(x)),
        lambda: layers.AveragePooling2D(2)(layers.UpSampling2D(2)(x)),
        lambda: layers.Cropping2D(1)(layers.ZeroPadding2D(1)(x)),
        lambda: layers.Conv2DTranspose(4, 2, strides=2)(layers.MaxPooling2D(2)(x)),
    )
    return ways[rng.integers(len(ways))]()


def _shared(rng: Generator, tensors: list[Any]) -> Any:
    """One layer for two tensors."""
    one, other = _twins(rng, tensors)
    conv = layers.Conv2D(4, 3, padding="same")
    return layers.Add()([conv(one), conv(other)])


GROW: tuple[Grow, ...] = (
    _conv,
    _conv,
    _depthwise,
    _elementwise,
    _elementwise,
    _merge,
    _operator,
    _concatenate,
    _gate,
    _around,
    _shared,
)


def random_model(seed: int, size: int = 7) -> Any:
    """A model of random layers on 6x6 inputs, with random weights and one or two outputs."""
    rng = np.random.default_rng(seed)
    tf_keras.utils.set_random_seed(seed)
    image = layers.Input((6, 6, 3))
    tensors = [layers.Conv2D(8, 3, padding="same", activation="relu")(image)]
    for _ in range(size):
        tensors.append(GROW[rng.integers(len(GROW))](rng, tensors))
    last = tensors[-1]
    ends = [layers.Dense(3)(layers.Flatten()(layers.Conv2D(4, 3)(last)))]
    if rng.integers(2):
        ends.append(layers.Dense(2, activation="softmax")(layers.GlobalMaxPooling2D()(_any(rng, tensors))))
    model = tf_keras.Model(image, ends)
    for weight in model.weights:
        positive = "variance" in weight.name
        weight.assign(rng.uniform(0.5, 2, weight.shape) if positive else rng.normal(0, 0.3, weight.shape))
    return model


def random_choice(graph: ChannelGraph, seed: int) -> npt.NDArray[np.bool_]:
    """Units of a graph that stay, such that every layer keeps one."""
    rng = np.random.default_rng(seed)
    kept = rng.random(graph.count) < 0.5
    for role in graph.roles.values():
        for units in (role.makes, role.carries):
            if units is not None and not stays(units, kept).any():
                kept[units[rng.integers(units.size)]] = True
    return kept


def reading_zeros(model: Any, graph: ChannelGraph, kept: npt.NDArray[np.bool_]) -> Any:
    """The whole model, in which whatever reads a channel that is to go has weights of zero for it."""
    changed = rewrite(model)
    for layer in changed.layers:
        role = graph.roles.get(layer.name)
        if role is None or role.reads is None:
            continue
        kernel = kernel_of(layer)
        axis = kernel.ndim - (1 if isinstance(layer, TRANSPOSED) else 2)
        mask: Array = stays(role.reads, kept).reshape([-1 if at == axis else 1 for at in range(kernel.ndim)])
        layer.kernel.assign(kernel * mask)
    return changed
