"""Inputs for the runners: real data as the .tflite takes them, or random ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.errors import DataError, UnsupportedModelError
from edgesqueeze.graph import Tensor, TfliteModel
from edgesqueeze.graph.affine import (
    dequantize,
    is_quantized,
    numpy_dtype,
    quantize_input,
    quantized_twin,
    real_input,
    real_range,
)
from edgesqueeze.runners.ids import check_ids

Samples = Sequence[Sequence[Array]]
"""Per inference the arrays of the graph's inputs, in their order, of exactly their dtype and shape."""
Outputs = list[list[Array]]
"""Per inference the arrays of the graph's outputs, in their order."""

SAMPLES_HINT = "edgesqueeze.runners.samples.data_samples makes samples from real numbers"


@dataclass(frozen=True, eq=False)
class EvalData:
    """What a model is verified on.

    Attributes:
        inputs: one array ``[n, ...]`` per input of the original model, in its order and its real numbers.
        labels: class ids ``[n]``, one-hot rows or real targets, in the shape of the first output; or None.
            For several outputs, a tuple with one array or None for each output of the .tflite.
        names: the inputs' names where they are known; a .tflite may take them in another order.
        named: labels by what the original calls its outputs, where the .tflite calls them otherwise.
    """

    inputs: tuple[Array, ...]
    labels: Array | tuple[Array | None, ...] | None = None
    names: tuple[str, ...] = ()
    named: Mapping[str, Array] = field(default_factory=dict)

    def pick(self, limit: int, *, sequence: bool = False) -> EvalData:
        """At most ``limit`` samples: the first of a sequence, else such as ``spread`` chooses."""
        rows = spread(len(self.inputs[0]), limit, sequence=sequence)
        labels = tuple(None if label is None else label[rows] for label in per_output(self.labels))
        inputs = tuple(values[rows] for values in self.inputs)
        return EvalData(inputs, labels or None, self.names, {k: one[rows] for k, one in self.named.items()})


def spread(count: int, limit: int, *, sequence: bool = False) -> list[int]:
    """At most ``limit`` of ``count`` samples: evenly spread, since files are often sorted by class.

    Of a ``sequence`` they are the first, since what a sample means depends on those before it.
    """
    if sequence:
        return list(range(min(limit, count)))
    rows: list[int] = np.unique(np.linspace(0, count - 1, min(limit, count)).round().astype(int)).tolist()
    return rows


def data_samples(model: TfliteModel, data: EvalData) -> list[list[Array]]:
    """Real data as one entry per inference, quantized where the model takes integers.

    An inference of a model of a fixed batch takes as many samples; the last batch is filled up.

    Raises:
        DataError: the number of inputs, or a shape, differs from the model's, or an id is not one of it.
        UnsupportedModelError: the model's batches are of several sizes.
    """
    tensors = model.main.input_tensors
    columns = [quantize_input(t, v) for t, v in zip(tensors, in_graph_order(model, data), strict=True)]
    if len({len(column) for column in columns}) != 1 or not len(columns[0]):
        raise DataError(
            "the inputs do not hold the same number of samples, or none",
            expected="the same first dimension, at least 1",
            got=", ".join(str(len(column)) for column in columns),
            hint="give as many rows for every input",
        )
    check_ids(model, columns)
    return in_batches(model, columns)


def in_batches(model: TfliteModel, columns: Sequence[Array]) -> list[list[Array]]:
    """Per input an array of samples ``[n, ...]`` as one entry per inference; the last batch is filled up."""
    tensors, size = model.main.input_tensors, batch_of(model)
    return [
        [
            _batch_from(column, start, size).reshape(t.shape)
            for t, column in zip(tensors, columns, strict=True)
        ]
        for start in range(0, len(columns[0]), size)
    ]


def batch_of(model: TfliteModel) -> int:
    """Samples of one inference: 1, or the batch that every input and output has.

    Raises:
        UnsupportedModelError: inputs and outputs do not have the same.
    """
    graph = model.main
    inputs = {tensor.shape[0] if tensor.shape else 1 for tensor in graph.input_tensors}
    size = next(iter(inputs))
    outputs = {tensor.shape[0] if tensor.shape else 1 for tensor in graph.output_tensors}
    if len(inputs) > 1 or (size > 1 and outputs != inputs):
        raise UnsupportedModelError(
            f"the batches of {model.name} are not of one size",
            expected="the same first dimension in all inputs and outputs",
            got=f"{sorted(inputs)} in the inputs, {sorted(outputs)} in the outputs",
            hint="export the model with a batch size of 1",
        )
    return size


def _batch_from(column: Array, start: int, size: int) -> Array:
    """A batch of samples; the last sample again where there are too few."""
    part = column[start : start + size]
    missing = size - len(part)
    return part if not missing else np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])


def check_samples(model: TfliteModel, samples: Samples) -> None:
    """Raise ``DataError`` unless every sample holds exactly what the graph's inputs take."""
    tensors = model.main.input_tensors
    for number, sample in enumerate(samples):
        if len(sample) != len(tensors):
            raise DataError(
                f"sample {number} for {model.name} has the wrong number of arrays",
                expected=f"{len(tensors)}, one per input: {', '.join(map(_signature, tensors))}",
                got=str(len(sample)),
                hint=SAMPLES_HINT,
            )
        for tensor, array in zip(tensors, sample, strict=True):
            if _dtype_name(array) != tensor.dtype or array.shape != tensor.shape:
                raise DataError(
                    f"sample {number} does not fit input {tensor.name!r} of {model.name}",
                    expected=f"{tensor.dtype} in the shape {tensor.shape}",
                    got=f"{_dtype_name(array)} in the shape {array.shape}",
                    hint=SAMPLES_HINT,
                )


def _dtype_name(array: Array) -> str:
    return array.dtype.name if array.dtype.isnative else f"byte-swapped {array.dtype.name}"


def _signature(tensor: Tensor) -> str:
    return f"{tensor.name} {tensor.dtype}{list(tensor.shape)}"


def real_inputs(model: TfliteModel, data: EvalData) -> list[Array]:
    """The data per graph input, as real numbers ``[n, ...]``."""
    ordered = in_graph_order(model, data)
    return [real_input(t, v) for t, v in zip(model.main.input_tensors, ordered, strict=True)]


def real_outputs(model: TfliteModel, outputs: Outputs, count: int | None = None) -> list[Array]:
    """What a runner gave, per output ``[n, ...]``: real numbers, or integers that stand for themselves.

    Args:
        model: the .tflite.
        outputs: per inference the arrays of its outputs.
        count: samples that were given, where the last batch may have been filled up; by default all.
    """
    filled = count is not None and batch_of(model) > 1
    return [
        np.concatenate([_meant(tensor, np.asarray(row[i]).reshape(tensor.shape)) for row in outputs])[
            : count if filled else None
        ]
        for i, tensor in enumerate(model.main.output_tensors)
    ]


def _meant(tensor: Tensor, values: Array) -> Array:
    """Real numbers; class ids and the like stay what they are."""
    whole = tensor.quantization is None and not np.issubdtype(values.dtype, np.floating)
    return values if whole else dequantize(tensor, values)


def in_graph_order(model: TfliteModel, data: EvalData) -> list[Array]:
    """The data's arrays in the order of the graph's inputs: by name where names are known, else as given.

    Raises:
        DataError: there are more or fewer arrays than inputs.
    """
    tensors = model.main.input_tensors
    if len(data.inputs) != len(tensors):
        raise DataError(
            f"{model.name} takes {len(tensors)} inputs, and the data hold {len(data.inputs)}",
            expected=", ".join(tensor.name for tensor in tensors),
            got=", ".join(data.names) or "arrays without names",
            hint="give one array for each input; in an .npz they are named x_test/NAME",
        )
    by_name = {safe_name(name): values for name, values in zip(data.names, data.inputs, strict=False)}
    wanted = [safe_name(plain_name(tensor)) for tensor in tensors]
    if len(tensors) > 1 and all(name in by_name for name in wanted):
        return [by_name[name] for name in wanted]
    return list(data.inputs)


def per_output(labels: Array | Sequence[Array | None] | None) -> tuple[Array | None, ...]:
    """Labels as one entry per output; empty when there are none."""
    if labels is None:
        return ()
    return (labels,) if isinstance(labels, np.ndarray) else tuple(labels)


def plain_name(tensor: Tensor) -> str:
    """An input's name without what the converter adds: ``serving_default_x:0`` is ``x``."""
    return re.sub(r"^serving_default_|:\d+$", "", tensor.name)


def named_places(model: TfliteModel) -> list[int]:
    """Which of the original's outputs each output of a .tflite is, by the names that the converter gives.

    It names outputs ``...:0``, ``...:1`` and so on after their position in the original. One that is an input
    has that one's name, and the position that is left. Where the names do not tell, the order is taken to be
    the same.
    """
    graph = model.main
    told = {
        index: re.search(r":(\d+)$", graph.tensors[index].name)
        for index in graph.outputs
        if index not in graph.inputs
    }
    known = [int(match[1]) for match in told.values() if match]
    left = iter(sorted(set(range(len(graph.outputs))) - set(known)))
    places = []
    for index in graph.outputs:
        match = told.get(index)
        places.append(int(match[1]) if match else -1 if index in told or not known else next(left, -1))
    return places if sorted(places) == list(range(len(places))) else list(range(len(places)))


def safe_name(name: str) -> str:
    """An input's name with nothing in it that TensorFlow forbids in a signature."""
    safe = re.sub(r"[^A-Za-z0-9_.]", "_", name)
    return safe if safe[:1].isalpha() else f"input_{safe}"


def random_samples(model: TfliteModel, count: int, seed: int = 0) -> list[list[Array]]:
    """Random inputs of so many inferences, of any shapes.

    Integers are drawn over their whole range; floats over the range that the model quantizes, or standard
    normal where it does not.
    """
    rng = np.random.default_rng(seed)
    return [[_random(model, tensor, rng) for tensor in model.main.input_tensors] for _ in range(count)]


def random_data(model: TfliteModel, count: int, seed: int = 0) -> EvalData:
    """The same as real numbers, as data that a model of any batch takes."""
    tensors = model.main.input_tensors
    rows = random_samples(model, count, seed)
    columns = [
        # A scalar input has no batch to join along.
        np.concatenate([np.atleast_1d(_real(tensor, row[i])) for row in rows])
        for i, tensor in enumerate(tensors)
    ]
    return EvalData(tuple(columns), names=tuple(plain_name(tensor) for tensor in tensors))


def _real(tensor: Tensor, values: Array) -> Array:
    return dequantize(tensor, values) if is_quantized(tensor) else values


def _random(model: TfliteModel, tensor: Tensor, rng: np.random.Generator) -> Array:
    dtype = numpy_dtype(tensor)
    if dtype == np.bool_:
        return rng.integers(0, 2, tensor.shape).astype(dtype)
    if np.issubdtype(dtype, np.integer):
        # Plain integers are indices more often than not (tokens, lengths): small ones are safe.
        limits = (np.iinfo(dtype).min, np.iinfo(dtype).max) if tensor.quantization else (0, 1)
        return rng.integers(limits[0], limits[1], tensor.shape, dtype=dtype, endpoint=True)
    twin = quantized_twin(model.main, tensor)
    if twin is not tensor and twin.quantization is not None:
        low, high = real_range(twin)
        return rng.uniform(low, high, tensor.shape).astype(dtype)
    return rng.standard_normal(tensor.shape).astype(dtype)
