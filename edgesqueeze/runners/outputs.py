"""What a model says about samples: real numbers in, real numbers out, on any runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.errors import DataError
from edgesqueeze.graph import Tensor, TfliteModel, as_model
from edgesqueeze.graph.affine import quantize_input
from edgesqueeze.runners.registry import require_runner, with_state
from edgesqueeze.runners.samples import in_batches, named_places, plain_name, real_outputs, safe_name

Arrays = Array | Sequence[Array] | Mapping[str, Array]


def run(
    model: str | Path | TfliteModel,
    arrays: Arrays,
    *,
    runtime: str = "litert",
    carry_state: bool | None = None,
) -> tuple[Array, ...]:
    """Run a .tflite on samples.

    Args:
        model: the .tflite, or its path.
        arrays: the samples ``[n, ...]`` of a model of one input; for several inputs a sequence of such arrays
            in the file's order, or a dictionary by the inputs' names. They are the real numbers that the
            original takes, also where the .tflite takes integers; only arrays of a quantized input's own type
            (int8, int16) are taken as they are.
        runtime: name of a runtime, as ``verify`` has them: ``litert``, ``tflm``, ``c`` and so on.
        carry_state: whether what the model keeps goes on from sample to sample, so that they are one
            sequence; if None, only where the model takes one step of a sequence per inference.

    Returns:
        Per output an array ``[n, ...]``, in the order of the original's outputs where the file tells it:
        float32, or integers where the model gives integers that stand for themselves, such as class ids.
        A model of a fixed batch is run on as many batches as it takes, the last one filled up.

    Raises:
        UsageError: an unknown runtime, or a model that cannot be read.
        DataError: the arrays do not fit the model's inputs.
        MissingToolError: the runtime is not installed.
        UnsupportedModelError: the runtime cannot run the model, or its batches are of several sizes.
    """
    model = as_model(model)
    runner = with_state(require_runner(runtime), carry_state)
    tensors = model.main.input_tensors
    columns = [quantize_input(t, v) for t, v in zip(tensors, _columns(model, arrays), strict=True)]
    _check_counts(tensors, columns)
    outputs = real_outputs(model, runner.run(model, in_batches(model, columns)), len(columns[0]))
    by_place = dict(zip(named_places(model), outputs, strict=True))
    return tuple(by_place[place] for place in sorted(by_place))


def _columns(model: TfliteModel, arrays: Arrays) -> list[Array]:
    """An array for each of the graph's inputs, in its order."""
    tensors = model.main.input_tensors
    if isinstance(arrays, Mapping):
        given = {safe_name(name): np.asarray(values) for name, values in arrays.items()}
        wanted = [safe_name(plain_name(tensor)) for tensor in tensors]
        if set(given) != set(wanted) or len(given) != len(arrays):
            raise _misfit(model, ", ".join(map(str, arrays)) or "no arrays")
        return [given[name] for name in wanted]
    if len(tensors) == 1:
        return [np.asarray(arrays)]
    if not isinstance(arrays, list | tuple) or len(arrays) != len(tensors):
        raise _misfit(model, f"{len(arrays)} arrays" if isinstance(arrays, list | tuple) else "one array")
    return [np.asarray(values) for values in arrays]


def _misfit(model: TfliteModel, got: str) -> DataError:
    names = ", ".join(plain_name(tensor) for tensor in model.main.input_tensors)
    return DataError(
        f"the arrays are not those that {model.name} takes",
        expected=f"one for each input: {names}",
        got=got,
        hint="give a dictionary of arrays by these names",
    )


def _check_counts(tensors: Sequence[Tensor], columns: Sequence[Array]) -> None:
    counts = {plain_name(t): len(column) for t, column in zip(tensors, columns, strict=True)}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        raise DataError(
            "the inputs do not hold the same number of samples, or none",
            expected="the same first dimension, at least 1",
            got=", ".join(f"{name} {count}" for name, count in counts.items()),
            hint="give as many rows for every input",
        )
