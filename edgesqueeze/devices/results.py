"""What became of a job, from what the agent answered: read as untrusted data."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from edgesqueeze.base.npy import array_of
from edgesqueeze.devices.faults import clean
from edgesqueeze.devices.jobs import Job, JobResult
from edgesqueeze.devices.records import SustainedSecond

MOST_MS = 1e9
"""Eleven days: what takes longer was not measured."""
MOST_NOTES = 20


def result_of(job: Job, told: Mapping[str, Any]) -> JobResult:
    """The record for what the agent answered.

    Raises:
        ValueError, TypeError, LookupError, AttributeError, OverflowError, MemoryError: it makes no sense.
    """
    outputs, steady, peak = told.get("outputs"), told.get("steady"), told.get("peak_rss_bytes")
    error = clean(str(told["error"]))
    times = tuple(map(_ms, told.get("times_ns", ())))
    if not (times or error):
        raise ValueError("expected times, got none")
    if job.want_outputs and outputs is None and not error:
        raise ValueError("expected outputs, got none")
    return JobResult(
        name=job.name,
        threads=job.threads,
        load_ms=0.0 if error else _ms(told["load_ns"]),
        times_ms=times,
        busy_seconds=0.0 if error else _ms(told["busy_ns"]) / 1e3,
        peak_rss_bytes=None if peak is None else int(peak),
        outputs=None if outputs is None else tuple(map(_unpacked, outputs)),
        steady=None if steady is None else bool(steady),
        runtime=clean(str(told.get("runtime", ""))),
        runtime_version=clean(str(told.get("runtime_version", ""))),
        notes=tuple(clean(str(note)) for note in list(told.get("notes", ()))[:MOST_NOTES]),
        sustained=tuple(_second(row) for row in told.get("sustained", ())),
        error=error,
    )


def _ms(ns: Any) -> float:
    value = float(ns) / 1e6
    if not 0 < value < MOST_MS:
        raise ValueError(f"expected a time above 0 and below {MOST_MS:g} ms, got {value:g} ms")
    return value


def _unpacked(text: str) -> npt.NDArray[Any]:
    return array_of(base64.b64decode(text))


def _second(row: Sequence[Any]) -> SustainedSecond:
    t, median, temperature, clock, throttled = row
    return SustainedSecond(
        t_seconds=round(float(t), 3),
        median_ms=_ms(median),
        temperature_c=_finite(temperature),
        clock_mhz=_finite(clock),
        throttled=None if throttled is None else bool(throttled),
    )


def _finite(number: Any) -> float | None:
    if number is None:
        return None
    if not math.isfinite(float(number)):
        raise ValueError(f"expected a finite number, got {number}")
    return float(number)
