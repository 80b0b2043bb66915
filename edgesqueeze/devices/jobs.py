"""What a device is asked to run, and what it answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy.typing as npt

from edgesqueeze.devices.look import Device
from edgesqueeze.devices.records import SustainedSecond


@dataclass(frozen=True, eq=False)
class Job:
    """One model, timed with one number of threads.

    Attributes:
        name: name of the model, for messages.
        content: content of the .tflite file.
        inputs: one array per graph input; None: random ones, made on the device from ``seed``.
        threads: number of threads of the runtime.
        warmup_runs: least number of inferences before the measured ones.
        warmup_seconds: least time to warm up, in seconds. Warming up ends after a second in any case.
        min_runs: least number of measured inferences.
        min_seconds: least time to measure, in seconds.
        max_seconds: time after which measuring ends even so, in seconds, though not before ``min(min_runs,
            10)`` inferences.
        sustain_seconds: time to keep running after that, in seconds; each second is noted how fast it still
            is.
        want_outputs: whether to send the outputs back.
        restart: whether the model is loaded once more for the last inference, which is compared with the
            first: what a model with state computes depends on all inferences before.
        fresh_process: whether the job gets a process of its own: then its peak of memory is known.
        seed: seed of random inputs.
        limit_seconds: time that loading and everything else may take beyond ``max_seconds`` and
            ``sustain_seconds``, in seconds; then the job is ended and failed.
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
        name: name of the job's model.
        threads: number of threads of the job.
        load_ms: time to read the model and allocate its tensors, in milliseconds.
        times_ms: time of every measured inference in order, in milliseconds.
        first_ms: time of the very first inference, in milliseconds; None where it was not noted.
        busy_seconds: time of warming up, measuring and the sustained run together, in seconds.
        peak_rss_bytes: largest resident set of the job's own process, interpreter and runtime included, in
            bytes; None without ``fresh_process``.
        outputs: outputs of the first inference, one array per graph output; None unless they were asked for.
        steady: whether the last inference gave the same outputs; None unless they were asked for.
        runtime: ``ai-edge-litert``, ``tflite-runtime`` or ``tensorflow``.
        runtime_version: version of the runtime.
        notes: what the runtime said while it loaded the model: delegates, warnings.
        sustained: figures of each second of the sustained run.
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
    first_ms: float | None = None
    error: str = ""


class Ready(Protocol):
    """A device that is ready to run jobs: a ``Session``, or a page in a browser.

    Attributes:
        name: what to call it.
        device: what the device is.
        ready_seconds: time until the device could take jobs, in seconds.
    """

    name: str
    device: Device
    ready_seconds: float

    def look(self) -> Device:
        """What the device is, as it is now."""

    def run(self, jobs: Sequence[Job]) -> list[JobResult]:
        """Run jobs one after the other; one that fails has its ``error``."""
