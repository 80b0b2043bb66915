"""Run one .tflite under tflite-runtime. A program of its own: it runs in another Python, without EdgeSqueeze.

    python tflite_runtime_worker.py MODEL.tflite INPUTS.npz OUTPUTS.npz BETWEEN

INPUTS.npz holds ``input_0``, ``input_1`` and so on, each ``[n, *tensor shape]``; OUTPUTS.npz gets
``output_0`` and so on in the same layout. BETWEEN is what happens between two samples: ``nothing``; ``reset``
of the variable tensors; or ``restart``, the model is loaded anew.
"""

from __future__ import annotations

import sys

import numpy as np
from tflite_runtime.interpreter import Interpreter


def main(model: str, inputs: str, outputs: str, between: str) -> None:
    """Run the model on every sample of ``inputs`` and write ``outputs``."""
    interpreter = loaded(model)
    takes, gives = interpreter.get_input_details(), interpreter.get_output_details()
    with np.load(inputs, allow_pickle=False) as stored:
        columns = [stored[f"input_{i}"] for i in range(len(takes))]
    rows = []
    for number, sample in enumerate(zip(*columns)):  # noqa: B905 (Python 3.9 has no strict=)
        if number and between == "restart":
            interpreter = loaded(model)
        elif number and between == "reset":
            interpreter.reset_all_variables()
        for detail, value in zip(takes, sample):  # noqa: B905
            interpreter.set_tensor(detail["index"], value)
        interpreter.invoke()
        rows.append([np.array(interpreter.get_tensor(detail["index"])) for detail in gives])
    stacked = {f"output_{i}": np.stack([row[i] for row in rows]) for i in range(len(gives))}
    np.savez(outputs, **stacked)  # type: ignore[arg-type]


def loaded(model: str) -> Interpreter:
    """An interpreter that is ready to run."""
    interpreter = Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (RuntimeError, ValueError) as error:
        sys.exit(f"{type(error).__name__}: {str(error).strip()}")
