"""Training, calibration and test data from what people have, checked at the door.

An ``.npz`` file, a folder of images by class, or ``module:callable`` that returns arrays or a
``tf.data.Dataset``.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.npz import NpzData, Split, load_npz
from edgesqueeze.base.users_code import import_named, users_code
from edgesqueeze.errors import DataError
from edgesqueeze.recipe.sections import DataOptions
from edgesqueeze.squeeze.data.check import (
    check_ids,
    check_images,
    check_labels,
    check_options,
    check_split,
    check_stream,
)
from edgesqueeze.squeeze.data.datasets import open_dataset
from edgesqueeze.squeeze.data.items import Reader, is_iterable
from edgesqueeze.squeeze.data.source import InputSpec, Source, array_source, image_source
from edgesqueeze.squeeze.layers.streams import is_stateful

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".gif", ".bmp"}
HELD_OUT_SHARE = 0.2
MAX_HELD_OUT = 10_000
GIVES = "a callable that returns, or yields, arrays or a tf.data.Dataset"
TEST_FOLDERS = ("test", "val", "validation", "valid")


@dataclass(frozen=True, eq=False)
class Data:
    """Samples to train and calibrate on, and others to judge the result by.

    Attributes:
        description: what they are, for the report.
        train: for training and calibration.
        test: for fidelity and accuracy.
        class_names: names of the classes where the source has them.
        images: whether they are pictures, read from files.
        findings: what was noticed or decided.
    """

    description: str
    train: Source
    test: Source
    class_names: tuple[str, ...] = ()
    images: bool = False
    findings: tuple[Finding, ...] = ()


def input_specs(model: Any) -> tuple[InputSpec, ...]:
    """The inputs of a tf_keras model, in order."""
    return tuple(
        InputSpec(name, tuple(int(size) for size in tensor.shape[1:]), tf.as_dtype(tensor.dtype).name)
        for name, tensor in zip(model.input_names, model.inputs, strict=True)
    )


def load_data(source: Any, model: Any, options: DataOptions, seed: int) -> Data:
    """Open data for a model.

    Args:
        source: path of an .npz file or of a folder of images by class, ``module:callable``, or directly
            what such a callable may return (see ``from_object``).
        model: a tf_keras model.
        options: scale and offset.
        seed: of the split, where one must be made.

    Raises:
        DataError: nothing of a known kind, or data that do not fit the model: wrong shape or dtype, NaN,
            constant, empty, labels that do not match the output.
    """
    specs = input_specs(model)
    check_options(options, specs)
    if not isinstance(source, str | Path):
        return from_object(source, model, options, seed, "data given as an object")
    path = Path(source)
    if path.is_dir():
        return _from_folder(path, model, specs, options, seed)
    if path.suffix in (".npz", ".npy") or path.is_file():
        loaded = load_npz(path, [spec.name for spec in specs], model.output_names)
        return _from_splits(loaded, model, specs, options, seed, path.name)
    if ":" in str(source):
        return from_object(_call(str(source)), model, options, seed, str(source))
    raise DataError(
        f"there are no data at {source}",
        expected="an .npz file, a folder with one subfolder of images per class, or module:callable",
        hint="check the path",
    )


def from_object(value: Any, model: Any, options: DataOptions, seed: int, name: str) -> Data:
    """Data from a Python object.

    Args:
        value: samples ``x``; ``(x, y)`` with labels, or ``(x, y, weights)``, of which the weights are not
            used; two such splits for training and testing, or three with one for validation between them,
            which is not used. Samples are an array; a dictionary of arrays by input name; or anything that
            gives samples or batches, alone or as such pairs: a generator or a function that makes one, a
            ``keras.utils.PyDataset``, a list of pairs, a ``tf.data.Dataset``.
        model: a tf_keras model.
        options: scale and offset.
        seed: of the split.
        name: what to call it in messages.

    Raises:
        DataError: see ``load_data``.
    """
    specs = input_specs(model)
    if inspect.isfunction(value) or inspect.ismethod(value):
        with users_code(name, GIVES, DataError):
            value = value()
    parts = _parts(value, Reader(specs, model.output_names, name))
    findings = []
    if len(parts) == 3:
        message = "the second of its three parts (validation) is not used"
        findings.append(Finding(code="validation-unused", subject=name, message=message))
    if isinstance(parts[0], tf.data.Dataset):
        test = parts[-1] if len(parts) > 1 else None
        data = _from_datasets(parts[0], test, model, specs, options, name)
    else:
        splits = [_split(part, Reader(specs, model.output_names, name)) for part in parts]
        if any(weighted for _, weighted in splits):
            message = "the weights of its samples are not used"
            findings.append(Finding(code="weights-unused", subject=name, message=message))
        loaded = NpzData(splits[0][0], splits[-1][0] if len(splits) > 1 else None)
        data = _from_splits(loaded, model, specs, options, seed, name)
    return replace(data, findings=(*findings, *data.findings))


def _parts(value: Any, reader: Reader) -> tuple[Any, ...]:
    """The splits of an object: one, or for training, for validation and for testing."""
    if not isinstance(value, tuple | list) or len(value) not in (2, 3):
        return (value,)
    if reader.kind_of(value) is not None or _is_batch(value[0], reader):
        return (value,)
    whole = all(isinstance(one, tf.data.Dataset) or _is_split(one, reader) for one in value)
    # What is like the first is meant as it is, also where it does not fit the model: that is said later.
    alike = _is_split(value[0], reader) and len({_length(one) for one in value}) == 1
    return tuple(value) if whole or alike else (value,)


def _length(part: Any) -> int | None:
    return len(part) if isinstance(part, tuple | list) else None


def _is_split(part: Any, reader: Reader) -> bool:
    """Whether an object holds many samples: with labels, or because it gives one after the other."""
    if isinstance(part, tuple | list):
        return len(part) in (1, 2, 3) and _is_batch(part[0], reader)
    return is_iterable(part)


def _is_batch(x: Any, reader: Reader) -> bool:
    return not isinstance(x, tf.data.Dataset) and reader.kind_of(x) == "batch"


def _split(part: Any, reader: Reader) -> tuple[Split, bool]:
    """One split as arrays, and whether it had weights."""
    if isinstance(part, tuple | list) and reader.kind_of(part) is None:
        pair = len(part) in (2, 3) and (_is_batch(part[0], reader) or hasattr(part[0], "shape"))
        if pair and not (isinstance(part, list) and reader.kind_of(part[0]) == "sample"):
            return _as_split(part[0], part[1], reader), len(part) == 3
        return reader.read(part)
    if not isinstance(part, tuple | list) and is_iterable(part):
        return reader.read(part)
    return _as_split(part, None, reader), False


def _call(name: str) -> Any:
    function = import_named(
        name,
        "module:callable, importable from here",
        DataError,
        hint="run the command where the module is, or put its folder into PYTHONPATH",
    )
    if not callable(function):
        return function
    with users_code(name, GIVES, DataError):
        return function()


def _as_split(x: Any, y: Any, reader: Reader) -> Split:
    columns = reader.columns_of(x)
    given = len(x) if isinstance(x, tuple | list) else 1
    if any(array.ndim == 0 for array in columns or ()) or (columns is None and given == len(reader.specs)):
        raise reader.misfit(x)
    if columns is None:
        raise DataError(
            f"{reader.name} has {given} inputs",
            expected=f"{len(reader.specs)}, or a dictionary by input name",
            hint="give one array for each input, named after it",
        )
    if any(len(array) == 0 for array in columns):
        raise DataError(
            f"{reader.name} is empty", expected="at least one sample", hint="see that it gives samples"
        )
    return Split(columns, None if y is None else reader.labels_of(y))


def _from_splits(
    loaded: NpzData, model: Any, specs: Sequence[InputSpec], options: DataOptions, seed: int, name: str
) -> Data:
    findings = []
    splits = [split for split in (loaded.train, loaded.test) if split is not None]
    labels = []
    for split in splits:
        findings += check_split(split, specs, name)
        check_ids(split, specs, model, options, name)
        known, ignored = check_labels(split, model, name)
        labels.append(known)
        findings += ignored
    train_rows: npt.NDArray[np.int64] = np.arange(loaded.train.count)
    if loaded.test is not None:
        test = loaded.test
        test_rows: npt.NDArray[np.int64] = np.arange(loaded.test.count)
    else:
        test = loaded.train
        # The samples of a model that remembers are one sequence: no holes in it.
        train_rows, test_rows = _hold_out(loaded.train.count, None if is_stateful(model) else seed)
        findings.append(_held_out(name, len(test_rows)))
    return Data(
        name,
        array_source(loaded.train.inputs, labels[0], train_rows, specs, options),
        array_source(test.inputs, labels[-1], test_rows, specs, options),
        findings=tuple(findings),
    )


def _hold_out(count: int, seed: int | None) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows for training and rows held out, both in their original order; the last ones without a seed."""
    held = min(MAX_HELD_OUT, max(1, round(count * HELD_OUT_SHARE)))
    if count == 1:
        return np.arange(1), np.arange(1)
    if seed is None:
        return np.arange(count - held), np.arange(count - held, count)
    mixed = np.random.default_rng(seed).permutation(count)
    return np.sort(mixed[held:]), np.sort(mixed[:held])


def _held_out(name: str, count: int) -> Finding:
    return Finding(
        code="held-out",
        subject=name,
        message=f"no test data in it: {count} samples were held out from training to judge the result by",
    )


def _from_folder(path: Path, model: Any, specs: Sequence[InputSpec], options: DataOptions, seed: int) -> Data:
    if len(specs) != 1 or len(specs[0].shape) != 3 or specs[0].shape[2] not in (1, 3, 4):
        shapes = ", ".join(f"{spec.name} {list(spec.shape)}" for spec in specs)
        raise DataError(
            "the model does not take one image",
            expected="one input of shape [height, width, 1, 3 or 4] for a folder of images",
            got=shapes,
            hint="give an .npz file or module:callable instead",
        )
    train_folder = path / "train" if (path / "train").is_dir() else path
    test_folder = next((path / name for name in TEST_FOLDERS if (path / name).is_dir()), None)
    if train_folder == path:
        test_folder = None
    names = sorted(entry.name for entry in train_folder.iterdir() if entry.is_dir())
    files, classes = _images(train_folder, names)
    findings = []
    if test_folder is None:
        train_rows, test_rows = _hold_out(len(files), seed)
        test_files, test_classes = files, classes
        findings.append(_held_out(path.name, len(test_rows)))
    else:
        test_files, test_classes = _images(test_folder, names)
        train_rows, test_rows = np.arange(len(files)), np.arange(len(test_files))
    train = _chosen(files, classes, train_rows, specs[0], options)
    test = _chosen(test_files, test_classes, test_rows, specs[0], options)
    if len(names) > model.outputs[0].shape[-1] > 1:
        raise DataError(
            f"{path.name} has more classes than the model",
            expected=f"at most {model.outputs[0].shape[-1]} subfolders",
            got=f"{len(names)}: {', '.join(names[:8])}",
            hint="take folders away that are no classes of the model",
        )
    check_images([*files, *(test_files if test_folder else ())])
    findings += check_stream(train, specs, model, path.name)
    described = f"images in {path.name}"
    return Data(described, train, test, tuple(names), images=True, findings=tuple(findings))


def _chosen(
    files: list[Path], classes: list[int], rows: npt.NDArray[np.int64], spec: InputSpec, options: DataOptions
) -> Source:
    return image_source([files[row] for row in rows], [classes[row] for row in rows], spec, options)


def _images(folder: Path, names: Sequence[str]) -> tuple[list[Path], list[int]]:
    files, classes = [], []
    for number, name in enumerate(names):
        found = sorted(file for file in (folder / name).rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
        files += found
        classes += [number] * len(found)
    if not files:
        raise DataError(
            f"there are no images in {folder}",
            expected="one subfolder per class with JPEG, PNG, GIF or BMP files",
            got=f"{len(names)} subfolders" if names else "no subfolders",
            hint="put the images of each class into a folder of their own",
        )
    return files, classes


def _from_datasets(
    train: Any, test: Any, model: Any, specs: Sequence[InputSpec], options: DataOptions, name: str
) -> Data:
    reader = Reader(specs, model.output_names, name)
    opened = [open_dataset(one, model, reader, options) for one in (train, test) if one is not None]
    sources = [source for source, _ in opened]
    findings = [*opened[0][1], *check_stream(sources[0], specs, model, name)]
    if test is None:
        findings.append(
            Finding(
                code="judged-on-training-data",
                subject=name,
                message="one data set was given: the result is judged on samples that it was trained on",
                severity="warning",
            )
        )
    return Data(name, sources[0], sources[-1], findings=tuple(findings))
