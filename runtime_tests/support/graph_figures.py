"""Figures of whole models that tests compare with those of the package."""

from __future__ import annotations

from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.macs import operator_macs


def total_macs(model: TfliteModel) -> int:
    """Multiply-accumulates of all operators; each subgraph counts as run once."""
    return sum(operator_macs(graph, operator) for graph in model.graphs for operator in graph.operators)


def computed_tensors(model: TfliteModel) -> tuple[int, ...]:
    """Indices of all tensors that operators of the main graph write, in order of execution."""
    return tuple(dict.fromkeys(index for operator in model.main.operators for index in operator.outputs))
