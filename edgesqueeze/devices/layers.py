"""The time of every layer on a device whose runtime does not tell it: models that end earlier, differenced.

A model that ends after an operator is timed, and one that ends before it; the operator takes what is between.
So it is measured as it runs in the model, with its inputs where the operators before left them. What is off:
the runtime may compute an operator together with the next one, which then seems to take less than nothing and
is shown as nothing; and each figure has the noise of two.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.records import Range
from edgesqueeze.devices.jobs import Job, Ready
from edgesqueeze.devices.records import MeasuredLayer
from edgesqueeze.errors import DeviceError, UsageError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.prefix import prefix_of
from edgesqueeze.latency.work import Work, work_of

MOST_LAYERS = 250
ROUNDS = 3
"""Every model is timed so often, in turn: what else runs on a device only ever adds time, so the best
counts."""
MIN_RUNS, MIN_SECONDS, MAX_SECONDS = 20, 0.1, 1.0


def measured_layers(
    session: Ready, model: TfliteModel, sample: Sequence[Array], threads: int
) -> tuple[MeasuredLayer, ...]:
    """Time every operator of a model on a device.

    Args:
        session: the device.
        model: any .tflite that its runtime runs.
        sample: one array per graph input.
        threads: number of threads.

    Raises:
        UsageError: more operators than there is patience for.
        DeviceError: the device cannot run the beginning of the model, or was lost.
    """
    count = len(model.main.operators)
    if count > MOST_LAYERS:
        raise UsageError(
            f"{model.name} has too many operators to measure one by one",
            expected=f"at most {MOST_LAYERS}",
            got=str(count),
            hint="leave out --layers",
        )
    jobs = [_job(prefix_of(model, kept), sample, threads) for kept in range(1, count + 1)]
    rounds = [_medians(session, model, jobs) for _ in range(ROUNDS)]
    times = np.sort(np.array(rounds), axis=0)
    best, doubt = times[0], times[1] - times[0]
    return _layers(work_of(model), best, doubt)


def _job(model: TfliteModel, sample: Sequence[Array], threads: int) -> Job:
    return Job(
        name=model.name,
        content=model.content,
        inputs=list(sample),
        threads=threads,
        min_runs=MIN_RUNS,
        min_seconds=MIN_SECONDS,
        max_seconds=MAX_SECONDS,
    )


def _medians(session: Ready, model: TfliteModel, jobs: Sequence[Job]) -> list[float]:
    found = []
    for number, result in enumerate(session.run(jobs), 1):
        if result.error:
            raise DeviceError(
                f"{session.name} cannot run the first {number} operators of {model.name}: {result.error}",
                hint="leave out --layers",
            )
        found.append(float(np.median(result.times_ms)))
    return found


def _layers(works: Sequence[Work], best: Array, doubt: Array) -> tuple[MeasuredLayer, ...]:
    """What each operator adds; the first one also what an inference takes besides operators."""
    befores = itertools.chain([(0.0, 0.0)], zip(best, doubt, strict=True))
    whole = float(best[-1]) or 1.0
    layers = []
    for work, after, before in zip(works, zip(best, doubt, strict=True), befores, strict=False):
        time, reach = float(after[0] - before[0]), math.hypot(after[1], before[1])
        layers.append(
            MeasuredLayer(
                index=work.index,
                opcode=work.opcode,
                name=work.name,
                summary=work.shapes,
                macs=work.macs,
                weights_bytes=work.weight_bytes,
                share=round(max(0.0, time) / whole, 4),
                latency_ms=Range(
                    estimate=max(0.0, time), low=max(0.0, time - reach), high=max(0.0, time + reach)
                ),
            )
        )
    return tuple(layers)
