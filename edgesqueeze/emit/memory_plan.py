"""Where TFLite Micro's planner puts activations and scratch memory, computed without running it.

TFLM places buffers largest first, each at the lowest offset that is free during its life. The same done
here says what the shared part of an arena grows to when kernels ask for scratch memory that the kernels on
this host do not need.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.emit.places import SCRATCH, Place
from edgesqueeze.emit.rounding import round_up
from edgesqueeze.emit.timeline import Timeline, lowest_gap
from edgesqueeze.graph import NO_TENSOR, Graph, TfliteModel

ALIGNMENT = 16
OFFLINE_PLAN = b"OfflineMemoryAllocation"
MOST_METADATA = 1000


class Buffer(NamedTuple):
    """Memory that is needed for a while.

    Attributes:
        size: its length in bytes, a multiple of 16.
        first: index of the first operator during which it holds something.
        last: index of the last operator during which it holds something.
        name: what it holds, for a person.
    """

    size: int
    first: int
    last: int
    name: str = SCRATCH


def planned_bytes(graph: Graph, scratch: Mapping[int, int] | None = None) -> int:
    """Bytes of the shared memory part of an arena.

    Args:
        graph: its activations are placed as they are stored, one batch.
        scratch: operator index -> bytes of scratch memory during that operator.
    """
    return max((place.end for place in planned(graph, scratch)), default=0)


def planned(graph: Graph, scratch: Mapping[int, int] | None = None) -> list[Place]:
    """Where everything lies in the shared memory part of an arena, the largest first.

    Args:
        graph: as ``planned_bytes``.
        scratch: as ``planned_bytes``.
    """
    needed = scratch or {}
    buffers = activations(graph) + [
        Buffer(aligned(size), index, index) for index, size in needed.items() if size
    ]
    timeline = Timeline(1 + max((buffer.last for buffer in buffers), default=0))
    places = []
    for size, first, last, name in sorted(buffers, key=lambda one: -one.size):
        offset = lowest_gap(timeline.in_use(first, last), size)
        timeline.use(first, last, offset, offset + size)
        places.append(Place(name, offset, size, first, last))
    return places


def compiled_bytes(model: TfliteModel) -> int:
    """Bytes of the shared memory part for a model whose compiler planned it, as those for NPUs do.

    Tensors that the plan leaves out, or all without a plan, are taken to need memory of their own.
    """
    offsets = _offline_plan(model)
    whole = beside = 0
    for tensor in model.main.tensors:
        if tensor.is_constant:
            continue
        size = aligned(tensor.elements * _itemsize(tensor.dtype))
        offset = offsets[tensor.index] if tensor.index < len(offsets) else -1
        if offset < 0:
            beside += size
        else:
            whole = max(whole, aligned(offset + size))
    return whole + beside


def _offline_plan(model: TfliteModel) -> list[int]:
    """Offsets by tensor of the first graph, -1 where there is none; empty without a plan."""
    root = schema.Model.GetRootAsModel(model.content, 0)
    for index in range(min(root.MetadataLength(), MOST_METADATA)):
        metadata = root.Metadata(index)
        if metadata.Name() != OFFLINE_PLAN or not 0 <= metadata.Buffer() < root.BuffersLength():
            continue
        buffer = root.Buffers(metadata.Buffer())
        words = np.frombuffer(buffer.DataAsNumpy().tobytes() if buffer.DataLength() else b"", "<i4")
        # A version, the number of graphs, the number of tensors, then their offsets.
        return [int(word) for word in words[3:]]
    return []


def activations(graph: Graph) -> list[Buffer]:
    """The computed tensors of a graph in order of their index, and when they are alive."""
    final = max(len(graph.operators) - 1, 0)
    first = dict.fromkeys(graph.inputs, 0)
    last = dict.fromkeys(graph.inputs, 0)
    for operator in graph.operators:
        for index in operator.inputs:
            if index != NO_TENSOR and index in first:
                last[index] = operator.index
        for index in operator.outputs:
            first.setdefault(index, operator.index)
            last[index] = operator.index
    last.update(dict.fromkeys(graph.outputs, final))
    return [
        Buffer(
            aligned(graph.tensors[index].elements * _itemsize(graph.tensors[index].dtype)),
            first[index],
            last[index],
            graph.tensors[index].label,
        )
        for index in sorted(first)
        if not graph.tensors[index].is_constant
    ]


def aligned(size: int) -> int:
    """A size as it counts in an arena: the next multiple of 16."""
    return round_up(size, ALIGNMENT)


def _itemsize(dtype: str) -> int:
    try:
        return np.dtype(dtype).itemsize
    except TypeError:
        return 1
