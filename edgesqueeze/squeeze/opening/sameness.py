"""Do two models compute the same? Random inputs, and the measure of the difference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from edgesqueeze.base.arrays import Array
from edgesqueeze.errors import BridgeError, UnsupportedModelError
from edgesqueeze.squeeze.opening.whole_layer import is_whole

SAMPLES = 2
SEED = 20240607
TOLERANCE = 1e-4
# Reduced precision against float32: the steps of a bfloat16 are 2^-8.
LOOSE_TOLERANCE = 5e-2

# A network that blows rounding up cannot be compared more closely than it compares with itself. Where the
# tolerance is not met, this many times the change that a last-digit change of the inputs makes is accepted.
NOISE_MARGIN = 10.0
LAST_DIGIT = 2.0**-22
MOST_TOLERATED = 1e-2

SMALLEST_TABLE = 2
"""Whole numbers stay below this where it cannot be seen in which table they are looked up."""


def sample_inputs(flat: Any, samples: int = SAMPLES, seed: int = SEED) -> list[Array]:
    """Random values for each input of a flat tf_keras model, in the order of ``model.inputs``.

    Floats are standard normal. Integers, and whatever goes into an Embedding, stay below the size of the
    smallest table that they can reach; other integers are between 0 and 255, or 0 and 1 where a part of the
    model cannot be looked into.
    """
    rng = np.random.default_rng(seed)
    limits = _index_limits(flat)
    largest = SMALLEST_TABLE if any(is_whole(layer) for layer in flat.layers) else 255
    values = []
    for symbol in flat.inputs:
        shape = (symbol.shape[0] or samples, *symbol.shape[1:])
        dtype = tf.as_dtype(symbol.dtype)
        limit = limits.get(symbol._keras_history.layer.name)
        if limit is not None:
            drawn: Array = rng.integers(0, limit, shape)
        elif dtype.is_bool:
            drawn = rng.integers(0, 2, shape)
        elif dtype.is_integer:
            drawn = rng.integers(0, min(largest, dtype.max), shape)
        else:
            drawn = rng.standard_normal(shape)
        values.append(drawn.astype(dtype.as_numpy_dtype))
    return values


def _index_limits(flat: Any) -> dict[str, int]:
    """For each input that reaches a table through layers without weights: the size of the smallest one."""
    reached: dict[int, set[str]] = {id(s): {s._keras_history.layer.name} for s in flat.inputs}
    limits: dict[str, int] = {}
    for depth in sorted(flat._nodes_by_depth, reverse=True):
        for node in flat._nodes_by_depth[depth]:
            if node.is_input:
                continue
            origins = set().union(*(reached.get(id(s), set()) for s in node.keras_inputs))
            size = _table_size(node.layer)
            for name in origins if size else ():
                limits[name] = min(size, limits.get(name, size))
            for symbol in tf.nest.flatten(node.outputs):
                reached[id(symbol)] = set() if node.layer.weights else origins
    return limits


def _table_size(layer: Any) -> int:
    if isinstance(layer, tf_keras.layers.Embedding):
        return int(layer.input_dim)
    if isinstance(layer, tf_keras.layers.TimeDistributed):
        return _table_size(layer.layer)
    if isinstance(layer, tf_keras.layers.CategoryEncoding):
        return int(layer.num_tokens)
    return 0


def feed(model: Any, values: Sequence[Array]) -> Any:
    """The values in the structure in which a model of either library takes its inputs."""
    structure = getattr(model, "_nested_inputs", None)
    if structure is None:
        structure = getattr(model, "_inputs_struct", None)
    if structure is None and getattr(model, "_functional", None) is not None:
        structure = model._functional._inputs_struct
    packed = tf.nest.pack_sequence_as(structure, list(values))
    # A list of one is not what either library wants to be called with.
    return packed[0] if isinstance(packed, (list, tuple)) and len(packed) == 1 else packed


def evaluate(model: Any, values: Sequence[Array]) -> list[Array]:
    """Outputs of a model of either library at inference, in flat order."""
    import keras

    outputs = tf.nest.flatten(model(feed(model, values), training=False))
    to_numpy: Callable[[Any], Any] = (
        keras.ops.convert_to_numpy if isinstance(model, keras.Model) else np.asarray
    )
    return [np.asarray(to_numpy(output)) for output in outputs]


def difference(left: Array, right: Array) -> float:
    """Largest absolute difference over the largest magnitude; infinite where one only is finite.

    Outputs that are neither finite here nor there agree.
    """
    if left.shape != right.shape:
        return float("inf")
    a, b = left.astype(np.float64), right.astype(np.float64)
    finite = np.isfinite(a)
    if not np.array_equal(finite, np.isfinite(b)):
        return float("inf")
    if not finite.any():
        return 0.0
    scale = max(float(np.abs(a[finite]).max()), 1e-6)
    return float(np.abs(a[finite] - b[finite]).max()) / scale


def _evaluate_original(original: Any, values: Sequence[Array]) -> list[Array]:
    try:
        return evaluate(original, values)
    except Exception as error:  # whatever the model's layers raise
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UnsupportedModelError(
            f"the model itself fails on random inputs: {first_line}",
            expected=f"a model that runs on inputs of shape {', '.join(str(v.shape) for v in values)}",
            hint="see that model.predict works on such inputs; then compress the model",
        ) from error


def require_same(
    original: Any,
    rebuilt: Any,
    values: Sequence[Array],
    *,
    tolerance: float = TOLERANCE,
    first_difference: Callable[[float], str] | None = None,
) -> float:
    """Compare two models on the same inputs.

    Args:
        original: the model as it should be, of either library.
        rebuilt: the other one.
        values: as ``sample_inputs`` gives them.
        tolerance: largest relative difference to accept; a network that answers to a last-digit change of its
            inputs with a larger one is given up to ``NOISE_MARGIN`` times its own noise.
        first_difference: names the first layer that differs by more than the tolerance.

    Returns:
        The largest difference of an output, relative to its largest value.

    Raises:
        UnsupportedModelError: the original fails on these inputs.
        BridgeError: an output differs by more than the tolerance, or all of them are NaN or infinite.
    """
    left = _evaluate_original(original, values)
    right = evaluate(rebuilt, values)
    if not any(np.isfinite(a.astype(np.float64)).any() for a in left):
        raise BridgeError(
            "the model gives only NaN or infinite values on random inputs and cannot be checked",
            hint="check the model's weights",
        )
    worst = max(difference(a, b) for a, b in zip(left, right, strict=True))
    if worst > tolerance:
        tolerance = min(
            max(tolerance, NOISE_MARGIN * _rounding_noise(original, values, left)),
            max(tolerance, MOST_TOLERATED),
        )
    if worst > tolerance:
        where = first_difference(tolerance) if first_difference is not None else ""
        raise BridgeError(
            "the rebuilt model does not compute what the original does"
            + (f": layer {where!r} is the first to differ" if where else ""),
            expected=f"a relative difference of at most {tolerance:g}",
            got=f"{worst:.3g}",
            hint="this is a gap in EdgeSqueeze: please report the layer with its settings",
        )
    return worst


def _rounding_noise(original: Any, values: Sequence[Array], outputs: Sequence[Array]) -> float:
    """Relative change of the outputs when every float input changes in its last digits."""
    rng = np.random.default_rng(SEED)
    nudged = [
        (v * (1.0 + LAST_DIGIT * rng.choice([-1.0, 1.0], v.shape))).astype(v.dtype)
        if v.dtype.kind == "f"
        else v
        for v in values
    ]
    return max(difference(a, b) for a, b in zip(outputs, evaluate(original, nudged), strict=True))


def first_that_differs(
    original_inputs: Any,
    rebuilt_inputs: Any,
    trace: Sequence[tuple[str, Any, Any]],
    values: Sequence[Array],
    tolerance: float,
) -> str:
    """Name of the first entry of a bridge's trace whose two tensors differ.

    Args:
        original_inputs: input tensors of the Keras 3 model.
        rebuilt_inputs: those of the tf_keras model.
        trace: name, Keras 3 tensor and tf_keras tensor of each step.
        values: as ``sample_inputs`` gives them.
        tolerance: what counts as a difference.
    """
    import keras

    if len(original_inputs) == 1:
        original_inputs = original_inputs[0]
    left = evaluate(keras.Model(original_inputs, [step[1] for step in trace]), values)
    right = evaluate(tf_keras.Model(rebuilt_inputs, [step[2] for step in trace]), values)
    for (name, _, _), a, b in zip(trace, left, right, strict=True):
        if difference(a, b) > tolerance:
            return name
    return ""
