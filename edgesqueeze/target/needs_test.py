from __future__ import annotations

import numpy as np

from edgesqueeze.graph.records import NO_TENSOR, Graph, Operator, Tensor, TfliteModel
from edgesqueeze.target.fit import OperatorNeed
from edgesqueeze.target.needs import needs_of


def tensor(index: int, dtype: str, constant: bool = False) -> Tensor:
    data = np.zeros((1,), np.int8) if constant else None
    return Tensor(index, f"t{index}", (1,), (1,), dtype, data, int(constant), None)


def test_needs() -> None:
    tensors = (
        tensor(0, "uint8"),
        tensor(1, "int8"),
        tensor(2, "int4", constant=True),
        tensor(3, "int8"),
        tensor(4, "float16", constant=True),
        tensor(5, "float32"),
    )
    operators = (
        Operator(0, "QUANTIZE", "", 1, (0,), (1,)),
        Operator(1, "CONV_2D", "", 1, (1, 2, NO_TENSOR), (3,)),
        Operator(2, "CONV_2D", "", 1, (1, 2, NO_TENSOR), (3,)),
        Operator(3, "DEQUANTIZE", "", 1, (4,), (5,)),
        Operator(4, "CUSTOM", "Mine", 1, (), (5,)),
    )
    model = TfliteModel("m", b"x" * 10, "", "", (Graph("", tensors, operators, (0,), (5,)),))
    needs = needs_of(model, arena_bytes=7, arena_method="counted")
    assert (needs.model_bytes, needs.arena_bytes, needs.arena_method) == (10, 7, "counted")
    assert (needs.inputs, needs.outputs) == (("uint8",), ("float32",))
    assert needs.operators == (
        OperatorNeed(kind="CONV_2D", activation="int8", weights="int4", count=2),
        OperatorNeed(kind="DEQUANTIZE", activation="float16"),
        OperatorNeed(kind="Mine"),
        OperatorNeed(kind="QUANTIZE", activation="uint8"),
    )
