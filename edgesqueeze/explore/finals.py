"""Which trials are trained in full: chosen one after the other, as each tells what full training brings."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from edgesqueeze.explore.forecast import correction
from edgesqueeze.explore.wish import Wish, ranks
from edgesqueeze.report.front import FinalistRecord, Takes, TrialRecord, judged_by

MORE = 2
"""So many times the finalists that were asked for are trained while none of them keeps to the limits."""


def pick(
    trials: Sequence[TrialRecord],
    finalists: Sequence[FinalistRecord],
    begun: Collection[int],
    wish: Wish,
    baseline: Takes,
    *,
    measured: bool = False,
    below: float | None = None,
) -> TrialRecord | None:
    """The next trial to train in full; None where none is worth it.

    That is the best of those that should keep to the limits, when what is expected of them is corrected by
    what became of the finalists so far; while no finalist keeps to them, the nearest.

    Args:
        trials: all trials.
        finalists: those that are done.
        begun: numbers of those that are done or under way, or failed.
        wish: what the search is for.
        baseline: figures of the model that is only quantized.
        measured: rely on what trials showed after their short training, and expect nothing of a longer one.
        below: the score that it must be expected to be better than; None: none.
    """
    factor = correction(trials, finalists, wish.drop_unit)
    open_ = [one for one in trials if one.takes.accuracy_drop is not None and one.number not in begun]
    hoped = [one.takes if measured else _corrected(judged_by(one), factor) for one in open_]
    missed = [sum(wish.missed(takes).values()) for takes in hoped]
    order = ranks([wish.values(takes) for takes in hoped])
    keys = [
        (missed[i], order[i], wish.score(takes, baseline), open_[i].number) for i, takes in enumerate(hoped)
    ]
    if not keys:
        return None
    best = min(range(len(keys)), key=lambda i: keys[i])
    if below is not None and keys[best][2] >= below:
        return None
    succeeded = any(not one.missed for one in finalists)
    return None if missed[best] > 0 and succeeded else open_[best]


def best_of(finalists: Sequence[FinalistRecord]) -> FinalistRecord | None:
    """The finalist with the least score of those that keep to all limits."""
    good = [one for one in finalists if not one.missed]
    return min(good, key=lambda one: (one.score, one.number), default=None)


def ordered(finalists: Sequence[FinalistRecord]) -> tuple[FinalistRecord, ...]:
    """Finalists, the best first."""
    return tuple(sorted(finalists, key=lambda one: (bool(one.missed), one.score, one.number)))


def _corrected(takes: Takes, factor: float) -> Takes:
    drop = takes.accuracy_drop
    assert drop is not None
    return takes.model_copy(update={"accuracy_drop": drop * factor if drop > 0 else drop})
