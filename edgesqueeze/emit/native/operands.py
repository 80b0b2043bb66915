"""What lowerings ask of an operator's tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy.typing as npt

from edgesqueeze.emit.native.records import Blob, Call, Operation, Struct, UnsupportedOperationError
from edgesqueeze.graph import Tensor

LARGEST_SIZE = (1 << 15) - 1
"""Of a dimension, window or stride that a kernel's parameters hold as int16."""


def require_int8(*tensors: Tensor) -> None:
    """Raise ``UnsupportedOperationError`` unless all tensors are int8."""
    for tensor in tensors:
        if tensor.dtype != "int8":
            raise UnsupportedOperationError(f"{tensor.label} is {tensor.dtype}, expected int8")


def require_int16_sizes(sizes: Iterable[int]) -> None:
    """Raise ``UnsupportedOperationError`` unless all sizes fit into the int16 of kernels' parameters."""
    largest = max(sizes)
    if largest > LARGEST_SIZE:
        raise UnsupportedOperationError(f"a size of {largest}, expected at most {LARGEST_SIZE}")


def constant(tensor: Tensor) -> npt.NDArray[Any]:
    """A tensor's value; raises ``UnsupportedOperationError`` if it is computed at run time."""
    if tensor.data is None:
        raise UnsupportedOperationError(f"{tensor.label} is computed, expected a constant")
    return tensor.data.reshape(tensor.shape)


def computed(tensor: Tensor) -> int:
    """The index of a tensor that a kernel reads from the arena; raises ``UnsupportedOperationError`` if it is
    a constant, which has no place there."""
    if tensor.is_constant:
        raise UnsupportedOperationError("the input is a constant, expected one that is computed")
    return tensor.index


def same_sized(operation: Operation, require: Callable[[Tensor, Tensor], None]) -> tuple[Tensor, Tensor]:
    """The input and the output of an operator on single values.

    Args:
        operation: the operator.
        require: raises what the two tensors' types are wrong in.

    Raises:
        UnsupportedOperationError: that, or another number of elements.
    """
    source, output = operation.input(0), operation.output()
    require(source, output)
    require_same_elements(source, output)
    return source, output


def value_call(function: str, header: str, parameters: Struct, source: Tensor, output: Tensor) -> Call:
    """A call of a kernel that reads each value before it writes one there: both may be one memory."""
    return Call(function, header, parameters, (computed(source),), (output.index,), overlap={0: 0})


def place_of(tensor: Tensor) -> int | Blob:
    """A tensor as a call's input: its index, or its value if it is a constant."""
    if tensor.data is None:
        return tensor.index
    return Blob(tensor.data.reshape(-1), f"constant {tensor.name}")


def require_shape(tensor: Tensor, expected: Sequence[int]) -> None:
    """Raise ``UnsupportedOperationError`` unless a tensor has the shape that its operator gives it."""
    if tensor.shape != tuple(expected):
        raise UnsupportedOperationError(
            f"{tensor.label} has the shape {list(tensor.shape)}, expected {list(expected)}"
        )


def require_same_elements(source: Tensor, output: Tensor) -> None:
    """Raise ``UnsupportedOperationError`` unless two tensors have the same number of elements."""
    if source.elements != output.elements:
        raise UnsupportedOperationError(
            f"the output has {output.elements} elements, expected {source.elements} as the input"
        )


def positive_axis(axis: int, rank: int) -> int:
    """An axis counted from the front; raises ``UnsupportedOperationError`` if there is none such."""
    if not -rank <= axis < rank:
        raise UnsupportedOperationError(f"axis {axis}, expected {-rank} to {rank - 1}")
    return axis % rank


def strides_of(shape: Sequence[int]) -> tuple[int, ...]:
    """Bytes from one element to the next along every dimension of an int8 tensor."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
