"""What a reader of measured figures should know, as findings."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from edgesqueeze.base.findings import Finding, Severity
from edgesqueeze.devices.jobs import JobResult
from edgesqueeze.devices.look import Device
from edgesqueeze.devices.records import SustainedSecond, ThreadRun

BUSY_CORES = 0.3
"""From so many cores on, others take part of the processor. It is counted in ticks of a hundredth of a second
over ten of them, so that one or two say little."""
WIDE_SPREAD = 1.25
"""90th percentile over median; undisturbed, it stays below 1.05."""
NO_LAYERS = "the runtime's interface does not time layers; --layers measures them by models that end earlier"
DRIFT = 1.1
"""Last over first seconds of a sustained run."""


def findings_of(
    before: Device,
    after: Device,
    runs: Sequence[ThreadRun],
    results: Sequence[JobResult],
    sustained: Sequence[SustainedSecond],
    min_runs: int,
    has_layers: bool = False,
) -> tuple[Finding, ...]:
    """Everything worth knowing about a measurement.

    Args:
        before: the device before measuring.
        after: the device after measuring.
        runs: statistics of the jobs that worked.
        results: all jobs.
        sustained: seconds of the sustained run; may be empty.
        min_runs: how many inferences were asked for.
        has_layers: whether layers were measured too.
    """
    return (
        *_of_device(before, after),
        *_of_runs(runs, min_runs),
        *_of_results(results),
        *_of_drift(sustained),
        *(() if has_layers else (_finding("no-layers", "layers", NO_LAYERS),)),
    )


def _of_device(before: Device, after: Device) -> Iterator[Finding]:
    for clock in before.clocks:
        subject = f"cores {clock.cpus}"
        if clock.governor not in (None, "performance"):
            yield _finding(
                "governor",
                subject,
                f"the governor is {clock.governor}: the clock follows the load and may lag",
            )
        if clock.limit_mhz and clock.max_mhz and clock.limit_mhz < clock.max_mhz:
            yield _finding(
                "clock-limited",
                subject,
                f"the clock is limited to {clock.limit_mhz:g} of {clock.max_mhz:g} MHz",
                "warning",
            )
    if after.throttling and after.throttling.now:
        yield _finding("throttled", "clock", f"now: {', '.join(after.throttling.now)}", "warning")
    elif after.throttling and after.throttling.since_boot:
        held = ", ".join(after.throttling.since_boot)
        yield _finding("was-throttled", "clock", f"since the device was switched on: {held}")
    for when, seen in (("before", before), ("after", after)):
        if seen.busy_cores is not None and seen.busy_cores > BUSY_CORES:
            yield _finding(
                "other-load",
                "processor",
                f"other programs kept {seen.busy_cores:.1f} of {seen.cores} cores busy just {when}",
                "warning",
            )
            break
    if before.bits == 32 and before.architecture in ("aarch64", "x86_64"):
        yield _finding(
            "32-bit",
            "Python",
            f"a 32-bit Python on {before.architecture}: a 64-bit system is faster",
            "warning",
        )


def _of_runs(runs: Sequence[ThreadRun], min_runs: int) -> Iterator[Finding]:
    for run in runs:
        subject = _threads(run.threads)
        if run.p90_ms > WIDE_SPREAD * run.median_ms:
            ratio = run.p90_ms / run.median_ms
            yield _finding(
                "spread",
                subject,
                f"the 90th percentile is {ratio:.2f} times the median: it is disturbed",
                "warning",
            )
        if run.runs < min_runs:
            yield _finding("few-runs", subject, f"{run.runs} inferences only: the time was over")


def _of_results(results: Sequence[JobResult]) -> Iterator[Finding]:
    for result in results:
        if result.error:
            yield _finding("failed", _threads(result.threads), result.error, "error")
        if result.steady is False:
            yield _finding(
                "unsteady-outputs",
                _threads(result.threads),
                "the last inference gave other outputs than the first, for the same input",
                "warning",
            )


def drift(sustained: Sequence[SustainedSecond]) -> float:
    """How many times as long an inference takes at the end as at first: medians of up to five seconds."""
    count = min(5, len(sustained) // 2)
    if not count:
        return 1.0
    times = [second.median_ms for second in sustained]
    return statistics.median(times[-count:]) / statistics.median(times[:count])


def _of_drift(sustained: Sequence[SustainedSecond]) -> Iterator[Finding]:
    ratio = drift(sustained)
    if ratio > DRIFT:
        yield _finding(
            "slows-down",
            "sustained",
            f"after {sustained[-1].t_seconds:.0f} s it takes {ratio:.2f} times as long",
            "warning",
        )
    if any(second.throttled for second in sustained):
        yield _finding("throttles", "sustained", "the firmware held the clock down meanwhile", "warning")


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _finding(code: str, subject: str, message: str, severity: Severity = "note") -> Finding:
    return Finding(code=code, subject=subject, message=message, severity=severity)
