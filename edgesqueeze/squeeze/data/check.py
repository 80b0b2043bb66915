"""Checks of data against a model, before anything is computed with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.files import open_regular
from edgesqueeze.base.findings import Finding
from edgesqueeze.base.images import size_of_image
from edgesqueeze.base.npz import Split
from edgesqueeze.errors import DataError, RecipeError
from edgesqueeze.graph.affine import without_ones
from edgesqueeze.recipe.sections import DataOptions
from edgesqueeze.squeeze.data.source import InputSpec, Source

Labels = tuple[Array, ...]
CHUNK = 4096
"""Samples that are looked at together, so that a check does not need the data twice in memory."""
IMAGE_STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM")
MOST_PIXELS = 1 << 26
"""Of one image; a small file can claim thousands of times as many."""
"""First bytes of JPEG, PNG, GIF and BMP files."""
UNKNOWN_ID = "is not in [0, "
"""What TensorFlow says of an id that a table does not have."""
LOOKED_AT = 64
"""Samples of a stream that are looked at."""


def check_options(options: DataOptions, specs: Sequence[InputSpec]) -> None:
    """Check that there is a scale and an offset for each channel or feature of every input of real numbers.

    Raises:
        RecipeError: there are more or fewer.
    """
    for spec in specs:
        width = spec.shape[-1] if spec.shape else 1
        for key, values in (("scale", options.scales), ("offset", options.offsets)):
            if len(values) not in (1, width) and tf.as_dtype(spec.dtype).is_floating:
                raise RecipeError(
                    f"[data] {key} does not fit the input {spec.name!r}",
                    expected=f"one number, or {width}: one for each value along the last axis of "
                    f"{list(spec.shape)}",
                    got=f"{len(values)} numbers",
                    hint="what differs from input to input is best scaled in the data themselves",
                )


def check_split(split: Split, specs: Sequence[InputSpec], name: str) -> list[Finding]:
    """Check arrays against the model's inputs.

    Raises:
        DataError: wrong shape or dtype, NaN or infinity, or the same value everywhere.
    """
    findings = []
    if len(split.inputs) != len(specs):
        raise DataError(
            f"{name} has {len(split.inputs)} inputs",
            expected=f"{len(specs)} inputs",
            hint="give one array for each input, named after it",
        )
    for array, spec in zip(split.inputs, specs, strict=True):
        findings += _check_shape(array, spec, name)
        _check_dtype(array, spec, name)
        _check_values(array, spec, name)
    return findings


def _check_shape(array: Array, spec: InputSpec, name: str) -> list[Finding]:
    given = tuple(array.shape[1:])
    if given == spec.shape:
        return []
    if without_ones(given) == without_ones(spec.shape):
        message = f"samples of shape {list(given)} are taken as {list(spec.shape)}"
        return [Finding(code="reshaped", subject=spec.name, message=message)]
    raise DataError(
        f"{name} does not fit the model's input {spec.name!r}",
        expected=f"shape [n, {', '.join(map(str, spec.shape))}]",
        got=f"shape {list(array.shape)}",
        hint="resize or reshape the data as for training",
    )


def _check_dtype(array: Array, spec: InputSpec, name: str) -> None:
    whole = np.issubdtype(array.dtype, np.integer) or array.dtype == np.bool_
    if not whole and not np.issubdtype(array.dtype, np.floating):
        raise DataError(
            f"{name} holds {array.dtype} values for {spec.name!r}",
            expected="numbers",
            hint="convert them to numbers",
        )
    if not whole and np.issubdtype(np.dtype(spec.dtype), np.integer):
        raise DataError(
            f"{name} holds {array.dtype} values, but the input {spec.name!r} takes {spec.dtype}",
            expected=f"whole numbers, as {spec.dtype}",
            got=str(array.dtype),
            hint=f"convert them to {spec.dtype}",
        )


def _check_values(array: Array, spec: InputSpec, name: str) -> None:
    low, high = np.inf, -np.inf
    for start in range(0, len(array), CHUNK):
        part = array[start : start + CHUNK]
        if np.issubdtype(part.dtype, np.floating) and not np.isfinite(part).all():
            row = start + int(np.argmin(np.isfinite(part).reshape(len(part), -1).all(axis=1)))
            raise DataError(
                f"{name} holds NaN or infinity for {spec.name!r}",
                expected="finite numbers",
                got=f"sample {row}",
                hint="leave these samples out, or replace the values",
            )
        low, high = min(low, float(part.min())), max(high, float(part.max()))
    if low == high and array.size > 1:
        raise DataError(
            f"{name} is constant: every value of {spec.name!r} is {low:g}",
            expected="data like those that the model will see",
            hint="ranges found on constant data would make the quantized model useless",
        )


def check_ids(split: Split, specs: Sequence[InputSpec], model: Any, options: DataOptions, name: str) -> None:
    """Check ids against the tables of the model that they choose rows of, where they do so as they are.

    Raises:
        DataError: an id is not one of the table's.
    """
    tables = dict(_tables(model))
    scaled = (*options.scales, *options.offsets) != (1.0, 0.0)
    for array, spec in zip(split.inputs, specs, strict=True):
        if spec.name not in tables or (scaled and np.issubdtype(np.dtype(spec.dtype), np.floating)):
            continue
        layer, rows = tables[spec.name]
        low, high = int(array.min()), int(array.max())
        if low < 0 or high >= rows:
            raise DataError(
                f"{name} has ids for {spec.name!r} that the layer {layer!r} does not have",
                expected=f"0 to {rows - 1}",
                got=f"{low} to {high}",
                hint="number them as in training; what is unknown has an id of its own there",
            )


def _tables(model: Any) -> Iterator[tuple[str, tuple[str, int]]]:
    """Inputs that an embedding reads -> its name, and how many rows it has."""
    for layer in getattr(model, "layers", ()):
        if type(layer).__name__ == "Embedding":
            for node in layer.inbound_nodes:
                for before in tf.nest.flatten(node.inbound_layers):
                    yield before.name, (layer.name, int(layer.input_dim))


def check_labels(split: Split, model: Any, name: str) -> tuple[Labels | None, list[Finding]]:
    """A split's labels if it has some for every output, or None; with a finding if they are incomplete.

    Raises:
        DataError: labels that do not match the output.
    """
    if split.labels is None:
        return None, []
    labels = tuple(one for one in split.labels if one is not None)
    if len(labels) != len(model.output_names):
        outputs = ", ".join(model.output_names)
        message = f"there are not labels for every output ({outputs}): they are not used"
        return None, [Finding(code="labels-ignored", subject=name, message=message, severity="warning")]
    for values, output, tensor in zip(labels, model.output_names, model.outputs, strict=True):
        _check_output_labels(values, tuple(tensor.shape[1:]), split.count, output, name)
    return labels, []


def _check_output_labels(labels: Array, shape: tuple[int, ...], count: int, output: str, name: str) -> None:
    per_sample = labels.size // max(count, 1)
    places = int(np.prod(shape[:-1], dtype=np.int64))
    classes = shape[-1] if shape else 1
    got = f"{labels.dtype} of shape {list(labels.shape)}"
    if len(labels) != count:
        raise DataError(
            f"{name}: there are {len(labels)} labels for {count} samples",
            expected=str(count),
            hint="give one label for each sample, in the same order",
        )
    if not np.issubdtype(labels.dtype, np.number) and labels.dtype != np.bool_:
        raise DataError(
            f"{name}: labels for {output!r} are not numbers",
            expected="class ids or values",
            got=got,
            hint="give class ids, or one-hot rows",
        )
    if np.issubdtype(labels.dtype, np.floating) and not np.isfinite(labels).all():
        raise DataError(
            f"{name}: labels for {output!r} hold NaN or infinity",
            expected="finite numbers",
            hint="leave these samples out, or replace the values",
        )
    if per_sample == places * classes:
        return
    if per_sample != places or not np.all(labels == np.floor(labels)):
        raise DataError(
            f"{name}: the labels do not match the model's output {output!r}",
            expected=f"class ids [n] from 0 to {classes - 1}, or rows of shape {list(shape)}",
            got=got,
            hint="see that the labels belong to this output of the model",
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(
            f"{name}: the labels name classes that the output {output!r} does not have",
            expected=f"class ids from 0 to {classes - 1}",
            got=f"{labels.min():g} to {labels.max():g}",
            hint="number the classes from 0, as the model does",
        )


def check_images(files: Sequence[Path]) -> None:
    """Check that files begin as images of the known formats do; they are decoded when they are needed.

    Raises:
        DataError: a file cannot be read, is of another kind, or would decode to more than any photo.
    """
    for file in files:
        try:
            with open_regular(file) as opened:
                start = opened.read(4)
                opened.seek(0)
                size = size_of_image(opened)
        except OSError as error:
            raise DataError(
                f"cannot read {file}: {error.strerror}",
                expected="an image",
                hint="check whether you may read the file, or take it out of the folder",
            ) from None
        if not start.startswith(IMAGE_STARTS):
            raise DataError(
                f"{file} is not an image, whatever its name says",
                expected="a JPEG, PNG, GIF or BMP file",
                got=f"a file that begins with {start!r}" if start else "an empty file",
                hint="remove it, or save it in one of these formats",
            )
        if size is not None and size[0] * size[1] > MOST_PIXELS:
            raise DataError(
                f"{file} is too large to decode",
                expected=f"at most {MOST_PIXELS:,} pixels",
                got=f"{size[0]:,} x {size[1]:,}",
                hint="make it smaller, or take it out of the folder",
            )


@contextmanager
def readable_samples() -> Iterator[None]:
    """Turn what TensorFlow raises over a sample that it cannot read, far into a stream, into a DataError.

    Raises:
        DataError: a sample could not be read.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if UNKNOWN_ID in str(error):
            raise unknown_id(str(error.message)) from error
        if "IteratorGetNext" not in str(error):
            raise  # not from reading
        raise DataError(
            "a sample cannot be read",
            expected="samples that decode and have the model's shape",
            got=str(error.message)[:300],
            hint="look for truncated files, or for samples of another shape, in the data",
        ) from error


def unknown_id(said: str) -> DataError:
    """The error for an id in the data that a table inside the model does not have.

    Args:
        said: what TensorFlow says of it.
    """
    found = re.search(r"indices\[.*?\] = \S+ is not in \[.*?\)", said)
    return DataError(
        "the data have an id that a table of the model does not have",
        expected="ids from 0 to one less than the table's rows",
        got=found[0] if found else said[:300],
        hint="number them as in training; what is unknown has an id of its own there",
    )


def check_stream(source: Source, specs: Sequence[InputSpec], model: Any, name: str) -> list[Finding]:
    """Check the first samples of a stream.

    Raises:
        DataError: a sample cannot be read; NaN or infinity; the same value everywhere; labels that do not
            match the output.
    """
    try:
        batches = list(source.stream(min(LOOKED_AT, source.count), None).take(1).as_numpy_iterator())
    except tf.errors.OpError as error:
        raise DataError(
            f"{name} cannot be read",
            got=str(error.message)[:300],
            expected="samples that decode",
            hint="repair the files that are named, or leave them out",
        ) from None
    inputs, labels = batches[0]
    for array, spec in zip(inputs, specs, strict=True):
        _check_values(array, spec, name)
    if source.labelled:
        for values, output, tensor in zip(labels, model.output_names, model.outputs, strict=True):
            _check_output_labels(values, tuple(tensor.shape[1:]), len(values), output, name)
    return []
