"""Predicts the latency of LiteRT on a processor that runs an operating system, without the device.

Each operator takes what the target's costs say (``cost.py``). The target's profile says how far off totals
have been, by arithmetic, and how far off what calls take may be, which counts by its share. Single operators
are further off, since their errors partly cancel in the sum, and operators that the profile has no costs of
widen the bounds by their share.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from edgesqueeze.errors import TargetError, UsageError
from edgesqueeze.latency.cost import OperatorTime, interval_of, operator_times
from edgesqueeze.latency.records import Bounds, Estimate, bounds_around
from edgesqueeze.latency.work import Work
from edgesqueeze.target.latency import Interval, OperatorLatency
from edgesqueeze.target.records import Target

LAYER_RATIO = 2.5
"""Errors of one operator over those of a total, as logarithms. In fits to whole models, what is left open of
single costs is two to five times what is left open of the sum."""
LAYER_ERROR = math.log(1.6)
"""But no more than this beside the total's: what is wrong for a whole device moves all operators alike."""
UNKNOWN_ERROR = math.log(6)
"""Half width of the bounds on an operator whose kind or type has no costs of its own. Those that
were tried on x86-64 took a quarter (int8 weights with float32 activations) to nine times (TILE) the guess."""
NAMED = 0.01
"""Such operators are named in ``basis`` from this share of the latency on, together."""


def predict(works: Sequence[Work], target: Target, threads: int | None = None) -> Estimate:
    """The latency of one inference, in milliseconds.

    Args:
        works: work of a model's operators, in execution order.
        target: a target whose profile has a section ``[latency]`` for LiteRT.
        threads: number of threads that run the model; 1 by default.

    Raises:
        TargetError: the profile has no such section.
        UsageError: fewer than one thread, or more than the target has cores.
    """
    latency = _latency(target)
    count = _threads(threads, target)
    times = operator_times(works, latency, count)
    total = latency.invoke_us / 1000 + sum(time.ms for time in times)
    whole = total or 1.0
    unknown = sum(time.ms for time in times if not time.known) / whole
    intervals = [_interval(work, time, latency) for work, time in zip(works, times, strict=True)]
    shares = [time.ms / whole for time in times]
    return Estimate(
        total=_bounds(total, _mean(intervals, shares, latency.interval), unknown * UNKNOWN_ERROR),
        layers=tuple(_layer(time, interval) for time, interval in zip(times, intervals, strict=True)),
        runtime=latency.runtime,
        runtime_version=latency.version,
        threads=count,
        basis=(latency.basis, *_scaling(latency, count), *_guessed(works, times, unknown)),
    )


def _latency(target: Target) -> OperatorLatency:
    if not isinstance(target.latency, OperatorLatency):
        raise TargetError(
            f"the profile of {target.name} does not say how fast LiteRT is",
            expected='a section [latency] with runtime = "litert"',
            hint="measure it on a device of your own: `edgesqueeze calibrate` writes the section",
        )
    return target.latency


def _threads(threads: int | None, target: Target) -> int:
    count = 1 if threads is None else threads
    if not 1 <= count <= target.cpu.cores:
        raise UsageError(
            f"{target.name} cannot run {count} threads at once",
            expected=f"1 to {target.cpu.cores} threads, one for each core",
            got=str(count),
            hint="ask for fewer threads",
        )
    return count


def _interval(work: Work, time: OperatorTime, latency: OperatorLatency) -> Interval:
    """Of one operator: that of its arithmetic, and that of calls by their share."""
    own = interval_of(work, latency)
    called = latency.call_interval or own
    share = time.call_ms / time.ms if time.ms else 0.0
    return _mean((called, own), (share, 1 - share), own)


def _mean(intervals: Sequence[Interval], shares: Sequence[float], rest: Interval) -> Interval:
    """The geometric mean of intervals by shares of the latency; ``rest`` has what is left of it."""
    listed = (*zip(intervals, shares, strict=True), (rest, 1 - sum(shares)))
    return Interval(
        low=min(1.0, math.exp(sum(share * math.log(one.low) for one, share in listed))),
        high=max(1.0, math.exp(sum(share * math.log(one.high) for one, share in listed))),
    )


def _layer(time: OperatorTime, interval: Interval) -> Bounds:
    widest = max(-math.log(interval.low), math.log(interval.high))
    error = 0.0 if time.known else UNKNOWN_ERROR
    return _bounds(time.ms, interval, math.hypot(min(LAYER_RATIO * widest, LAYER_ERROR), error))


def _bounds(estimate: float, interval: Interval, more: float) -> Bounds:
    return bounds_around(estimate, math.log(interval.low), math.log(interval.high), more)


def _scaling(latency: OperatorLatency, threads: int) -> Iterable[str]:
    known = len(latency.speedup)
    if threads > known:
        yield (
            f"How {threads} threads scale is not known: the latency is that of "
            f"{known} thread{'s' if known > 1 else ''}."
        )


def _guessed(works: Sequence[Work], times: Sequence[OperatorTime], share: float) -> Iterable[str]:
    kinds = dict.fromkeys(
        f"{work.opcode} in {work.arithmetic}"
        for work, time in zip(works, times, strict=True)
        if not time.known
    )
    if share >= NAMED:
        yield (
            f"{share:.0%} of the latency is guessed from operators of another kind or type, since the "
            f"profile has no costs of these: {', '.join(kinds)}."
        )
