"""What operators on int16 activations share: checks, ranges, scales."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.numerics import CLAMPS, quantization_of, quantize_multiplier, round_half_away
from edgesqueeze.emit.native.records import (
    Blob,
    Operation,
    Struct,
    UnsupportedOperationError,
    Value,
)
from edgesqueeze.graph import Tensor

HEADER = "es_s16.h"
INT16_MIN, INT16_MAX = -32768, 32767
LARGEST_WORD = (1 << 31) - 1
LARGEST_SHIFT = 30
LARGEST_REDUCED = 0x7FFF0000
"""From here on a multiplier of 32 bits has the largest of 16."""


def require_int16(*tensors: Tensor) -> None:
    """Raise ``UnsupportedOperationError`` unless all tensors are int16 with one scale and zero point 0."""
    for tensor in tensors:
        if tensor.dtype != "int16":
            raise UnsupportedOperationError(f"{tensor.label} is {tensor.dtype}, expected int16")
        if tensor.quantization is None or tensor.quantization.per_channel:
            raise UnsupportedOperationError(f"tensor {tensor.label!r} has no scale, or several, expected one")
        if tensor.quantization.zero_point:
            raise UnsupportedOperationError(
                f"tensor {tensor.label!r} has the zero point {tensor.quantization.zero_point}, expected 0"
            )


def range_of(operation: Operation) -> dict[str, Value]:
    """Lowest and highest int16 that the fused activation lets through, as a kernel's members.

    Raises:
        UnsupportedOperationError: an activation that is not a clamp.
    """
    activation = operation.operator.options.get("fused_activation_function", "NONE")
    if activation not in CLAMPS:
        raise UnsupportedOperationError(f"fused activation {activation}, expected one of {', '.join(CLAMPS)}")
    return clamp_range(activation, operation.output())


def clamp_range(activation: str, tensor: Tensor) -> dict[str, Value]:
    """Lowest and highest int16 that one of ``CLAMPS`` lets through, by the scale of a tensor."""
    scale = np.float32(quantization_of(tensor)[0])
    low, high = (
        None if real is None else round_half_away(float(np.float32(real) / scale))
        for real in CLAMPS[activation]
    )
    return {
        "minimum": INT16_MIN if low is None else max(INT16_MIN, low),
        "maximum": INT16_MAX if high is None else min(INT16_MAX, high),
    }


def output_struct(
    operation: Operation,
    bias: Tensor | None,
    real: Sequence[float],
    *,
    wide: bool,
    sizes: npt.NDArray[np.int64] | None = None,
) -> Struct:
    """How sums of products become int16, as ``es_output_s16``.

    Args:
        operation: the operator.
        bias: the tensor of biases, or None.
        real: per output channel what sums are multiplied by.
        wide: whether sums have 64 bits; then TFLite rounds multipliers to 16.
        sizes: per output channel the sum of its weights' absolute values, where it tells how large sums get.
    """
    biases = np.zeros(len(real), np.int64)
    if bias is not None:
        if bias.data is None or bias.elements != len(real):
            raise UnsupportedOperationError(f"{bias.elements} biases, expected {len(real)} constants")
        biases = bias.data.astype(np.int64).reshape(-1)
    scales = [_reduced(*quantize_multiplier(one)) if wide else quantize_multiplier(one) for one in real]
    in_words = sizes is not None and _fit_words(biases, sizes, scales)
    return Struct(
        "es_output_s16",
        {
            "biases": Blob(biases, "biases", alignment=8),
            "scales": Blob(np.array(scales, np.int32).reshape(-1), "multipliers and shifts"),
            **range_of(operation),
            "wide": "ES_WRAPPING" if not wide else "ES_WIDE_IN_WORDS" if in_words else "ES_WIDE",
        },
    )


def one_scale(operation: Operation, real: float) -> Struct:
    """How sums of products of 64 bits become int16, by one scale and without biases."""
    scale = np.array(_reduced(*quantize_multiplier(real)), np.int32)
    return Struct(
        "es_output_s16",
        {
            "biases": None,
            "scales": Blob(scale, "multiplier and shift"),
            **range_of(operation),
            "wide": "ES_WIDE",
        },
    )


def fits_words(output: Struct) -> bool:
    """Whether no sum of what ``output_struct`` made exceeds 32 bits."""
    return output.members["wide"] == "ES_WIDE_IN_WORDS"


def is_wide(bias: Tensor | None) -> bool:
    """Whether TFLite Micro sums up in 64 bits: by the type of the biases, and without any.

    Raises:
        UnsupportedOperationError: biases of another type.
    """
    if bias is not None and bias.dtype not in ("int32", "int64"):
        raise UnsupportedOperationError(f"the biases are {bias.dtype}, expected int64 or int32")
    return bias is None or bias.dtype == "int64"


def _fit_words(
    biases: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], scales: Sequence[tuple[int, int]]
) -> bool:
    """Whether sums of any int16 and biases fit into 32 bits, and kernels can shift by all the shifts."""
    largest = int(np.max(np.abs(biases) + sizes * -INT16_MIN))
    return largest <= LARGEST_WORD and all(1 <= shift <= LARGEST_SHIFT for _, shift in scales)


def _reduced(multiplier: int, shift: int) -> tuple[int, int]:
    """A multiplier of 16 bits above 16 zeros, and the shift to the right of the product's upper half."""
    right = 15 - shift
    if right < 8:
        raise UnsupportedOperationError("the output's scale is too small for those of the inputs")
    short = (multiplier + (1 << 15)) >> 16 if multiplier < LARGEST_REDUCED else 0x7FFF
    return short << 16, right - 16
