"""What a model may take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from edgesqueeze.errors import UnsupportedModelError


def check_inputs(symbols: Iterable[Any]) -> None:
    """Raise UnsupportedModelError unless inputs of a model of either library are dense and of fixed sizes."""
    for symbol in symbols:
        history = symbol._keras_history
        name = (history.operation if hasattr(history, "operation") else history.layer).name
        batch, *rest = symbol.shape
        dtype = tf.as_dtype(symbol.dtype)
        if dtype == tf.string:
            raise UnsupportedModelError(
                f"input '{name}' takes text",
                expected="numbers",
                hint="do the text preprocessing outside the model and save the model without it",
            )
        if getattr(symbol, "sparse", False) is True or type(symbol).__name__ in (
            "RaggedKerasTensor",
            "SparseKerasTensor",
        ):
            raise UnsupportedModelError(f"input '{name}' is sparse or ragged", expected="a dense input")
        if None in rest:
            raise UnsupportedModelError(
                f"input '{name}' has a size that is not fixed: {tuple(symbol.shape)}",
                expected="fixed sizes everywhere but in the batch",
                hint="build the model again with a full shape, such as keras.Input(shape=(96, 96, 3)), copy "
                "the weights with set_weights, and save it",
            )
        if batch not in (None, 1):
            raise UnsupportedModelError(
                f"input '{name}' has a fixed batch of {batch}",
                expected="a batch of None or 1",
                hint="build the model without batch_size, copy the weights with set_weights, and save it",
            )
