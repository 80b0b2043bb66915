"""How much memory a chain of layers needs: what ``es_rows_goals`` and ``es_rows_take`` do, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from edgesqueeze.emit.native.overlap import stream_distance
from edgesqueeze.emit.native.rows.stages import Chain


@dataclass(frozen=True)
class Schedule:
    """What a chain needs.

    Attributes:
        held: of every tensor between the layers the most rows that are in memory at one time.
        distances: tensor that the chain reads whole -> bytes that it must lie behind the output's start for
            the two to share memory.
    """

    held: tuple[int, ...]
    distances: Mapping[int, int]


def schedule_of(chain: Chain) -> Schedule:
    """Go through all turns of a chain."""
    stages = chain.stages
    last = len(stages) - 1
    first, end = [0] * len(stages), [0] * len(stages)  # of every output: the rows that are in memory
    held = [0] * last
    read: dict[int, list[int]] = {}  # tensor that is whole -> per turn the lowest byte that is read
    written = []
    while end[last] < stages[last].out_height:
        for tensor, byte in _reads(chain, end).items():
            read.setdefault(tensor, []).append(byte)
        written.append(end[last] * stages[last].out_row)
        for index, goal in enumerate(_goals(chain, end)):
            if goal == end[index]:
                continue
            if index < last:
                after = stages[index + 1]
                first[index] = max(first[index], min(end[index + 1] * after.stride - after.pad, end[index]))
                held[index] = max(held[index], goal - first[index])
            end[index] = goal
    distances = {tensor: stream_distance(np.array(one), np.array(written)) for tensor, one in read.items()}
    return Schedule(tuple(held), MappingProxyType(distances))


def _reads(chain: Chain, end: list[int]) -> dict[int, int]:
    """Of every tensor that the chain reads whole the lowest byte that the next turn reads."""
    first = chain.stages[0]
    found = {first.source: max(0, end[0] * first.stride - first.pad) * first.in_row}
    for stage, made in zip(chain.stages, end, strict=True):
        if stage.other is not None:
            byte = made * stage.in_row
            found[stage.other] = min(found.get(stage.other, byte), byte)
    return found


def _goals(chain: Chain, end: list[int]) -> list[int]:
    """How many rows of every output must have been made after the next turn."""
    stages = chain.stages
    goals = [min(end[-1] + chain.rows, stages[-1].out_height)]
    for index in range(len(stages) - 1, 0, -1):
        goals.insert(0, max(stages[index].reads(goals[0]), end[index - 1]))
    return goals
