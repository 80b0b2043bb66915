"""How long a model takes on real devices: one record for each."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.given import expect, wrong_kind
from edgesqueeze.base.records import Range
from edgesqueeze.devices.channel import end_channels
from edgesqueeze.devices.check import check_outputs
from edgesqueeze.devices.jobs import Job, JobResult, Ready
from edgesqueeze.devices.layers import measured_layers
from edgesqueeze.devices.notes import findings_of
from edgesqueeze.devices.records import Failure, MeasuredMemory, Measurement, ThreadRun
from edgesqueeze.devices.session import LOCAL, Session, open_local, open_session
from edgesqueeze.devices.ssh_host import Host
from edgesqueeze.errors import DeviceError, EdgeSqueezeError, UnsupportedModelError, UsageError
from edgesqueeze.graph import TfliteModel, as_model
from edgesqueeze.graph.shapes import refuse_open
from edgesqueeze.graph.state import state_of
from edgesqueeze.runners.samples import random_samples

WARMUP_RUNS = 5
WARMUP_SECONDS = 0.5
INTERRUPT_SECONDS = 15.0
MOST_SECONDS = 1_000_000
FEW_SAMPLES = 4
"""Up to so many samples get a process each, so that one that crashes is told apart; more share one."""
HOST_HINT = "edgesqueeze.parse_host makes a Host from user@host"


@dataclass(frozen=True)
class Settings:
    """How to measure.

    Attributes:
        threads: numbers of threads; None: 1 to 4, then powers of two, as far as the device has cores.
        seed: seed of the random input.
        min_runs: least number of measured inferences.
        min_seconds: least time to measure, in seconds.
        max_seconds: time after which measuring ends even so, in seconds, though not before ten inferences.
        sustain_seconds: time to keep running with the most threads after that, in seconds, to see whether the
            device slows down.
        install: put a runtime into a folder of its own on a device that has none.
        layers: time every operator too, by models that end earlier; takes about half a second for each.
    """

    threads: tuple[int, ...] | None = None
    seed: int = 0
    min_runs: int = 50
    min_seconds: float = 1.0
    max_seconds: float = 5.0
    sustain_seconds: float = 0.0
    install: bool = False
    layers: bool = False

    def __post_init__(self) -> None:
        counts = self.threads if self.threads is not None else (1,)
        if not counts or min(counts) < 1 or max(counts) > 1024:
            raise UsageError(
                "a model cannot run with so many threads",
                expected="numbers from 1 to 1024",
                got=str(list(counts)),
                hint="leave them out for 1 to all cores of the device",
            )
        times = (self.min_seconds, self.max_seconds, self.sustain_seconds)
        if self.min_runs < 1 or not all(0 <= seconds < MOST_SECONDS for seconds in times):
            raise UsageError(
                "nothing can be measured so",
                expected=f"at least one run, and times from 0 to {MOST_SECONDS:,} s",
                got=f"{self.min_runs} runs, and {', '.join(f'{seconds:g}' for seconds in times)} s",
                hint="leave out what was not meant",
            )


def measure(
    model: str | Path | TfliteModel, device: Session | Host | str, settings: Settings | None = None
) -> Measurement:
    """Run a model on a device, and say how long it takes and whether its outputs are right.

    Args:
        model: any .tflite that LiteRT runs, or its path.
        device: a session, a board, or ``local``: this computer.
        settings: how to measure.

    Raises:
        UsageError: a host that cannot be reached (``ConnectError``), or more threads than cores.
        UnsupportedModelError: a model that has an input of open shape
            (``runners.resize`` gives it one).
        DeviceError: no runtime there, or it cannot run the model, or the device failed.
    """
    model = as_model(model)
    refuse_open(model, "it cannot be measured")
    settings = Settings() if settings is None else expect(settings, Settings, "how to measure, as Settings")
    if isinstance(device, Session):
        return measure_on(model, device, settings)
    if isinstance(device, Host):
        with open_session(device, settings.install) as session:
            return measure_on(model, session, settings)
    if device != LOCAL:
        raise UsageError(
            "that is no device",
            expected=f"a Session, a Host, or {LOCAL!r}",
            got=repr(device),
            hint=HOST_HINT,
        )
    with open_local() as session:
        return measure_on(model, session, settings)


def measure_all(
    model: str | Path | TfliteModel, hosts: Sequence[Host | str], settings: Settings | None = None
) -> tuple[Measurement | Failure, ...]:
    """The same on several devices side by side; one that fails does not hide the others.

    Args:
        model: any .tflite that LiteRT runs, of batch 1.
        hosts: boards, or ``local``.
        settings: how to measure.

    Returns:
        For each host, in order, a measurement or why there is none.
    """
    read = as_model(model)
    for host in hosts:
        if not isinstance(host, Host | str):
            raise wrong_kind(host, f"a Host, or {LOCAL!r}", HOST_HINT)
    found: dict[int, Measurement | Failure | BaseException] = {}

    def work(place: int) -> None:
        try:
            found[place] = _measure_or_fail(read, hosts[place], settings)
        except BaseException as error:
            found[place] = error

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(hosts))]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:
        _interrupt(threads)
        raise
    results = [found[place] for place in range(len(hosts))]
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return tuple(result for result in results if isinstance(result, Measurement | Failure))


def outputs_on(
    session: Ready, model: TfliteModel, samples: Sequence[Sequence[Array]], threads: int
) -> list[list[Array]]:
    """What a device computes, without timing.

    Args:
        session: the device.
        model: any .tflite that LiteRT runs.
        samples: per inference one array per graph input; state is forgotten before each.
        threads: number of threads.

    Raises:
        UnsupportedModelError: the device's runtime cannot run the model.
        DeviceError: the connection or the agent is lost.
    """
    jobs = [
        Job(
            name=model.name,
            content=model.content,
            inputs=list(sample),
            threads=threads,
            warmup_runs=0,
            min_runs=1,
            min_seconds=0.0,
            max_seconds=0.0,
            want_outputs=True,
            fresh_process=len(samples) <= FEW_SAMPLES,
        )
        for sample in samples
    ]
    rows = []
    for result in session.run(jobs):
        if result.error or result.outputs is None:
            raise UnsupportedModelError(
                f"{session.name} cannot run {model.name}",
                expected="outputs",
                got=result.error or "none",
            )
        rows.append(list(result.outputs))
    return rows


def thread_counts(cores: int) -> tuple[int, ...]:
    """1 to 4, then powers of two and the number itself."""
    counts = {count for count in (1, 2, 3, 4) if count <= cores}
    counts |= {1 << i for i in range(2, cores.bit_length()) if 1 << i <= cores}
    return tuple(sorted(counts | {cores}))


def _measure_or_fail(
    model: TfliteModel, host: Host | str, settings: Settings | None
) -> Measurement | Failure:
    try:
        return measure(model, host, settings)
    except EdgeSqueezeError as error:
        return Failure(
            host=host.destination if isinstance(host, Host) else host,
            error=type(error).__name__,
            message=str(error),
            exit_code=error.exit_code,
        )


def _interrupt(threads: Sequence[threading.Thread]) -> None:
    """End what the threads talk with: each then fails, cleans up and ends."""
    until = time.monotonic() + INTERRUPT_SECONDS
    while any(thread.is_alive() for thread in threads) and time.monotonic() < until:
        end_channels({thread.ident for thread in threads})
        for thread in threads:
            thread.join(0.1)


def measure_on(model: TfliteModel, session: Ready, settings: Settings) -> Measurement:
    """The same on a device that is ready.

    Args:
        model: any .tflite that the device's runtime runs, of batch 1 and fixed shapes.
        session: the device.
        settings: how to measure.

    Raises:
        UsageError: more threads than cores.
        DeviceError: the device cannot run the model, or failed.
    """
    started = time.monotonic()
    sample = random_samples(model, 1, settings.seed)[0]
    jobs = _jobs(model, sample, _threads(session, settings), settings)
    results = session.run(jobs)
    if results[0].error:
        raise _cannot_run(model, session, results[0])
    good = [result for result in results if not result.error]
    runs = tuple(_statistics(result, good[0]) for result in good)
    outputs = check_outputs(
        model,
        sample,
        {result.threads: result.outputs for result in good if result.outputs is not None},
        lambda pieces, samples, threads: outputs_on(session, pieces, samples, threads),
    )
    layers = measured_layers(session, model, sample, good[0].threads) if settings.layers else ()
    sustained = results[-1].sustained
    after = session.look()
    first = runs[0]
    busy = sum(result.busy_seconds for result in results)
    return Measurement(
        model=model.name,
        sha256=model.sha256,
        host=session.name,
        runtime=good[0].runtime,
        runtime_version=good[0].runtime_version,
        device=session.device,
        latency_ms=Range(estimate=first.median_ms, low=first.min_ms, high=first.p90_ms),
        threads=runs,
        outputs=outputs,
        sustained=sustained,
        sustained_threads=results[-1].threads if sustained else None,
        memory=MeasuredMemory(flash_model_bytes=len(model.content), ram_bytes=first.peak_rss_bytes),
        layers=layers,
        runtime_notes=good[0].notes,
        findings=findings_of(
            session.device, after, runs, results, sustained, settings.min_runs, settings.layers
        ),
        overhead_seconds=round(session.ready_seconds + time.monotonic() - started - busy, 3),
    )


def _threads(session: Ready, settings: Settings) -> tuple[int, ...]:
    cores = session.device.usable_cores
    if settings.threads is None:
        return thread_counts(cores)
    if max(settings.threads) > cores:
        raise UsageError(
            f"{session.name} has fewer cores than threads were asked for",
            expected=f"1 to {cores} threads",
            got=str(max(settings.threads)),
            hint="leave out --threads for 1 to all of its cores",
        )
    return tuple(sorted(set(settings.threads)))


def _jobs(model: TfliteModel, sample: list[Array], threads: Sequence[int], settings: Settings) -> list[Job]:
    return [
        Job(
            name=model.name,
            content=model.content,
            inputs=sample,
            threads=count,
            warmup_runs=WARMUP_RUNS,
            warmup_seconds=WARMUP_SECONDS,
            min_runs=settings.min_runs,
            min_seconds=settings.min_seconds,
            max_seconds=settings.max_seconds,
            sustain_seconds=settings.sustain_seconds if count == threads[-1] else 0.0,
            want_outputs=True,
            restart=bool(state_of(model)),
            fresh_process=True,
        )
        for count in threads
    ]


def _cannot_run(model: TfliteModel, session: Ready, result: JobResult) -> DeviceError:
    device = session.device
    name, version = next(iter(device.runtimes.items()))
    python = device.browser or f"Python {device.python_version}"
    return DeviceError(
        f"{session.name} cannot run {model.name}: {result.error}",
        got=f"{name} {version}, {device.architecture}, {python}",
        hint="see with `edgesqueeze verify` whether this computer's runtimes can; if so, the device may "
        "need a newer runtime",
    )


def _statistics(result: JobResult, first: JobResult) -> ThreadRun:
    times = np.array(result.times_ms)
    median, p90, p99 = (float(value) for value in np.percentile(times, (50, 90, 99)))
    return ThreadRun(
        threads=result.threads,
        runs=len(times),
        load_ms=result.load_ms,
        median_ms=median,
        mean_ms=float(times.mean()),
        min_ms=float(times.min()),
        p90_ms=p90,
        p99_ms=p99,
        peak_rss_bytes=result.peak_rss_bytes,
        speedup=float(np.median(first.times_ms)) / median if median else 1.0,
        first_ms=result.first_ms,
    )
