"""Run a Keras model on stored inputs, in a process of its own, so that the caller need not import TensorFlow.

    python -m edgesqueeze.squeeze.opening.predict_worker MODEL INPUTS.npz OUTPUTS.npz [MODULE:NAME ...]

INPUTS.npz holds one array ``[n, ...]`` per input, by name; OUTPUTS.npz gets ``output_0`` and so on, and the
outputs' names as ``names``. The names after it are the custom classes that the model needs. An error that
EdgeSqueeze raises on purpose goes to stdout as one JSON object, and the exit status is the error's.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from edgesqueeze.base.custom_objects import import_objects
from edgesqueeze.base.worker import run_as_worker
from edgesqueeze.errors import DataError


def main(arguments: list[str]) -> int:
    """Do what the command line asks; return the exit status."""
    model, inputs, outputs, *custom = arguments
    return run_as_worker(lambda: _predict(model, inputs, outputs, custom))


def _predict(model: str, inputs: str, outputs: str, custom: list[str]) -> None:
    from edgesqueeze.squeeze.opening.load import load_model, predict

    with np.load(inputs, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    loaded = load_model(Path(model), custom_objects=import_objects(custom) or None)
    results = predict(loaded, _named(arrays, list(loaded.model.input_names)))
    columns = {f"output_{i}": np.asarray(values) for i, values in enumerate(results)}
    names = np.array(list(loaded.model.output_names), dtype=np.str_)
    np.savez(outputs, names=names, **columns)  # type: ignore[arg-type]


def _named(arrays: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The arrays by the model's own input names; in order where they have others."""
    if set(arrays) == set(names):
        return arrays
    if len(arrays) != len(names):
        raise DataError(
            "the data do not have as many arrays as the model has inputs",
            expected=", ".join(names),
            got=", ".join(arrays),
            hint="give one array for each input",
        )
    return dict(zip(names, arrays.values(), strict=True))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
