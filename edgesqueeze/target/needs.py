"""What a .tflite asks of a target, read from its graph: the input of ``fit.check_fit``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from edgesqueeze.graph.read import as_model
from edgesqueeze.graph.records import Graph, Operator, TfliteModel
from edgesqueeze.target.fit import ModelNeeds, OperatorNeed

# Operators with weights in a fixed input slot, whose type decides whether a kernel exists.
WEIGHT_SLOTS = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 1}


def needs_of(
    model: str | Path | TfliteModel,
    arena_bytes: int | None = None,
    arena_method: str = "",
    code_bytes: int | None = None,
    code_method: str = "",
    model_bytes: int | None = None,
) -> ModelNeeds:
    """The needs of a model.

    Args:
        model: any .tflite, or its path.
        arena_bytes: RAM for activations and scratch memory in bytes, if known.
        arena_method: how ``arena_bytes`` came about, for the report.
        code_bytes: size of the code in bytes, if it was built.
        code_method: how ``code_bytes`` came about.
        model_bytes: flash that the model takes in bytes, where that is not the file.
    """
    model = as_model(model)
    counted = Counter(types_of(graph, operator) for graph in model.graphs for operator in graph.operators)
    operators = sorted(
        (
            OperatorNeed(kind=kind, activation=activation, weights=weights, count=count)
            for (kind, activation, weights), count in counted.items()
        ),
        key=lambda need: (need.kind, need.activation, need.weights),
    )
    return ModelNeeds(
        model_bytes=len(model.content) if model_bytes is None else model_bytes,
        operators=tuple(operators),
        inputs=tuple(tensor.dtype for tensor in model.main.input_tensors),
        outputs=tuple(tensor.dtype for tensor in model.main.output_tensors),
        arena_bytes=arena_bytes,
        arena_method=arena_method,
        code_bytes=code_bytes,
        code_method=code_method,
    )


def types_of(graph: Graph, operator: Operator) -> tuple[str, str, str]:
    """Kind, activation and weights of an operator, as ``OperatorNeed`` has them."""
    inputs = [tensor for index in operator.inputs if (tensor := graph.tensor(index)) is not None]
    computed = [tensor for tensor in inputs if not tensor.is_constant]
    first = computed[0] if computed else inputs[0] if inputs else None
    slot = WEIGHT_SLOTS.get(operator.kind)
    weights = graph.tensor(operator.inputs[slot]) if slot and slot < len(operator.inputs) else None
    return operator.kind, first.dtype if first else "", weights.dtype if weights else ""
