"""The document of a model that was measured on a real device, or on several."""

from __future__ import annotations

from typing import Literal

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.records import Range, Record
from edgesqueeze.checks.records import LayerDifference
from edgesqueeze.devices.look import Device
from edgesqueeze.latency.document import LayerHead, MemoryHead, TimingHead
from edgesqueeze.latency.prediction import Prediction


class ThreadRun(Record):
    """Inferences with one number of threads, in a process of their own.

    Attributes:
        threads: number of threads of the runtime.
        runs: number of measured inferences.
        load_ms: time to read the model and allocate its tensors, in milliseconds.
        median_ms: median time of one inference, in milliseconds.
        mean_ms: mean time of one inference, in milliseconds.
        min_ms: time of the fastest inference, in milliseconds.
        p90_ms: time that 90 % of the inferences do not exceed, in milliseconds.
        p99_ms: time that 99 % of the inferences do not exceed, in milliseconds.
        peak_rss_bytes: largest resident set of the process, Python and the runtime included, in bytes; null
            where it is not known.
        speedup: median time with the fewest threads over the median time with these.
        first_ms: time of the first inference after loading, in milliseconds; null where it was not noted.
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
    first_ms: float | None = None


class OutputCheck(Record):
    """Whether the device computed what LiteRT computes on this computer from the same input.

    Attributes:
        ok: false only if the outputs are wrong.
        compared: whether the outputs could be compared.
        exact: whether every output of every number of threads is the very same; null if not compared.
        reference: what they were compared with, the nearer of two: ``litert``, with XNNPACK, or
            ``litert-reference``, the portable kernels. Empty if not compared.
        max_lsb: largest difference in steps of an integer output; null without one.
        mean_lsb: mean difference in steps of integer outputs; null without one.
        max_relative: largest difference of float outputs over the reference's largest; null without one.
        differing_share: share of output values that differ, 0 to 1; null if not compared.
        worst_layer: operator that alone is off most; null unless operators had to be run alone.
        reason: why the outputs are right, wrong or not compared, in one sentence.
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
        t_seconds: time since the start of the sustained run, in seconds.
        median_ms: median time of the inferences of that second, in milliseconds.
        temperature_c: temperature of the processor, in degrees Celsius; null where it cannot be read.
        clock_mhz: clock of the fastest core, in megahertz; null where it cannot be read.
        throttled: whether the firmware holds the clock down; null where it does not say.
    """

    t_seconds: float
    median_ms: float
    temperature_c: float | None
    clock_mhz: float | None
    throttled: bool | None


class MeasuredMemory(MemoryHead):
    """Memory of a measured model.

    Attributes:
        flash_code_bytes: null: the runtime is a library of the system's.
        flash_model_bytes: size of the .tflite file, in bytes.
        ram_bytes: largest resident set of the run with the fewest threads, Python and the runtime included,
            in bytes; null where it is not known.
    """

    flash_code_bytes: int | None = None


class MeasuredLayer(LayerHead):
    """One operator of the model, timed as the difference of two models that end after it and before it.

    Attributes:
        latency_ms: time that the operator adds to one inference, in milliseconds, with what its repetitions
            leave open; 0 where it seems to take less than nothing.
    """

    latency_ms: Range


class Measurement(TimingHead):
    """How long a model takes on a device, measured there.

    Attributes:
        target: name of the target profile that was named with the device; empty without one.
        runtime: ``ai-edge-litert``, ``tflite-runtime`` or ``tensorflow``; in a browser ``litert.js``, or
            ``litert.js-webgpu``.
        method: how the latency was found: ``measured``.
        latency_ms: time of one inference with one thread (or the fewest that were asked for), in
            milliseconds: the median, the fastest, and the 90th percentile.
        host: the device as it was typed; ``local`` for this computer; ``browser 1`` for a page.
        runtime_version: version of the runtime.
        device: what the device is, as seen before measuring.
        threads: statistics of the inferences for each number of threads, ascending.
        outputs: whether the device computed the right outputs.
        sustained: figures of each second of a sustained run; empty without one.
        sustained_threads: number of threads of the sustained run; null without one.
        memory: memory of the model on the device.
        predicted: what was predicted for ``target``, corrected by this measurement; null without a target, or
            where it cannot be predicted.
        layers: figures of each operator with the first number of threads, from models that end earlier; empty
            unless they were asked for.
        runtime_notes: what the runtime said while it loaded the model, about delegates for example.
        findings: what a reader of the figures should know: the clock, the temperature, other load.
        overhead_seconds: time for connecting, looking, sending, loading and comparing, in seconds: all but
            running.
    """

    target: str = ""
    method: Literal["measured"] = "measured"
    host: str
    runtime_version: str
    device: Device
    threads: tuple[ThreadRun, ...]
    outputs: OutputCheck
    sustained: tuple[SustainedSecond, ...] = ()
    sustained_threads: int | None = None
    memory: MeasuredMemory
    predicted: Prediction | None = None
    layers: tuple[MeasuredLayer, ...] = ()
    runtime_notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    overhead_seconds: float


class Failure(Record):
    """A device on which nothing could be measured.

    Attributes:
        host: the device as it was typed.
        error: name of the error's class.
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
        schema_version: version of the form of this document; it rises when a field changes its meaning.
        method: how the latencies were found: ``measured``.
        boards: devices that measured the model, in the order in which they were named.
        failures: devices that did not, in the order in which they were named.
    """

    schema_version: Literal[1] = 1
    method: Literal["measured"] = "measured"
    boards: tuple[Measurement, ...]
    failures: tuple[Failure, ...] = ()
