"""Successive halving: short trainings first, and only the best go on to longer ones.

Asynchronous, as in ASHA (Li et al., 2020, arXiv:1810.05934), with each decision final: a trial goes on if it
is among the best third of those that came as far by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from edgesqueeze.explore.wish import ranks

FACTOR = 3
"""How much longer a round of trials is than the one before, and of how many trials one goes on."""
ROUNDS = 3
TOP_STEPS = 900
"""Training steps of a trial in the last round."""
LEAST_STEPS = 20
"""A round of fewer steps says nothing."""
HOPELESS = 3.0
"""By how many times its limit the accuracy may be expected to be missed; more is not made up for."""


class Shown(NamedTuple):
    """What is expected of a trial after a round.

    Attributes:
        excess: by how much the limit on the accuracy drop is missed then, as a share of it; 0 where it is
            kept.
        values: the objectives' values.
        score: the sum that the best model has the least of; see ``wish.Wish.score``.
    """

    excess: float
    values: tuple[float, ...]
    score: float


def steps_of_rounds(most: int) -> tuple[int, ...]:
    """Training steps of each round, the last one first reached by the best.

    Args:
        most: steps that a full training has at most.
    """
    top = min(most, TOP_STEPS)
    steps = [top // FACTOR**before for before in reversed(range(ROUNDS))]
    return (*(count for count in steps[:-1] if count >= LEAST_STEPS), top)


def goes_on(own: Shown, others: Sequence[Shown]) -> bool:
    """Whether a trial is among the best third of those that came as far.

    Args:
        own: what the trial showed.
        others: what all others showed after the same round.
    """
    rows = [*others, own]
    hopeful = [row.excess <= HOPELESS for row in rows]
    order = ranks([(row.excess, *row.values) for row in rows])
    keys = [
        (not hope, rank, row.score + row.excess / FACTOR)
        for hope, rank, row in zip(hopeful, order, rows, strict=True)
    ]
    better = sum(key < keys[-1] for key in keys[:-1])
    return hopeful[-1] and better < -(-len(rows) // FACTOR)
