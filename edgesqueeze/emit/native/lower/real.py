"""Operators on float32 as kernel calls: what some models compute behind an inner DEQUANTIZE.

They are meant for the few values at a model's end. Sums, products and quotients are those of TFLite's
reference kernels to the bit; exponentials and logarithms are the C library's.
"""

from __future__ import annotations

import math

import numpy as np

from edgesqueeze.emit.native.lower.pairs import broadcast_pair, loops_struct, pair_call
from edgesqueeze.emit.native.numerics import CLAMPS
from edgesqueeze.emit.native.operands import require_shape, same_sized, value_call
from edgesqueeze.emit.native.records import (
    Call,
    Operation,
    Placement,
    Struct,
    UnsupportedOperationError,
    Value,
)
from edgesqueeze.graph import Tensor

HEADER = "es_real.h"

FUNCTIONS = {
    "EXP": "expf",
    "LOG": "logf",
    "LOGISTIC": "es_logistic_of",
    "NEG": "es_negative_of",
    "RELU": "es_relu_of",
    "RELU6": "es_relu6_of",
    "RSQRT": "es_rsqrt_of",
    "SQRT": "sqrtf",
    "SQUARE": "es_square_of",
    "TANH": "tanhf",
    "ABS": "fabsf",
}
"""Operator of one float32 -> the C function that computes it."""

LARGEST = float(np.finfo(np.float32).max)
"""What TFLite makes of infinite results."""

PAIRS = {
    "ADD": "es_add_f32",
    "SUB": "es_sub_f32",
    "MUL": "es_mul_f32",
    "DIV": "es_div_f32",
    "MAXIMUM": "es_maximum_f32",
    "MINIMUM": "es_minimum_f32",
}
"""Operator of two float32 -> its kernel."""

CHOOSING = frozenset({"MAXIMUM", "MINIMUM"})
"""Operators that leave infinite numbers as they are."""


def lower_real_function(operation: Operation) -> tuple[Call | Placement, ...]:
    """An operator of one input, one value at a time.

    Raises:
        UnsupportedOperationError: not float32 throughout, or another number of elements.
    """
    source, output = same_sized(operation, require_float32)
    function = FUNCTIONS[operation.operator.opcode]
    own = function.startswith("es_")
    members: dict[str, Value] = {"function": function, "count": output.elements}
    call = value_call("es_map_f32", HEADER, Struct("es_real_map", members), source, output)
    return (Call(**{**vars(call), "helpers": (function,) if own else ()}),)


def lower_real_pair(operation: Operation) -> tuple[Call | Placement, ...]:
    """An operator of two inputs that broadcast.

    Raises:
        UnsupportedOperationError: not float32 throughout, shapes that do not broadcast, or a fused activation
            that is no clamp.
    """
    broadcast_pair(operation, require_float32)
    activation = operation.operator.options.get("fused_activation_function", "NONE")
    if activation not in CLAMPS:
        raise UnsupportedOperationError(f"fused activation {activation}, expected one of {', '.join(CLAMPS)}")
    low, high = CLAMPS[activation]
    largest = math.inf if operation.operator.opcode in CHOOSING else LARGEST
    members: dict[str, Value] = {
        "loops": loops_struct(operation),
        "minimum": -largest if low is None else low,
        "maximum": largest if high is None else high,
    }
    function = PAIRS[operation.operator.opcode]
    return (pair_call(operation, function, HEADER, Struct("es_real_pair", members)),)


def lower_real_softmax(operation: Operation) -> tuple[Call | Placement, ...]:
    """SOFTMAX and LOG_SOFTMAX over the last dimension.

    Raises:
        UnsupportedOperationError: not float32 throughout, or another shape of the output.
    """
    source, output = same_sized(operation, require_float32)
    require_shape(output, source.shape)
    depth = source.shape[-1] if source.shape else 1
    members: dict[str, Value] = {
        "rows": source.elements // depth,
        "depth": depth,
        "beta": float(operation.operator.options.get("beta", 1.0)),
    }
    function = f"es_{operation.operator.opcode.lower()}_f32"
    return (value_call(function, HEADER, Struct("es_softmax_real", members), source, output),)


def require_float32(*tensors: Tensor) -> None:
    """Raise ``UnsupportedOperationError`` unless all tensors are float32."""
    for tensor in tensors:
        if tensor.dtype != "float32":
            raise UnsupportedOperationError(f"{tensor.label} is {tensor.dtype}, expected float32")
