"""Operators on float32 as kernel calls: what some models compute behind an inner DEQUANTIZE.

They are meant for the few values at a model's end. Sums, products and quotients are those of TFLite's
reference kernels to the bit; exponentials and logarithms are the C library's.
"""

from __future__ import annotations

import math

import numpy as np

from edgesqueeze.emit.native.lower.pairs import LOOPS, broadcast_loops
from edgesqueeze.emit.native.numerics import CLAMPS
from edgesqueeze.emit.native.operands import (
    computed,
    place_of,
    require_same_elements,
    require_shape,
)
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

PAIRS = {"ADD": "es_add_f32", "SUB": "es_sub_f32", "MUL": "es_mul_f32", "DIV": "es_div_f32"}
"""Operator of two float32 -> its kernel."""


def lower_real_function(operation: Operation) -> tuple[Call | Placement, ...]:
    """An operator of one input, one value at a time.

    Raises:
        UnsupportedOperationError: not float32 throughout, or another number of elements.
    """
    source, output = _unary(operation)
    function = FUNCTIONS[operation.operator.opcode]
    own = function.startswith("es_")
    members: dict[str, Value] = {"function": function, "count": output.elements}
    call = _call("es_map_f32", Struct("es_real_map", members), source, output)
    return (Call(**{**vars(call), "helpers": (function,) if own else ()}),)


def lower_real_pair(operation: Operation) -> tuple[Call | Placement, ...]:
    """An operator of two inputs that broadcast.

    Raises:
        UnsupportedOperationError: not float32 throughout, shapes that do not broadcast, or a fused activation
            that is no clamp.
    """
    first, second, output = operation.input(0), operation.input(1), operation.output()
    require_float32(first, second, output)
    try:
        require_shape(output, np.broadcast_shapes(first.shape, second.shape))
    except ValueError:
        raise UnsupportedOperationError(
            f"inputs of the shapes {list(first.shape)} and {list(second.shape)}, expected shapes to broadcast"
        ) from None
    activation = operation.operator.options.get("fused_activation_function", "NONE")
    if activation not in CLAMPS:
        raise UnsupportedOperationError(f"fused activation {activation}, expected one of {', '.join(CLAMPS)}")
    low, high = CLAMPS[activation]
    members: dict[str, Value] = {
        "loops": _loops(first, second),
        "minimum": -math.inf if low is None else low,
        "maximum": math.inf if high is None else high,
    }
    same = {
        position: 0
        for position, tensor in enumerate((first, second))
        if not tensor.is_constant and tensor.elements == output.elements
    }
    return (
        Call(
            PAIRS[operation.operator.opcode],
            HEADER,
            Struct("es_real_pair", members),
            (place_of(first), place_of(second)),
            (output.index,),
            overlap=same,
        ),
    )


def lower_real_softmax(operation: Operation) -> tuple[Call | Placement, ...]:
    """SOFTMAX and LOG_SOFTMAX over the last dimension.

    Raises:
        UnsupportedOperationError: not float32 throughout, or another shape of the output.
    """
    source, output = _unary(operation)
    require_shape(output, source.shape)
    depth = source.shape[-1] if source.shape else 1
    members: dict[str, Value] = {
        "rows": source.elements // depth,
        "depth": depth,
        "beta": float(operation.operator.options.get("beta", 1.0)),
    }
    function = f"es_{operation.operator.opcode.lower()}_f32"
    return (_call(function, Struct("es_softmax_real", members), source, output),)


def require_float32(*tensors: Tensor) -> None:
    """Raise ``UnsupportedOperationError`` unless all tensors are float32."""
    for tensor in tensors:
        if tensor.dtype != "float32":
            raise UnsupportedOperationError(f"{tensor.label} is {tensor.dtype}, expected float32")


def _unary(operation: Operation) -> tuple[Tensor, Tensor]:
    source, output = operation.input(0), operation.output()
    require_float32(source, output)
    require_same_elements(source, output)
    return source, output


def _call(function: str, parameters: Struct, source: Tensor, output: Tensor) -> Call:
    return Call(function, HEADER, parameters, (computed(source),), (output.index,), overlap={0: 0})


def _loops(first: Tensor, second: Tensor) -> Struct:
    sizes, strides1, strides2 = broadcast_loops(first.shape, second.shape)
    outer = LOOPS - len(sizes)
    if outer < 0:
        raise UnsupportedOperationError(f"{len(sizes)} nested loops, expected at most {LOOPS}")
    members: dict[str, Value] = {
        "count": (1,) * outer + sizes,
        "stride1": (0,) * outer + strides1,
        "stride2": (0,) * outer + strides2,
    }
    return Struct("es_broadcast", members)
