"""Channels that can take one value only are left out, with all that is computed for them: an exact step.

What such a channel adds to sums goes into the biases of the layers that read it. Where a window reaches into
padding that is possible only for channels that hold the zero point, since padding does.

    conv (8 channels, 3 constant) -> depthwise -> conv      becomes      conv (5) -> depthwise (5) -> conv
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.conv_operands import weights_of
from edgesqueeze.emit.native.intervals import (
    NOT_KNOWN,
    Interval,
    anything,
    channels_of,
    intervals_of,
    is_padded_convolution,
)
from edgesqueeze.emit.native.numerics import quantization_of
from edgesqueeze.emit.native.records import Operation
from edgesqueeze.graph import Graph, Operator, Quantization, Tensor
from edgesqueeze.graph.weight_blocks import block_numbers

Kept = npt.NDArray[np.bool_]

CARRIES = frozenset({"AVERAGE_POOL_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "RELU", "RELU6", "RESHAPE"})
"""Operators whose output channels are each made of the same channel of the input."""
READS = frozenset({"CONV_2D", "FULLY_CONNECTED"})
"""Operators that mix all channels of the input."""


BROKEN = 1.15
"""How many times the blocks make up for the channels that are computed though they are constant."""


_FOURS = 4


@dataclass(frozen=True)
class LeftOut:
    """What is not computed.

    Attributes:
        channels: output channels of convolutions and fully connected layers that are left out.
        layers: how many layers have such channels.
    """

    channels: int
    layers: int


@dataclass(frozen=True, eq=False)
class Slim:
    """A graph without constant channels, and what was left out of it."""

    graph: Graph
    left_out: LeftOut


def without_constant_channels(graph: Graph, block: tuple[int, int] | None = None, multiple: int = 1) -> Slim:
    """The graph with fewer channels, and the same outputs for every input.

    A graph whose operators contradict themselves stays as it is: lowering refuses it.

    Args:
        graph: the whole.
        block: outputs and inputs of the blocks of zeros that convolutions skip. Where leaving out single
            channels would break blocks up, only whole blocks of them are left out.
        multiple: of how many channels layers keep a multiple, as far as they have so many.
    """
    try:
        intervals = intervals_of(graph)
        kept = _kept_channels(graph, intervals, block, multiple)
    except NOT_KNOWN:
        kept = {}
    if not kept:
        return Slim(graph, LeftOut(0, 0))
    rewriting = _Rewriting(graph, intervals, kept)
    operators = tuple(rewriting.operator(one) for one in graph.operators)
    slim = Graph(graph.name, tuple(rewriting.tensors), operators, graph.inputs, graph.outputs)
    return Slim(slim, _left_out(graph, kept))


def _left_out(graph: Graph, kept: Mapping[int, Kept]) -> LeftOut:
    counts = [
        int((~kept[one.outputs[0]]).sum())
        for one in graph.operators
        if one.opcode in READS | {"DEPTHWISE_CONV_2D"} and one.outputs[0] in kept
    ]
    return LeftOut(sum(counts), len(counts))


def _kept_channels(
    graph: Graph, intervals: Mapping[int, Interval], block: tuple[int, int] | None, multiple: int
) -> dict[int, Kept]:
    """Tensor -> which of its channels stay, for tensors that lose some."""
    users = _users(graph)
    found: dict[int, Kept] = {}
    for group in _groups(graph):
        touching = sorted({number for index in group for number in users[index]})
        operators = [graph.operators[number] for number in touching]
        needed = _needed(graph, group, operators, intervals)
        if needed is None or needed.all():
            continue
        if block and _breaks(graph, group, operators, needed, block):
            needed = _in_blocks(needed, max(block))
        if not needed.any():
            needed[0] = True  # no layer without channels
        needed[np.flatnonzero(~needed)[: -int(needed.sum()) % multiple]] = True
        if needed.all():
            continue
        found.update(dict.fromkeys(group, needed))
    return found


def _in_blocks(needed: Kept, size: int) -> Kept:
    """All channels of the blocks of so many in which some are needed."""
    starts = np.arange(0, needed.size, size)
    return np.repeat(np.logical_or.reduceat(needed, starts), size)[: needed.size]


def _breaks(
    graph: Graph, group: set[int], touching: Sequence[Operator], needed: Kept, block: tuple[int, int]
) -> bool:
    """Whether convolutions would have clearly more blocks that are not zero, with some channels left out."""
    stored = [0, 0]
    for operator in touching:
        if operator.opcode != "CONV_2D":
            continue
        weights = np.asarray(graph.tensors[operator.inputs[1]].data)
        axis = -1 if operator.inputs[0] in group else 0
        for place, kept in enumerate((needed, _in_blocks(needed, max(block)))):
            part = np.compress(kept, weights, axis)
            # Kernels that skip for many outputs at once want these in fours.
            skips = block[0] <= _FOURS or len(part) % _FOURS == 0
            stored[place] += np.unique(block_numbers(part.shape, block)[(part != 0) | (not skips)]).size
    return stored[0] > BROKEN * stored[1]


def _users(graph: Graph) -> Mapping[int, list[int]]:
    """Tensor -> places of the operators that take or give it."""
    found: dict[int, list[int]] = defaultdict(list)
    for number, operator in enumerate(graph.operators):
        for index in (*operator.inputs, *operator.outputs):
            found[index].append(number)
    return found


def _groups(graph: Graph) -> list[set[int]]:
    """Tensors that lose the same channels: what operators that carry channels connect."""
    groups: dict[int, set[int]] = {}
    for operator in graph.operators:
        for index in operator.outputs[:1]:
            groups.setdefault(index, {index})
        if _carries(graph, operator):
            ends = (operator.inputs[0], operator.outputs[0])
            small, large = sorted((groups.setdefault(index, {index}) for index in ends), key=len)
            if small is large:
                continue
            large |= small
            groups.update(dict.fromkeys(small, large))
    return list({id(group): group for group in groups.values()}.values())


def _carries(graph: Graph, operator: Operator) -> bool:
    if operator.opcode not in CARRIES or len(operator.outputs) != 1:
        return False
    source, output = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
    if operator.opcode == "DEPTHWISE_CONV_2D" and channels_of(source) == 1:
        return False
    return channels_of(source) == channels_of(output) and {source.dtype, output.dtype} == {"int8"}


def _needed(
    graph: Graph, group: set[int], touching: Sequence[Operator], intervals: Mapping[int, Interval]
) -> Kept | None:
    """Which channels of a group must be computed; None if all must.

    Args:
        graph: the whole.
        group: tensors that lose the same channels.
        touching: operators that take or give one of them.
        intervals: tensor -> what its channels can be.
    """
    outside = not (group.isdisjoint(graph.input_set) and group.isdisjoint(graph.output_set))
    if outside or any(graph.tensors[index].variable for index in group):
        return None
    count = channels_of(graph.tensors[min(group)])
    needed: Kept = np.zeros(count, np.bool_)
    for operator in touching:
        made = group.intersection(operator.outputs)
        if made and not ((operator.opcode in READS or _carries(graph, operator)) and _plain(graph, operator)):
            return None
        for index in group.intersection(operator.inputs):
            if _carries(graph, operator) and operator.inputs[0] == index:
                continue
            used = _used(Operation(graph, operator, "reference"), index, intervals)
            if used is None:
                return None
            needed |= used
    return needed


def _used(operation: Operation, index: int, intervals: Mapping[int, Interval]) -> Kept | None:
    """Which channels of a tensor an operator that mixes them needs; None: it does not mix channels so."""
    operator, tensor = operation.operator, operation.graph.tensors[index]
    weights = operation.input(1) if operator.opcode in READS else None
    if weights is None or operator.inputs.count(index) != 1 or operator.inputs[0] != index:
        return None
    if weights.shape[-1:] != tensor.shape[-1:] or not _plain(operation.graph, operator):
        return None
    interval = intervals.get(index, anything(tensor))
    try:
        if operator.opcode == "CONV_2D" and is_padded_convolution(operation):
            held: Kept = interval.constant & (interval.low == quantization_of(tensor)[1])
            return ~held
    except NOT_KNOWN:
        return None
    constant: Kept = interval.constant
    return ~constant


def _plain(graph: Graph, operator: Operator) -> bool:
    """Whether an operator has no weights and biases, or such that channels can be taken out of them."""
    if operator.opcode not in READS | {"DEPTHWISE_CONV_2D"}:
        return True
    operation = Operation(graph, operator, "reference")
    try:
        weights_of(operation)
    except NOT_KNOWN:
        return False
    bias = operation.optional_input(2)
    return bias is None or (
        bias.dtype == "int32" and bias.shape == operation.output().shape[-1:] and bias.is_constant
    )


class _Rewriting:
    """A graph's tensors and operators while channels are taken out of them."""

    def __init__(self, graph: Graph, intervals: Mapping[int, Interval], kept: Mapping[int, Kept]) -> None:
        self._graph, self._intervals, self._kept = graph, intervals, kept
        self.tensors = [self._activation(tensor) for tensor in graph.tensors]

    def _activation(self, tensor: Tensor) -> Tensor:
        kept = self._kept.get(tensor.index)
        if kept is None:
            return tensor
        shape = (*tensor.shape[:-1], int(kept.sum()))
        return replace(tensor, shape=shape, signature=shape)

    def operator(self, operator: Operator) -> Operator:
        """The operator with the weights and biases of the channels that stay."""
        if operator.opcode not in READS | {"DEPTHWISE_CONV_2D"}:
            return operator
        inputs, outputs = self._kept.get(operator.inputs[0]), self._kept.get(operator.outputs[0])
        if inputs is None and outputs is None:
            return operator
        depthwise = operator.opcode == "DEPTHWISE_CONV_2D"
        weights = self._graph.tensors[operator.inputs[1]]
        bias = self._bias(operator, weights, None if depthwise else inputs, outputs)
        data = np.asarray(weights.data)
        axis = 3 if depthwise else 0
        if outputs is not None:
            data = np.compress(outputs, data, axis)
        if inputs is not None and not depthwise:
            data = np.compress(inputs, data, -1)
        slim = self._add(weights, data, _part(weights.quantization, outputs))
        return replace(operator, inputs=(operator.inputs[0], slim, bias, *operator.inputs[3:]))

    def _bias(self, operator: Operator, weights: Tensor, inputs: Kept | None, outputs: Kept | None) -> int:
        """The biases of the channels that stay, with what the channels that do not would have added."""
        old = self._graph.tensor(operator.inputs[2]) if len(operator.inputs) > 2 else None
        count = channels_of(self._graph.tensors[operator.outputs[0]])
        values: npt.NDArray[np.int64] = np.zeros(count, np.int64)
        if old is not None:
            values = np.asarray(old.data, np.int64).reshape(-1)
        if inputs is not None:
            source = self._graph.tensors[operator.inputs[0]]
            interval = self._intervals.get(source.index, anything(source))
            held = np.where(inputs, 0, interval.low - quantization_of(source)[1])
            wide = np.asarray(weights.data, np.int64)
            values = values + (wide * held).reshape(count, -1).sum(axis=1)
        if outputs is not None:
            values = values[outputs]
        like = weights if old is None else old
        quantization = None if old is None else _part(old.quantization, outputs)
        return self._add(replace(like, dtype="int32"), values.astype(np.int32), quantization)

    def _add(self, like: Tensor, data: npt.NDArray[np.generic], quantization: Quantization | None) -> int:
        index = len(self.tensors)
        tensor = replace(like, index=index, shape=data.shape, signature=data.shape, data=data)
        self.tensors.append(replace(tensor, stored_bytes=data.nbytes, quantization=quantization))
        return index


def _part(quantization: Quantization | None, kept: Kept | None) -> Quantization | None:
    """The scales of the channels that stay."""
    if quantization is None or kept is None or not quantization.per_channel:
        return quantization
    return replace(quantization, scales=quantization.scales[kept], zero_points=quantization.zero_points[kept])
