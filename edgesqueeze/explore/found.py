"""What a search found, put together."""

from __future__ import annotations

from edgesqueeze.explore.finals import best_of
from edgesqueeze.explore.hunt import Hunt
from edgesqueeze.explore.tasks import Order
from edgesqueeze.explore.verdict import reason_of
from edgesqueeze.report.front import Front


def front_of(hunt: Hunt, order: Order, model_sha256: str) -> Front:
    """Everything that a search did and found.

    Args:
        hunt: the search, which is over.
        order: what it worked on.
        model_sha256: what the model is known by.
    """
    facts, wish = hunt.crew.facts, hunt.board.wish
    trials, finalists = hunt.trials, hunt.finalists
    best = best_of(finalists)
    return Front(
        ok=best is not None,
        model=facts.model,
        model_sha256=model_sha256,
        target=order.target.name,
        runtime=order.target.runtime.name,
        data=facts.data,
        seed=order.recipe.seed,
        objectives=wish.objectives,
        limits=wish.limits,
        accuracy=facts.accuracy,
        baseline=hunt.seen.baseline,
        left_out=dict(hunt.left_out),
        layers=hunt.seen.layers,
        trials=tuple(trials),
        finalists=tuple(finalists),
        failed={str(number): why for number, why in hunt.failed.items()},
        best=None if best is None else best.number,
        reason=reason_of(trials, finalists, wish, facts.accuracy.unit, complete=hunt.complete),
        complete=hunt.complete,
        seconds=round(hunt.seconds, 3),
        environment=dict(facts.environment),
    )
