"""What TensorFlow's calibrator must not see overwritten.

TensorFlow Lite lets some operators write their result over an input that nobody else reads. The calibrator
looks at an operator's inputs when it has been computed, and finds the result there: values of a ReLU that are
multiplied by 40 then span 40 times as much, and int8 has three steps left for them; scores of an attention
span at least what their softmax does. What is an output of the model is never overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence

from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph.objects import kind_of, listed
from edgesqueeze.graph.repack import pack

IN_PLACE = tuple(getattr(schema.BuiltinOperator, kind) for kind in ("ADD", "DIV", "MUL", "SOFTMAX", "SUB"))
"""Operators whose result, which differs from what they read, TensorFlow Lite writes over an input."""


def with_kept_inputs(content: bytes) -> bytes:
    """A float .tflite whose main graph has, behind its outputs, what else may be overwritten in it."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    operators = listed(graph.operators)
    made = {tensor for operator in operators for tensor in listed(operator.outputs)}
    made -= {*listed(graph.outputs), *listed(graph.inputs)}
    sums = [operator for operator in operators if kind_of(model, operator) in IN_PLACE]
    more = dict.fromkeys(one for operator in sums for one in listed(operator.inputs) if one in made)
    if not more:
        return content
    graph.outputs = [*listed(graph.outputs), *more]
    return pack(model, len(content))


def with_own_outputs(content: bytes, original: bytes) -> bytes:
    """A .tflite without the outputs that ``original``, of which it was made, does not have.

    What made other types of them goes, too.
    """
    count = schema.Model.GetRootAs(original, 0).Subgraphs(0).OutputsLength()
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    outputs = listed(graph.outputs)
    if len(outputs) == count:
        return content
    graph.outputs, more = outputs[:count], outputs[count:]
    graph.operators = [one for one in listed(graph.operators) if not _makes_real(model, one, more)]
    return pack(model, len(content))


def _makes_real(model: schema.ModelT, operator: schema.OperatorT, tensors: Sequence[int]) -> bool:
    return kind_of(model, operator) == schema.BuiltinOperator.DEQUANTIZE and operator.outputs[0] in tensors
