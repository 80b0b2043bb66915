"""What TensorFlow's calibrator must not see overwritten.

TensorFlow Lite lets ADD, SUB and MUL write their result over an input that nobody else reads. The calibrator
looks at an operator's inputs when it has been computed, and finds the result there: values of a ReLU that are
multiplied by 40 then span 40 times as much, and int8 has three steps left for them. What is an output of the
model is never overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph.repack import pack

IN_PLACE = (schema.BuiltinOperator.ADD, schema.BuiltinOperator.SUB, schema.BuiltinOperator.MUL)
"""Operators whose result TensorFlow Lite writes over an input."""


def with_kept_inputs(content: bytes) -> bytes:
    """A float .tflite whose main graph has, behind its outputs, what else may be overwritten in it."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    own = {*_numbers(graph.outputs), *_numbers(graph.inputs)}
    made = {tensor for operator in graph.operators for tensor in _numbers(operator.outputs)}
    read = [
        tensor
        for operator in graph.operators
        if _opcode(model, operator) in IN_PLACE
        for tensor in _numbers(operator.inputs)
    ]
    more = [tensor for tensor in dict.fromkeys(read) if tensor in made - own]
    if not more:
        return content
    graph.outputs = [*_numbers(graph.outputs), *more]
    return pack(model, len(content))


def with_own_outputs(content: bytes, original: bytes) -> bytes:
    """A .tflite without the outputs that ``original``, of which it was made, does not have.

    What made other types of them goes, too.
    """
    count = len(schema.ModelT.InitFromPackedBuf(original, 0).subgraphs[0].outputs)
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    outputs = _numbers(graph.outputs)
    if len(outputs) == count:
        return content
    graph.outputs, more = outputs[:count], outputs[count:]
    graph.operators = [one for one in graph.operators if not _makes_real(model, one, more)]
    return pack(model, len(content))


def _makes_real(model: schema.ModelT, operator: schema.OperatorT, tensors: Sequence[int]) -> bool:
    return _opcode(model, operator) == schema.BuiltinOperator.DEQUANTIZE and operator.outputs[0] in tensors


def _numbers(tensors: Any) -> list[int]:
    """Tensors by number; an operator without any has None."""
    return [] if tensors is None else [int(tensor) for tensor in tensors]


def _opcode(model: schema.ModelT, operator: schema.OperatorT) -> int:
    code = model.operatorCodes[operator.opcodeIndex]
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))
