"""What operators of two inputs share: broadcasting, constant operands, fused activations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.numerics import CLAMPS, INT8_MAX, INT8_MIN, activation_range, int8_table
from edgesqueeze.emit.native.operands import place_of, require_int8, require_shape
from edgesqueeze.emit.native.records import Blob, Call, Operation, Struct, UnsupportedOperationError, Value
from edgesqueeze.graph import Tensor

HEADER = "es_elementwise.h"

LOOPS = 4
"""Nested loops of the kernels that broadcast."""

PairFunction = Callable[[npt.NDArray[np.int64], npt.NDArray[np.int64]], npt.NDArray[np.int64]]
"""An operator's results for int8 values of its two inputs, exact, before they are clamped."""


def require_scales(*tensors: Tensor) -> None:
    """Raise ``UnsupportedOperationError`` unless all tensors are int8 with one scale each."""
    require_int8(*tensors)
    for tensor in tensors:
        if tensor.quantization is None or tensor.quantization.per_channel:
            raise UnsupportedOperationError(f"tensor {tensor.label!r} has no scale, or several, expected one")


def pair_tensors(operation: Operation) -> tuple[Tensor, Tensor, Tensor]:
    """The two inputs and the output of an operator.

    Raises:
        UnsupportedOperationError: not int8 with one scale each, or an output of another shape than the
            inputs' broadcast.
    """
    return broadcast_pair(operation, require_scales)


def broadcast_pair(
    operation: Operation, require: Callable[[Tensor, Tensor, Tensor], None]
) -> tuple[Tensor, Tensor, Tensor]:
    """The two inputs and the output of an operator of any type.

    Args:
        operation: the operator.
        require: raises what the three tensors' types are wrong in.

    Raises:
        UnsupportedOperationError: that, or an output of another shape than the inputs' broadcast.
    """
    first, second, output = operation.input(0), operation.input(1), operation.output()
    require(first, second, output)
    try:
        shape = np.broadcast_shapes(first.shape, second.shape)
    except ValueError:
        raise UnsupportedOperationError(
            f"inputs of the shapes {list(first.shape)} and {list(second.shape)}, expected shapes to broadcast"
        ) from None
    require_shape(output, shape)
    return first, second, output


def pair_inputs(operation: Operation) -> tuple[int | Blob, int | Blob]:
    """The two inputs of a call, constants as data in flash."""
    first, second = (place_of(operation.input(position)) for position in (0, 1))
    return first, second


def in_place(operation: Operation) -> Mapping[int, int]:
    """Inputs with as many values as the output; the output may take the memory of any of them."""
    elements = operation.output().elements
    return {
        position: 0
        for position in (0, 1)
        if not operation.input(position).is_constant and operation.input(position).elements == elements
    }


def pair_call(operation: Operation, function: str, header: str, parameters: Struct) -> Call:
    """A call of a kernel of two inputs; the output may lie over any of them that is as large."""
    return Call(
        function,
        header,
        parameters,
        pair_inputs(operation),
        (operation.output().index,),
        overlap=in_place(operation),
    )


def clamp_after(operation: Operation) -> tuple[Call, ...]:
    """The pass over the output that a fused activation needs after a kernel that only saturates."""
    low, high = fused_range(operation)
    return clamp_call(operation.output().index, operation.output(), low, high)


def clamp_call(source: int, output: Tensor, low: int, high: int) -> tuple[Call, ...]:
    """A call that clamps an int8 tensor, possibly in place; none if the range is all of int8 and in place.

    Args:
        source: index of the tensor to clamp.
        output: the tensor that gets the values, of the same size.
        low: lowest value.
        high: highest value.
    """
    if source == output.index and (low, high) == (INT8_MIN, INT8_MAX):
        return ()
    members = {"count": output.elements, "low": low, "high": high}
    return (
        Call("es_clamp_s8", HEADER, Struct("es_clamp", members), (source,), (output.index,), overlap={0: 0}),
    )


def fused_range(operation: Operation) -> tuple[int, int]:
    """Lowest and highest int8 that the fused activation lets through; all without one.

    Raises:
        UnsupportedOperationError: an activation that is not a clamp.
    """
    activation = operation.operator.options.get("fused_activation_function", "NONE")
    try:
        return activation_range(activation, operation.output())
    except KeyError:
        raise UnsupportedOperationError(
            f"fused activation {activation}, expected one of {', '.join(CLAMPS)}"
        ) from None


def lookup_call(source: int, output: Tensor, results: npt.NDArray[np.int64]) -> tuple[Call, ...]:
    """A call that looks up every value in a table.

    Args:
        source: index of the input tensor.
        output: the output tensor.
        results: 256 results for the inputs -128 to 127.
    """
    table = Blob(int8_table(results), "results for the inputs 0 to 127, then -128 to -1")
    members: dict[str, Value] = {"table": table, "count": output.elements}
    return (
        Call(
            "es_lookup_s8", HEADER, Struct("es_lookup", members), (source,), (output.index,), overlap={0: 0}
        ),
    )


def lookup_with_constant(operation: Operation, function: PairFunction) -> tuple[Call, ...] | None:
    """The operator as a table, if one of its inputs is a constant of a single value; else None."""
    x = np.arange(INT8_MIN, INT8_MAX + 1)
    first, second = operation.input(0), operation.input(1)
    output = operation.output()
    if second.data is not None and second.elements == 1 and not first.is_constant:
        source, results = first, function(x, np.asarray(second.data, np.int64).reshape(()))
    elif first.data is not None and first.elements == 1 and not second.is_constant:
        source, results = second, function(np.asarray(first.data, np.int64).reshape(()), x)
    else:
        return None
    low, high = fused_range(operation)
    return lookup_call(source.index, output, np.clip(results, low, high))


def multiplier_struct(multiplier: int, shift: int, *, extra_left: int = 0) -> Struct:
    """A real factor for ``es_multiply``.

    Args:
        multiplier: Q31.
        shift: bits by which the result is shifted, to the left if positive.
        extra_left: bits by which the number is shifted to the left in any case.
    """
    left, right = max(shift, 0) + extra_left, max(-shift, 0)
    half = (1 << right) >> 1
    members: dict[str, Value] = {
        "multiplier": multiplier,
        "round_positive": half,
        "round_negative": half - 1 if right else 0,
        "left": left,
        "right": right,
    }
    return Struct("es_multiplier", members)


def loops_struct(operation: Operation) -> Struct:
    """The nested loops over two inputs, as ``es_broadcast``.

    Raises:
        UnsupportedOperationError: shapes that need more loops than the kernels have.
    """
    sizes, strides1, strides2 = broadcast_loops(operation.input(0).shape, operation.input(1).shape)
    if len(sizes) > LOOPS:
        raise UnsupportedOperationError(
            f"broadcasting of {list(operation.input(0).shape)} and {list(operation.input(1).shape)}"
            f" takes {len(sizes)} nested loops, expected at most {LOOPS}"
        )
    outer = LOOPS - len(sizes)
    members = {
        "count": (1,) * outer + sizes,
        "stride1": (0,) * outer + strides1,
        "stride2": (0,) * outer + strides2,
    }
    return Struct("es_broadcast", members)


def broadcast_loops(
    shape1: tuple[int, ...], shape2: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """The fewest nested loops that visit all pairs of two inputs in the output's order.

    Returns:
        Sizes of the loops, the outermost first, and the strides of both inputs; a stride is 0 where an input
        is repeated.
    """
    loops: list[list[int]] = []
    for size1, size2 in zip_longest(reversed(shape1), reversed(shape2), fillvalue=1):
        if size1 == size2 == 1:
            continue
        size, kind = max(size1, size2), [int(size1 > 1), int(size2 > 1)]
        if loops and loops[-1][1:] == kind:
            loops[-1][0] *= size
        else:
            loops.append([size, *kind])
    loops = loops or [[1, 1, 1]]
    sizes = [size for size, _, _ in loops]
    strides = [
        [
            uses[which] * math.prod(inner[0] for inner in loops[:depth] if inner[which])
            for depth, uses in enumerate(loops)
        ]
        for which in (1, 2)
    ]
    return tuple(reversed(sizes)), tuple(reversed(strides[0])), tuple(reversed(strides[1]))
