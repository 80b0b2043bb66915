"""What a latency predictor takes and gives."""

from __future__ import annotations

import math
from typing import NamedTuple

CONFIDENCE = 0.9
"""The share of measured latencies that lie between ``Bounds.low`` and ``Bounds.high``."""


class Bounds(NamedTuple):
    """A latency in milliseconds.

    Attributes:
        low: a twentieth of the measured latencies is below.
        estimate: half of them are below.
        high: a twentieth is above.
    """

    low: float
    estimate: float
    high: float


def bounds_around(estimate: float, low: float, high: float, more: float) -> Bounds:
    """Bounds from an interval and an independent error, all but the estimate as logarithms of factors."""
    return Bounds(
        estimate * math.exp(-math.hypot(low, more)), estimate, estimate * math.exp(math.hypot(high, more))
    )


class Estimate(NamedTuple):
    """The predicted latency of one inference.

    Attributes:
        total: latency of the whole model.
        layers: latency of each operator, in the order of the graph. Their bounds are wider than the total's.
        runtime: what runs it: a name of ``runtimes.RUNTIMES``.
        runtime_version: version, build and kernels of the runtime that the figures are for.
        threads: number of threads that run it.
        basis: what the figures rest on and how far off they have been, one sentence each.
    """

    total: Bounds
    layers: tuple[Bounds, ...]
    runtime: str
    runtime_version: str
    threads: int
    basis: tuple[str, ...]
