"""What firmware does with raw data, from what a compression says of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgesqueeze.checks.records import InputScaling
from edgesqueeze.emit.scaling import Scaling
from edgesqueeze.errors import UsageError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.metadata import read_metadata
from edgesqueeze.recipe.read import load_recipe
from edgesqueeze.recipe.sections import DataOptions
from edgesqueeze.report.documents import REPORTS, read_as
from edgesqueeze.report.report import Report

FLOATS = ("float32", "int8", "uint8", "int16")
"""Element types of inputs that stand for real numbers."""


def scalings_of(
    lifted: Sequence[InputScaling], options: DataOptions, model: TfliteModel
) -> tuple[Scaling, ...]:
    """What is done with raw data for each input of a .tflite.

    Args:
        lifted: what was lifted out of the model, with the data's own scale and offset in it.
        options: scale and offset of the data, for a model of which nothing was lifted.
        model: the .tflite.

    Raises:
        UsageError: there is a number for each feature, and the model has another number of them.
    """
    if lifted:
        return tuple(Scaling(one.input, one.scale, one.offset) for one in lifted)
    inputs = [tensor for tensor in model.main.input_tensors if tensor.dtype in FLOATS]
    for tensor in inputs:
        sizes = {len(options.scales), len(options.offsets)} - {1}
        if sizes - {tensor.shape[-1] if tensor.shape else 1}:
            raise UsageError(
                f"the scale or offset of [data] does not fit the input '{tensor.name}'",
                expected=f"one number, or {tensor.shape[-1] if tensor.shape else 1}",
                got=", ".join(map(str, sorted(sizes))),
                hint="give the recipe that the model was made with",
            )
    return tuple(Scaling(tensor.name, options.scales, options.offsets) for tensor in inputs)


def metadata_scalings(model: TfliteModel) -> tuple[Scaling, ...]:
    """The same, from the normalization that a .tflite's own metadata have; empty where they have none.

    Raises:
        TfliteError: the metadata are damaged.
    """
    found = read_metadata(model)
    tensors = model.main.input_tensors
    return tuple(
        Scaling(
            tensor.name,
            tuple(1 / std for std in port.std),
            tuple(0.0 - mean / std for mean, std in zip(port.mean, port.std, strict=True)),
        )
        for tensor, port in zip(tensors, () if found is None else found.inputs, strict=False)
        if port.normalizes
    )


def read_scalings(path: Path, model: TfliteModel) -> tuple[Scaling, ...]:
    """The same, from the report that ``compress`` wrote, or from a recipe.

    Args:
        path: a ``report.json``, or a recipe in TOML.
        model: the .tflite.

    Raises:
        UsageError: the file cannot be read, or is neither.
    """
    if path.suffix != ".json":
        return scalings_of((), load_recipe(path).data, model)
    report: Report = read_as(path, REPORTS)
    return scalings_of(report.scaling, report.recipe.data, model)
