"""What an operator must give, by its definition: exact arithmetic, for operators that runtimes got wrong.

It decides between two runtimes that contradict each other, where neither can be taken for the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.graph import Graph, Operator
from edgesqueeze.graph.affine import is_quantized, quantize

Exact = Callable[[Graph, Operator, Sequence[Array]], Array]


def exact_output(graph: Graph, operator: Operator, values: Mapping[int, Array]) -> Array | None:
    """The operator's first output on one sample, as the tensor holds it; None where no rule is known.

    Args:
        graph: the operator's graph.
        operator: any operator.
        values: by tensor index, what the operator's computed inputs hold.
    """
    rule = EXACT.get(operator.opcode)
    inputs = []
    for index in operator.inputs:
        tensor = graph.tensor(index)
        value = None if tensor is None else tensor.data if tensor.is_constant else values.get(index)
        if value is None:
            return None
        inputs.append(np.asarray(value))
    first, output = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
    if rule is None or not is_quantized(first) or not is_quantized(output):
        return None
    return rule(graph, operator, inputs).reshape(output.shape)


def _reduced(reduce: Callable[..., Array]) -> Exact:
    """A reduction over the axes that the second input names, in real numbers, rounded once."""

    def rule(graph: Graph, operator: Operator, inputs: Sequence[Array]) -> Array:
        first, output = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
        assert first.quantization is not None and output.quantization is not None
        steps = inputs[0].astype(np.int64) - first.quantization.zero_point
        axes = tuple(int(axis) % steps.ndim for axis in inputs[1].reshape(-1))
        real = reduce(steps.astype(np.float64), axis=axes) * float(first.quantization.scale)
        return quantize(np.asarray(real), output.quantization, output.dtype)

    return rule


EXACT: Mapping[str, Exact] = MappingProxyType({"SUM": _reduced(np.sum), "MEAN": _reduced(np.mean)})
"""Operator -> its definition."""
