"""Models that remember from sample to sample."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from edgesqueeze.squeeze.layers.rewrite import rewrite


def is_stateful(model: Any) -> bool:
    """Whether a model's layers keep a state from one call to the next."""
    return any(getattr(layer, "stateful", False) for layer in model.layers)


def with_batch(model: Any, size: int) -> Any:
    """A copy of a stateful model, whose batch is fixed, with another batch.

    Args:
        model: a flat tf_keras model; it is not changed.
        size: sequences side by side, each with a state of its own.
    """
    return rewrite(model, batch=size)


@contextlib.contextmanager
def forgetting(model: Any) -> Iterator[None]:
    """Inside, a model begins with zeros; after, it goes on with the state that it had before."""
    states = [one for layer in model.layers if getattr(layer, "stateful", False) for one in _states(layer)]
    before = [one.numpy() for one in states]
    if states:
        model.reset_states()
    yield
    for variable, value in zip(states, before, strict=True):
        variable.assign(value)


def _states(layer: Any) -> list[Any]:
    inner = getattr(layer, "inner", layer)
    return [one for one in tf.nest.flatten(inner.states) if one is not None]
