"""Where samples come from: arrays, image files, or a user's tf.data. Each streams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edgesqueeze.base.arrays import Array
from edgesqueeze.recipe.sections import DataOptions

SHUFFLE_BYTES = 64 << 20
"""What a shuffle buffer of samples may take; sources that can be indexed shuffle indices instead."""
MAX_PARALLEL = 4


@dataclass(frozen=True)
class InputSpec:
    """One input of the model: its name, its shape without the batch, and its dtype."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, eq=False)
class Source:
    """Samples as the model takes them.

    Attributes:
        count: number of samples.
        labelled: whether each sample has a label for every output.
        stream: ``stream(batch_size, seed)`` gives a ``tf.data.Dataset`` of ``(inputs, labels)`` batches,
            both tuples of tensors with the batch first, ``labels`` empty when not labelled. One pass; in
            the source's order for ``seed=None``, else shuffled anew on every pass.
        part: ``part(kept)`` gives the samples for which a mask ``[count]`` is true, as a source.
    """

    count: int
    labelled: bool
    stream: Callable[[int, int | None], Any]
    part: Callable[[npt.NDArray[np.bool_]], Source]


def array_source(
    columns: Sequence[Array],
    labels: Sequence[Array] | None,
    rows: npt.NDArray[np.int64],
    specs: Sequence[InputSpec],
    options: DataOptions,
) -> Source:
    """Samples from arrays in memory, which are not copied: only a batch at a time is converted.

    Args:
        columns: one array ``[n, ...]`` per input.
        labels: one array ``[n, ...]`` per output, or None.
        rows: which samples to use.
        specs: the model's inputs.
        options: scale and offset of the data.
    """
    targets = list(labels or ())
    dtypes = [spec.dtype for spec in specs] + [array.dtype.name for array in targets]
    shapes = [spec.shape for spec in specs] + [array.shape[1:] for array in targets]

    def gather(places: Array) -> list[Array]:
        chosen = rows[places]
        inputs = [
            _as_input(column[chosen], spec, options) for column, spec in zip(columns, specs, strict=True)
        ]
        return inputs + [array[chosen] for array in targets]

    def batch(places: Any) -> Any:
        values = tf.numpy_function(gather, [places], [tf.as_dtype(dtype) for dtype in dtypes])
        for value, shape in zip(values, shapes, strict=True):
            value.set_shape((None, *shape))
        return tuple(values[: len(specs)]), tuple(values[len(specs) :])

    def stream(batch_size: int, seed: int | None) -> Any:
        return _indices(len(rows), seed).batch(batch_size).map(batch).prefetch(2)

    def part(kept: npt.NDArray[np.bool_]) -> Source:
        return array_source(columns, labels, rows[kept], specs, options)

    return Source(len(rows), bool(targets), stream, part)


def _as_input(values: Array, spec: InputSpec, options: DataOptions) -> Array:
    shaped = values.reshape(len(values), *spec.shape)
    if np.issubdtype(np.dtype(spec.dtype), np.floating):
        scale, offset = np.asarray(options.scale, np.float32), np.asarray(options.offset, np.float32)
        shaped = shaped.astype(np.float32) * scale + offset
    return np.asarray(shaped, spec.dtype)


def image_source(
    files: Sequence[Path], classes: Sequence[int], spec: InputSpec, options: DataOptions
) -> Source:
    """Samples from image files (JPEG, PNG, GIF, BMP), decoded and resized as they are needed.

    Args:
        files: the images.
        classes: a class id for each.
        spec: the model's input, ``[height, width, channels]``.
        options: scale and offset of pixel values, which are 0 to 255.
    """
    height, width, channels = spec.shape
    names = tf.constant([str(file) for file in files])
    targets = tf.constant(np.asarray(classes, np.int64))
    scale, offset = np.asarray(options.scale, np.float32), np.asarray(options.offset, np.float32)

    def sample(place: Any) -> Any:
        image = tf.io.decode_image(tf.io.read_file(names[place]), channels=channels, expand_animations=False)
        image.set_shape((None, None, channels))
        # Antialiased, as keras.utils.image_dataset_from_directory's users get from PIL-like tools.
        image = tf.image.resize(image, (height, width), antialias=True)
        return (tf.cast(image * scale + offset, spec.dtype),), (targets[place],)

    def stream(batch_size: int, seed: int | None) -> Any:
        return (
            _indices(len(files), seed)
            .map(sample, num_parallel_calls=MAX_PARALLEL)
            .batch(batch_size)
            .prefetch(1)
        )

    def part(kept: npt.NDArray[np.bool_]) -> Source:
        rows = np.flatnonzero(kept)
        return image_source([files[row] for row in rows], [classes[row] for row in rows], spec, options)

    return Source(len(files), True, stream, part)


def dataset_source(
    dataset: Any, count: int, labelled: bool, specs: Sequence[InputSpec], options: DataOptions
) -> Source:
    """Samples from a user's ``tf.data.Dataset`` of single samples ``(inputs, labels)``.

    Args:
        dataset: inputs as a tuple in the model's order, labels as a tuple.
        count: number of samples.
        labelled: whether there are labels.
        specs: the model's inputs.
        options: scale and offset of the data.
    """

    scale, offset = np.asarray(options.scale, np.float32), np.asarray(options.offset, np.float32)

    def convert(inputs: Any, labels: Any) -> Any:
        values = []
        for value, spec in zip(inputs, specs, strict=True):
            shaped = tf.reshape(value, spec.shape)
            if tf.as_dtype(spec.dtype).is_floating:
                shaped = tf.cast(shaped, tf.float32) * scale + offset
            values.append(tf.cast(shaped, spec.dtype))
        return tuple(values), labels

    def stream(batch_size: int, seed: int | None) -> Any:
        samples = dataset
        if seed is not None:
            size = sum(int(np.prod(spec.shape, dtype=np.int64)) * 4 for spec in specs)
            samples = samples.shuffle(max(1, min(count, SHUFFLE_BYTES // size)), seed=seed)
        return samples.map(convert).batch(batch_size).prefetch(1)

    def part(kept: npt.NDArray[np.bool_]) -> Source:
        chosen = tf.constant(kept)
        numbered = dataset.enumerate().filter(lambda place, sample: chosen[place])
        some = numbered.map(lambda place, sample: sample)
        return dataset_source(some, int(kept.sum()), labelled, specs, options)

    return Source(count, labelled, stream, part)


def _indices(count: int, seed: int | None) -> Any:
    places = tf.data.Dataset.range(count)
    return places if seed is None else places.shuffle(count, seed=seed)
