"""Real numbers to a tensor's integers and back, by TFLite's rule, with NumPy only.

TFLite quantizes as ``clamp(round(real / scale) + zero_point)``: the division is done in float32 and halves
are rounded away from zero. NumPy rounds halves to even, which differs by one step at every other half.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edgesqueeze.base.arrays import Array
from edgesqueeze.errors import DataError, UnsupportedModelError
from edgesqueeze.graph import Graph, Quantization, Tensor
from edgesqueeze.graph.read import RAW_TYPES

SIGNED = ("int8", "int16")


def round_half_away(values: Array) -> npt.NDArray[np.float64]:
    """Round to the nearest integer, halves away from zero, as C's ``round`` does."""
    exact = np.asarray(values, np.float64)
    rounded: npt.NDArray[np.float64] = np.copysign(np.floor(np.abs(exact) + 0.5), exact)
    return rounded


def quantize(values: Array, quantization: Quantization, dtype: str) -> Array:
    """Real numbers as integers of ``dtype``; what lies outside its range is clamped.

    Args:
        values: real numbers of any shape.
        quantization: one scale and one zero point.
        dtype: NumPy name of an integer type.
    """
    limits = np.iinfo(dtype)
    steps = np.asarray(values, np.float32) / np.float32(quantization.scale)
    integers = np.clip(round_half_away(steps) + quantization.zero_point, limits.min, limits.max)
    return np.asarray(integers, dtype)


def dequantize(tensor: Tensor, values: Array) -> Array:
    """A tensor's values as real numbers, float32; values of a tensor without scale are only cast."""
    if tensor.quantization is None or not np.issubdtype(values.dtype, np.integer):
        return np.asarray(values, np.float32)
    scale, zero_point = np.float32(tensor.quantization.scale), tensor.quantization.zero_point
    return np.asarray((values.astype(np.int64) - zero_point).astype(np.float32) * scale, np.float32)


def quantize_input(tensor: Tensor, values: Array) -> Array:
    """Data as the tensor takes them: the tensor's dtype, with one sample per row.

    Numbers are taken as the real values that the original model takes, whatever their dtype: uint8 pixels
    are 0 to 255. The one exception: int8 and int16 arrays for a tensor of the same dtype are taken as
    already quantized.

    Args:
        tensor: an input of the graph, batch 1.
        values: ``[n, ...]``, where ``...`` holds as many elements as the tensor does.

    Returns:
        ``[n, *tensor.shape[1:]]`` in the tensor's dtype.

    Raises:
        DataError: the sample shape differs from the tensor's, or there are values that are not finite.
        UnsupportedModelError: the tensor's type is one that NumPy does not have.
    """
    rows = _shaped(tensor, np.asarray(values))
    if tensor.quantization is None or (rows.dtype.name == tensor.dtype and tensor.dtype in SIGNED):
        return rows.astype(numpy_dtype(tensor))
    return quantize(rows, tensor.quantization, tensor.dtype)


def real_input(tensor: Tensor, values: Array) -> Array:
    """Data as real numbers, float32, by the same reading as ``quantize_input``."""
    rows = _shaped(tensor, np.asarray(values))
    if rows.dtype.name == tensor.dtype and tensor.dtype in SIGNED:
        return dequantize(tensor, rows)
    return rows.astype(np.float32)


def real_range(tensor: Tensor) -> tuple[float, float]:
    """The lowest and highest real number that a quantized integer tensor can hold."""
    assert tensor.quantization is not None
    limits = np.iinfo(tensor.dtype)
    scale, zero_point = tensor.quantization.scale, tensor.quantization.zero_point
    return (int(limits.min) - zero_point) * scale, (int(limits.max) - zero_point) * scale


def is_quantized(tensor: Tensor) -> bool:
    """Whether the tensor holds small integers that stand for real numbers by one scale."""
    return (
        tensor.dtype in ("int8", "uint8", "int16")
        and tensor.quantization is not None
        and not tensor.quantization.per_channel
    )


def numpy_dtype(tensor: Tensor) -> np.dtype[Any]:
    """The tensor's element type.

    Raises:
        UnsupportedModelError: NumPy does not have it (int4, string).
    """
    # Not left to NumPy: once ml_dtypes is imported, as TensorFlow does, it has an int4 of its own.
    if tensor.dtype in RAW_TYPES:
        raise UnsupportedModelError(
            f"tensor {tensor.name!r} has type {tensor.dtype}",
            expected="inputs and outputs of a type that NumPy has",
            hint="export the model with float32 or int8 inputs and outputs",
        )
    return np.dtype(tensor.dtype)


def quantized_twin(graph: Graph, tensor: Tensor) -> Tensor:
    """For a float input or output, the tensor that it becomes, or comes from, by one conversion."""
    for operator in graph.operators:
        if operator.opcode == "QUANTIZE" and operator.inputs[0] == tensor.index and tensor.dtype == "float32":
            return graph.tensors[operator.outputs[0]]
        if operator.opcode == "DEQUANTIZE" and operator.outputs[0] == tensor.index:
            return graph.tensors[operator.inputs[0]]
    return tensor


def _shaped(tensor: Tensor, values: Array) -> Array:
    sample = tensor.shape[1:]
    # A batch axis of one, or a trailing channel axis of one, may be left out.
    fits = values.ndim > 0 and without_ones(values.shape[1:]) == without_ones(sample)
    if not fits:
        raise DataError(
            f"the data for input {tensor.name!r} have another shape than the model takes",
            expected=f"[n, {', '.join(map(str, sample))}]",
            got=str(list(values.shape)),
            hint="see that the data belong to this model; one sample is one row",
        )
    if not np.issubdtype(values.dtype, np.number) and values.dtype != np.bool_:
        raise DataError(
            f"the data for input {tensor.name!r} are not numbers",
            expected="floats or integers",
            got=str(values.dtype),
            hint="convert them to numbers",
        )
    if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
        raise DataError(
            f"the data for input {tensor.name!r} hold values that are not finite (NaN or infinity)",
            hint="leave these samples out, or replace the values",
        )
    return values.reshape(len(values), *sample)


def without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its dimensions of one: what two shapes of the same data have in common."""
    return tuple(size for size in shape if size != 1)
