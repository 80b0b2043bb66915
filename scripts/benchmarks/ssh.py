"""What measuring over SSH costs, and whether it measures what a loop written by hand does."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common import start, table, verdict
from published import litert_graphs

from edgesqueeze.base.output import write_files
from edgesqueeze.devices.measure import WARMUP_RUNS, WARMUP_SECONDS
from runtime_tests.support.loopback_sshd import ALIAS, Device, loopback_device
from runtime_tests.support.mltk_models import mltk_model

ROUNDS = 9
OVERHEAD_SECONDS = 3.0
DIFFERENCE = 0.03
LARGE = "mobilenet_v1 alpha=1.0 input=224x224x3 classes=1001"

LOOP = f"""\
import statistics, sys, time
import numpy as np
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
random = np.random.default_rng(0)
for detail in interpreter.get_input_details():
    values = random.integers(-100, 100, detail["shape"]).astype(detail["dtype"])
    interpreter.set_tensor(detail["index"], values)
begin, runs = time.perf_counter_ns(), 0
while runs < {WARMUP_RUNS} or time.perf_counter_ns() - begin < {WARMUP_SECONDS} * 1e9:
    interpreter.invoke()
    runs += 1
times = []
for _ in range(int(sys.argv[2])):
    begin = time.perf_counter_ns()
    interpreter.invoke()
    times.append(time.perf_counter_ns() - begin)
print(statistics.median(times) / 1e6)
"""
"""What somebody would write to measure a model on the device."""


class Bench(NamedTuple):
    """One `edgesqueeze bench`.

    Attributes:
        median_ms: median time of an inference, in milliseconds.
        runs: number of measured inferences.
        overhead: seconds from the start of the process to its end, without warm-up and inferences.
        told: seconds of overhead that the record tells.
    """

    median_ms: float
    runs: int
    overhead: float
    told: float


def bench(device: Device, model: Path) -> Bench:
    """Measure a model with EdgeSqueeze, in a process of its own."""
    options = ("--ssh", ALIAS, "--ssh-config", str(device.config), "--threads", "1", "--json")
    begin = time.perf_counter()
    done = _run([sys.executable, "-m", "edgesqueeze", "bench", str(model), *options])
    seconds = time.perf_counter() - begin
    record: dict[str, Any] = json.loads(done)
    (run,) = record["threads"]
    # Warming up ends with the first inference after its time.
    busy = run["runs"] * run["mean_ms"] / 1000 + WARMUP_SECONDS
    return Bench(run["median_ms"], run["runs"], seconds - busy, record["overhead_seconds"])


def loop(device: Device, model: Path, runs: int) -> float:
    """The median of the loop in milliseconds, on the same device."""
    command = shlex.join(["python3", "-c", LOOP, str(model), str(runs)])
    return float(_run(["ssh", "-F", str(device.config), "-o", "BatchMode=yes", ALIAS, command]))


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"error: {shlex.join(command[:4])} ended with {done.returncode}\n{done.stderr}")
    return done.stdout


def _measure(device: Device, model: Path) -> tuple[list[Bench], list[float]]:
    """EdgeSqueeze's measurements, and the loop's before, between and after them."""
    # The first one sends the agent and the model, and counts no further.
    runs = bench(device, model).runs
    benches, loops = [], [loop(device, model, runs)]
    for _ in range(ROUNDS):
        benches.append(bench(device, model))
        loops.append(loop(device, model, runs))
    return benches, loops


def _require(program: str, package: str) -> None:
    if not shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"):
        raise SystemExit(f"error: {program} is not installed\n    sudo apt-get install {package}")


def _with_range(values: Sequence[float], digits: str) -> str:
    """The median, the least and the most."""
    return f"{statistics.median(values):{digits}} ({min(values):{digits}}-{max(values):{digits}})"


def main() -> int:
    """Run the benchmark; the exit status is 1 when a figure is missed."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    start(
        "ssh",
        f"""This computer behind an OpenSSH server on 127.0.0.1, which has the agent and the models already.
        One thread. Overhead is the time of the whole process `edgesqueeze bench --ssh` without warm-up and
        inferences, below {OVERHEAD_SECONDS:g} s. Medians are compared with those of a plain loop on the
        device, before and after each in turn; the median of {ROUNDS} ratios is within {DIFFERENCE:.0%} of
        1.""",
    )
    _require("ssh", "openssh-client")
    _require("sshd", "openssh-server")
    overheads, ratios, rows = [], {}, []
    with (
        tempfile.TemporaryDirectory(prefix="edgesqueeze-bench-") as name,
        loopback_device(Path(name) / "device") as device,
    ):
        write_files(Path(name), {"mobilenet.tflite": litert_graphs.build(LARGE, "int8")})
        for model in (mltk_model("keyword_spotting"), Path(name) / "mobilenet.tflite"):
            benches, loops = _measure(device, model)
            around = [statistics.mean(pair) for pair in itertools.pairwise(loops)]
            found = [one.median_ms / other for one, other in zip(benches, around, strict=True)]
            overheads += [one.overhead for one in benches]
            ratios[model.stem] = statistics.median(found)
            medians = [one.median_ms for one in benches]
            rows.append(
                (
                    model.stem,
                    _with_range(medians, ".3f"),
                    _with_range(loops, ".3f"),
                    _with_range(found, ".2f"),
                    f"{min(medians) / min(loops):.3f}",
                    _with_range([one.overhead for one in benches], ".1f"),
                    f"{statistics.median(one.told for one in benches):.1f}",
                )
            )
    table(("model", "bench ms", "loop ms", "ratio", "of the fastest", "overhead s", "told s"), rows)
    median, most = statistics.median(overheads), max(overheads)
    status = verdict(
        median < OVERHEAD_SECONDS,
        f"overhead {median:.2f} s in the median, {most:.2f} s at most, below {OVERHEAD_SECONDS:g} s",
    )
    for name, ratio in ratios.items():
        status |= verdict(
            abs(ratio - 1) <= DIFFERENCE,
            f"{name}: {ratio:.3f} times the loop's median, within {DIFFERENCE:.0%} of 1",
        )
    return status


if __name__ == "__main__":
    sys.exit(main())
