"""Convolutions with groups and depthwise ones with a depth multiplier, as operators that have fast kernels.

conv of 2 groups          ->  split, a conv for each half, concatenation
conv of as many groups    ->  depthwise conv
as input channels
depthwise, multiplier 2   ->  every channel twice, depthwise conv
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from edgesqueeze.emit.native.conv_operands import weights_of
from edgesqueeze.emit.native.intervals import NOT_KNOWN
from edgesqueeze.emit.native.records import Operation
from edgesqueeze.emit.native.rewriting import Tensors, moving
from edgesqueeze.graph import Graph, Operator

MOST_GROUPS = 8
"""With more, a call for each costs more than it gains."""


def without_groups(graph: Graph) -> Graph:
    """The graph with the same outputs for every input, and without groups as far as that is worth while."""
    rewriting = _Rewriting(graph)
    return rewriting.with_operators(tuple(new for one in graph.operators for new in rewriting.operators(one)))


class _Rewriting(Tensors):
    """A graph's tensors while operators with groups are taken apart."""

    def operators(self, operator: Operator) -> Iterator[Operator]:
        """What an operator becomes: itself, mostly."""
        groups = self._groups(operator)
        if groups == 1:
            yield operator
        elif operator.opcode == "DEPTHWISE_CONV_2D":
            yield from self._repeated(operator, groups)
        elif groups == self.graph.tensors[operator.inputs[0]].shape[3]:
            yield from self._depthwise(operator, groups)
        elif groups <= MOST_GROUPS:
            yield from self._apart(operator, groups)
        else:
            yield operator

    def _groups(self, operator: Operator) -> int:
        """Groups of a CONV_2D, or the depth multiplier of a DEPTHWISE_CONV_2D; 1 for all others."""
        if operator.opcode not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            return 1
        operation = Operation(self.graph, operator, "reference")
        try:
            weights = weights_of(operation)
            bias = operation.optional_input(2)
            inputs, outputs = operation.input(0).shape[3], operation.output().shape[3]
        except NOT_KNOWN:
            return 1
        if bias is not None and (bias.data is None or bias.elements != outputs):
            return 1
        depthwise = operator.opcode == "DEPTHWISE_CONV_2D"
        many, few = (outputs, inputs) if depthwise else (inputs, weights.shape[3])
        groups = many // few if few else 1
        even = groups * few == many and outputs % max(groups, 1) == 0
        return 1 if inputs == 1 or not even else groups

    def _repeated(self, operator: Operator, times: int) -> Iterator[Operator]:
        """Every input channel several times, and a depthwise convolution without a multiplier."""
        source = self.graph.tensors[operator.inputs[0]]
        column = self.like(source, (*source.shape, 1))
        several = self.like(source, (*source.shape, times))
        wide = self.like(source, (*source.shape[:3], source.shape[3] * times))
        yield moving(operator, "RESHAPE", (source.index,), (column,))
        yield moving(operator, "CONCATENATION", (column,) * times, (several,), axis=4)
        yield moving(operator, "RESHAPE", (several,), (wide,))
        yield replace(operator, inputs=(wide, *operator.inputs[1:]))

    def _depthwise(self, operator: Operator, groups: int) -> Iterator[Operator]:
        """A convolution each of whose output channels sees one input channel."""
        weights = self.graph.tensors[operator.inputs[1]]
        data = np.moveaxis(np.asarray(weights.data)[..., 0], 0, -1)[None]
        quantization = weights.quantization
        if quantization is not None:
            quantization = replace(quantization, axis=3)
        kernel = self.constant(weights, np.ascontiguousarray(data), quantization)
        one = replace(
            operator, opcode="DEPTHWISE_CONV_2D", inputs=(operator.inputs[0], kernel, *operator.inputs[2:])
        )
        times = data.shape[3] // groups
        if times == 1:
            yield one
        else:
            yield from self._repeated(one, times)

    def _apart(self, operator: Operator, groups: int) -> Iterator[Operator]:
        """A convolution for each group."""
        source, output = self.graph.tensors[operator.inputs[0]], self.graph.tensors[operator.outputs[0]]
        axis = self.axis(3)
        parts = [self.like(source, (*source.shape[:3], source.shape[3] // groups)) for _ in range(groups)]
        results = [self.like(output, (*output.shape[:3], output.shape[3] // groups)) for _ in range(groups)]
        yield moving(operator, "SPLIT", (axis, source.index), tuple(parts))
        size = output.shape[3] // groups
        for number, (part, result) in enumerate(zip(parts, results, strict=True)):
            chosen = slice(number * size, (number + 1) * size)
            constants = [self._slice(index, chosen) for index in operator.inputs[1:]]
            yield replace(operator, inputs=(part, *constants), outputs=(result,))
        yield moving(operator, "CONCATENATION", tuple(results), operator.outputs, axis=3)

    def _slice(self, index: int, chosen: slice) -> int:
        """Weights or biases of some output channels."""
        tensor = self.graph.tensor(index)
        if tensor is None:
            return index
        quantization = tensor.quantization
        if quantization is not None and quantization.per_channel:
            quantization = replace(
                quantization,
                scales=quantization.scales[chosen],
                zero_points=quantization.zero_points[chosen],
            )
        return self.constant(tensor, np.asarray(tensor.data)[chosen], quantization)
