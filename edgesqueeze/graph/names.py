"""What a person is told a constant is called: converters give some a name that tells nothing."""

from __future__ import annotations

import re

from edgesqueeze.graph.records import Graph
from edgesqueeze.graph.weights import WeightUse, slots_of

GENERIC = re.compile(r"(arith\.constant|tfl\.pseudo_q?const|std\.constant|Const|unknown|tensor)?[_.]?\d*")
"""Names that count constants. TensorFlow's converter gives one to what several operators read."""


def is_generic(name: str) -> bool:
    """Whether a constant's name tells nothing but that it is one."""
    return GENERIC.fullmatch(name) is not None


def name_of(graph: Graph, use: WeightUse) -> str:
    """The name of a constant; one that tells nothing becomes that of what reads it, with the constant's part.

    Args:
        graph: the graph that uses it.
        use: its first use.
    """
    outputs = [graph.tensor(index) for index in use.operator.outputs]
    if not is_generic(use.tensor.name) or not outputs or outputs[0] is None or is_generic(outputs[0].name):
        return use.tensor.name
    slots = slots_of(use.operator)
    alike = () if slots is None else {"weights": slots.weights, "bias": slots.bias}.get(use.role, ())
    number = f"_{use.slot}" if len(alike) > 1 or use.role == "constant" else ""
    return f"{outputs[0].label}/{use.role}{number}"
