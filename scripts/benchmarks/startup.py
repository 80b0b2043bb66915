"""How long the commands that need no TensorFlow take to start, do their work and end."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from common import start, table, verdict

RUNS = 15
LIMIT = 2.5
"""Of a command's time over that of ``BASE``: a slower machine is slower in both."""
BASE = "import numpy"
PROGRAM = Path(sys.executable).with_name("edgesqueeze")
COMMANDS = (
    "--help",
    "targets list",
    "inspect MODEL",
    "bench MODEL --target rpi4",
    "bench MODEL --target pixel6",
    "bench MODEL --target nucleo-l4r5zi --runtime tflm",
)


def measure(commands: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> dict[str, list[float]]:
    """Wall time of each run of each command, in seconds.

    They take turns, so that what else runs on the machine meets all of them. A run before those that count
    compiles the modules and fills the file cache.
    """
    times: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(RUNS + 1):
        for name, command in commands.items():
            seconds = _run(command, environment)
            if number:
                times[name].append(seconds)
    return times


def _run(command: Sequence[str], environment: Mapping[str, str]) -> float:
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    seconds = time.perf_counter() - begin
    if done.returncode:
        raise SystemExit(f"error: {' '.join(command)} ended with {done.returncode}\n{done.stderr}")
    return seconds


def main() -> int:
    """Run the benchmark; the exit status is 1 when a figure is missed."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    start(
        "startup",
        f"""Commands that need no TensorFlow, each in a process of its own, {RUNS} times in turn with
        python -c "{BASE}". Must be reached: a median of at most {LIMIT} times the median of that.""",
    )
    from runtime_tests.support.tflite_builder import tiny_cnn

    program = [str(PROGRAM)] if PROGRAM.is_file() else [sys.executable, "-m", "edgesqueeze"]
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-bench-") as folder:
        model = Path(folder) / "tiny.tflite"
        model.write_bytes(tiny_cnn())
        commands = {
            name: [*program, *(str(model) if word == "MODEL" else word for word in name.split())]
            for name in COMMANDS
        }
        # Modules are compiled once, as an installed package's are, whatever the environment says.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(Path(folder) / "compiled")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        times = measure({BASE: [sys.executable, "-c", BASE], **commands}, environment)
    medians = {name: statistics.median(runs) for name, runs in times.items()}
    rows = [
        [
            f"python -c '{name}'" if name == BASE else f"edgesqueeze {name}",
            f"{medians[name] / medians[BASE]:.2f}",
            *(f"{value:.3f}" for value in (medians[name], min(runs), max(runs))),
        ]
        for name, runs in times.items()
    ]
    table(("command", "ratio", "median, s", "least, s", "most, s"), rows)
    slowest = max(COMMANDS, key=medians.__getitem__)
    ratio = medians[slowest] / medians[BASE]
    return verdict(
        ratio <= LIMIT,
        f"the slowest, {slowest}, takes {ratio:.2f} times as long as python -c '{BASE}' (at most {LIMIT})",
    )


if __name__ == "__main__":
    sys.exit(main())
