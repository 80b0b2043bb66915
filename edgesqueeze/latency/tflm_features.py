"""What TensorFlow Lite Micro's kernels loop over: the figures of an operator that its time grows with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from edgesqueeze.latency.kinds import Kind
from edgesqueeze.latency.work import Work
from edgesqueeze.target.latency import Rate

RATES: tuple[Rate, ...] = ("products", "weights", "other")
"""Instructions that take about equally long each: products of convolutions; products of fully connected
layers, which read every weight once, from flash; and everything else, with many short loops and calls."""

COPIES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
"""Operators that copy their input as it is."""

VECTOR_BYTES = 16
_PRODUCTS = frozenset({"macs", "vectors", "tail"})
_CONVOLUTIONS = frozenset({"conv", "pointwise"})


class Features(NamedTuple):
    """An operator as its kernel sees it.

    Attributes:
        family: kernels that can run it; the coefficients of one family are fitted together.
        loops: number of times that each of the kernel's loops runs, by name of the loop.
    """

    family: str
    loops: Mapping[str, float]


def features_of(work: Work) -> Features:
    """The loops of the integer kernel that CMSIS-NN or, where it has none, TFLM takes for an operator."""
    rule = _RULES.get(work.kind)
    return rule(work) if rule else _elements(work.kind, work)


def float_features_of(work: Work) -> Features:
    """The loops of TFLM's reference kernel for float32."""
    outputs = work.rows * work.columns
    if work.kind in ("conv", "transpose_conv"):
        # Whether a position of the window is inside the input is asked for every output channel.
        windows = outputs * work.taps
        return Features("conv", {"macs": outputs * work.depth, "windows": windows, "outputs": outputs})
    if work.kind == "depthwise":
        return Features("depthwise", {"macs": outputs * work.taps})
    if work.kind in ("fully_connected", "recurrent"):
        return Features("fully_connected", {"macs": work.macs, "outputs": outputs})
    if work.kind == "free" or work.opcode in COPIES:
        return Features("copy", {})  # a few cycles an element
    touched = outputs * work.taps if work.kind == "pool" else max(work.inputs, work.outputs)
    return Features("softmax" if work.kind == "softmax" else "elements", {"touched": touched})


def rate_of(family: str, loop: str) -> Rate:
    """How fast the instructions of a loop are."""
    if family == "fully_connected":
        return "weights"
    return "products" if family in _CONVOLUTIONS and loop in _PRODUCTS else "other"


def _conv(work: Work) -> Features:
    # A window is copied before it is multiplied (im2col), one copy for every position in it. Products are
    # taken four at a time, and the rest of a window one by one.
    outputs = work.rows * work.columns
    loops = {
        "macs": outputs * work.depth,
        "vectors": outputs * _vectors(work.depth),
        "tail": outputs * (work.depth % 4),
        "outputs": outputs,
        "rows": work.rows,
    }
    if work.taps == 1:  # nothing to copy, but a sum of weights for every output channel
        return Features("pointwise", loops | {"channels": work.columns, "weights": work.depth * work.columns})
    copies = {"copied": work.rows * work.depth, "copies": work.rows * work.taps, "call": 1}
    return Features("conv", loops | copies)


def _depthwise(work: Work) -> Features:
    outputs = work.rows * work.columns
    loops = {
        "macs": outputs * work.taps,
        "vectors": work.rows * work.taps * _vectors(work.columns),
        "outputs": outputs,
        "rows": work.rows,
        "call": 1,
    }
    # Output channels per input channel: another kernel takes those with more than one.
    multiplier = round(outputs * work.stride**2 / max(work.inputs, 1))
    return Features("depthwise_multiplied" if multiplier > 1 else "depthwise", loops)


def _fully_connected(work: Work) -> Features:
    outputs = work.rows * work.columns
    loops = {
        "macs": outputs * work.depth,
        "vectors": outputs * _vectors(work.depth),
        "outputs": outputs,
        "call": 1,
    }
    return Features("fully_connected", loops)


def _pool(work: Work) -> Features:
    outputs = work.rows * work.columns
    loops = {"taken": outputs * work.taps, "outputs": outputs, "rows": work.rows, "call": 1}
    return Features("max_pool" if work.opcode == "MAX_POOL_2D" else "average_pool", loops)


def _convert(work: Work) -> Features:
    return Features("dequantize" if work.opcode == "DEQUANTIZE" else "quantize", {"outputs": work.outputs})


def _elementwise(work: Work) -> Features:
    # ADD was counted; SUB and MUL are loops of the same shape, the others broadcast element by element.
    return _elements("elementwise" if work.opcode in ("ADD", "SUB", "MUL") else "broadcast", work)


def _move(work: Work) -> Features:
    return _elements("copy" if work.opcode in COPIES else "move", work)


def _transpose_conv(work: Work) -> Features:
    return Features("transpose_conv", {"macs": work.macs, "outputs": work.outputs})


def _recurrent(work: Work) -> Features:
    return Features("recurrent", {"macs": work.macs, "outputs": work.outputs})


def _reduce(work: Work) -> Features:
    return Features("reduce", {"inputs": work.inputs, "outputs": work.outputs})


def _elements(family: str, work: Work) -> Features:
    return Features(family, {"outputs": work.outputs, "call": 1})


def _vectors(length: int) -> int:
    return -(-length // VECTOR_BYTES)


_RULES: Mapping[Kind, Callable[[Work], Features]] = MappingProxyType(
    {
        "conv": _conv,
        "depthwise": _depthwise,
        "fully_connected": _fully_connected,
        "transpose_conv": _transpose_conv,
        "recurrent": _recurrent,
        "elementwise": _elementwise,
        "pool": _pool,
        "reduce": _reduce,
        "convert": _convert,
        "move": _move,
    }
)
