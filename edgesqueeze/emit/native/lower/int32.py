"""Operators of two int32 as kernel calls: what models compute of places, counts and indices."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from edgesqueeze.emit.native.lower.pairs import broadcast_pair, loops_struct, pair_call
from edgesqueeze.emit.native.numerics import CLAMPS
from edgesqueeze.emit.native.records import (
    Call,
    Operation,
    Placement,
    Struct,
    UnsupportedOperationError,
    Value,
)
from edgesqueeze.graph import Tensor

HEADER = "es_s32.h"
WORD = np.iinfo(np.int32)

PAIRS: Mapping[str, str] = MappingProxyType(
    {
        "ADD": "es_add_s32",
        "DIV": "es_div_s32",
        "FLOOR_DIV": "es_floor_div_s32",
        "FLOOR_MOD": "es_floor_mod_s32",
        "MAXIMUM": "es_maximum_s32",
        "MINIMUM": "es_minimum_s32",
        "MUL": "es_mul_s32",
        "SUB": "es_sub_s32",
    }
)
"""Operator of two int32 -> its kernel."""


def lower_pair_int32(operation: Operation) -> tuple[Call | Placement, ...]:
    """An operator of two inputs that broadcast.

    Raises:
        UnsupportedOperationError: not int32 throughout, shapes that do not broadcast, a fused activation that
            is no clamp, or any of ADD, where the runtimes differ.
    """
    broadcast_pair(operation, require_int32)
    activation = operation.operator.options.get("fused_activation_function", "NONE")
    if activation not in CLAMPS:
        raise UnsupportedOperationError(f"fused activation {activation}, expected one of {', '.join(CLAMPS)}")
    if activation != "NONE" and operation.operator.opcode == "ADD":
        raise UnsupportedOperationError(
            f"fused activation {activation} of int32, which TensorFlow Lite Micro ignores, expected NONE"
        )
    low, high = CLAMPS[activation]
    members: dict[str, Value] = {
        "loops": loops_struct(operation),
        "minimum": int(WORD.min if low is None else low),
        "maximum": int(WORD.max if high is None else high),
    }
    function = PAIRS[operation.operator.opcode]
    return (pair_call(operation, function, HEADER, Struct("es_pair_int32", members)),)


def require_int32(*tensors: Tensor) -> None:
    """Raise ``UnsupportedOperationError`` unless all tensors are int32."""
    for tensor in tensors:
        if tensor.dtype != "int32":
            raise UnsupportedOperationError(f"{tensor.label} is {tensor.dtype}, expected int32")
