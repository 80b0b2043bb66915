"""Recurrent layers written out step by step, in operators that the integer runtimes have.

The converter makes a loop of a GRU, a SimpleRNN and a masked LSTM, and cannot quantize it. Written out,
every step is a few operators on the same weights, which are stored once. Inputs of all steps are projected
together, and gates that take the same activation are computed as one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from edgesqueeze.base.arrays import Array
from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.squeeze.layers.masks import MASK_READERS, Gate, Steps, spelled_masks
from edgesqueeze.squeeze.layers.recurrent import directions_of, has_operator, is_recurrent, stack_of
from edgesqueeze.squeeze.layers.rewrite import rewrite

layers = tf_keras.layers
MERGES: dict[str | None, Callable[[Any, Any], Any]] = {
    "concat": lambda one, other: tf.concat([one, other], axis=-1),
    "sum": lambda one, other: one + other,
    "ave": lambda one, other: (one + other) * 0.5,
    "mul": lambda one, other: one * other,
    None: lambda one, other: [one, other],
}
"""How Bidirectional joins the two directions."""

Weights = tuple[Array, Array, Array]
State = tuple[Any, ...]
Step = Callable[[Any, State], State]


def unrolled(model: Any, *, operators: bool = True) -> Any:
    """The model with every recurrent layer that would become a loop written out.

    Args:
        model: a flat tf_keras model; it is not changed.
        operators: whether a layer that TFLite has an operator for becomes that operator.

    Returns:
        A model that computes the same, to float32 rounding, or ``model`` itself when there is nothing to do.

    Raises:
        UnsupportedModelError: a number of steps that is not fixed, or a state in two directions.
    """

    def becomes_loop(layer: Any) -> bool:
        return is_recurrent(layer) and not (operators and has_operator(layer))

    masked = any(isinstance(layer, layers.Masking) for layer in model.layers)
    if not masked and not any(becomes_loop(layer) for layer in model.layers):
        return model
    last = {tensor._keras_history.layer.name for tensor in model.outputs}
    gates = not any(isinstance(layer, MASK_READERS) for layer in model.layers)
    spelled = spelled_masks(model, is_recurrent) if gates else {}

    def replace(layer: Any) -> Any:
        if gates and type(layer) is layers.Masking:
            return Gate(layer.mask_value, name=layer.name)
        if layer.name in spelled:
            value = spelled[layer.name]
            return [] if value is None else Steps(value, name=layer.name)
        if not becomes_loop(layer):
            return None
        _require_steps(layer)
        return Unrolled(layer, gives_state=layer.name in last)

    return rewrite(model, replace)


def _require_steps(layer: Any) -> None:
    """Refuse what has no end: a number of steps that is not fixed, a past in two directions."""
    first = tf.nest.flatten(layer._inbound_nodes[0].input_tensors)[0]
    both = layer.stateful and isinstance(layer, layers.Bidirectional)
    if both or first.shape[1] is None:
        raise UnsupportedModelError(
            f"the layer {layer.name!r} cannot be written out in integer operators",
            expected="a fixed number of steps, and no state in two directions",
            got="a stateful Bidirectional" if both else "any number of steps",
            hint="give the Input a fixed number of steps, and a Bidirectional no state, or use --quantize "
            "dynamic or float16",
        )


class Unrolled(layers.Layer):  # type: ignore[misc, name-defined]
    """A recurrent layer, or two in opposite directions, without a loop. It cannot be trained.

    The state of a stateful layer is in variables of its own, for a batch of one, and begins with zeros.

    Args:
        layer: a built GRU, LSTM, SimpleRNN, RNN of their cells, or Bidirectional; it is not changed.
        gives_state: whether what it gives is an output of the model. The converter cannot have one value both
            there and in a variable, so a stateful layer gives a copy then.
    """

    def __init__(self, layer: Any, *, gives_state: bool = False) -> None:
        super().__init__(name=layer.name, dtype=layer.dtype_policy)
        # Behind the tracking of Keras: these variables stay the wrapped layer's own.
        self.__dict__["_wrapped"] = layer
        self.__dict__["_directions"] = [
            (one, [(cell, _weights(cell)) for cell in stack_of(one)]) for one in directions_of(layer)
        ]
        self._gives_state = gives_state
        sizes = tf.nest.flatten(layer.cell.state_size) if layer.stateful else ()
        self.__dict__["_kept"] = [tf.Variable(tf.zeros((1, size)), trainable=False) for size in sizes]

    def call(self, inputs: Any, mask: Any = None, initial_state: Any = None) -> Any:
        """What the layer computes."""
        layer, directions = self._wrapped, self._directions
        if isinstance(inputs, list | tuple):  # so does Keras pass states that are tensors of the model
            inputs, *initial_state = inputs
            mask = mask[0] if isinstance(mask, list | tuple) else mask
        if len(directions) == 1:
            before = [variable.read_value() for variable in self._kept] or initial_state
            ((only, cells),) = directions
            result, state = _run(only, cells, inputs, mask, before)
            for variable, value in zip(self._kept, state, strict=False):
                variable.assign(value)
            return tf.nest.map_structure(_copy, result) if self._gives_state and self._kept else result
        states = [None, None]
        if initial_state is not None:
            half = len(initial_state) // 2
            states = [initial_state[:half], initial_state[half:]]
        forward, backward = (
            _run(one, cells, inputs, mask, state)[0]
            for (one, cells), state in zip(directions, states, strict=True)
        )
        return _merged(layer, forward, backward)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """That of the layer."""
        return self._wrapped.compute_mask(inputs, mask)


def _copy(value: Any) -> Any:
    """The same value in another tensor, by operators that the converter does not take away."""
    return tf.stack([value], axis=1)[:, 0]


def _merged(layer: Any, forward: Any, backward: Any) -> Any:
    """The two directions as Bidirectional gives them back."""
    states: list[Any] = []
    if layer.return_state:
        states = [*forward[1:], *backward[1:]]
        forward, backward = forward[0], backward[0]
    if layer.return_sequences:
        backward = tf.reverse(backward, axis=[1])
    merged = MERGES[layer.merge_mode](forward, backward)
    if not states:
        return merged
    return [*(merged if isinstance(merged, list) else [merged]), *states]


def _weights(cell: Any) -> Weights:
    """Kernel, recurrent kernel and bias of a cell; zeros for a bias that it does not have."""
    kernel, recurrent, *bias = (weight.numpy() for weight in cell.weights)
    return kernel, recurrent, bias[0] if bias else np.zeros(kernel.shape[1], np.float32)


def _run(
    layer: Any, cells: Sequence[tuple[Any, Weights]], inputs: Any, mask: Any, initial_state: Any
) -> tuple[Any, State]:
    """All steps of one layer, cell by cell: what it gives, and its last state."""
    given = () if initial_state is None else tuple(tf.nest.flatten(initial_state))
    order = range(inputs.shape[1])
    order = order[::-1] if layer.go_backwards else order
    # Slices, since TensorFlow Lite Micro's UNPACK takes no truth values.
    keep = None if mask is None else [mask[:, index : index + 1] for index in order]
    state: State = ()
    for cell, weights in cells:
        outputs, after = _run_cell(cell, weights, inputs, order, keep, given[len(state) :])
        state += after
        # The next cell takes the steps in the order in which this one made them.
        inputs, order = outputs, range(len(outputs))
    result = outputs[-1]
    if layer.return_sequences:
        zeros = keep is not None and layer.zero_output_for_mask
        # Zeros where Keras asks for them, as Bidirectional does.
        rows = [_kept(*pair, None) for pair in zip(keep or (), outputs, strict=True)] if zeros else outputs
        result = tf.stack(rows, axis=1)
    return ([result, *state] if layer.return_state else result), state


def _run_cell(
    cell: Any,
    weights: Weights,
    inputs: Any,
    order: Sequence[int],
    keep: Sequence[Any] | None,
    given: State,
) -> tuple[list[Any], State]:
    """All steps of one cell: its outputs in the order of the steps, and its last state."""
    if isinstance(inputs, list):
        inputs = tf.stack(inputs, axis=1)
    project, step, count = CELLS[type(cell)](cell, weights)
    # Without a state to begin with the first step is shorter; zeros would leave values that nobody reads, and
    # the converter cannot quantize those.
    state: State = given[:count] or (None,) * count
    projected = [tf.unstack(part, axis=1) for part in project(inputs)]
    outputs = []
    for number, index in enumerate(order):
        following = step([part[index] for part in projected], state)
        if keep is not None:
            following = tuple(
                _kept(keep[number], new, old) for new, old in zip(following, state, strict=True)
            )
        state = following
        # In every cell the output is the first part of the state; a masked step repeats its predecessor's.
        outputs.append(state[0])
    return outputs, state


def _kept(keep: Any, new: Any, old: Any) -> Any:
    """The new value where a step counts, else the old one; None stands for zeros."""
    if old is None:
        return tf.where(keep, new, tf.zeros_like(new)) if keep.dtype == tf.bool else keep * new
    if keep.dtype == tf.bool:
        return tf.where(keep, new, old)
    return old + keep * (new - old)


def _gru(cell: Any, weights: Weights) -> tuple[Any, Step, int]:
    """A GRU (Cho et al., 2014, arXiv:1406.1078), with its reset gate before or after the product."""
    units = cell.units
    kernel, recurrent, bias = weights
    outer, inner = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
    gates = slice(0, 2 * units)
    rest = slice(2 * units, None)
    # The gates' inner bias is added where their inputs are: one addition less in every step.
    input_bias = np.concatenate([(outer + inner)[gates], outer[rest]])
    gate_kernel, rest_kernel = tf.constant(recurrent[:, gates]), tf.constant(recurrent[:, rest])
    rest_bias = inner[rest]

    def project(inputs: Any) -> Sequence[Any]:
        return (
            _dense(inputs, kernel[:, gates], input_bias[gates]),
            _dense(inputs, kernel[:, rest], input_bias[rest]),
        )

    def step(projected: Sequence[Any], state: State) -> State:
        (old,) = state
        if old is None:
            gates_now = cell.recurrent_activation(projected[0])
            inward = gates_now[:, units:] * tf.constant(rest_bias) if rest_bias.any() else 0.0
            candidate = cell.activation(projected[1] + inward)
            return (candidate - gates_now[:, :units] * candidate,)
        both = cell.recurrent_activation(projected[0] + tf.matmul(old, gate_kernel))
        update, reset = tf.split(both, 2, axis=-1)
        if cell.reset_after:
            inward = reset * _biased(tf.matmul(old, rest_kernel), rest_bias)
        else:
            inward = tf.matmul(reset * old, rest_kernel)
        candidate = cell.activation(projected[1] + inward)
        return (candidate + update * (old - candidate),)

    return project, step, 1


def _lstm(cell: Any, weights: Weights) -> tuple[Any, Step, int]:
    """An LSTM (Hochreiter and Schmidhuber, 1997), with the forget gate of Gers et al. (2000)."""
    units = cell.units
    # Keras: input, forget, cell, output. The three gates come together, the cell's candidate last.
    order = np.r_[0:units, units : 2 * units, 3 * units : 4 * units, 2 * units : 3 * units]
    kernel, recurrent, bias = (values[..., order] for values in weights)
    gates, rest = slice(0, 3 * units), slice(3 * units, None)
    gate_kernel, rest_kernel = tf.constant(recurrent[:, gates]), tf.constant(recurrent[:, rest])

    def project(inputs: Any) -> Sequence[Any]:
        return _dense(inputs, kernel[:, gates], bias[gates]), _dense(inputs, kernel[:, rest], bias[rest])

    def step(projected: Sequence[Any], state: State) -> State:
        old, memory = state
        if old is None:
            gates_now = cell.recurrent_activation(projected[0])
            memory = gates_now[:, :units] * cell.activation(projected[1])
            return gates_now[:, 2 * units :] * cell.activation(memory), memory
        three = cell.recurrent_activation(projected[0] + tf.matmul(old, gate_kernel))
        enter, forget, leave = tf.split(three, 3, axis=-1)
        candidate = cell.activation(projected[1] + tf.matmul(old, rest_kernel))
        memory = forget * memory + enter * candidate
        return leave * cell.activation(memory), memory

    return project, step, 2


def _simple(cell: Any, weights: Weights) -> tuple[Any, Step, int]:
    """A fully connected recurrent cell."""
    kernel, recurrent, bias = weights
    recurrent_kernel = tf.constant(recurrent)

    def project(inputs: Any) -> Sequence[Any]:
        return (_dense(inputs, kernel, bias),)

    def step(projected: Sequence[Any], state: State) -> State:
        (old,) = state
        return (
            cell.activation(projected[0] if old is None else projected[0] + tf.matmul(old, recurrent_kernel)),
        )

    return project, step, 1


CELLS: dict[type, Callable[[Any, Weights], tuple[Any, Step, int]]] = {
    layers.GRUCell: _gru,
    layers.LSTMCell: _lstm,
    layers.SimpleRNNCell: _simple,
}
"""Cell class -> the projection of all inputs, one step, and how many parts its state has."""


def _dense(inputs: Any, kernel: Array, bias: Array) -> Any:
    """``[batch, steps, features]`` times a kernel, as one product of a matrix."""
    steps, features = inputs.shape[1:]
    flat = tf.matmul(tf.reshape(inputs, (-1, features)), tf.constant(kernel))
    return tf.reshape(_biased(flat, bias), (-1, steps, kernel.shape[1]))


def _biased(values: Any, bias: Array) -> Any:
    return tf.nn.bias_add(values, tf.constant(bias.astype(np.float32))) if bias.any() else values
