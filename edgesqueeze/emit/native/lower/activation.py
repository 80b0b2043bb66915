"""Operators of one input as kernel calls: activation functions, requantization, softmax.

A function of one int8 is a table of 256 results, computed here in the arithmetic of TFLite's kernel. Where it
only clamps, no table is needed, and where it changes nothing, not even a call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.lower.fixed_point import exp_of_negative, input_scaling, logistic, tanh
from edgesqueeze.emit.native.lower.hard_swish import hard_swish
from edgesqueeze.emit.native.lower.pairs import HEADER, clamp_call, lookup_call, require_scales
from edgesqueeze.emit.native.numerics import (
    INT8_MAX,
    INT8_MIN,
    activation_range,
    doubling_high_mul,
    multiply_by_quantized_multiplier,
    quantization_of,
    quantize_multiplier,
    round_half_away,
    rounding_divide_by_pot,
)
from edgesqueeze.emit.native.operands import computed, require_same_elements, require_shape, value_call
from edgesqueeze.emit.native.records import (
    Blob,
    Call,
    Operation,
    Placement,
    Struct,
    UnsupportedOperationError,
    Value,
)
from edgesqueeze.graph import Tensor

Integers = npt.NDArray[np.int64]
Table = Callable[[Operation, Integers], Integers]
"""An operator's results for int8 inputs, before they are clamped to int8."""

INT8_VALUES = np.arange(INT8_MIN, INT8_MAX + 1)

SOFTMAX_INTEGER_BITS = 5
SOFTMAX_SCALE = 1 / 256
SOFTMAX_DEPTH = 4095
"""Values in a row whose exponentials can be summed up in 32 bits."""

TABLE_FROM = 256
"""Values of a softmax from which on a table of at most 1 KiB replaces two exponentials a value."""


def lower_relu(operation: Operation) -> tuple[Call | Placement, ...]:
    """RELU; between tensors of one quantization it is a clamp."""
    source, output = unary_tensors(operation)
    low, high = activation_range("RELU", output)
    if quantization_of(source) == quantization_of(output):
        return _clamp(operation, low, high)
    return lookup_call(computed(source), output, np.clip(_requantized(operation, INT8_VALUES), low, high))


def lower_relu6(operation: Operation) -> tuple[Call | Placement, ...]:
    """RELU6; TFLM clamps the integers by the input's quantization and does not look at the output's."""
    source, _ = unary_tensors(operation)
    return _clamp(operation, *activation_range("RELU6", source))


def lower_quantize(operation: Operation) -> tuple[Call | Placement, ...]:
    """QUANTIZE from int8 to int8; without a call where the quantization stays the same."""
    source, output = unary_tensors(operation)
    if quantization_of(source) == quantization_of(output):
        return _clamp(operation, INT8_MIN, INT8_MAX)
    return lookup_call(computed(source), output, _requantized(operation, INT8_VALUES))


def lower_softmax(operation: Operation) -> tuple[Call | Placement, ...]:
    """SOFTMAX over the last dimension; of many values with the exponentials as a table."""
    source, output = unary_tensors(operation)
    require_shape(output, source.shape)
    if quantization_of(output) != (SOFTMAX_SCALE, INT8_MIN):
        raise UnsupportedOperationError(
            "the output has another quantization, expected the scale 1/256 and the zero point -128"
        )
    parameters = softmax_struct(source, float(operation.option("beta")))
    if source.elements >= TABLE_FROM:
        return (value_call("es_softmax_table_s8", HEADER, _with_table(parameters), source, output),)
    return (value_call("es_softmax_s8", HEADER, parameters, source, output),)


def _with_table(softmax: Struct) -> Struct:
    """An ``es_softmax`` as ``es_softmax_table``."""
    rows, depth, multiplier, minimum, left = (
        cast(int, softmax.members[name]) for name in ("rows", "depth", "multiplier", "minimum", "left")
    )
    steps = doubling_high_mul(-np.arange(1 - minimum, dtype=np.int64) << left, multiplier)
    exponentials = exp_of_negative(steps, SOFTMAX_INTEGER_BITS).astype(np.int32)
    members: dict[str, Value] = {
        "exponentials": Blob(exponentials, "e^-x, step by step"),
        "rows": rows,
        "depth": depth,
        "farthest": -minimum,
    }
    return Struct("es_softmax_table", members)


def softmax_struct(source: Tensor, beta: float) -> Struct:
    """Rows of an int8 tensor and their exponentials, as ``es_softmax``.

    Raises:
        UnsupportedOperationError: rows of more than 4095 values, or a scale that TFLite refuses.
    """
    depth = source.shape[-1] if source.shape else 1
    if depth > SOFTMAX_DEPTH:
        raise UnsupportedOperationError(f"{depth} values in a row, expected at most {SOFTMAX_DEPTH}")
    scale, _ = quantization_of(source)
    # TFLite caps the factor, and refuses those of one or less.
    real = min(beta * scale, 2.0**SOFTMAX_INTEGER_BITS * (1 - 2.0**-31))
    multiplier, left, radius = input_scaling(real, SOFTMAX_INTEGER_BITS)
    if left < 1:
        raise UnsupportedOperationError("the input's scale is too small")
    members: dict[str, Value] = {
        "rows": source.elements // depth,
        "depth": depth,
        "multiplier": multiplier,
        "minimum": -min(radius, INT8_MAX - INT8_MIN),
        "left": left,
    }
    return Struct("es_softmax", members)


def lower_abs(operation: Operation) -> tuple[Call | Placement, ...]:
    """ABS."""
    return by_table(operation, _abs)


def lower_elu(operation: Operation) -> tuple[Call | Placement, ...]:
    """ELU, by the table that TFLM computes in float32."""
    return by_table(operation, _elu)


def lower_hard_swish(operation: Operation) -> tuple[Call | Placement, ...]:
    """HARD_SWISH."""
    return by_table(operation, _hard_swish)


def lower_leaky_relu(operation: Operation) -> tuple[Call | Placement, ...]:
    """LEAKY_RELU."""
    return by_table(operation, _leaky_relu)


def lower_logistic(operation: Operation) -> tuple[Call | Placement, ...]:
    """LOGISTIC."""
    return by_table(operation, _logistic)


def lower_tanh(operation: Operation) -> tuple[Call | Placement, ...]:
    """TANH."""
    return by_table(operation, _tanh)


def unary_tensors(operation: Operation) -> tuple[Tensor, Tensor]:
    """Input and output: int8 with a scale each, and as many elements."""
    source, output = operation.input(0), operation.output()
    require_scales(source, output)
    require_same_elements(source, output)
    return source, output


def by_table(operation: Operation, results: Table) -> tuple[Call | Placement, ...]:
    """An operator of one input as a table of the results for all int8 inputs."""
    source, output = unary_tensors(operation)
    return lookup_call(computed(source), output, results(operation, INT8_VALUES))


def _clamp(operation: Operation, low: int, high: int) -> tuple[Call | Placement, ...]:
    source, output = operation.input(0), operation.output()
    if (low, high) == (INT8_MIN, INT8_MAX):
        return (Placement(output.index, computed(source), 0),)
    return clamp_call(computed(source), output, low, high)


def _requantized(operation: Operation, x: Integers) -> Integers:
    (scale_in, zero_in), (scale_out, zero_out) = map(
        quantization_of, (operation.input(0), operation.output())
    )
    return (
        multiply_by_quantized_multiplier(x - zero_in, *quantize_multiplier(scale_in / scale_out)) + zero_out
    )


def _logistic(operation: Operation, x: Integers) -> Integers:
    _, zero_out = quantization_of(operation.output())
    if zero_out != INT8_MIN:
        raise UnsupportedOperationError(f"the output has the zero point {zero_out}, expected -128")
    scaled, saturated = _in_q4(operation, x)
    result = rounding_divide_by_pot(logistic(scaled, 4), 23) + INT8_MIN
    return np.where(saturated == 0, result, np.where(saturated > 0, INT8_MAX, INT8_MIN))


def _tanh(operation: Operation, x: Integers) -> Integers:
    scaled, saturated = _in_q4(operation, x)
    result = rounding_divide_by_pot(tanh(scaled, 4), 24)
    return np.where(saturated == 0, result, np.where(saturated > 0, INT8_MAX, INT8_MIN))


def _in_q4(operation: Operation, x: Integers) -> tuple[Integers, Integers]:
    """Inputs in Q4, and whether they lie below (-1) or above (1) what the form holds."""
    scale, zero_point = quantization_of(operation.input(0))
    multiplier, shift, radius = input_scaling(scale, 4)
    if shift < 0:
        raise UnsupportedOperationError("the input's scale is too small")
    distance = x - zero_point
    saturated = np.where(distance <= -radius, -1, np.where(distance >= radius, 1, 0))
    inside = np.where(saturated == 0, distance, 0)
    return multiply_by_quantized_multiplier(inside, multiplier, shift), saturated


def _leaky_relu(operation: Operation, x: Integers) -> Integers:
    (scale_in, zero_in), (scale_out, zero_out) = map(
        quantization_of, (operation.input(0), operation.output())
    )
    positive = quantize_multiplier(scale_in / scale_out)
    real = scale_in * float(operation.option("alpha")) / scale_out
    distance = x - zero_in
    below = multiply_by_quantized_multiplier(distance, *quantize_multiplier(abs(real)))
    below = below if real >= 0 else -below
    return np.where(distance >= 0, multiply_by_quantized_multiplier(distance, *positive), below) + zero_out


def _hard_swish(operation: Operation, x: Integers) -> Integers:
    source, output = operation.input(0), operation.output()
    return hard_swish(x, quantization_of(source), quantization_of(output))


def _abs(operation: Operation, x: Integers) -> Integers:
    (scale_in, zero_in), (scale_out, zero_out) = map(
        quantization_of, (operation.input(0), operation.output())
    )
    distance: Integers = abs(x - zero_in)
    if scale_in == scale_out:
        return distance + zero_out
    return multiply_by_quantized_multiplier(distance, *quantize_multiplier(scale_in / scale_out)) + zero_out


def _elu(operation: Operation, x: Integers) -> Integers:
    (scale_in, zero_in), (scale_out, zero_out) = map(
        quantization_of, (operation.input(0), operation.output())
    )
    real = (np.float32(scale_in) * (x - zero_in).astype(np.float32)).astype(np.float32)
    exponential = np.exp(np.minimum(real, 0).astype(np.float64)).astype(np.float32)
    result = np.where(real < 0, exponential - np.float32(1), real).astype(np.float32)
    inverse = np.float32(1) / np.float32(scale_out)
    return np.array([round_half_away(float(value * inverse)) + zero_out for value in result], np.int64)
