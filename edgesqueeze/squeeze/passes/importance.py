"""How much each channel matters to what a model says, without labels.

``taylor``: what the loss changes by when readers get a channel's mean in place of the channel, to first order
(Molchanov et al., 2019, arXiv:1906.10771), squared and averaged over samples. The loss compares with the
teacher, and at the teacher's own weights its gradient is zero whatever a channel does. So what is right is
drawn from what the teacher says: a class from its probabilities, a value with an error of the output's own
size. The mean of the squares is then the curvature of the distillation loss, the Fisher information.

``magnitude``: the norm of a channel's weights, relative to the mean of its layer. It needs no samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edgesqueeze.squeeze.channels.graph import ChannelGraph
from edgesqueeze.squeeze.channels.labels import FIXED
from edgesqueeze.squeeze.data.source import Source
from edgesqueeze.squeeze.layers.grid import FloatArray
from edgesqueeze.squeeze.layers.kernels import TRANSPOSED, kernel_of
from edgesqueeze.squeeze.layers.rewrite import needs_autograph, replay
from edgesqueeze.squeeze.passes.losses import output_kind

Doubles = npt.NDArray[np.float64]

SAMPLES = 1024
"""How many training samples are looked at, at most."""
BATCH = 64
SMALLEST = 1e-12
"""Below it a probability counts as this, and a spread as 1."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What samples show of the channels.

    Attributes:
        importance: of each unit, ``[units]``, 0 or more; 0: it is the same at every place of every sample,
            or nothing that is said depends on it.
        means: mean of each channel that a layer reads, by the name of the layer, ``[channels read]``.
        constant: whether each unit is the same at every place of every sample, ``[units]``.
    """

    importance: Doubles
    means: Mapping[str, FloatArray]
    constant: npt.NDArray[np.bool_]


def magnitude(graph: ChannelGraph) -> Doubles:
    """The importance of each unit by the norms of the weights that make it, ``[units]``."""
    found = np.zeros(graph.count)
    for role in graph.roles.values():
        if role.makes is None:
            continue
        kernel = kernel_of(role.layer).astype(np.float64)
        axis = kernel.ndim - (2 if isinstance(role.layer, TRANSPOSED) else 1)
        squares = np.square(kernel).sum(axis=tuple(one for one in range(kernel.ndim) if one != axis))
        free = role.makes != FIXED
        np.add.at(found, role.makes[free], (squares / max(squares.mean(), SMALLEST))[free])
    return found


def taylor(model: Any, teacher: Any, graph: ChannelGraph, source: Source, seed: int) -> Seen:
    """The importance of each unit by first-order terms of the loss, and what samples show besides.

    Args:
        model: a flat tf_keras model of plain layers.
        teacher: the model that it imitates.
        graph: the channels of ``model``.
        source: training samples.
        seed: of the choice of samples, and of what is drawn from the teacher.
    """
    readers = [name for name, role in graph.roles.items() if role.reads is not None]
    step = _terms(model, teacher, readers, source)
    sums: list[list[Any]] = []
    for number, (inputs, _) in enumerate(source.stream(BATCH, seed).take(-(-SAMPLES // BATCH))):
        found = step(inputs, tf.constant([seed, number], tf.int32))
        sums.append([[part.numpy() for part in one] for one in found])
    importance = np.zeros(graph.count)
    constant = np.ones(graph.count, bool)
    means: dict[str, FloatArray] = {}
    total: Doubles = np.zeros((1, graph.count))
    for place, name in enumerate(readers):
        parts = [[batch[place][part] for batch in sums] for part in range(5)]
        products, gradients, values = (np.concatenate(one).astype(np.float64) for one in parts[:3])
        low, high = np.min(parts[3], axis=0), np.max(parts[4], axis=0)
        means[name] = values.mean(axis=0).astype(np.float32)
        units = graph.roles[name].reads
        assert units is not None
        free = units != FIXED
        np.logical_and.at(constant, units[free], (low == high)[free])
        terms = np.zeros((len(products), graph.count))
        # Readers give their terms one after the other; those of one sample add up before they are squared.
        np.add.at(terms.T, units[free], (products - gradients * means[name])[:, free].T)
        total = total + terms
    importance = np.square(total).mean(axis=0) if readers else importance
    importance[constant] = 0.0
    return Seen(importance, means, constant)


def _terms(model: Any, teacher: Any, readers: list[str], source: Source) -> Any:
    """A compiled function of a batch: for each reader what its channels show.

    Five tensors each, over all places: the sum of products of value and gradient, the sum of gradients, the
    mean, ``[batch, channels]``; the least and the greatest value, ``[channels]``.
    """
    places = {name: place for place, name in enumerate(readers)}
    spreads = _spreads(teacher, source)

    def step(inputs: Any, seed: Any) -> Any:
        targets = tf.nest.flatten(teacher(inputs[0] if len(inputs) == 1 else list(inputs), training=False))
        read: list[list[Any]] = [[] for _ in readers]
        with tf.GradientTape(persistent=False, watch_accessed_variables=False) as tape:

            def apply(layer: Any, args: Any, kwargs: Any) -> Any:
                if layer.name in places:
                    value = tf.identity(args[0])
                    tape.watch(value)
                    read[places[layer.name]].append(value)
                    args = (value, *args[1:])
                return layer(*args, **kwargs)

            outputs = tf.nest.flatten(replay(model, list(inputs), apply))
            losses = [
                _drawn_loss(kind, spread, target, output, seed + number)
                for number, ((kind, spread), target, output) in enumerate(
                    zip(spreads, targets, outputs, strict=True)
                )
            ]
            loss = tf.add_n(losses)
        gradients = tape.gradient(loss, read, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return [_summed(values, slopes) for values, slopes in zip(read, gradients, strict=True)]

    return tf.function(step, autograph=needs_autograph(model), reduce_retracing=True)


def _summed(values: list[Any], slopes: list[Any]) -> tuple[Any, ...]:
    """What one reader sees over all its calls."""
    flat = [tf.reshape(one, (tf.shape(one)[0], -1, one.shape[-1])) for one in values]
    steep = [tf.reshape(one, tf.shape(value)) for one, value in zip(slopes, flat, strict=True)]
    value, slope = tf.concat(flat, axis=1), tf.concat(steep, axis=1)
    return (
        tf.reduce_sum(value * slope, axis=1),
        tf.reduce_sum(slope, axis=1),
        tf.reduce_mean(value, axis=1),
        tf.reduce_min(value, axis=(0, 1)),
        tf.reduce_max(value, axis=(0, 1)),
    )


def _spreads(teacher: Any, source: Source) -> list[tuple[str, float]]:
    """How to read each output of the teacher, and the spread of its values."""
    for inputs, _ in source.stream(BATCH, None).take(1):
        outputs = tf.nest.flatten(teacher(inputs[0] if len(inputs) == 1 else list(inputs), training=False))
        spreads = [float(tf.math.reduce_std(tf.cast(one, tf.float32))) for one in outputs]
        kinds = [output_kind(tensor) for tensor in teacher.outputs]
        return [(kind, one if one > SMALLEST else 1.0) for kind, one in zip(kinds, spreads, strict=True)]
    return [(output_kind(tensor), 1.0) for tensor in teacher.outputs]


def _drawn_loss(kind: str, spread: float, target: Any, output: Any, seed: Any) -> Any:
    """The loss against what is drawn from the teacher's output, summed over the samples."""
    # Each output counts as its mean over places, as in training.
    shape = tf.shape(target)
    noise = tf.random.stateless_uniform(shape, seed, SMALLEST, 1.0)
    if kind == "softmax":
        gumbel = -tf.math.log(-tf.math.log(noise) + SMALLEST)
        drawn = tf.one_hot(tf.argmax(_log(target) + gumbel, axis=-1), target.shape[-1])
        loss = -tf.reduce_sum(drawn * _log(output), axis=-1)
    elif kind == "sigmoid":
        drawn = tf.cast(noise < target, output.dtype)
        loss = -(drawn * _log(output) + (1.0 - drawn) * _log(1.0 - output))
    else:
        loss = tf.random.stateless_normal(shape, seed) * tf.cast(output, tf.float32) / spread
    return tf.reduce_sum(tf.reduce_mean(tf.reshape(loss, (shape[0], -1)), axis=1))


def _log(probability: Any) -> Any:
    return tf.math.log(tf.maximum(probability, SMALLEST))
