"""LOG_SOFTMAX as a kernel call."""

from __future__ import annotations

from edgesqueeze.emit.native.lower.activation import softmax_struct, unary_tensors
from edgesqueeze.emit.native.lower.pairs import HEADER
from edgesqueeze.emit.native.numerics import INT8_MAX, quantization_of, quantize_multiplier
from edgesqueeze.emit.native.operands import computed, require_shape
from edgesqueeze.emit.native.records import (
    Call,
    Operation,
    Placement,
    Struct,
    UnsupportedOperationError,
    Value,
)

OUTPUT_SCALE = 1 / 16


def lower_log_softmax(operation: Operation) -> tuple[Call | Placement, ...]:
    """LOG_SOFTMAX over the last dimension.

    Raises:
        UnsupportedOperationError: not int8, another quantization of the output than TFLite's, rows of more
            than 4095 values, or an input's scale that TFLite refuses.
    """
    source, output = unary_tensors(operation)
    require_shape(output, source.shape)
    if quantization_of(output) != (OUTPUT_SCALE, INT8_MAX):
        raise UnsupportedOperationError(
            "the output has another quantization, expected the scale 1/16 and the zero point 127"
        )
    softmax = softmax_struct(source, 1.0)
    multiplier, left = softmax.members["multiplier"], softmax.members["left"]
    assert isinstance(multiplier, int)
    assert isinstance(left, int)
    inverse, shift = quantize_multiplier(2.0 ** (31 - left) / multiplier)
    if shift > 0:
        raise UnsupportedOperationError("the input's scale is too small")
    members: dict[str, Value] = {"softmax": softmax, "inverse": inverse, "inverse_right": -shift}
    parameters = Struct("es_log_softmax", members)
    call = Call("es_log_softmax_s8", HEADER, parameters, (computed(source),), (output.index,), overlap={0: 0})
    return (call,)
