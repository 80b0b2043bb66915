"""Long short-term memory as a kernel call."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.numerics import quantization_of, quantize_multiplier
from edgesqueeze.emit.native.operands import computed, constant, require_int8, require_shape
from edgesqueeze.emit.native.records import (
    Blob,
    Call,
    Operation,
    Placement,
    Struct,
    UnsupportedOperationError,
)
from edgesqueeze.graph import Tensor

HEADER = "es_lstm.h"

GATES = MappingProxyType({"input_gate": 0, "forget_gate": 1, "cell_gate": 2, "output_gate": 3})
"""Gate -> its place among the weights and biases of the operator."""
WEIGHTS, RECURRENT_WEIGHTS, BIASES = 1, 5, 12
HIDDEN, CELL = 18, 19
ABSENT = MappingProxyType(
    {
        "peepholes": (9, 10, 11),
        "a projection": (16, 17),
        "layer normalization": (20, 21, 22, 23),
    }
)
"""What TensorFlow Lite Micro does not have -> its inputs."""

GATE_SCALE = 2.0**-12
"""Scale of what goes into activation functions."""
ACTIVATION_SCALE = 2.0**-15
"""Scale of what comes out of them."""
LARGEST_POWER = 0
"""Largest exponent of a cell state's scale, a power of two."""


class Sizes(NamedTuple):
    """Steps of a sequence, values that go into each, values that come out; and the number of sequences."""

    steps: int
    inputs: int
    units: int
    batch: int


def lower_unidirectional_sequence_lstm(operation: Operation) -> tuple[Call | Placement, ...]:
    """UNIDIRECTIONAL_SEQUENCE_LSTM: int8 with int16 cells. Of one sequence the time's place does not matter.

    Raises:
        UnsupportedOperationError: another type or activation, several sequences with the time in front, gates
            that share weights, peepholes, a projection, layer normalization, computed weights, or scales that
            TensorFlow Lite Micro does not take.
    """
    _require_plain(operation)
    sizes = _sizes(operation)
    source, hidden, cell = operation.input(0), operation.input(HIDDEN), operation.input(CELL)
    power = _power(cell)
    biases, recurrent_biases = _biases(operation)
    # The table of the sigmoid is for three quarters of what goes in: three times, and two bits less.
    left = 15 + power - 3
    parameters = Struct(
        "es_lstm",
        {
            "weights": _weights(operation, WEIGHTS, "weights"),
            "biases": biases,
            "recurrent_weights": _weights(operation, RECURRENT_WEIGHTS, "recurrent weights"),
            "recurrent_biases": recurrent_biases,
            **{name: _gate(operation, place) for name, place in GATES.items()},
            "sigmoid": sigmoid_table(),
            "kept": scale_struct(ACTIVATION_SCALE),
            "added": scale_struct(ACTIVATION_SCALE * ACTIVATION_SCALE / 2.0**power),
            "output": scale_struct(ACTIVATION_SCALE * ACTIVATION_SCALE / quantization_of(hidden)[0]),
            "steps": sizes.steps,
            "inputs": sizes.inputs,
            "units": sizes.units,
            "tanh_multiplier": 3 << max(left, 0),
            "tanh_shift": max(-left, 0),
            "output_zero_point": quantization_of(hidden)[1],
            "cell_limit": _limit(operation, power),
        },
    )
    inputs = (computed(source), hidden.index, cell.index)
    output = (operation.output().index,)
    return (Call("es_lstm_s8", HEADER, parameters, inputs, output, images=sizes.batch),)


def _require_plain(operation: Operation) -> None:
    """Raise ``UnsupportedOperationError`` for what TensorFlow Lite Micro's int8 kernel does not have."""
    if len(operation.operator.inputs) != 24:
        raise UnsupportedOperationError(f"{len(operation.operator.inputs)} inputs, expected 24")
    for what, places in ABSENT.items():
        if any(operation.optional_input(place) is not None for place in places):
            raise UnsupportedOperationError(f"it has {what}, which TensorFlow Lite Micro does not have")
    needed = (*range(WEIGHTS, WEIGHTS + 8), *range(BIASES, BIASES + 4), HIDDEN, CELL)
    if any(operation.optional_input(place) is None for place in needed):
        raise UnsupportedOperationError("gates share weights, expected four gates with weights and biases")
    activation = operation.option("fused_activation_function")
    if activation != "TANH":
        raise UnsupportedOperationError(f"the activation is {activation}, expected TANH")


def _sizes(operation: Operation) -> Sizes:
    """The sizes, from tensors whose types and shapes go together; raises ``UnsupportedOperationError``."""
    source, output = operation.input(0), operation.output()
    hidden, cell = operation.input(HIDDEN), operation.input(CELL)
    require_int8(source, hidden, output, *(operation.input(WEIGHTS + i) for i in range(8)))
    if cell.dtype != "int16":
        raise UnsupportedOperationError(f"the cell state is {cell.dtype}, expected int16")
    if not hidden.variable or not cell.variable:
        raise UnsupportedOperationError(
            "the state is no variable, expected tensors that outlive an inference"
        )
    if len(source.shape) != 3:
        raise UnsupportedOperationError(
            f"the input has the shape {list(source.shape)}, expected 3 dimensions"
        )
    time_major = operation.option("time_major")
    batch, steps = source.shape[1 if time_major else 0], source.shape[0 if time_major else 1]
    if batch != 1 and time_major:
        raise UnsupportedOperationError(f"batch {batch} behind the time, expected it in front, or 1")
    sizes = Sizes(steps, source.shape[2], hidden.shape[-1] if hidden.shape else 0, batch)
    if hidden.elements != batch * sizes.units:
        raise UnsupportedOperationError(f"a state of the shape {list(hidden.shape)} for batch {batch}")
    for place in range(4):
        require_shape(operation.input(WEIGHTS + place), (sizes.units, sizes.inputs))
        require_shape(operation.input(RECURRENT_WEIGHTS + place), (sizes.units, sizes.units))
        require_shape(operation.input(BIASES + place), (sizes.units,))
    require_shape(output, (*source.shape[:2], sizes.units))
    require_shape(cell, hidden.shape)
    return sizes


def _power(cell: Tensor) -> int:
    """Exponent of the cell state's scale; raises ``UnsupportedOperationError`` if that is no power of two."""
    scale = quantization_of(cell)[0] if cell.quantization else 0.0
    mantissa, exponent = math.frexp(scale)
    if mantissa != 0.5 or not -15 <= exponent - 1 <= LARGEST_POWER:
        raise UnsupportedOperationError(
            f"the cell state has the scale {scale:g}, expected a power of two from 2^-15 to 1"
        )
    return exponent - 1


def _limit(operation: Operation, power: int) -> int:
    """The magnitude to which cells are clipped; 0 if they are not."""
    clip = float(operation.option("cell_clip"))
    return int(min(max(clip / 2.0**power, -32768.0), 32767.0)) if clip > 0 else 0


def _gate(operation: Operation, place: int) -> Struct:
    weights, recurrent = operation.input(WEIGHTS + place), operation.input(RECURRENT_WEIGHTS + place)
    members = {
        "input": _product_scale(operation.input(0), weights),
        "recurrent": _product_scale(operation.input(HIDDEN), recurrent),
    }
    return Struct("es_lstm_gate", members)


def _weights(operation: Operation, first: int, what: str) -> Blob:
    """The weights of all gates, unit by unit."""
    gates = [constant(operation.input(first + place)) for place in GATES.values()]
    return Blob(np.stack(gates, axis=1).reshape(-1), f"{what}, unit by unit: four gates", alignment=4)


def _biases(operation: Operation) -> tuple[Blob, Blob]:
    """The biases of all gates, unit by unit: for sums with inputs, and for those with the last output."""
    sums, recurrent_sums = [], []
    zeros = [quantization_of(operation.input(place))[1] for place in (0, HIDDEN)]
    for place in GATES.values():
        bias = operation.input(BIASES + place)
        if bias.dtype != "int32":
            raise UnsupportedOperationError(f"the biases are {bias.dtype}, expected int32")
        weights, recurrent = operation.input(WEIGHTS + place), operation.input(RECURRENT_WEIGHTS + place)
        sums.append(constant(bias).astype(np.int64) - zeros[0] * _row_sums(weights))
        recurrent_sums.append(-zeros[1] * _row_sums(recurrent))
    return _wrapped(sums), _wrapped(recurrent_sums)


def _row_sums(weights: Tensor) -> npt.NDArray[np.int64]:
    sums: npt.NDArray[np.int64] = constant(weights).astype(np.int64).sum(axis=1)
    return sums


def _wrapped(gates: list[npt.NDArray[np.int64]]) -> Blob:
    """Modulo 2^32, as the kernel sums up."""
    return Blob(np.stack(gates, axis=1).astype(np.uint32).view(np.int32).reshape(-1), "biases of four gates")


def _product_scale(values: Tensor, weights: Tensor) -> Struct:
    if weights.quantization is None or weights.quantization.per_channel:
        raise UnsupportedOperationError("weights have no scale, or several, expected one")
    if weights.quantization.zero_point:
        raise UnsupportedOperationError("weights have a zero point other than 0")
    # TFLite multiplies the two scales in float32.
    product = np.float32(quantization_of(values)[0]) * np.float32(quantization_of(weights)[0])
    return scale_struct(float(product) / GATE_SCALE)


def scale_struct(real: float) -> Struct:
    """A real factor as ``es_lstm_scale``."""
    multiplier, shift = quantize_multiplier(real)
    return Struct("es_lstm_scale", {"multiplier": multiplier, "shift": shift})


def sigmoid_table() -> Blob:
    """The upper half of the sigmoid in steps of 1/24, in 16 bits.

    TFLite's table lies above the sigmoid by half of what a chord between two steps lies below it at most:
    second derivative * step^2 / 16. Its last entry is the largest number.
    """
    sigmoid = 1 / (1 + np.exp(-np.arange(256) / 24))
    bend = sigmoid * (1 - sigmoid) * (2 * sigmoid - 1)
    values = np.round(65536 * (sigmoid + bend / 24**2 / 16))
    values[-1] = 65535
    return Blob(values.astype(np.uint16), "sigmoid(i / 24)")
