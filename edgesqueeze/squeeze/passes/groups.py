"""Which activations of a .tflite have one range: those that it brings from operator to operator unchanged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from edgesqueeze.checks.replay import data_tensors
from edgesqueeze.graph import Graph, Operator, TfliteModel
from edgesqueeze.graph.ranges import Range, ranges_in

SAME_RANGE = frozenset(
    {
        "AVERAGE_POOL_2D",
        "BATCH_TO_SPACE_ND",
        "BROADCAST_TO",
        "CONCATENATION",
        "DEPTH_TO_SPACE",
        "EXPAND_DIMS",
        "GATHER",
        "MAXIMUM",
        "MAX_POOL_2D",
        "MINIMUM",
        "MIRROR_PAD",
        "PACK",
        "PAD",
        "PADV2",
        "REDUCE_MAX",
        "REDUCE_MIN",
        "RESHAPE",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "REVERSE_V2",
        "SELECT_V2",
        "SLICE",
        "SPACE_TO_BATCH_ND",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "SPLIT_V",
        "SQUEEZE",
        "STRIDED_SLICE",
        "TILE",
        "TRANSPOSE",
        "UNPACK",
    }
)
"""Operators whose int8 outputs have the scale of their inputs."""
OWN_RANGE = frozenset({"L2_NORMALIZATION", "LOGISTIC", "LOG_SOFTMAX", "SOFTMAX", "TANH"})
"""Operators whose int8 outputs have a scale that never changes."""


class Group(NamedTuple):
    """Tensors of the file that have one range.

    Attributes:
        names: what they are called in the calibrated model.
        first: what they span together on the calibration samples, zero included.
        learned: whether the range may be another; that of a softmax may not.
    """

    names: tuple[str, ...]
    first: Range
    learned: bool


class Groups(NamedTuple):
    """All ranges of a calibrated model.

    Attributes:
        groups: the ranges.
        of_tensor: which of them a tensor has, a number into ``groups``.
    """

    groups: tuple[Group, ...]
    of_tensor: Mapping[int, int]


def spanning(tflite: TfliteModel) -> list[int]:
    """The tensors of a model that quantization gives a range: inputs, and what operators make of them.

    Args:
        tflite: what ``convert.calibrated`` made.
    """
    graph, ranges = tflite.main, _spans(tflite)
    return [one for one in (*graph.inputs, *data_tensors(graph)) if graph.tensors[one].name in ranges]


def makers_of(graph: Graph) -> dict[int, Operator]:
    """The operator that computes each tensor."""
    return {index: operator for operator in graph.operators for index in operator.outputs}


def grouped(
    tflite: TfliteModel,
    given: Mapping[str, Range],
    same: Iterable[Sequence[int]] = (),
) -> Groups:
    """Which tensors of a model have one range in the quantized file.

    Args:
        tflite: what ``convert.calibrated`` made.
        given: what tensors are to span in place of what the samples show, by name.
        same: tensors that must have one range for other reasons.
    """
    graph, ranges, tensors = tflite.main, _spans(tflite), spanning(tflite)
    makers = makers_of(graph)
    roots = _together(graph, set(tensors), makers, same)
    numbers = {one: number for number, one in enumerate(dict.fromkeys(roots.values()))}
    of_tensor = {index: numbers[one] for index, one in roots.items()}
    members: list[list[int]] = [[] for _ in numbers]
    for index in tensors:
        members[of_tensor[index]].append(index)

    def group(indices: Sequence[int]) -> Group:
        names = tuple(graph.tensors[one].name for one in indices)
        first = Range(min(ranges[one].low for one in names), max(ranges[one].high for one in names))
        imposed = next((given[one] for one in names if one in given), first)
        return Group(names, imposed, not any(is_own(one, makers) for one in indices))

    return Groups(tuple(map(group, members)), of_tensor)


def is_own(tensor: int, makers: Mapping[int, Operator]) -> bool:
    """Whether a tensor's scale never changes."""
    return tensor in makers and makers[tensor].opcode in OWN_RANGE


def _spans(tflite: TfliteModel) -> dict[str, Range]:
    """What tensors span, zero included, by name; none of those that are always 0."""
    return {
        name: Range(min(one.low, 0.0), max(one.high, 0.0))
        for name, one in ranges_in(tflite.content).items()
        if one.low or one.high
    }


def _together(
    graph: Graph, tensors: set[int], makers: Mapping[int, Operator], same: Iterable[Sequence[int]]
) -> dict[int, int]:
    """For each tensor one that stands for all those with which it shares its range."""
    parent = {one: one for one in tensors}

    def root(one: int) -> int:
        while parent[one] != one:
            one = parent[one]
        return one

    def join(all_of_them: Sequence[int]) -> None:
        for other in all_of_them[1:]:
            parent[root(other)] = root(all_of_them[0])

    for operator in graph.operators:
        if operator.opcode in SAME_RANGE:
            ends = (*operator.inputs, *operator.outputs)
            join([one for one in ends if one in tensors and not is_own(one, makers)])
    for matched in same:
        join([one for one in matched if not is_own(one, makers)])
    return {one: root(one) for one in tensors}
