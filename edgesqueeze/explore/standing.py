"""How a search stands, for who watches it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgesqueeze.report.front import FinalistRecord, TrialRecord


@dataclass(frozen=True)
class Standing:
    """How far a search is.

    Attributes:
        phase: what is going on, in a few words.
        done: trials that are over.
        most: trials in all; None: as many as the time allows.
        running: tasks that run.
        finalists: finalists that are done, the best first.
        front: trials that keep to all limits, and that no other such trial dominates; the best first.
        seconds: time since the search began, in seconds.
        left: time that is left by what trials took so far, in seconds; None: not known.
    """

    phase: str
    done: int
    most: int | None
    running: int
    finalists: Sequence[FinalistRecord]
    front: Sequence[TrialRecord]
    seconds: float
    left: float | None


Watch = Callable[[Standing], None]
"""Called whenever something is done."""
