"""How far off predictions for this computer are after `edgesqueeze calibrate --local`."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from checked_models import checked_models
from common import out, start, table, verdict

from edgesqueeze.devices.jobs import Job
from edgesqueeze.devices.session import Session, open_local
from edgesqueeze.graph import read_tflite
from edgesqueeze.latency.predict import predict
from edgesqueeze.target.load import load_target
from edgesqueeze.target.records import Target

MEDIAN, WITHIN, SHARE = 0.10, 0.20, 0.90
SECONDS = 180.0
ROUNDS = 3

Times = dict[tuple[str, str], list[float]]
"""Milliseconds of each round, by model and type."""


class Compared(NamedTuple):
    """A network's latency, measured and predicted.

    Attributes:
        cells: row of the table.
        error: share of the measured latency by which the prediction is too high.
        inside: whether the bounds contain the measured latency.
    """

    cells: tuple[str, ...]
    error: float
    inside: bool


def main() -> int:
    """Run the benchmark; the exit status is 1 when a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", metavar="DIR", type=Path, help="keep the calibrated target file there")
    arguments = parser.parse_args()
    start(
        "calibrated",
        f"""This computer is calibrated; then latencies of networks that are not among the microbenchmarks
        are predicted, and measured before and after, of each the median of the best round. One
        thread. Must be reached: median error at most
        {MEDIAN:.0%}, {SHARE:.0%} of the errors at most {WITHIN:.0%}, calibration in less than
        {SECONDS:.0f} s.""",
    )
    models = checked_models()
    times: Times = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-bench-") as name, open_local() as session:
        folder = arguments.keep or Path(name)
        _measure(session, models, times)
        seconds = _calibrate(folder)
        for _ in range(ROUNDS - 1):
            _measure(session, models, times)
        target = load_target(folder / "this.toml")
    status = _judge([_compared(key, path, target, times[key]) for key, path in models.items()])
    return status | verdict(seconds < SECONDS, f"calibration took {seconds:.0f} s, less than {SECONDS:.0f} s")


def _calibrate(folder: Path) -> float:
    """Calibrate this computer as a user would; how long it took, in seconds."""
    words = ["calibrate", "--local", "--name", "this", "--out", str(folder)]
    begin = time.monotonic()
    command = [sys.executable, "-m", "edgesqueeze", *words]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"error: edgesqueeze calibrate ended with {done.returncode}\n{done.stderr}")
    seconds = time.monotonic() - begin
    out.print(done.stdout, soft_wrap=True)
    return seconds


def _compared(key: tuple[str, str], path: Path, target: Target, times: Sequence[float]) -> Compared:
    result = predict(read_tflite(path), target).latency_ms
    measured = min(times)  # what else runs only ever adds time
    error = result.estimate / measured - 1
    inside = result.contains(measured)
    figures = (
        f"{measured:.4g}",
        f"{max(times) / measured - 1:.0%}",
        f"{result.estimate:.4g}",
        f"{error:+.1%}",
    )
    bounds = (f"{result.low:.3g} to {result.high:.3g}", "yes" if inside else "no")
    return Compared((*key, *figures, *bounds), error, inside)


def _judge(found: Sequence[Compared]) -> int:
    """Print the rows and whether the figures are reached; the exit status."""
    columns = ("model", "type", "measured ms", "rounds", "predicted ms", "error", "bounds", "inside")
    table(columns, [one.cells for one in found], left=2)
    errors = [abs(one.error) for one in found]
    median, share = statistics.median(errors), sum(error <= WITHIN for error in errors) / len(errors)
    inside = sum(one.inside for one in found)
    out.print(f"bounds contain {inside} of {len(found)}; largest error {max(errors):.1%}")
    status = verdict(median <= MEDIAN, f"median error {median:.1%}, at most {MEDIAN:.0%}")
    return status | verdict(
        share >= SHARE, f"{share:.0%} of {len(found)} errors within {WITHIN:.0%}, at least {SHARE:.0%}"
    )


def _measure(session: Session, models: Mapping[tuple[str, str], Path], times: Times) -> None:
    """Add each model's median to its times."""
    jobs = [
        Job(name, path.read_bytes(), warmup_runs=3, min_runs=10, min_seconds=0.5, max_seconds=2.0)
        for (name, _), path in models.items()
    ]
    for key, result in zip(models, session.run(jobs), strict=True):
        if result.error:
            raise SystemExit(f"error: {key[0]} {key[1]}: {result.error}")
        times[key].append(statistics.median(result.times_ms))


if __name__ == "__main__":
    sys.exit(main())
