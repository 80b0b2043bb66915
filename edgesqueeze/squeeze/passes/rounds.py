"""How long a stage is trained, and at what rate: plain arithmetic, with no model in it.

A stage is trained in rounds. In each the learning rate rises to its highest value and falls to 0 along a
cosine (Loshchilov and Hutter, 2017, arXiv:1608.03983), so that whatever round is the last, the model is one
that a schedule of this length would have made. Every round is twice as long as the one before, until one
brings too little, or the steps are used up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

WARM_UP_SHARE = 0.05
"""Share of a round over which the learning rate rises, so that fresh optimizer state does no harm."""
FIRST_STEPS = 600
"""Training steps of the first rounds of all stages together."""
MOST_STEPS = 6000
"""Training steps of all stages together, at most, where the recipe does not say how many epochs."""
MOST_MACS = 4 * 10**12
"""Multiply-accumulates of the model in all these steps, at most: some minutes on two cores."""
LEAST_STEPS = 100
"""Training steps of all stages together that also the largest model may have."""
GROWTH = 2
"""How much longer a round is than the one before."""
WORTH_IT = 0.1
"""Part of the held-out loss that a round must take away for another one to follow."""
NOTHING_LEFT = 1e-3
"""A held-out loss above the teacher's own that is as good as none: nats, or shares of the variance."""
LOOKS = 8
"""How often a round looks at the held-out loss: at its end, and before it in its second half."""


@dataclass(frozen=True)
class Round:
    """One rise and fall of the learning rate.

    Attributes:
        steps: optimizer steps.
        looks: after which of them the held-out loss is looked at, ascending; the last is the last step.
    """

    steps: int
    looks: tuple[int, ...]

    def rate(self, step: int) -> float:
        """Part of the highest learning rate that a step has, counted from 1; above 0, 1 at most."""
        warm_up = max(1, int(self.steps * WARM_UP_SHARE))
        if step <= warm_up:
            return 0.1 + 0.9 * (step - 1) / warm_up
        return 0.5 * (1 + math.cos(math.pi * (step - 1 - warm_up) / max(1, self.steps - warm_up)))


def open_steps(batch_macs: int) -> tuple[int, int]:
    """Training steps of all stages together where the recipe does not say how many: the first, and the most.

    Args:
        batch_macs: multiply-accumulates of the model for one batch.
    """
    most = min(MOST_STEPS, max(LEAST_STEPS, MOST_MACS // max(1, batch_macs)))
    return min(FIRST_STEPS, most), most


def round_of(steps: int, whole_from: int = 0) -> Round:
    """A round of so many steps.

    Args:
        steps: optimizer steps, 1 or more.
        whole_from: steps after which the model is what was asked for, ``steps`` at most; there is no look
            before.
    """
    first = max(1, steps // 2, whole_from)
    apart = max(1, (steps - first) // (LOOKS - 1))
    looks = range(steps, first - 1, -apart)
    return Round(steps, tuple(sorted(looks)))


def next_steps(rounds: list[int], left: int) -> int:
    """Steps of the round after these; 0 where what is left is not worth a round.

    Args:
        rounds: steps of the rounds so far.
        left: steps that the stage may still take.
    """
    wanted = rounds[-1] * GROWTH
    if wanted <= left:
        return wanted
    return left if left >= rounds[-1] else 0


def goes_on(before: float, after: float) -> bool:
    """Whether a round took enough of the held-out loss away for another to follow.

    Args:
        before: the held-out loss above the teacher's own before the round.
        after: the same after it.
    """
    return after > NOTHING_LEFT and after < (1 - WORTH_IT) * before
