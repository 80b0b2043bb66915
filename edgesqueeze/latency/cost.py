"""The time of each operator of a .tflite in LiteRT, from a device's costs.

An operator takes what its arithmetic, its tensors and its call take:

    mac_ps    for each multiply-accumulate. Kernels compute tiles of so many positions by so many channels,
              and a tile that is not full takes as long: all are rounded up to whole tiles
    patch_ps  for each element of the matrix of windows (rows x depth) that a convolution gathers
    row_ps    for each output position
    output_ps for each output element
    weight_ps for each byte of weights
    call_ns   once

Around the operators come the weights that no cache keeps until the next inference (``memory``, by the size of
all weights), activations that other operators have pushed out (``activation_ps``), and ``invoke_us``. That
arithmetic is bound by computing and by memory is the view of the roofline model (Williams, Waterman and
Patterson, 2009); here the two add up, since small cores overlap them badly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from edgesqueeze.latency.work import Work
from edgesqueeze.target.latency import ArithmeticLatency, Interval, OperatorCost, OperatorLatency

FREE_OPCODES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
"""They keep their data where they are, or copy them at once."""
FALLBACKS = {
    "conv_1x1": ("conv",),
    "conv": ("conv_1x1",),
    "gemv": ("conv_1x1", "conv"),
    "transpose_conv": ("conv", "conv_1x1"),
    "recurrent": ("gemv", "conv_1x1", "conv"),
}
"""What stands in for a kind that a device has no costs of."""


INT16_FACTOR = 10.0
"""On the costs that stand in for int16 activations: LiteRT has reference kernels for them, and no XNNPACK."""


NO_TILES = OperatorCost()


class Counts(NamedTuple):
    """What the costs of an operator are multiplied with, in the order of ``OperatorCost``'s fields."""

    macs: float
    patches: float
    rows: float
    outputs: float
    weight_bytes: float
    calls: float


class OperatorTime(NamedTuple):
    """What one operator takes.

    Attributes:
        ms: of the whole operator.
        known: whether the device has costs for this very kind.
        call_ms: of its call alone.
    """

    ms: float
    known: bool
    call_ms: float = 0.0


def counts_of(work: Work, tile: OperatorCost = NO_TILES) -> Counts:
    """What an operator's costs are multiplied with; of ``tile`` only the tiles count."""
    rows, depth, columns = work.rows, work.depth, work.columns
    if work.macs:
        if work.kind != "depthwise":
            rows = _whole(rows, tile.tile_rows) if rows > 1 else rows
            depth = work.taps * _whole(depth // work.taps, tile.tile_depth)
        wide_enough = (size for size in tile.tile_columns if size >= columns)
        columns = _whole(columns, min(wide_enough, default=max(tile.tile_columns)))
    return Counts(
        macs=float(rows * depth * columns),
        patches=float(work.rows * work.depth),
        rows=float(work.rows),
        outputs=float(work.outputs),
        weight_bytes=float(work.weight_bytes),
        calls=1.0,
    )


def key_of(work: Work) -> str:
    """The name of an operator's costs: its kind if it multiplies with weights, else its opcode."""
    if work.kind in ("conv", "fully_connected"):
        if work.rows == 1:
            return "gemv"
        return "conv_1x1" if work.taps == 1 else "conv"
    return work.kind if work.macs else work.opcode


def operator_times(
    works: Sequence[Work], latency: OperatorLatency, threads: int = 1
) -> tuple[OperatorTime, ...]:
    """What each operator takes with some threads, without ``invoke_us``."""
    byte_ps = _memory_cost(sum(work.weight_bytes for work in works), latency)
    faster = speedup(latency, threads)
    return tuple(_time(work, latency, byte_ps, faster) for work in works)


class Speedup(NamedTuple):
    """How many times faster some threads are than one: in computing, with bytes, and in calls."""

    computing: float
    moving: float
    calling: float


def speedup(latency: OperatorLatency, threads: int) -> Speedup:
    """How many times faster so many threads are than one; beyond those that were measured, the last."""

    def of(known: Sequence[float]) -> float:
        return known[min(threads, len(known)) - 1]

    return Speedup(
        of(latency.speedup),
        of(latency.byte_speedup or latency.speedup),
        of(latency.call_speedup or latency.speedup),
    )


def interval_of(work: Work, latency: OperatorLatency) -> Interval:
    """The bounds of an operator's arithmetic, as factors on the estimate."""
    return _arithmetic(work, latency)[0].interval or latency.interval


def _time(work: Work, latency: OperatorLatency, byte_ps: float, faster: Speedup) -> OperatorTime:
    if work.kind == "free" or work.opcode in FREE_OPCODES:
        return OperatorTime(0.0, True)
    arithmetic, right = _arithmetic(work, latency)
    cost, known = _cost(work, arithmetic)
    *computing, call = _figures(cost)
    counts = counts_of(work, cost)
    ps = sum(figure * count for figure, count in zip(computing, counts, strict=False)) / faster.computing
    moved = byte_ps * work.weight_bytes + arithmetic.activation_ps * activation_bytes(work)
    call /= faster.calling
    ps += moved / faster.moving + call
    factor = INT16_FACTOR if work.arithmetic == "int16" else 1.0
    return OperatorTime(factor * ps / 1e9, known and right, factor * call / 1e9)


def activation_bytes(work: Work) -> int:
    """Bytes of the tensors that an operator reads and writes, constants left out."""
    return (work.inputs + work.outputs) * work.element_bytes


def _figures(cost: OperatorCost) -> tuple[float, ...]:
    return (cost.mac_ps, cost.patch_ps, cost.row_ps, cost.output_ps, cost.weight_ps, cost.call_ns * 1e3)


def _arithmetic(work: Work, latency: OperatorLatency) -> tuple[ArithmeticLatency, bool]:
    """The costs that fit an operator's type best, and whether they are those of its type."""
    # The same few kernels copy and compare integers of any width.
    costs = {"float32": latency.float32, "int8": latency.int8, "int32": latency.int8}
    own = costs.get(work.arithmetic)
    stand_in = latency.float32 or latency.int8
    assert stand_in is not None  # the record was checked
    return own or stand_in, own is not None


def _cost(work: Work, arithmetic: ArithmeticLatency) -> tuple[OperatorCost, bool]:
    key = key_of(work)
    own = (key,) if work.macs or work.kind == "other" else (key, work.kind)
    for name in own:
        if name in arithmetic.operators:
            return arithmetic.operators[name], True
    for name in (*FALLBACKS.get(key, ()), "other"):
        if name in arithmetic.operators:
            return arithmetic.operators[name], False
    return OperatorCost(), False


def _memory_cost(weights_bytes: int, latency: OperatorLatency) -> float:
    """Picoseconds per byte of weights, on a line between the sizes that are given."""
    below = (0, 0.0)
    for step in latency.memory:
        if weights_bytes <= step.weights_bytes:
            share = (weights_bytes - below[0]) / (step.weights_bytes - below[0])
            return below[1] + share * (step.byte_ps - below[1])
        below = (step.weights_bytes, step.byte_ps)
    return below[1]


def _whole(count: int, tile: int) -> int:
    return -(-count // tile) * tile
