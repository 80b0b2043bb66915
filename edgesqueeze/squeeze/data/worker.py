"""Store samples for a .tflite from any data that ``compress`` takes: image folders and Python callables.

    python -m edgesqueeze.squeeze.data.worker DATA MODEL.tflite OUT.npz LIMIT

OUT.npz gets ``x_test/NAME`` for each input and ``y_test/NAME`` for each labelled output.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgesqueeze.base.worker import run_as_worker
from edgesqueeze.graph import Tensor, read_tflite
from edgesqueeze.recipe.sections import DataOptions
from edgesqueeze.runners.samples import plain_name

BATCH = 64


@dataclass(frozen=True)
class Interface:
    """A .tflite's inputs and outputs under the names by which a Keras model has them."""

    input_names: tuple[str, ...]
    inputs: tuple[Any, ...]
    output_names: tuple[str, ...]
    outputs: tuple[Any, ...]


def main(arguments: list[str]) -> int:
    """Do what the command line asks; return the exit status."""
    data, model, out, limit = arguments
    return run_as_worker(lambda: _store(data, Path(model), Path(out), int(limit)))


def _store(data: str, model: Path, out: Path, limit: int) -> None:
    from edgesqueeze.squeeze.data.load import load_data

    interface = _interface(model)
    source = load_data(data, interface, DataOptions(), seed=0).test
    batches = list(source.stream(BATCH, None).take(-(-limit // BATCH)).as_numpy_iterator())
    columns = {}
    for i, name in enumerate(interface.input_names):
        columns[f"x_test/{name}"] = np.concatenate([inputs[i] for inputs, _ in batches])[:limit]
    for i, name in enumerate(interface.output_names if source.labelled else ()):
        columns[f"y_test/{name}"] = np.concatenate([labels[i] for _, labels in batches])[:limit]
    np.savez(out, **columns)


def _interface(path: Path) -> Interface:
    graph = read_tflite(path).main
    return Interface(
        tuple(plain_name(tensor) for tensor in graph.input_tensors),
        tuple(_spec(tensor) for tensor in graph.input_tensors),
        tuple(plain_name(tensor) for tensor in graph.output_tensors),
        tuple(_spec(tensor) for tensor in graph.output_tensors),
    )


def _spec(tensor: Tensor) -> Any:
    import tensorflow as tf

    # Quantized inputs take the real numbers that the original takes.
    dtype = tf.float32 if tensor.quantization is not None else tf.as_dtype(tensor.dtype)
    return tf.TensorSpec((None, *tensor.shape[1:]), dtype)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
