"""Run samples in another process: a crash there, or another NumPy, is none of ours."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgesqueeze.base.worker import environment
from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.state import state_of
from edgesqueeze.runners.samples import Outputs, Samples


def run_elsewhere(
    command: Sequence[str],
    model: TfliteModel,
    samples: Samples,
    title: str,
    carry_state: bool | None = None,
) -> Outputs:
    """Run a model in a program that takes ``MODEL.tflite INPUTS.npz OUTPUTS.npz BETWEEN``.

    INPUTS.npz holds ``input_0``, ``input_1`` and so on, each ``[n, *tensor shape]``; the program writes
    ``output_0`` and so on in the same layout. BETWEEN is what it does between two samples
    (``graph.state.Between``).

    Args:
        command: the program and its first arguments; those above follow.
        model: what to run.
        samples: see ``runners`` for the contract.
        title: what to call the runtime in messages.
        carry_state: see ``runners`` for the contract.

    Raises:
        UnsupportedModelError: the program failed, or was killed, on this model.
    """
    if not samples:
        return []
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-") as name:
        folder = Path(name)
        model_file, inputs, outputs = folder / "model.tflite", folder / "in.npz", folder / "out.npz"
        model_file.write_bytes(model.content)
        columns = {f"input_{i}": np.stack(c) for i, c in enumerate(zip(*samples, strict=True))}
        np.savez(inputs, **columns)  # type: ignore[arg-type]
        between = state_of(model).between(carry_state)
        whole = [*command, str(model_file), str(inputs), str(outputs), between]
        done = subprocess.run(whole, capture_output=True, text=True, check=False, env=environment())
        if done.returncode:
            raise UnsupportedModelError(
                f"{title} cannot run {model.name}: {last_words(done)}",
                hint="`edgesqueeze inspect` lists the model's operators",
            )
        with np.load(outputs, allow_pickle=False) as stored:
            results = [stored[f"output_{i}"] for i in range(len(stored.files))]
    return [list(row) for row in zip(*results, strict=True)]


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    """Why a program failed, as far as it said so."""
    lines = done.stderr.strip().splitlines()
    if done.returncode < 0:
        said = f" after saying: {lines[-1]}" if lines else ""
        return f"it was ended by signal {-done.returncode}{said}"
    return lines[-1] if lines else f"it ended with status {done.returncode}"
