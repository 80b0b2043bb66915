"""What a device is asked to run, and what it answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from edgesqueeze.devices.records import SustainedSecond


@dataclass(frozen=True, eq=False)
class Job:
    """One model, timed with one number of threads.

    Attributes:
        name: for messages.
        content: the .tflite.
        inputs: one array per graph input; None: random ones, made on the device from ``seed``.
        threads: of the runtime.
        warmup_runs: runs before the measured ones, at least ...
        warmup_seconds: ... and for so long, at least. Warming up ends after a second in any case.
        min_runs: measured runs, at least ...
        min_seconds: ... and for so long, at least.
        max_seconds: measuring ends here even so, though not before ``min(min_runs, 10)`` runs.
        sustain_seconds: then keep running for so long, and note each second how fast it still is.
        want_outputs: whether to send the outputs back.
        restart: whether the model is loaded once more for the last inference, which is compared with the
            first: what a model with state computes depends on all inferences before.
        fresh_process: whether the job gets a process of its own: then its peak of memory is known.
        seed: of random inputs.
        limit_seconds: what loading and everything else may take beyond ``max_seconds`` and
            ``sustain_seconds``; then the job is ended and failed.
    """

    name: str
    content: bytes
    inputs: Sequence[npt.NDArray[Any]] | None = None
    threads: int = 1
    warmup_runs: int = 5
    warmup_seconds: float = 0.0
    min_runs: int = 50
    min_seconds: float = 1.0
    max_seconds: float = 5.0
    sustain_seconds: float = 0.0
    want_outputs: bool = False
    restart: bool = False
    fresh_process: bool = False
    seed: int = 0
    limit_seconds: float = 300.0
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha256", hashlib.sha256(self.content).hexdigest())

    @property
    def time_limit(self) -> float:
        """Seconds after which the device gives the job up."""
        return self.limit_seconds + self.max_seconds + self.sustain_seconds


@dataclass(frozen=True, eq=False)
class JobResult:
    """What became of a job.

    Attributes:
        name: the job's.
        threads: the job's.
        load_ms: reading the model, and the allocation of its tensors.
        times_ms: every measured inference, in order.
        busy_seconds: warming up, measuring and the sustained run together.
        peak_rss_bytes: largest resident set of the job's own process, interpreter and runtime included;
            None without ``fresh_process``.
        outputs: of the first inference, one array per graph output; None unless they were asked for.
        steady: whether the last inference gave the same outputs; None unless they were asked for.
        runtime: ``ai-edge-litert``, ``tflite-runtime`` or ``tensorflow``.
        runtime_version: of it.
        notes: what the runtime said while it loaded the model: delegates, warnings.
        sustained: one entry per second.
        error: why there is no measurement, in one sentence; else empty.
    """

    name: str
    threads: int
    load_ms: float = 0.0
    times_ms: tuple[float, ...] = ()
    busy_seconds: float = 0.0
    peak_rss_bytes: int | None = None
    outputs: tuple[npt.NDArray[Any], ...] | None = None
    steady: bool | None = None
    runtime: str = ""
    runtime_version: str = ""
    notes: tuple[str, ...] = ()
    sustained: tuple[SustainedSecond, ...] = ()
    error: str = ""
