"""One operation of Keras 3 (``x + 1``, ``keras.ops.mean(x)``, ``x[:, 0]``) as a tf_keras layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tf_keras

from edgesqueeze.squeeze.opening.op_table import OPS

# Larger float arrays become weights of the layer, so that its configuration stays readable.
INLINE_ELEMENTS = 16


@dataclass(frozen=True)
class OpCall:
    """The arguments of an operation in plain values, with places for the tensors.

    A tensor is ``{"tensor": i}``, a large array ``{"constant": i}``; see ``encode_call`` for the others.
    """

    args: Any
    kwargs: Any


@tf_keras.saving.register_keras_serializable("edgesqueeze")
class OpLayer(tf_keras.layers.Layer):  # type: ignore[misc]
    """Applies one operation of ``op_table.OPS``.

    Args:
        op: its name, a key of the table.
        args: positional arguments as ``encode_call`` writes them.
        kwargs: keyword arguments likewise.
        constants: shape and dtype of each large constant; their values are the layer's weights.

    The layer is called with the list of its tensors.
    """

    def __init__(
        self, op: str, args: Any = (), kwargs: Any = None, constants: Sequence[Any] = (), **options: Any
    ) -> None:
        super().__init__(autocast=False, **options)
        self.op = op
        # Held in a record: tf_keras would wrap bare lists and dictionaries.
        self.arguments = OpCall(args=list(args), kwargs=dict(kwargs or {}))
        self.constant_specs = tuple((tuple(shape), str(dtype)) for shape, dtype in constants)

    def build(self, input_shape: Any) -> None:
        """Make a weight of each large constant."""
        self.constant_weights = [
            self.add_weight(
                name=f"constant_{i}", shape=shape, dtype=dtype, initializer="zeros", trainable=False
            )
            for i, (shape, dtype) in enumerate(self.constant_specs)
        ]
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Apply the operation to the list of tensors."""
        tensors = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        args, kwargs = decode_call(self.arguments, tensors, self.constant_weights)
        return OPS[self.op].tf(*args, **kwargs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """No mask: those of its inputs end at an operation of Keras 3."""
        return

    def get_config(self) -> dict[str, Any]:
        """Configuration in JSON's types; ``dtype`` and weights apart."""
        config = super().get_config()
        config.pop("autocast", None)
        return {
            **config,
            "op": self.op,
            "args": self.arguments.args,
            "kwargs": self.arguments.kwargs,
            "constants": [[list(shape), dtype] for shape, dtype in self.constant_specs],
        }


def encode_call(
    args: Any, kwargs: Any, is_tensor: Callable[[Any], bool]
) -> tuple[OpCall, list[Any], list[np.ndarray[Any, Any]]]:
    """Turn the arguments of a call into plain values.

    Returns:
        The plain arguments, the tensors and the large constants, in the order of their numbers.
    """
    tensors: list[Any] = []
    constants: list[np.ndarray[Any, Any]] = []

    def encode(value: Any) -> Any:
        if is_tensor(value):
            tensors.append(value)
            return {"tensor": len(tensors) - 1}
        if value is Ellipsis:
            return {"ellipsis": True}
        if isinstance(value, slice):
            return {"slice": [encode(value.start), encode(value.stop), encode(value.step)]}
        if isinstance(value, list):
            return [encode(item) for item in value]
        if isinstance(value, tuple):
            return {"tuple": [encode(item) for item in value]}
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        return _encode_array(np.asarray(value), constants)

    call = OpCall(
        args=[encode(value) for value in args], kwargs={key: encode(value) for key, value in kwargs.items()}
    )
    return call, tensors, constants


def _encode_array(array: np.ndarray[Any, Any], constants: list[np.ndarray[Any, Any]]) -> Any:
    if array.dtype.kind not in "biuf":
        raise TypeError(f"an argument of type {array.dtype} cannot be kept")
    if array.dtype.kind == "f" and array.size > INLINE_ELEMENTS:
        constants.append(array)
        return {"constant": len(constants) - 1}
    return {"array": array.tolist(), "dtype": str(array.dtype)}


def decode_call(call: OpCall, tensors: Sequence[Any], constants: Sequence[Any]) -> tuple[list[Any], Any]:
    """Put tensors and constants back into the arguments."""

    def decode(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [decode(item) for item in value]
        if not isinstance(value, dict):
            return value
        ((kind, content), *rest) = value.items()
        if kind == "tensor":
            return tensors[content]
        if kind == "constant":
            return constants[content]
        if kind == "array":
            return np.asarray(content, dtype=dict(rest)["dtype"])
        if kind == "slice":
            return slice(*(decode(item) for item in content))
        if kind == "tuple":
            return tuple(decode(item) for item in content)
        return Ellipsis

    return [decode(value) for value in call.args], {key: decode(value) for key, value in call.kwargs.items()}
