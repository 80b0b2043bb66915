"""Measure a device with microbenchmarks, and make the ``[latency]`` section of its profile."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from edgesqueeze.devices.jobs import Job, JobResult
from edgesqueeze.devices.session import Session
from edgesqueeze.errors import DeviceError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.latency.fit_costs import LEAST_MS, Measured, fit_costs
from edgesqueeze.latency.microbenchmarks import ARITHMETICS, Benchmark, benchmarks
from edgesqueeze.latency.work import work_of
from edgesqueeze.target.latency import OperatorLatency

ROUNDS = 3
"""Each benchmark runs so often, every time in another order: what disturbs one round spares the others."""
MOST_ROUNDS = 7
SECONDS = 130.0
"""After the first ``ROUNDS``, no further one is begun that would end later than this."""
SETTLED, SETTLED_SHARE = 0.1, 0.9
"""Rounds go on until the two best times of most benchmarks are so near."""
MOST_THREADS = 8
Progress = Callable[[str], None]
Key = tuple[str, str, int]
"""Arithmetic, name of the benchmark, and number of threads."""


class Measurements(NamedTuple):
    """What a device measured.

    Attributes:
        points: each benchmark and number of threads, with the median of its best round: what else runs on a
            device only ever adds time.
        runtime: the package that ran them.
        version: version of the package.
        rounds: number of times that each benchmark ran.
        spread: by how much the second best round was slower than the best, the median over benchmarks.
    """

    points: tuple[Measured, ...]
    runtime: str
    version: str
    spread: float
    rounds: int


def measure_latency(
    session: Session, *, progress: Progress = lambda _: None, seed: int = 0
) -> OperatorLatency:
    """Measure a device and fit its costs.

    Args:
        session: a session on the device.
        progress: is told what goes on.
        seed: seed of the order of the benchmarks.

    Raises:
        DeviceError: the device lacks a runtime, or measured too little.
    """
    measured = measure(session, progress=progress, seed=seed, rounds=ROUNDS)
    progress("fitting the costs")
    latency = fit_costs(
        measured.points,
        runtime="tflite-runtime" if measured.runtime == "tflite-runtime" else "litert",
        version=f"{measured.runtime} {measured.version}",
        basis="-",
    )
    low, high = latency.interval.low, latency.interval.high
    basis = (
        f"{len(measured.points)} microbenchmarks that this very device ran, in {measured.rounds} rounds, of "
        f"which the two best differ by {measured.spread:.0%}. Small networks that were left out of the fit "
        f"took {low:.2f} to {high:.2f} times what was predicted (90 % bounds)"
    )
    return latency.model_copy(update={"basis": basis})


def measure(
    session: Session, *, progress: Progress = lambda _: None, seed: int = 0, rounds: int = ROUNDS
) -> Measurements:
    """Run all microbenchmarks, networks with several threads too.

    Args:
        session: a session on the device.
        progress: is told what goes on.
        seed: seed of the order of the benchmarks.
        rounds: how often each runs at least.

    Raises:
        DeviceError: nearly all benchmarks failed.
    """
    progress("making the microbenchmarks")
    made = [benchmark for arithmetic in ARITHMETICS for benchmark in benchmarks(arithmetic)]
    cores = session.device.usable_cores
    planned = [(one, _job(one, threads)) for one in made for threads in _threads(one, cores)]
    done = _Rounds()
    begin = time.monotonic()
    while not done.are_enough(rounds, time.monotonic() - begin):
        progress(f"round {done.number + 1}: {len(planned)} microbenchmarks")
        random.Random(seed + done.number + 1).shuffle(planned)
        done.add(planned, session.run([job for _, job in planned]))
    _check(session, done.failed, len(planned) * done.number)
    spread = statistics.median(_gap(ms) for ms in done.times.values())
    return Measurements(_points(made, done.times), *done.runtime, spread, done.number)


class _Rounds:
    """What the rounds so far have measured: milliseconds by benchmark and number of threads."""

    def __init__(self) -> None:
        self.number = 0
        self.times: dict[Key, list[float]] = defaultdict(list)
        self.failed: list[JobResult] = []
        self.runtime = ("", "")

    def add(self, planned: Sequence[tuple[Benchmark, Job]], results: Sequence[JobResult]) -> None:
        """Take in one more round."""
        self.number += 1
        for (one, job), result in zip(planned, results, strict=True):
            if result.error:
                self.failed.append(result)
            else:
                self.runtime = (result.runtime, result.runtime_version)
                self.times[one.arithmetic, one.name, job.threads].append(_median_ms(result))

    def are_enough(self, least: int, seconds: float) -> bool:
        """Whether to stop after so many seconds: not before the least number of rounds."""
        if self.number < max(least, 1):
            return False
        next_ends_late = seconds * (self.number + 1) / self.number > SECONDS
        return next_ends_late or self.number >= MOST_ROUNDS or _settled(self.times.values())


def _points(made: Sequence[Benchmark], times: Mapping[Key, Sequence[float]]) -> tuple[Measured, ...]:
    """The best round of each benchmark and number of threads."""
    works = {(str(one.arithmetic), one.name): work_of(parse_tflite(one.content)) for one in made}
    networks = {(str(one.arithmetic), one.name): one.network for one in made}
    return tuple(
        Measured(
            name=name,
            arithmetic=arithmetic,
            network=networks[arithmetic, name],
            works=works[arithmetic, name],
            threads=threads,
            ms=min(ms),
        )
        for (arithmetic, name, threads), ms in sorted(times.items())
    )


def _median_ms(result: JobResult) -> float:
    """A coarse clock may see no time at all."""
    return max(statistics.median(result.times_ms), LEAST_MS)


def _settled(times: Iterable[list[float]]) -> bool:
    gaps = [_gap(ms) for ms in times]
    return sum(gap <= SETTLED for gap in gaps) >= SETTLED_SHARE * len(gaps)


def _gap(ms: Sequence[float]) -> float:
    """By how much the second best time is longer than the best."""
    best, second, *_ = [*sorted(ms), math.inf, math.inf]
    return second / best - 1 if math.isfinite(second) else 0.0


def _check(session: Session, failed: Sequence[JobResult], jobs: int) -> None:
    """Some operators may be missing in an old runtime; with half of them there is nothing to fit."""
    if len(failed) * 2 > jobs:
        raise DeviceError(
            f"{session.name} failed {len(failed)} of {jobs} microbenchmarks",
            expected="at most half of them",
            got=f"{failed[0].name}: {failed[0].error}",
            hint="`edgesqueeze bench MODEL --ssh HOST` says more about what is wrong",
        )


def _threads(benchmark: Benchmark, cores: int) -> tuple[int, ...]:
    """Networks run with all numbers of threads up to four, then with every second power of them."""
    if not benchmark.network:
        return (1,)
    most = min(cores, MOST_THREADS)
    return tuple(count for count in (1, 2, 3, 4, 6, 8) if count <= most)


def _job(benchmark: Benchmark, threads: int) -> Job:
    return Job(
        benchmark.name,
        benchmark.content,
        threads=threads,
        warmup_runs=2,
        min_runs=5,
        min_seconds=0.08 if benchmark.network else 0.03,
        max_seconds=0.4,
    )
