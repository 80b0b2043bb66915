"""Scales that must be the same, and are not in what TensorFlow's quantizer makes.

- What a step of an LSTM computes is its output and the next step's state. The quantizer gives the state the
  range that calibration saw, and the output that of what reads it where that must share a scale, as the
  concatenation of two directions: the output is off by as much as scales and zero points differ.
- What only moves values, as a reversal, moves integers. Between an LSTM and a concatenation the quantizer
  gives it two scales, and the values are as wrong as these differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph.drafts import code_of
from edgesqueeze.graph.objects import kind_of, listed
from edgesqueeze.graph.repack import pack

LSTM = schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM
STATE = 18
"""Which input of the operator is the state that it gives."""
HIDDEN = 4
"""Which of the operator's intermediate tensors says how that is computed."""
MOVES = frozenset(
    getattr(schema.BuiltinOperator, kind)
    for kind in ("EXPAND_DIMS", "RESHAPE", "REVERSE_V2", "SLICE", "SQUEEZE", "STRIDED_SLICE", "TRANSPOSE")
)
"""Operators that give the integers that they read."""


def with_shared_scales(content: bytes) -> bytes:
    """A quantized .tflite in which what are the same integers have one scale.

    Args:
        content: a .tflite of int8.

    Returns:
        ``content`` itself where all have it already.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph, changed, operators = model.subgraphs[0], False, []
    for operator in listed(graph.operators):
        operators.append(operator)
        kind = kind_of(model, operator)
        if kind == LSTM:
            changed |= _share_state(graph, operator)
        elif kind in MOVES and (scaled := _scaled(model, graph, operator)):
            changed, operators = True, [*operators, scaled]
    graph.operators = operators
    return pack(model, len(content)) if changed else content


def _share_state(graph: Any, operator: Any) -> bool:
    """Give an LSTM's state the scale of its output; whether it had another."""
    given, changed = graph.tensors[operator.outputs[0]].quantization, False
    for index in [operator.inputs[STATE], *listed(operator.intermediates)[HIDDEN:]]:
        if _differ(graph.tensors[index].quantization, given):
            graph.tensors[index].quantization, changed = _copied(given), True
    return changed


def _scaled(model: Any, graph: Any, operator: Any) -> Any:
    """An operator behind one that moves values, from the scale that it read to the one it was to give."""
    before, after = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
    if not _differ(before.quantization, after.quantization):
        return None
    moved = schema.TensorT()
    moved.shape, moved.shapeSignature, moved.type, moved.buffer = (
        after.shape,
        after.shapeSignature,
        after.type,
        0,
    )
    moved.name = after.name + f";{len(graph.tensors)}".encode()
    moved.quantization = _copied(before.quantization)
    graph.tensors.append(moved)
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs = code_of(model, "QUANTIZE", 2), [len(graph.tensors) - 1]
    made.outputs, operator.outputs = operator.outputs, made.inputs
    return made


def _differ(one: Any, other: Any) -> bool:
    """Whether both are scales of whole tensors, and not the same."""
    if any(found is None or len(listed(found.scale)) != 1 for found in (one, other)):
        return False
    return bool(one.scale[0] != other.scale[0] or one.zeroPoint[0] != other.zeroPoint[0])


def _copied(found: Any) -> Any:
    made = schema.QuantizationParametersT()
    made.scale, made.zeroPoint = np.array(found.scale), np.array(found.zeroPoint)
    return made
