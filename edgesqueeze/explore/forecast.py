"""What a short training tells of a full one: what is lost falls as the steps grow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from edgesqueeze.report.front import FinalistRecord, TrialRecord

BEND = 300
"""Training steps from which on the accuracy drop falls about as fast as the steps grow.

A DS-CNN on Fashion-MNIST lost 27.3 points after 100 steps with all passes, 11.2 after 900 and 0.9 after
11,250; with half of its work 6.2, 2.9 and, after 5,600, 0.4. This expects 0.95 and 1.16 points of the former,
0.42 and 0.58 of the latter.
"""
FIRST_GUESS = 1.3
"""By what to multiply what is expected while no finalist tells more.

A training that goes on while it helps often stops before its most steps: a DS-CNN with half of its work and
16 values, of which 0.8 points were expected, lost 1.02.
"""
FLOOR = 0.1
"""A drop below this share of the limit is noise: the ratio of two such tells nothing."""
MOST = 5.0
"""By how many times finalists correct what is expected of trials, at most, up or down."""


def expected_drop(drop: float | None, steps: int, most_steps: int) -> float | None:
    """The accuracy drop that is expected after a full training, in the unit of ``drop``.

    Args:
        drop: that after a short one; None where it is not known.
        steps: training steps of the short one; 0 where nothing is trained.
        most_steps: those of a full one.
    """
    if drop is None or drop <= 0 or not 0 < steps < most_steps:
        return drop
    return drop * (steps + BEND) / (most_steps + BEND)


def correction(trials: Sequence[TrialRecord], finalists: Sequence[FinalistRecord], unit: float) -> float:
    """By what to multiply what is expected of trials, as the finalists showed.

    Args:
        trials: all trials.
        finalists: those of them that were trained in full.
        unit: what a drop is a share of.
    """
    hoped = {one.number: one.expected_drop for one in trials}
    pairs = [(hoped.get(one.number), one.takes.accuracy_drop) for one in finalists]
    logs = [
        math.log(max(found, FLOOR * unit) / max(wanted, FLOOR * unit))
        for wanted, found in pairs
        if wanted is not None and found is not None and max(wanted, found) > FLOOR * unit
    ]
    return min(MOST, max(1 / MOST, math.exp(fmean(logs)))) if logs else FIRST_GUESS
