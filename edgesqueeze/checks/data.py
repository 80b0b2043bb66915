"""Real data for a check, from everything that ``compress`` takes as well."""

from __future__ import annotations

import tempfile
from pathlib import Path

from edgesqueeze.base.given import path_of
from edgesqueeze.base.npz import load_npz
from edgesqueeze.base.worker import call_worker
from edgesqueeze.graph import TfliteModel
from edgesqueeze.runners.samples import EvalData, plain_name

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
    return EvalData(split.inputs, split.labels, names)


def _stored_by_tensorflow(source: str, model: TfliteModel, limit: int, folder: Path) -> Path:
    tflite, stored = folder / "model.tflite", folder / "data.npz"
    tflite.write_bytes(model.content)
    arguments = [source, str(tflite), str(stored), str(limit)]
    call_worker("edgesqueeze.squeeze.data.worker", arguments, f"{source} is no .npz file")
    return stored
