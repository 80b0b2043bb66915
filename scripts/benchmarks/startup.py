"""How long the commands that need no TensorFlow take to start, do their work and end."""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from common import start, table, verdict

RUNS = 7
LIMIT = 0.5
PROGRAM = Path(sys.executable).with_name("edgesqueeze")


def measure(arguments: Sequence[str]) -> list[tuple[float, float]]:
    """Wall time and processor time of each run, in seconds; one run before them fills the file cache."""
    _run(arguments)
    return [_run(arguments) for _ in range(RUNS)]


def _run(arguments: Sequence[str]) -> tuple[float, float]:
    command = [str(PROGRAM)] if PROGRAM.is_file() else [sys.executable, "-m", "edgesqueeze"]
    before, begin = _children(), time.perf_counter()
    done = subprocess.run([*command, *arguments], capture_output=True, text=True)
    seconds, used = time.perf_counter() - begin, _children() - before
    if done.returncode:
        raise SystemExit(
            f"error: edgesqueeze {' '.join(arguments)} ended with {done.returncode}\n{done.stderr}"
        )
    return seconds, used


def _children() -> float:
    """Processor time of all processes that ended, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    """Run the benchmark; the exit status is 1 when a figure is missed."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    start(
        "startup",
        f"""Commands that need no TensorFlow, each in a process of its own. Must be reached: a median of
        {RUNS} runs below {LIMIT} s of wall time.""",
    )
    from runtime_tests.support.tflite_builder import tiny_cnn

    with tempfile.TemporaryDirectory(prefix="edgesqueeze-bench-") as folder:
        model = Path(folder) / "tiny.tflite"
        model.write_bytes(tiny_cnn())
        commands = (
            ("--help", ["--help"]),
            ("targets list", ["targets", "list"]),
            ("inspect tiny.tflite", ["inspect", str(model)]),
            *(
                (f"bench tiny.tflite {options}", ["bench", str(model), *options.split()])
                for options in ("--target nucleo-l4r5zi --runtime tflm", "--target rpi4")
            ),
        )
        times = {name: measure(arguments) for name, arguments in commands}
    medians = {name: statistics.median(wall for wall, _ in runs) for name, runs in times.items()}
    rows = [
        [
            f"edgesqueeze {name}",
            f"{medians[name]:.3f}",
            f"{min(wall for wall, _ in runs):.3f}",
            f"{max(wall for wall, _ in runs):.3f}",
            f"{statistics.median(used for _, used in runs):.3f}",
        ]
        for name, runs in times.items()
    ]
    table(("seconds", "median", "least", "most", "processor"), rows)
    slowest = max(medians, key=medians.__getitem__)
    return verdict(
        medians[slowest] < LIMIT, f"the slowest, {slowest}, takes {medians[slowest]:.3f} s, below {LIMIT} s"
    )


if __name__ == "__main__":
    sys.exit(main())
