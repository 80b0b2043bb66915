"""Real data for a check, from everything that ``compress`` takes as well."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.findings import Finding
from edgesqueeze.base.given import path_of
from edgesqueeze.base.npz import load_npz
from edgesqueeze.base.worker import call_worker
from edgesqueeze.errors import RecipeError, TfliteError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.metadata import read_metadata
from edgesqueeze.recipe.sections import DataOptions
from edgesqueeze.runners.samples import EvalData, in_graph_order, plain_name

WHAT = "an .npz file, a folder of images by class, module:callable, or EvalData"


def as_data(given: str | Path | EvalData, model: TfliteModel, limit: int) -> EvalData:
    """Samples for a model, at most ``limit`` where that saves reading more.

    Args:
        given: samples, or where they are: an ``.npz`` file, a folder with one subfolder of images per class,
            or ``module:callable``. The latter two are read by TensorFlow, in a process of its own.
        model: the model that takes them.
        limit: how many are wanted.

    Raises:
        UsageError: an argument of the wrong kind.
        DataError: the data cannot be read, or do not fit the model.
        MissingToolError: TensorFlow is not installed and would be needed to read them.
    """
    if isinstance(given, EvalData):
        return given
    stored = path_of(given, WHAT)
    names = tuple(plain_name(tensor) for tensor in model.main.input_tensors)
    outputs = [plain_name(tensor) for tensor in model.main.output_tensors]
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-") as name:
        if stored.suffix not in (".npz", ".npy"):
            stored = _stored_by_tensorflow(str(given), model, limit, Path(name))
        loaded = load_npz(stored, names, outputs)
    split = loaded.test or loaded.train
    return _named_in_file(EvalData(split.inputs, split.labels, names, split.named), model)


def unused_labels(model: TfliteModel, data: EvalData, hint: str) -> tuple[Finding, ...]:
    """Labels that belong to no output, as far as the names tell.

    Args:
        model: the .tflite.
        data: real data.
        hint: what to do about it.
    """
    if not data.named:
        return ()
    outputs = ", ".join(tensor.label for tensor in model.main.output_tensors)
    named = ", ".join(data.named)
    message = f"labels named {named} belong to none of the outputs ({outputs}) and were not used; {hint}"
    return (Finding(code="labels-not-used", subject="data", message=message, severity="warning"),)


def _named_in_file(data: EvalData, model: TfliteModel) -> EvalData:
    """The data with the labels that are called as the file's metadata call its outputs."""
    if data.labels is not None or not data.named:
        return data
    try:
        said = read_metadata(model)
    except TfliteError:
        return data  # damaged, which is another's business
    names = [one.name for one in said.outputs] if said else []
    if len(names) != len(model.main.outputs) or not set(data.named) <= set(names):
        return data
    return replace(data, labels=tuple(data.named.get(name) for name in names), named={})


def scaled(data: EvalData, model: TfliteModel, options: DataOptions) -> EvalData:
    """Raw data as the model's input, as ``compress`` does it; inputs of plain integers stay what they are.

    Raises:
        RecipeError: there are not as many scales or offsets as channels or features.
    """
    if options.scales == (1.0,) and options.offsets == (0.0,):
        return data
    ordered = zip(model.main.input_tensors, in_graph_order(model, data), strict=True)
    whole = {id(v) for t, v in ordered if t.quantization is None and not t.dtype.startswith("float")}
    inputs = tuple(v if id(v) in whole else _scaled(v, options) for v in data.inputs)
    return replace(data, inputs=inputs)


def _scaled(values: Array, options: DataOptions) -> Array:
    widths = {len(options.scales), len(options.offsets)} - {1}
    if widths and widths != {values.shape[-1]}:
        raise RecipeError(
            "[data] scale and offset do not fit the data",
            expected=f"one number, or {values.shape[-1]}: one for each value along the last axis",
            got=", ".join(f"{width} numbers" for width in sorted(widths)),
            hint="what differs from input to input is best scaled in the data themselves",
        )
    scale, offset = np.asarray(options.scale, np.float32), np.asarray(options.offset, np.float32)
    made: Array = values.astype(np.float32) * scale + offset
    return made


def _stored_by_tensorflow(source: str, model: TfliteModel, limit: int, folder: Path) -> Path:
    tflite, stored = folder / "model.tflite", folder / "data.npz"
    tflite.write_bytes(model.content)
    arguments = [source, str(tflite), str(stored), str(limit)]
    call_worker("edgesqueeze.squeeze.data.worker", arguments, f"{source} is no .npz file")
    return stored
