"""Run one .tflite on LiteRT's reference kernels, as a program of its own: they abort on some models.

    python -m edgesqueeze.runners.litert_worker MODEL.tflite INPUTS.npz OUTPUTS.npz BETWEEN

See ``exchange.run_elsewhere`` for the arguments.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from edgesqueeze.errors import EdgeSqueezeError
from edgesqueeze.graph import read_tflite
from edgesqueeze.runners.litert import run_with


def main(model: str, inputs: str, outputs: str, between: str) -> None:
    """Run the model on every sample of ``inputs`` and write ``outputs``."""
    with np.load(inputs, allow_pickle=False) as stored:
        columns = [stored[f"input_{i}"] for i in range(len(stored.files))]
    samples = list(zip(*columns, strict=True))
    rows = run_with(read_tflite(Path(model)), samples, "reference", carry_state=between == "nothing")
    stacked = {f"output_{i}": np.stack(column) for i, column in enumerate(zip(*rows, strict=True))}
    np.savez(outputs, **stacked)  # type: ignore[arg-type]


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except EdgeSqueezeError as error:
        sys.exit(error.problem)
