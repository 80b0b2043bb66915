"""The record behind ``edgesqueeze bench --ssh``: a model measured on a real device."""

from __future__ import annotations

from typing import Literal

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.records import Range, Record
from edgesqueeze.checks.records import LayerDifference
from edgesqueeze.devices.look import Device


class ThreadRun(Record):
    """Inferences with one number of threads, in a process of their own.

    Attributes:
        threads: of the runtime.
        runs: measured inferences.
        load_ms: reading the model, and the allocation of its tensors.
        median_ms: of an inference.
        mean_ms: of an inference.
        min_ms: of the fastest inference.
        p90_ms: 90 % of the inferences are not slower.
        p99_ms: 99 % of the inferences are not slower.
        peak_rss_bytes: largest resident set of the process, Python and the runtime included.
        speedup: by how much the median is better than that of the fewest threads.
    """

    threads: int
    runs: int
    load_ms: float
    median_ms: float
    mean_ms: float
    min_ms: float
    p90_ms: float
    p99_ms: float
    peak_rss_bytes: int | None
    speedup: float


class OutputCheck(Record):
    """Whether the device computed what LiteRT computes on this computer from the same input.

    Attributes:
        ok: False only if the outputs are wrong.
        compared: whether they could be compared.
        exact: whether every output of every number of threads is the very same; None if not compared.
        reference: what they were compared with, the nearer of two: ``litert``, with XNNPACK, or
            ``litert-reference``, the portable kernels. Empty if not compared.
        max_lsb: largest difference in steps of an integer output; None without one.
        mean_lsb: mean difference in steps; None without an integer output.
        max_relative: for float outputs, the largest difference over the reference's largest value.
        differing_share: share of output values that differ, 0 to 1.
        worst_layer: the operator that alone is off most, where operators had to be run alone.
        reason: why it is right, wrong or not compared, in one sentence.
    """

    ok: bool
    compared: bool
    exact: bool | None = None
    reference: Literal["litert", "litert-reference", ""] = ""
    max_lsb: float | None = None
    mean_lsb: float | None = None
    max_relative: float | None = None
    differing_share: float | None = None
    worst_layer: LayerDifference | None = None
    reason: str


class SustainedSecond(Record):
    """One second of a sustained run.

    Attributes:
        t_seconds: since the start.
        median_ms: of the inferences of that second.
        temperature_c: of the processor; None where it cannot be read.
        clock_mhz: of the fastest core; None where it cannot be read.
        throttled: whether the firmware holds the clock down; None where it does not say.
    """

    t_seconds: float
    median_ms: float
    temperature_c: float | None
    clock_mhz: float | None
    throttled: bool | None


class MeasuredMemory(Record):
    """Memory of a measured model.

    Attributes:
        flash_code_bytes: None: the runtime is a library of the system's.
        flash_model_bytes: the .tflite's size.
        ram_bytes: peak of the run with the fewest threads, ``peak_rss_bytes`` of ``ThreadRun``.
    """

    flash_code_bytes: int | None = None
    flash_model_bytes: int
    ram_bytes: int | None


class Measurement(Record):
    """How long a model takes on a device, measured there.

    Attributes:
        schema_version: of this record as JSON.
        model: the .tflite's name.
        sha256: of the .tflite.
        host: the device as it was typed; ``local`` for this computer.
        target: name of the profile, if one was given.
        runtime: ``ai-edge-litert``, ``tflite-runtime`` or ``tensorflow``.
        runtime_version: of it.
        method: ``measured``.
        device: what it is, as seen before measuring.
        latency_ms: of one inference with one thread (or the fewest that were asked for): the median, the
            fastest, and the 90th percentile.
        threads: the same by number of threads.
        outputs: whether they are right.
        sustained: second by second, if it was asked for.
        sustained_threads: with so many threads; None without a sustained run.
        memory: see there.
        layers: empty: the runtime does not time layers through its Python interface.
        runtime_notes: what the runtime said while it loaded the model, about delegates for example.
        findings: what a reader of the figures should know: the clock, the temperature, other load.
        overhead_seconds: connecting, looking, sending, loading and comparing: all but running.
    """

    schema_version: Literal[1] = 1
    model: str
    sha256: str
    host: str
    target: str = ""
    runtime: str
    runtime_version: str
    method: Literal["measured"] = "measured"
    device: Device
    latency_ms: Range
    threads: tuple[ThreadRun, ...]
    outputs: OutputCheck
    sustained: tuple[SustainedSecond, ...] = ()
    sustained_threads: int | None = None
    memory: MeasuredMemory
    layers: tuple[()] = ()
    runtime_notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    overhead_seconds: float


class Failure(Record):
    """A device on which nothing could be measured.

    Attributes:
        host: as it was typed.
        error: the error's class name.
        message: what is wrong and what to do.
        exit_code: 1 if the device failed, 2 if it could not be reached or was used wrongly.
    """

    host: str
    error: str
    message: str
    exit_code: int


class Boards(Record):
    """A model measured on several devices.

    Attributes:
        schema_version: of this record as JSON.
        method: ``measured``.
        boards: those that measured it, in the order in which they were named.
        failures: those that did not.
    """

    schema_version: Literal[1] = 1
    method: Literal["measured"] = "measured"
    boards: tuple[Measurement, ...]
    failures: tuple[Failure, ...] = ()
