"""What devices measured, made up, for tests."""

from __future__ import annotations

from typing import Any

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.records import Range
from edgesqueeze.devices.records import Failure, MeasuredMemory, Measurement, OutputCheck, ThreadRun
from runtime_tests.support.devices import BOARD

RIGHT = OutputCheck(
    ok=True, compared=True, exact=True, reference="litert", reason="the very outputs of LiteRT"
)
WRONG = OutputCheck(ok=False, compared=True, exact=False, reference="litert", reason="off by 90 steps")


def run(threads: int, ms: float) -> ThreadRun:
    """Inferences of about so many milliseconds."""
    return ThreadRun(
        threads=threads,
        runs=1234,
        load_ms=7.0,
        median_ms=ms,
        mean_ms=ms,
        min_ms=ms * 0.9,
        p90_ms=ms * 1.1,
        p99_ms=ms * 1.5,
        peak_rss_bytes=50 * 2**20,
        speedup=4.0 / ms,
    )


def measured(host: str, **changes: Any) -> Measurement:
    """A Raspberry Pi's measurement."""
    record = Measurement(
        model="tiny",
        sha256="0" * 64,
        host=host,
        runtime="ai-edge-litert",
        runtime_version="2.1.0",
        device=BOARD,
        latency_ms=Range(estimate=4.0, low=3.6, high=4.4),
        threads=(run(1, 4.0), run(2, 2.0)),
        outputs=RIGHT,
        memory=MeasuredMemory(flash_model_bytes=1000, ram_bytes=50 * 2**20),
        findings=(
            Finding(code="governor", subject="clock", message="the governor is ondemand", severity="note"),
        ),
        overhead_seconds=1.5,
    )
    return record.model_copy(update=changes)


LOST = Failure(host="zero", error="DeviceError", message="the connection to zero was lost", exit_code=1)
FAILED = Finding(code="failed", subject="2 threads", message="killed by SIGSEGV", severity="error")
UNKNOWN = Failure(host="zero", error="ConnectError", message="there is no host zero", exit_code=2)
