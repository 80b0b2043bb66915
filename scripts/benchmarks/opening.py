"""What it costs to open a model file as if a stranger had made it."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from common import start, table, verdict

RUNS = 7
LIMIT = 1.3
MAKE = "import keras, sys; keras.applications.MobileNetV2(weights=None).save(sys.argv[1])"
# Both end with the flat tf_keras model that was compared with the original.
BEGIN = """
import sys, time
from pathlib import Path
import keras
from edgesqueeze.squeeze.opening.load import adopt_model, load_model
began = time.perf_counter()
"""
WAYS = {
    "guarded": "load_model(Path(sys.argv[1]))",
    "Keras alone": "adopt_model(keras.saving.load_model(sys.argv[1], compile=False))",
}
END = "\nprint(time.perf_counter() - began)"


class Run(NamedTuple):
    """A run of one way.

    Attributes:
        process: from the start of Python to its end, in seconds.
        opening: from the file to the rebuilt model, in seconds.
    """

    process: float
    opening: float


def measure(model: Path) -> Mapping[str, list[Run]]:
    """Each run of each way; they take turns."""
    runs: dict[str, list[Run]] = {name: [] for name in WAYS}
    for number in range(RUNS + 1):
        for name, way in WAYS.items():
            began = time.perf_counter()
            seconds = float(_python(BEGIN + way + END, model).splitlines()[-1])
            if number:  # the first fills the file cache
                runs[name].append(Run(time.perf_counter() - began, seconds))
    return runs


def _python(code: str, model: Path) -> str:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, "-c", code, str(model)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"error: opening the model ended with {done.returncode}\n{done.stderr}")
    return done.stdout


def main() -> int:
    """Run the benchmark; the exit status is 1 when the figure is missed."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    start(
        "opening",
        f"""MobileNetV2 from its .keras file to the rebuilt tf_keras model, {RUNS} times in turn: with all
        checks and confined children, and with keras.saving.load_model alone, which trusts the file. Must be
        reached: a process that opens it takes at most {LIMIT} times as long, in the median.""",
    )
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-bench-") as folder:
        model = Path(folder) / "model.keras"
        _python(MAKE, model)
        runs = measure(model)
    medians = {
        name: Run(*(statistics.median(column) for column in zip(*done, strict=True)))
        for name, done in runs.items()
    }
    rows = [
        [name, f"{medians[name].process:.2f}", f"{medians[name].opening:.2f}", f"{min(done).process:.2f}"]
        for name, done in runs.items()
    ]
    table(("way", "process, median, s", "opening alone, median, s", "process, least, s"), rows)
    guarded, alone = medians.values()
    ratio = guarded.process / alone.process
    return verdict(
        ratio <= LIMIT,
        f"a process that opens it takes {ratio:.2f} times as long (at most {LIMIT}); opening alone, without "
        f"imports, {guarded.opening / alone.opening:.2f} times",
    )


if __name__ == "__main__":
    sys.exit(main())
