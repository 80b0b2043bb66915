"""QUANTIZE and DEQUANTIZE at the border of a graph: what users have to int8, and int8 to what they get."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.lower.cast import WHOLE
from edgesqueeze.emit.native.lower.int16 import HEADER as WIDE_HEADER
from edgesqueeze.emit.native.lower.int16 import require_int16
from edgesqueeze.emit.native.lower.pairs import HEADER
from edgesqueeze.emit.native.numerics import (
    INT8_MAX,
    INT8_MIN,
    multiply_by_quantized_multiplier,
    quantization_of,
    quantize_multiplier,
)
from edgesqueeze.emit.native.operands import computed, require_same_elements
from edgesqueeze.emit.native.records import Blob, Call, Operation, Struct, UnsupportedOperationError, Value
from edgesqueeze.graph import Tensor

Floats = npt.NDArray[np.float32]

MIDDLE = 128
"""What uint8 and int8 zero points of the same numbers differ by."""

INVERSES_TRIED = 256

LARGEST_EXPONENT = 64
"""Scales within 2^-64 to 2^64 keep all of the kernels' arithmetic away from subnormal numbers."""


def lower_quantize_input(operation: Operation) -> tuple[Call, ...]:
    """QUANTIZE from float32 or uint8 to int8 or int16; the kernel reads the caller's values."""
    source, output = operation.input(0), operation.output()
    _require_scale(output)
    if (source.dtype, output.dtype) == ("float32", "int16"):
        return (_wide_call("es_quantize_s16_f32", output, operation),)
    if output.dtype != "int8":
        raise UnsupportedOperationError(f"the output is {output.dtype}, expected int8")
    if operation.operator.options.get(WHOLE):
        return _quantize_whole(operation)
    if source.dtype == "uint8":
        return _convert_bytes(operation)
    if source.dtype != "float32":
        raise UnsupportedOperationError(f"the input is {source.dtype}, expected float32 or uint8")
    return (_call("es_quantize_f32", _quantize_struct(output), operation),)


def lower_quantize_bytes(operation: Operation) -> tuple[Call, ...]:
    """QUANTIZE between uint8 and int8, and to int8 of bytes that stand for themselves."""
    if operation.operator.options.get(WHOLE):
        return _quantize_whole(operation)
    types = {operation.input(0).dtype, operation.output().dtype}
    if types != {"uint8", "int8"}:
        raise UnsupportedOperationError(f"between {' and '.join(sorted(types))}, expected uint8 and int8")
    return _convert_bytes(operation)


def lower_dequantize_output(operation: Operation) -> tuple[Call, ...]:
    """DEQUANTIZE from int8 or int16 to float32, QUANTIZE from int8 to uint8: what the caller gets."""
    source, output = operation.input(0), operation.output()
    _require_scale(source)
    if (source.dtype, output.dtype) == ("int16", "float32"):
        return (_wide_call("es_dequantize_s16_f32", source, operation),)
    if source.dtype != "int8":
        raise UnsupportedOperationError(f"the input is {source.dtype}, expected int8")
    if output.dtype == "uint8":
        return _convert_bytes(operation)
    if output.dtype != "float32":
        raise UnsupportedOperationError(f"the output is {output.dtype}, expected float32 or uint8")
    return (_call("es_dequantize_f32", _quantize_struct(source), operation),)


def inverse_parts(scale: np.float32, zero_point: int) -> tuple[np.float32, np.float32]:
    """1 / scale in two parts, so that fused multiply-add quantizes as division does.

    Kernels compute ``fma(value, high, value * low)`` in place of ``value / scale``. Both are monotonic in the
    value, because high and low are positive, and so is the rounding to int8 that follows. Two monotonic
    functions with the same steps are equal, so that it is enough to compare them on both sides of each step.
    (The quotient itself differs in its last bit for few values: Brisebarre, Muller and Raina, "Accelerating
    correctly rounded floating-point division when the divisor is known in advance", 2004.)

    Raises:
        UnsupportedOperationError: none of the parts tried gives the same steps.
    """
    steps = _steps(scale, zero_point)
    inverse = 1 / np.float64(scale)
    high = np.float32(inverse)
    if high >= inverse:
        high = np.nextafter(high, np.float32(0))
    low = np.float32(inverse - np.float64(high))
    for _ in range(INVERSES_TRIED):
        if _same_steps(steps, scale, high, low):
            return high, low
        low = np.nextafter(low, np.float32(1))
    raise UnsupportedOperationError(f"no exact inverse of the scale {scale}")


def _steps(scale: np.float32, zero_point: int) -> Floats:
    """The float32 next to each boundary between two int8: quotients that lie halfway between integers."""
    halves = np.arange(INT8_MIN - zero_point, INT8_MAX - zero_point, dtype=np.float64) + 0.5
    centre = (halves * scale).astype(np.float32)
    around = [centre]
    for direction in (np.float32(-np.inf), np.float32(np.inf)):
        neighbour = centre
        for _ in range(3):
            neighbour = np.nextafter(neighbour, direction)
            around.append(neighbour)
    return np.concatenate(around)


def _same_steps(values: Floats, scale: np.float32, high: np.float32, low: np.float32) -> bool:
    divided = values / scale
    # The product of two float32 is exact in float64.
    first, second = values.astype(np.float64) * high, (values * low).astype(np.float64)
    multiplied = _round_to_float32(first, second)
    return bool(np.array_equal(_half_away(divided), _half_away(multiplied)))


def _round_to_float32(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> Floats:
    """The sum of two float64 rounded once, to float32."""
    total = first + second
    part = total - first
    error = (first - (total - part)) + (second - part)
    # Rounding to odd first keeps the second rounding from seeing a tie that is none.
    bits = total.view(np.int64)
    towards_error = np.where((error > 0) == (total > 0), 1, -1)
    odd = np.where((error != 0) & (bits & 1 == 0), bits + towards_error, bits)
    return np.asarray(odd.view(np.float64), np.float32)


def _half_away(values: Floats) -> npt.NDArray[np.float64]:
    exact = values.astype(np.float64)
    rounded: npt.NDArray[np.float64] = np.copysign(np.floor(abs(exact) + 0.5), exact)
    return rounded


def _quantize_struct(tensor: Tensor) -> Struct:
    scale, zero_point = quantization_of(tensor)
    fraction, exponent = math.frexp(scale)
    if abs(exponent) > LARGEST_EXPONENT:
        raise UnsupportedOperationError(
            f"tensor {tensor.label!r} has the scale {scale}, "
            f"expected one from 2^-{LARGEST_EXPONENT} to 2^{LARGEST_EXPONENT}"
        )
    high, low = inverse_parts(np.float32(scale), zero_point)
    reciprocal = (1 << 86) // int(fraction * (1 << 24))
    members: dict[str, Value] = {
        "scale": scale,
        "inverse_high": float(high),
        "inverse_low": float(low),
        "reciprocal_high": reciprocal >> 32,
        "reciprocal_low": reciprocal & 0xFFFFFFFF,
        "count": tensor.elements,
        "exponent": exponent + 126,
        "zero_point": zero_point,
    }
    return Struct("es_quantize", members)


def _convert_bytes(operation: Operation) -> tuple[Call, ...]:
    """QUANTIZE between uint8 and int8: usually a flip of the upper bit, else a table."""
    source, output = operation.input(0), operation.output()
    _require_scale(source)
    _require_scale(output)
    (scale_in, zero_in), (scale_out, zero_out) = map(quantization_of, (source, output))
    to_uint8 = output.dtype == "uint8"
    if scale_in == scale_out and zero_out - zero_in == (MIDDLE if to_uint8 else -MIDDLE):
        parameters = Struct("es_flip_sign", {"count": output.elements})
        return (_call("es_flip_sign_s8", parameters, operation),)
    x = _numbers(source)
    multiplier = quantize_multiplier(scale_in / scale_out)
    results = multiply_by_quantized_multiplier(x - zero_in, *multiplier) + zero_out
    if to_uint8:
        table = np.clip(results, 0, 255).astype(np.uint8).view(np.int8)
    else:
        table = np.clip(results, INT8_MIN, INT8_MAX).astype(np.int8)
    return (_lookup(operation, table),)


def _quantize_whole(operation: Operation) -> tuple[Call, ...]:
    """QUANTIZE of bytes as real numbers, as LiteRT and TensorFlow Lite Micro round these."""
    scale, zero_point = quantization_of(operation.output())
    steps = _half_away(_numbers(operation.input(0)).astype(np.float32) / np.float32(scale))
    return (_lookup(operation, np.clip(steps + zero_point, INT8_MIN, INT8_MAX).astype(np.int8)),)


def _numbers(source: Tensor) -> npt.NDArray[np.int64]:
    """The numbers that the bytes 0 to 255 are."""
    signed = source.dtype == "int8"
    return np.roll(np.arange(INT8_MIN, INT8_MAX + 1), -MIDDLE) if signed else np.arange(256)


def _lookup(operation: Operation, table: npt.NDArray[np.int8]) -> Call:
    blob = Blob(table, "results for the bytes 0 to 255")
    members: dict[str, Value] = {"table": blob, "count": operation.output().elements}
    return _call("es_lookup_s8", Struct("es_lookup", members), operation)


def _call(function: str, parameters: Struct, operation: Operation) -> Call:
    source, output = operation.input(0), operation.output()
    require_same_elements(source, output)
    return Call(function, HEADER, parameters, (computed(source),), (output.index,))


def _wide_call(function: str, integers: Tensor, operation: Operation) -> Call:
    """A conversion between float32 and int16."""
    require_int16(integers)
    source, output = operation.input(0), operation.output()
    require_same_elements(source, output)
    members: dict[str, Value] = {"scale": quantization_of(integers)[0], "count": integers.elements}
    parameters = Struct("es_quantize_wide", members)
    return Call(function, WIDE_HEADER, parameters, (computed(source),), (output.index,))


def _require_scale(tensor: Tensor) -> None:
    if tensor.quantization is None or tensor.quantization.per_channel:
        raise UnsupportedOperationError(f"tensor {tensor.label!r} has no scale, or several, expected one")
