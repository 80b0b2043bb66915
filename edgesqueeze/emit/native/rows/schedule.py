"""How much memory a chain of layers needs: what ``es_rows_goals`` and ``es_rows_take`` do, step by step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgesqueeze.emit.native.overlap import stream_distance
from edgesqueeze.emit.native.rows.stages import Chain


@dataclass(frozen=True)
class Schedule:
    """What a chain needs.

    Attributes:
        held: of every tensor between the layers the most rows that are in memory at one time.
        distance: bytes that the chain's input must lie behind its output's start for the two to share memory.
    """

    held: tuple[int, ...]
    distance: int


def schedule_of(chain: Chain) -> Schedule:
    """Go through all turns of a chain."""
    stages = chain.stages
    last = len(stages) - 1
    first, end = [0] * len(stages), [0] * len(stages)  # of every output: the rows that are in memory
    held = [0] * last
    read, written = [], []
    while end[last] < stages[last].out_height:
        read.append(max(0, end[0] * stages[0].stride - stages[0].pad) * stages[0].in_row)
        written.append(end[last] * stages[last].out_row)
        for index, goal in enumerate(_goals(chain, end)):
            if goal == end[index]:
                continue
            if index < last:
                after = stages[index + 1]
                first[index] = max(first[index], min(end[index + 1] * after.stride - after.pad, end[index]))
                held[index] = max(held[index], goal - first[index])
            end[index] = goal
    return Schedule(tuple(held), stream_distance(np.array(read), np.array(written)))


def _goals(chain: Chain, end: list[int]) -> list[int]:
    """How many rows of every output must have been made after the next turn."""
    stages = chain.stages
    goals = [min(end[-1] + chain.rows, stages[-1].out_height)]
    for index in range(len(stages) - 1, 0, -1):
        goals.insert(0, max(stages[index].reads(goals[0]), end[index - 1]))
    return goals
