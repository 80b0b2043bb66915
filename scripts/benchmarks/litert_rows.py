"""The published latencies of TensorFlow Lite and XNNPACK, with what the models have to do."""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from blind import is_blind, name_of
from published import litert_graphs

from edgesqueeze.graph import parse_tflite
from edgesqueeze.latency.cost import operator_times
from edgesqueeze.latency.work import Work, work_of
from edgesqueeze.target.latency import (
    ArithmeticLatency,
    Interval,
    MemoryCost,
    OperatorCost,
    OperatorLatency,
)

PUBLISHED = Path(__file__).resolve().parent / "published"
Arithmetic = Literal["float32", "int8"]

SMALL, LARGE = 2**19, 2**21
"""Weights of a whole model, in bytes: up to the one all are taken to stay in a cache, from the other none."""
GEMV = 2.0
"""Assumed: products with one row take twice as long for each, since no weight is used twice."""
SLOW = 3.0
"""Assumed: LOGISTIC and TANH in float32, over an addition (on an x86 processor 2.4)."""
SOFTMAX = 10.0
"""Assumed: an element of SOFTMAX over one of an addition."""
COPY = 0.5
"""Assumed: an element that is only moved, over one of an addition."""
BOXES = 2.4e-3
"""Choosing the boxes of a detector, for each of its scores, over a call: some 24 clocks in one thread, near
what makes the latencies most probable. The custom operator that does it is not in ``litert_graphs``."""
UNDELEGATED = {"HARD_SWISH": 16.0, "RELU": 32.0, "RELU6": 32.0, "AVERAGE_POOL_2D": 12.0}
"""int8 operators that run outside XNNPACK, over an addition. Assumed: about half of what was measured on an
x86 processor (25, 55, 55 and 26 times), whose vectors are twice as wide while scalar code is as fast."""


class Costs(NamedTuple):
    """What tells one device, runtime and arithmetic from another.

    Attributes:
        mac: picoseconds per multiply-accumulate of a convolution.
        depthwise: picoseconds per multiply-accumulate of a depthwise convolution, and per element of other
            operators.
        activation: picoseconds per byte of activations that an operator reads and writes.
        weight: picoseconds per byte of weights that do not stay in a cache.
        call: nanoseconds per operator.
    """

    mac: float
    depthwise: float
    activation: float
    weight: float
    call: float


class Row(NamedTuple):
    """A published latency.

    Attributes:
        id: id of the row.
        device: name of the device that measured it.
        core: name of the core that ran it.
        clock_mhz: clock of the core, in megahertz.
        runtime: name of the runtime that ran it.
        version: version of the runtime.
        kernels: what they are, for versions that have nearly the same.
        build: 32-bit or 64-bit.
        model: name of the model.
        graph: its text for ``litert_graphs.build``.
        arithmetic: arithmetic of its activations.
        threads: number of threads.
        milliseconds: time of one inference, in milliseconds.
    """

    id: str
    device: str
    core: str
    clock_mhz: float
    runtime: str
    version: str
    kernels: str
    build: str
    model: str
    graph: str
    arithmetic: Arithmetic
    threads: int
    milliseconds: float

    @property
    def amounts(self) -> Costs:
        """What each cost is multiplied with, as milliseconds of one thread for a cost of one."""
        return amounts(self.graph, self.arithmetic)


def rows() -> tuple[Row, ...]:
    """The published latencies that may shape the fit."""
    return _rows()[0]


def blind_rows() -> tuple[Row, ...]:
    """Those that are kept out of every fit (``blind``)."""
    return _rows()[1]


@functools.cache
def _rows() -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    every = _read()
    kept = [not is_blind(name_of(row.device, row.model, row.arithmetic, row.threads)) for row in every]
    return (
        tuple(row for row, is_kept in zip(every, kept, strict=True) if is_kept),
        tuple(row for row, is_kept in zip(every, kept, strict=True) if not is_kept),
    )


def _read() -> tuple[Row, ...]:
    with (PUBLISHED / "litert.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Row(
                id=row["id"],
                device=row["device"],
                core=row["core"],
                clock_mhz=float(row["clock_mhz"]),
                runtime=row["runtime"],
                version=row["runtime_version"],
                kernels=row["kernels"],
                build=row["build"],
                model=row["model"],
                graph=row["graph"],
                arithmetic="int8" if row["arithmetic"] == "int8" else "float32",
                threads=int(row["threads"]),
                milliseconds=float(row["latency_ms"]),
            )
            for row in csv.DictReader(file)
        )


def family(model: str) -> str:
    """The family of a model: all widths, sizes and inputs of one design, as ``mobilenet_v3``."""
    first, *rest = model.split()[0].split("_")
    return first if first == "efficientdet" else "_".join([first, *rest[:1]])


def design(model: str) -> str:
    """What a model is: its family, or a detector that is built on one."""
    return "ssdlite" if "ssdlite" in model else family(model)


@functools.cache
def works(graph: str, arithmetic: Arithmetic) -> tuple[Work, ...]:
    """What the operators of a published model have to do."""
    return work_of(parse_tflite(litert_graphs.build(graph, arithmetic)))


@functools.cache
def amounts(graph: str, arithmetic: Arithmetic) -> Costs:
    """What each cost is multiplied with; the latency model is linear in the costs."""
    parts = []
    for index in range(len(Costs._fields)):
        unit = Costs(*(float(index == other) for other in range(len(Costs._fields))))
        times = operator_times(works(graph, arithmetic), section({arithmetic: unit}))
        parts.append(sum(time.ms for time in times))
    found = Costs(*parts)
    return found._replace(call=found.call + BOXES * _scores(graph, arithmetic) / 1e6)


def _scores(graph: str, arithmetic: Arithmetic) -> int:
    """Number of scores that a detector gives: of each class in each place. The other models have none."""
    return sum(work.outputs for work in works(graph, arithmetic) if work.opcode == "LOGISTIC")


def section(
    costs: dict[Arithmetic, Costs],
    *,
    version: str = "any",
    speedup: Sequence[Costs] = (),
    intervals: Mapping[Arithmetic, Interval] = MappingProxyType({}),
    call_interval: Interval | None = None,
    basis: str = "any",
) -> OperatorLatency:
    """The section ``[latency]`` that some costs make.

    Args:
        costs: costs by arithmetic.
        version: version of the runtime.
        speedup: how many times faster 1, 2, 3, ... threads are than one, by cost.
        intervals: bounds by arithmetic.
        call_interval: bounds on calls.
        basis: what all this rests on.
    """
    weight = max(cost.weight for cost in costs.values())
    return OperatorLatency(
        runtime="litert",
        version=version,
        speedup=tuple(one.mac for one in speedup) or (1.0,),
        byte_speedup=tuple(one.activation for one in speedup),
        call_speedup=(1.0,) if speedup else (),
        memory=(
            MemoryCost(weights_bytes=SMALL, byte_ps=0.0),
            MemoryCost(weights_bytes=LARGE, byte_ps=weight),
        ),
        float32=_arithmetic(costs, "float32", intervals),
        int8=_arithmetic(costs, "int8", intervals),
        interval=max(intervals.values(), key=lambda one: one.high, default=Interval(low=1.0, high=1.0)),
        call_interval=call_interval,
        basis=basis,
    )


def _arithmetic(
    given: Mapping[Arithmetic, Costs], arithmetic: Arithmetic, intervals: Mapping[Arithmetic, Interval]
) -> ArithmeticLatency | None:
    if arithmetic not in given:
        return None
    costs = given[arithmetic]

    # XNNPACK's kernels for Arm compute four to six positions by eight to sixteen channels.
    def tiled(mac_ps: float) -> OperatorCost:
        return OperatorCost(mac_ps=mac_ps, call_ns=costs.call, tile_rows=4, tile_columns=(8,))

    def each(factor: float) -> OperatorCost:
        return OperatorCost(output_ps=factor * costs.depthwise, call_ns=costs.call)

    window = OperatorCost(mac_ps=costs.depthwise, call_ns=costs.call)
    operators = {
        "conv": tiled(costs.mac),
        "conv_1x1": tiled(costs.mac),
        "gemv": tiled(GEMV * costs.mac),
        "depthwise": OperatorCost(mac_ps=costs.depthwise, call_ns=costs.call, tile_columns=(8,)),
        "elementwise": each(1.0),
        "other": each(1.0),
        "activation": each(1.0),
        "convert": each(1.0),
        "move": each(COPY),
        "softmax": each(SOFTMAX),
        "pool": window,
        "reduce": window,
    }
    if arithmetic == "float32":
        operators |= {"LOGISTIC": each(SLOW), "TANH": each(SLOW)}
    else:
        operators |= {name: each(factor) for name, factor in UNDELEGATED.items()}
    return ArithmeticLatency(
        activation_ps=costs.activation, interval=intervals.get(arithmetic), operators=operators
    )
