"""Which trials are trained in full: chosen one after the other, as each tells what full training brings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from statistics import fmean

from edgesqueeze.explore.wish import Wish, ranks
from edgesqueeze.report.front import FinalistRecord, Takes, TrialRecord

MORE = 2
"""So many times the finalists that were asked for are trained while none of them keeps to the limits."""


def pick(
    trials: Sequence[TrialRecord],
    finalists: Sequence[FinalistRecord],
    begun: Collection[int],
    wish: Wish,
    baseline: Takes,
) -> TrialRecord | None:
    """The next trial to train in full; None where none is worth it.

    That is the best of those that should keep to the limits, when their accuracy is corrected by what full
    training brought the finalists so far; while no finalist keeps to them, the nearest.

    Args:
        trials: all trials.
        finalists: those that are done.
        begun: numbers of those that are done or under way, or failed.
        wish: what the search is for.
        baseline: figures of the model that is only quantized.
    """
    gain = _gain(trials, finalists)
    open_ = [one for one in trials if one.takes.accuracy_drop is not None and one.number not in begun]
    expected = [_expected(one.takes, gain) for one in open_]
    missed = [sum(wish.missed(takes).values()) for takes in expected]
    order = ranks([wish.values(takes) for takes in expected])
    keys = [
        (missed[i], order[i], wish.score(takes, baseline), open_[i].number)
        for i, takes in enumerate(expected)
    ]
    if not keys:
        return None
    best = min(range(len(keys)), key=lambda i: keys[i])
    succeeded = any(not one.missed for one in finalists)
    return None if missed[best] > 0 and succeeded else open_[best]


def best_of(finalists: Sequence[FinalistRecord]) -> FinalistRecord | None:
    """The finalist with the least score of those that keep to all limits."""
    good = [one for one in finalists if not one.missed]
    return min(good, key=lambda one: (one.score, one.number), default=None)


def ordered(finalists: Sequence[FinalistRecord]) -> tuple[FinalistRecord, ...]:
    """Finalists, the best first."""
    return tuple(sorted(finalists, key=lambda one: (bool(one.missed), one.score, one.number)))


def _gain(trials: Sequence[TrialRecord], finalists: Sequence[FinalistRecord]) -> float:
    """What full training gives back of the accuracy, in the mean of the finalists; 0 without any."""
    short = {one.number: one.takes.accuracy_drop for one in trials}
    gains = [
        before - one.takes.accuracy_drop
        for one in finalists
        if (before := short.get(one.number)) is not None and one.takes.accuracy_drop is not None
    ]
    return fmean(gains) if gains else 0.0


def _expected(takes: Takes, gain: float) -> Takes:
    assert takes.accuracy_drop is not None
    return takes.model_copy(update={"accuracy_drop": takes.accuracy_drop - gain})
