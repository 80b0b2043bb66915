"""A filter bank over time (SVDF) as a kernel call."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgesqueeze.emit.native.lower.lstm import HEADER, scale_struct
from edgesqueeze.emit.native.numerics import quantization_of
from edgesqueeze.emit.native.operands import computed, constant, require_int8, require_shape
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

FEATURES, TIMES, BIAS, STATE = 1, 2, 3, 4


def lower_svdf(operation: Operation) -> tuple[Call | Placement, ...]:
    """SVDF: int8 with int16 state and time weights. TensorFlow Lite Micro ignores the activation.

    Raises:
        UnsupportedOperationError: another type, computed weights, or shapes that do not agree.
    """
    source, output, state = operation.input(0), operation.output(), operation.input(STATE)
    features, times = operation.input(FEATURES), operation.input(TIMES)
    require_int8(source, features, output)
    for tensor, what in ((state, "the state"), (times, "the time weights")):
        if tensor.dtype != "int16":
            raise UnsupportedOperationError(f"{what} is {tensor.dtype}, expected int16")
    rank = int(operation.option("rank"))
    filters, memory = times.shape
    inputs = source.shape[-1]
    batch = source.elements // inputs
    if rank < 1 or filters % rank or (batch > 1 and len(source.shape) > 2):
        raise UnsupportedOperationError(f"{filters} filters of rank {rank}, input {list(source.shape)}")
    require_shape(features, (filters, inputs))
    require_shape(output, (batch, filters // rank))
    if not state.variable or state.elements != batch * filters * memory:
        raise UnsupportedOperationError("the state is no variable of that size")
    members: dict[str, Value] = {
        "feature_weights": Blob(constant(features).reshape(-1), "weights of inputs, filter by filter"),
        "feature_biases": _feature_biases(features, quantization_of(source)[1]),
        "time_weights": Blob(constant(times).reshape(-1), "weights of the last results"),
        "biases": _biases(operation, filters // rank),
        "feature_scale": scale_struct(_ratio(source, features, state)),
        "output_scale": scale_struct(_ratio(state, times, output)),
        "inputs": inputs,
        "units": filters // rank,
        "rank": rank,
        "memory": memory,
        "output_zero_point": quantization_of(output)[1],
    }
    parameters = Struct("es_svdf", members)
    call = Call("es_svdf_s8", HEADER, parameters, (computed(source), state.index), (output.index,))
    return (replace(call, images=batch),)


def _feature_biases(features: Tensor, zero_point: int) -> Blob:
    sums = constant(features).astype(np.int64).sum(axis=1)
    return Blob((-zero_point * sums).astype(np.int32), "biases: the zero point of inputs")


def _biases(operation: Operation, units: int) -> Blob:
    bias = operation.optional_input(BIAS)
    if bias is None:
        raise UnsupportedOperationError("no biases, with which TensorFlow Lite Micro fails")
    if bias.dtype != "int32":
        raise UnsupportedOperationError(f"the biases are {bias.dtype}, expected int32")
    require_shape(bias, (units,))
    return Blob(constant(bias).reshape(-1), "biases")


def _ratio(first: Tensor, second: Tensor, result: Tensor) -> float:
    """Scale * scale / scale, in float32 as TFLite computes it."""
    scales = [np.float32(quantization_of(tensor)[0]) for tensor in (first, second, result)]
    return float(np.float32(scales[0] * scales[1]) / scales[2])
