"""Outputs of the model that a .tflite is compared with: another .tflite, or a Keras model.

A Keras model runs in a process of its own: this one never imports TensorFlow.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.worker import call_worker
from edgesqueeze.checks.parity import choose_reference
from edgesqueeze.errors import DataError, ModelFileError, UnsafeModelError, UsageError
from edgesqueeze.graph import TfliteModel, read_tflite
from edgesqueeze.runners.samples import EvalData, data_samples, named_places, real_outputs


class Said(NamedTuple):
    """What the original says.

    Attributes:
        outputs: per output, real numbers ``[n, ...]``.
        names: what the original calls its outputs; empty where it is not known.
    """

    outputs: list[Array]
    names: tuple[str, ...] = ()


HOLDS_CODE = (
    "verify runs no code that a file holds: compare with another .tflite, or leave out --against; compress "
    "--unsafe has compared the two"
)


def original_outputs(path: Path, data: EvalData, custom_objects: Sequence[str] = ()) -> Said:
    """Run the original on the data.

    Args:
        path: a .tflite, or whatever Keras file ``compress`` takes.
        data: inputs as the original takes them.
        custom_objects: ``MODULE:NAME`` of classes that a Keras model needs.

    Raises:
        MissingToolError: a Keras model, and TensorFlow is not installed.
        ModelFileError: the file is missing, or cannot be read as a model.
        DataError: the data do not fit.
    """
    if not path.exists():
        raise ModelFileError(f"there is no file {path}", hint="check the path")
    if path.suffix == ".tflite":
        model = read_tflite(path)
        try:
            samples = data_samples(model, data)
        except DataError as error:
            raise _takes_other(path, f"{error.expected}, for {error.got}") from error
        outputs = choose_reference(model, samples).outputs
        return Said(real_outputs(model, outputs, len(data.inputs[0])))
    return _keras_outputs(path, data, custom_objects)


def _takes_other(path: Path, said: str) -> DataError:
    """The error for an original that does not take the .tflite's inputs."""
    return DataError(
        f"{path.name} takes other inputs than the .tflite",
        expected="the model that the .tflite was made from",
        got=said,
        hint="name that one with --against; data must fit both",
    )


def in_output_order(model: TfliteModel, original: Sequence[Array]) -> list[Array]:
    """The original's outputs in the order of the .tflite's; see ``output_places``."""
    return [original[place] for place in output_places(model, original)]


def output_places(model: TfliteModel, original: Sequence[Array]) -> list[int]:
    """Which of the original's outputs each output of the .tflite is: the converter may change their order."""
    places = named_places(model)
    tensors = model.main.output_tensors
    if len(tensors) == len(original):
        sizes = [original[place][0].size for place in places]
        if sizes == [tensor.elements for tensor in tensors]:
            return places
    return list(range(len(original)))


def _keras_outputs(path: Path, data: EvalData, custom_objects: Sequence[str]) -> Said:
    names = data.names or tuple(f"input_{i}" for i in range(len(data.inputs)))
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-") as name:
        folder = Path(name)
        inputs, outputs = folder / "in.npz", folder / "out.npz"
        columns = dict(zip(names, data.inputs, strict=True))
        np.savez(inputs, **columns)  # type: ignore[arg-type]
        arguments = [str(path), str(inputs), str(outputs), *custom_objects]
        worker = "edgesqueeze.squeeze.opening.predict_worker"
        try:
            call_worker(worker, arguments, f"{path.name} is a Keras model")
        except UnsafeModelError as error:
            # No command but compress runs it, so another hint than that of compress.
            raise UnsafeModelError(
                error.problem, expected=error.expected, got=error.got, hint=HOLDS_CODE
            ) from error
        except UsageError as error:
            # What Keras says of inputs that are not the model's.
            if type(error) is UsageError and "is incompatible with the layer" in error.got:
                raise _takes_other(path, error.got) from error
            raise
        with np.load(outputs, allow_pickle=False) as stored:
            names = tuple(map(str, stored["names"]))
            return Said([stored[f"output_{i}"] for i in range(len(names))], names)
