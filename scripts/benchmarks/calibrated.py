"""How far off predictions for this computer are after `edgesqueeze calibrate --local`."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from checked_models import checked_models
from common import out, start, table, verdict

from edgesqueeze.devices.jobs import Job
from edgesqueeze.devices.session import Session, open_local
from edgesqueeze.graph import read_tflite
from edgesqueeze.latency.predict import predict
from edgesqueeze.target.load import load_target

MEDIAN, WITHIN, SHARE = 0.10, 0.20, 0.90
SECONDS = 180.0
ROUNDS = 3


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
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-bench-") as name, open_local() as session:
        folder = arguments.keep or Path(name)
        _measure(session, models, times)
        begin = time.monotonic()
        command = [
            sys.executable,
            "-m",
            "edgesqueeze",
            "calibrate",
            "--local",
            "--name",
            "this",
            "--out",
            str(folder),
        ]
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        if done.returncode:
            raise SystemExit(f"error: edgesqueeze calibrate ended with {done.returncode}\n{done.stderr}")
        seconds = time.monotonic() - begin
        out.print(done.stdout, soft_wrap=True)
        for _ in range(ROUNDS - 1):
            _measure(session, models, times)
        target = load_target(str(folder / "this.toml"))
    rows, errors, covered = [], [], 0
    for (model, kind), path in models.items():
        result = predict(read_tflite(path), target).latency_ms
        measured = min(times[model, kind])  # what else runs only ever adds time
        errors.append(result.estimate / measured - 1)
        inside = result.low <= measured <= result.high
        covered += inside
        spread = max(times[model, kind]) / min(times[model, kind]) - 1
        cells = (f"{measured:.4g}", f"{spread:.0%}", f"{result.estimate:.4g}", f"{errors[-1]:+.1%}")
        rows.append(
            (model, kind, *cells, f"{result.low:.3g} to {result.high:.3g}", "yes" if inside else "no")
        )
    columns = ("model", "type", "measured ms", "rounds", "predicted ms", "error", "bounds", "inside")
    table(columns, rows, left=2)
    absolute = [abs(error) for error in errors]
    median, share = statistics.median(absolute), sum(error <= WITHIN for error in absolute) / len(absolute)
    out.print(f"bounds contain {covered} of {len(rows)}; largest error {max(absolute):.1%}")
    status = verdict(median <= MEDIAN, f"median error {median:.1%}, at most {MEDIAN:.0%}")
    status |= verdict(
        share >= SHARE, f"{share:.0%} of {len(rows)} errors within {WITHIN:.0%}, at least {SHARE:.0%}"
    )
    return status | verdict(seconds < SECONDS, f"calibration took {seconds:.0f} s, less than {SECONDS:.0f} s")


def _measure(
    session: Session, models: dict[tuple[str, str], Path], times: dict[tuple[str, str], list[float]]
) -> None:
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
