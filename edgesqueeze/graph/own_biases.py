"""A bias for every operator, for TensorFlow's quantizer of int16x8.

Where a layer is applied twice, or two have the same bias, the file has it once. Its scale must be that of
the operator's input times that of its weights; the quantizer gives it that of one operator, and for the
others the bias is as wrong as the scales of the inputs differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph.drafts import Draft
from edgesqueeze.graph.objects import kind_of, listed
from edgesqueeze.graph.repack import pack

BIASES: Mapping[int, int] = {
    schema.BuiltinOperator.CONV_2D: 2,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D: 2,
    schema.BuiltinOperator.FULLY_CONNECTED: 2,
    schema.BuiltinOperator.TRANSPOSE_CONV: 3,
}
"""Operators with a bias, and which of their inputs it is."""


def with_own_biases(content: bytes) -> bytes:
    """A float .tflite in which no two operators read the same constant as their bias.

    Args:
        content: a .tflite before quantization.

    Returns:
        ``content`` itself where none do.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    changed = False
    for graph in model.subgraphs:
        known: set[int] = set()
        for operator in listed(graph.operators):
            place = BIASES.get(kind_of(model, operator))
            if place is not None and place < len(operator.inputs):
                changed |= _own(Draft(model, graph, operator), operator, place, known)
    return pack(model, len(content)) if changed else content


def _own(draft: Draft, operator: Any, place: int, known: set[int]) -> bool:
    """Give an operator a copy of a bias that is known already; whether it is."""
    bias = draft.inputs[place]
    if bias < 0 or bias not in known:
        known.add(bias)
        return False
    values = draft.value(place)
    if values is None:
        return False
    inputs = list(draft.inputs)
    inputs[place] = draft.constant(values)
    operator.inputs = inputs
    return True
