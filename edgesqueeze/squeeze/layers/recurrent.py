"""What a recurrent layer is made of, and whether TFLite has one operator for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow as tf
import tf_keras

layers = tf_keras.layers
RECURRENT = (layers.GRU, layers.LSTM, layers.SimpleRNN)
CELLS = (layers.GRUCell, layers.LSTMCell, layers.SimpleRNNCell)


def directions_of(layer: Any) -> tuple[Any, ...]:
    """The layers that run forward and backward in a Bidirectional; any other layer itself."""
    both = type(layer) is layers.Bidirectional
    return (layer.forward_layer, layer.backward_layer) if both else (layer,)


def stack_of(layer: Any) -> tuple[Any, ...]:
    """The cells of a recurrent layer of one direction, the first one first; empty for what is not known."""
    if type(layer) not in (*RECURRENT, layers.RNN):
        return ()
    cells = tuple(layer.cell.cells) if type(layer.cell) is layers.StackedRNNCells else (layer.cell,)
    return cells if all(type(one) in CELLS for one in cells) else ()


def is_recurrent(layer: Any) -> bool:
    """Whether a layer, or what runs in a Bidirectional, is made of cells that are known."""
    return all(stack_of(one) for one in directions_of(layer))


def named_cells(layer: Any) -> Iterator[tuple[str, Any]]:
    """The cells of a layer, each with a path that tells it from the others: ``""`` where there is one."""
    if not is_recurrent(layer):
        return
    directions = directions_of(layer)
    for one in directions:
        path = f"{one.name}/" if len(directions) > 1 else ""
        cells = stack_of(one)
        distinct = len({cell.name for cell in cells}) == len(cells)
        for number, cell in enumerate(cells):
            own = cell.name if distinct else f"cell_{number}"
            yield (f"{path}{own}/" if len(cells) > 1 else path), cell


def has_operator(layer: Any) -> bool:
    """Whether the converter has one for a layer of a model: a plain LSTM, no mask, no state from outside.

    Args:
        layer: a layer as a model calls it: how it is called counts too.
    """
    if not all(type(one) is layers.LSTM and _is_plain(one) for one in directions_of(layer)):
        return False
    begins = any(node.call_kwargs.get("initial_state") is not None for node in layer._inbound_nodes)
    several = any(len(tf.nest.flatten(node.input_tensors)) > 1 for node in layer._inbound_nodes)
    return not (layer.stateful or layer.return_state or begins or several or has_mask(layer))


def _is_plain(layer: Any) -> bool:
    """Whether Keras marks what an LSTM computes for the converter: it does so where cuDNN could take it."""
    functions = (layer.activation, layer.recurrent_activation)
    usual = functions == (tf_keras.activations.tanh, tf_keras.activations.sigmoid)
    return bool(usual and layer.use_bias and not layer.recurrent_dropout and not layer.unroll)


def has_mask(layer: Any) -> bool:
    """Whether the layer is called with a mask: the converter has an operator for an LSTM without one."""
    if any(node.call_kwargs.get("mask") is not None for node in layer._inbound_nodes):
        return True
    return any(
        getattr(tensor, "_keras_mask", None) is not None
        for node in layer._inbound_nodes
        for tensor in tf.nest.flatten(node.input_tensors)
    )
