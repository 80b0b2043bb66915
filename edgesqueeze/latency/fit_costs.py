"""From measured microbenchmarks to the costs of a device.

First each kind of operator by itself: costs that are not negative, relative errors as small as they get,
the tiles that fit best. Then, from networks of several operators, what these single operators cannot show:
weights and activations that have left the cache by the time they are needed again.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edgesqueeze.errors import DeviceError
from edgesqueeze.latency.cost import FREE_OPCODES, activation_bytes, counts_of, key_of, operator_times
from edgesqueeze.latency.nnls import nnls
from edgesqueeze.latency.records import CONFIDENCE
from edgesqueeze.latency.residuals import interval_of
from edgesqueeze.latency.work import Work
from edgesqueeze.target.latency import ArithmeticLatency, Interval, MemoryCost, OperatorCost, OperatorLatency

Floats = npt.NDArray[np.float64]

MICROSECOND = 1e-3  # in milliseconds
LEAST_MS = 2e-4
"""Shorter times are as good as this one: the clock and the call are all there is to see."""
DIGITS = 4
FEWEST_NETWORKS = 5
"""Fewer say nothing about how far off predictions are."""
WIDEST = 1000.0
"""The widest bounds that a profile takes, as a factor."""
SHORT = 3
"""An operator with weights that alone takes less than so many empty calls says little about itself."""
CACHED_BYTES = 512 * 1024
"""Weights of this size stay in the cache of all but the smallest cores."""
SPILLED_BYTES = 1024 * 1024
"""Of networks with fewer bytes of activations, what activations cost drowns in other errors."""
ROWS = (1, 2, 3, 4, 5, 6, 7, 8)
COLUMNS = ((1,), (4,), (8,), (16,), (32,), (4, 8), (8, 16), (16, 32), (32, 64))
DEPTHS = (1, 4, 8)
WINDOWED = ("conv", "conv_1x1")


class Measured(NamedTuple):
    """One model's time on the device.

    Attributes:
        name: name of the benchmark.
        arithmetic: arithmetic of its activations.
        network: whether several of its operators matter.
        works: work of each of its operators.
        threads: number of threads that ran it.
        ms: median time of one inference, in milliseconds.
    """

    name: str
    arithmetic: str
    network: bool
    works: tuple[Work, ...]
    threads: int
    ms: float


class _Point(NamedTuple):
    work: Work
    ms: float


def fit_costs(points: Sequence[Measured], *, runtime: str, version: str, basis: str) -> OperatorLatency:
    """Fit a device's costs.

    Args:
        points: all benchmarks, with one thread and networks with several.
        runtime: runtime of the section: ``litert`` or ``tflite-runtime``.
        version: version of the runtime.
        basis: what the section will say that it rests on.

    Raises:
        DeviceError: too few benchmarks were measured to fit anything.
    """
    points = [point._replace(ms=max(point.ms, LEAST_MS)) for point in points]
    single = [point for point in points if point.threads == 1]
    invoke_ms = _invoke(single)
    float32, int8 = (_section(single, arithmetic, invoke_ms) for arithmetic in ("float32", "int8"))
    if float32 is None and int8 is None:
        raise DeviceError(
            "the device measured none of the microbenchmarks",
            expected="at least those of one type",
            got="none",
            hint="run `edgesqueeze bench` on it: it says what is wrong",
        )
    bare = OperatorLatency(
        runtime=runtime,  # type: ignore[arg-type]
        version=version,
        invoke_us=_rounded(invoke_ms / MICROSECOND),
        speedup=_speedups(points),
        interval=Interval(low=1, high=1),
        basis=basis,
        float32=float32,
        int8=int8,
    )
    bare = bare.model_copy(update={"memory": _memory(bare, single)})
    networks = [one for one in single if one.network and not _is_dense(one) and getattr(bare, one.arithmetic)]
    if len(networks) < FEWEST_NETWORKS:
        raise DeviceError(
            "the device ran too few small networks to tell how far off predictions are",
            expected=f"{FEWEST_NETWORKS} or more",
            got=str(len(networks)),
            hint="`edgesqueeze bench` on it says what is wrong",
        )
    fitted = _with_activations(bare, networks)
    low, high = interval_of(_left_out_errors(bare, networks), CONFIDENCE)
    return fitted.model_copy(update={"interval": _interval(low, high)})


def _interval(low: float, high: float) -> Interval:
    return Interval(low=_rounded(max(low, 1 / WIDEST)), high=_rounded(min(high, WIDEST)))


def predicted_ms(latency: OperatorLatency, works: Sequence[Work]) -> float:
    """Milliseconds of one inference with one thread."""
    return latency.invoke_us * MICROSECOND + sum(time.ms for time in operator_times(works, latency))


def _invoke(points: Sequence[Measured]) -> float:
    """What an inference takes beside its operators: from a small operator alone, and in a row.

    In a row of n it takes ``(invoke + n * operator) / n`` each.
    """
    pairs = []
    by_name = {(point.arithmetic, point.name): point for point in points}
    for (arithmetic, name), row in by_name.items():
        alone = by_name.get((arithmetic, name.rpartition("x")[0] + "x1"))
        count = len(row.works)
        if row.network and count > 1 and alone and name.startswith("tiny_"):
            pairs.append((alone.ms - row.ms / count) * count / (count - 1))
    return max(0.0, float(np.median(pairs))) if pairs else 0.0


def _section(points: Sequence[Measured], arithmetic: str, invoke_ms: float) -> ArithmeticLatency | None:
    mine = [point for point in points if point.arithmetic == arithmetic]
    operators = _operators(mine, invoke_ms)
    return ArithmeticLatency(operators=operators) if operators else None


def _operators(points: Sequence[Measured], invoke_ms: float) -> dict[str, OperatorCost]:
    """The costs of each kind of operator from the benchmarks that have only one, or a row of equal ones.

    Rows say what short operators take: of one that runs alone, most of the time is that of the call.
    """
    kinds: dict[str, list[_Point]] = defaultdict(list)
    for point in points:
        works = [work for work in point.works if work.kind != "free" and work.opcode not in FREE_OPCODES]
        if not works or (point.network and not _is_row(works)):
            continue
        if not point.network and any(work.macs for work in works) and point.ms < SHORT * invoke_ms:
            continue
        # Of several operators (to a type and back) each is taken to have its share by size.
        whole = sum(activation_bytes(work) for work in works)
        for work in works[:1] if point.network else works:
            share = 1 / len(works) if point.network else activation_bytes(work) / whole
            kinds[key_of(work)].append(_Point(work, max((point.ms - invoke_ms) * share, LEAST_MS)))
    costs = {kind: _cost(kind, rows) for kind, rows in sorted(kinds.items())}
    if "ADD" in costs:
        costs["other"] = costs["ADD"]
    return costs


def _is_row(works: Sequence[Work]) -> bool:
    """Whether a network is one operator again and again, with weights that stay in the cache."""
    return (
        len(works) > 1
        and len({(key_of(work), counts_of(work)) for work in works}) == 1
        and sum(work.weight_bytes for work in works) <= CACHED_BYTES
    )


def _cost(kind: str, rows: Sequence[_Point]) -> OperatorCost:
    """The costs with the tiles that fit best, of few benchmarks without tiles."""
    tiles = [OperatorCost()]
    if kind == "gemv":
        rows = [row for row in rows if row.work.weight_bytes <= CACHED_BYTES] or rows
    if len(rows) > 8 and kind in WINDOWED:
        sizes = itertools.product(ROWS, COLUMNS, DEPTHS)
        tiles = [OperatorCost(tile_rows=r, tile_columns=c, tile_depth=d) for r, c, d in sizes]
    elif len(rows) > 8 and rows[0].work.macs:
        tiles = [OperatorCost(tile_columns=columns) for columns in COLUMNS]
    return min((_fit(rows, tile) for tile in tiles), key=lambda fit: fit[0])[1]


def _fit(rows: Sequence[_Point], tile: OperatorCost) -> tuple[float, OperatorCost]:
    """The mean relative error, and the costs."""
    matrix = np.array([counts_of(row.work, tile) for row in rows])
    times = np.array([row.ms for row in rows])
    figures = _relative_nnls(matrix, times) * 1e9  # picoseconds
    error = float(np.mean(np.abs(matrix @ figures / 1e9 / times - 1)))
    mac, patch, row, output, weight, call = (_rounded(float(figure)) for figure in figures)
    costs = {"mac_ps": mac, "patch_ps": patch, "row_ps": row, "output_ps": output, "weight_ps": weight}
    return error, tile.model_copy(update={**costs, "call_ns": _rounded(call / 1e3)})


def _relative_nnls(matrix: Floats, times: Floats) -> Floats:
    """Costs with small relative errors; a few benchmarks that went wrong do not pull them away.

    Iteratively reweighted least squares towards the sum of absolute errors.
    """
    relative = matrix / times[:, None]
    weights: Floats = np.ones(len(times))
    for _ in range(8):
        root = np.sqrt(weights)
        costs = nnls(relative * root[:, None], root)
        weights = 1 / (np.abs(relative @ costs - 1) + 0.02)
    return costs


def _with_activations(latency: OperatorLatency, networks: Sequence[Measured]) -> OperatorLatency:
    """Add what activations take that are no longer in the cache: the median over networks that have many."""
    for arithmetic in ("float32", "int8"):
        section: ArithmeticLatency | None = getattr(latency, arithmetic)
        mine = [one for one in networks if one.arithmetic == arithmetic and _spills(one)]
        if section is None or not mine:
            continue
        shares = [
            (one.ms - predicted_ms(latency, one.works)) / sum(map(activation_bytes, one.works))
            for one in mine
        ]
        section = section.model_copy(
            update={"activation_ps": _rounded(max(0.0, float(np.median(shares))) * 1e9)}
        )
        latency = latency.model_copy(update={arithmetic: section})
    return latency


def _memory(latency: OperatorLatency, points: Sequence[Measured]) -> tuple[MemoryCost, ...]:
    """From dense layers, which read each weight once and do little else: more weights never cost less."""
    sizes, extras = [], []
    for point in filter(_is_dense, points):
        size = sum(work.weight_bytes for work in point.works)
        if size > CACHED_BYTES:
            sizes.append(size)
            extras.append(max(0.0, (point.ms - predicted_ms(latency, point.works)) / size * 1e9))
    order = np.argsort(sizes)
    costs = _ascending(np.array(extras)[order])
    steps = {CACHED_BYTES: 0.0}
    steps.update({sizes[index]: _rounded(float(cost)) for index, cost in zip(order, costs, strict=True)})
    return tuple(MemoryCost(weights_bytes=size, byte_ps=cost) for size, cost in steps.items())


def _ascending(values: Floats) -> Floats:
    """The nearest values that never descend: pool adjacent violators (Ayer and others, 1955)."""
    pools: list[list[float]] = []
    for value in values:
        pools.append([float(value)])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    return np.array([np.mean(pool) for pool in pools for _ in pool])


def _left_out_errors(bare: OperatorLatency, networks: Sequence[Measured]) -> list[float]:
    """Logarithms of measured over predicted, of each network by a fit without it."""
    errors = []
    for number, network in enumerate(networks):
        others = [*networks[:number], *networks[number + 1 :]]
        predicted = predicted_ms(_with_activations(bare, others), network.works)
        errors.append(math.log(network.ms / max(predicted, LEAST_MS)))
    return errors


def _speedups(points: Sequence[Measured]) -> tuple[float, ...]:
    """How many times faster 1, 2, ... threads are: the median over networks."""
    alone = {(point.arithmetic, point.name): point.ms for point in points if point.threads == 1}
    ratios: Mapping[int, list[float]] = defaultdict(list)
    for point in points:
        key = (point.arithmetic, point.name)
        if point.network and point.threads > 1 and key in alone:
            ratios[point.threads].append(alone[key] / point.ms)
    most = max(ratios, default=1)
    known = {1: 1.0, **{threads: float(np.median(values)) for threads, values in ratios.items()}}
    counts = sorted(known)
    between = np.interp(range(1, most + 1), counts, [known[count] for count in counts])
    return tuple(_rounded(float(value)) for value in between)


def _spills(network: Measured) -> bool:
    return sum(map(activation_bytes, network.works)) > SPILLED_BYTES


def _is_dense(network: Measured) -> bool:
    return all(work.kind == "fully_connected" for work in network.works)


def _rounded(value: float) -> float:
    """To so many digits that a profile can be read."""
    return float(f"{value:.{DIGITS}g}")
