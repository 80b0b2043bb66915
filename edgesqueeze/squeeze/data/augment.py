"""More from few samples: mixed, or images turned, moved and lit in another way, while a model is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from edgesqueeze.errors import RecipeError
from edgesqueeze.recipe.sections import Augmentation

FARTHEST = 0.1
"""How far an image is moved at most, as a share of its height and width."""
BRIGHTEST = 0.2
"""By how much an image gets lighter or darker at most, as a share of the range of its batch."""
MOST_MIXED = 0.5
"""How much of another sample comes into one at most."""
NOISIEST = 0.5
"""Standard deviation of noise at most, as a share of the batch's."""
WIDEST = 2.0
"""The same, where samples are to be unlike those at hand."""
CHANNELS = (1, 3, 4)
"""Of an image."""
ANY_SHAPE = ("mix", "noise")
"""What is for inputs of any shape."""
APART = 1 << 24
"""Seeds of one step from one change to the next: further apart than there are steps."""

Augment = Callable[[Sequence[Any], Any], tuple[Any, ...]]
"""Of the inputs of a batch and a seed ``[2]``: the inputs to learn from."""


def augmenter(model: Any, wanted: Sequence[Augmentation]) -> Augment:
    """What changes the inputs of a batch; those that it is not for stay as they are.

    Args:
        model: a tf_keras model.
        wanted: what is done, in this order.

    Raises:
        RecipeError: the model has no input that it is for.
    """
    changes = [(_CHANGES[name], _places(model, name)) for name in wanted]

    def augment(inputs: Sequence[Any], seed: Any) -> tuple[Any, ...]:
        changed = list(inputs)
        for number, (change, places) in enumerate(changes):
            for place in places:
                # The same seed for all inputs: two images of a sample may show the same thing.
                changed[place] = change(changed[place], seed + tf.constant([0, number * APART]))
        return tuple(changed)

    return augment


def widener(model: Any) -> Augment:
    """What makes most of a batch unlike the samples at hand, where inputs are real numbers.

    Three quarters of the samples get noise of up to ``WIDEST`` standard deviations, and half are mixed with
    up to half of another. What the teacher says of them is right for them: a student learns what the teacher
    does where there are no samples, too.

    Args:
        model: a tf_keras model.
    """
    places = [place for place, tensor in enumerate(model.inputs) if _is_real(tensor)]

    def widen(inputs: Sequence[Any], seed: Any) -> tuple[Any, ...]:
        changed = list(inputs)
        for place in places:
            mixed = _mix(changed[place], seed)
            changed[place] = _noise(mixed, seed + tf.constant([0, APART]), -WIDEST / 3, WIDEST)
        return tuple(changed)

    return widen


def _places(model: Any, name: Augmentation) -> list[int]:
    """Which inputs of a model something is for."""
    fits, what = (_is_real, "real numbers") if name in ANY_SHAPE else (_is_image, "images")
    found = [place for place, tensor in enumerate(model.inputs) if fits(tensor)]
    if not found:
        raise RecipeError(
            f"finetune.augment = {name} is for {what}, and the model takes none",
            expected="an input of real numbers"
            + ("" if name in ANY_SHAPE else ", [height, width, 1, 3 or 4 channels]"),
            got="; ".join(f"{tensor.dtype.name} {list(tensor.shape[1:])}" for tensor in model.inputs),
            hint=f"leave {name} out of finetune.augment",
        )
    return found


def _is_real(tensor: Any) -> bool:
    return bool(tensor.dtype.is_floating)


def _is_image(tensor: Any) -> bool:
    return len(tensor.shape) == 4 and tensor.shape[-1] in CHANNELS and _is_real(tensor)


def _mix(values: Any, seed: Any) -> Any:
    """Half of the samples ``[n, ...]`` with up to half of the sample beside each.

    The teacher says what the mixture is, so that a student learns what it does between and around few
    samples (Beyer et al., 2022, arXiv:2106.05237).
    """
    shape = tf.concat([tf.shape(values)[:1], tf.ones(tf.rank(values) - 1, tf.int32)], axis=0)
    part = tf.maximum(tf.random.stateless_uniform(shape, seed, -MOST_MIXED, MOST_MIXED), 0.0)
    part = tf.cast(part, values.dtype)
    return (1 - part) * values + part * tf.roll(values, 1, axis=0)


def _noise(values: Any, seed: Any, least: float = 0.0, most: float = NOISIEST) -> Any:
    """Every sample ``[n, ...]`` with noise of a strength of its own; none where that is less than 0."""
    count, ones = tf.shape(values)[:1], tf.ones(tf.rank(values) - 1, tf.int32)
    strength = tf.random.stateless_uniform(tf.concat([count, ones], axis=0), seed, least, most)
    strength = tf.maximum(strength, 0.0)
    drawn = tf.random.stateless_normal(tf.shape(values), seed + tf.constant([0, APART // 2]))
    return values + tf.cast(strength * drawn, values.dtype) * tf.math.reduce_std(values)


def _flip(images: Any, seed: Any) -> Any:
    """Half of the images ``[n, height, width, channels]`` from left to right."""
    turned = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed) < 0.5
    return tf.where(turned, tf.reverse(images, axis=[2]), images)


def _shift(images: Any, seed: Any) -> Any:
    """Every image moved up or down and to a side; what comes into view repeats the edge."""
    count = tf.shape(images)[0]
    parts = tf.random.stateless_uniform((2, count, 1), seed, -FARTHEST, FARTHEST)
    for axis, part in zip((1, 2), tf.unstack(parts), strict=True):
        size = images.shape[axis]
        moved = tf.range(size)[tf.newaxis] + tf.cast(tf.round(part * size), tf.int32)
        images = tf.gather(images, tf.clip_by_value(moved, 0, size - 1), axis=axis, batch_dims=1)
    return images


def _brightness(images: Any, seed: Any) -> Any:
    """Every image lighter or darker, within the range of the batch."""
    low, high = tf.reduce_min(images), tf.reduce_max(images)
    parts = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed, -BRIGHTEST, BRIGHTEST)
    return tf.clip_by_value(images + tf.cast(parts, images.dtype) * (high - low), low, high)


_CHANGES: Mapping[Augmentation, Callable[[Any, Any], Any]] = {
    "mix": _mix,
    "noise": _noise,
    "flip": _flip,
    "shift": _shift,
    "brightness": _brightness,
}
