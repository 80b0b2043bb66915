"""How many cycles other devices need than the board that rates are fitted on, for one engine and model.

One model over all cores and boards, of what these have in common. A core has a factor: how many instructions
it issues in a cycle, and how deep its pipeline is. The flash has an exponent of the clock, on the Cortex-M4
alone, whose boards have small accelerators before it; boards with a Cortex-M33 have caches there, the
Cortex-M7 has its own, and their cycles were not found to grow with the clock. And a board has a factor around
its core's. Exponents by kind of model, for all cores, or for boards without a cache, and factors for fully
connected layers of their own, were tried, and boards that were left out came out no better with them.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tflm_builds import size_cycles
from tflm_published import BOARD, BUILDS, Row, blind_rows, board_cpu, fit_rates, instructions, predicted, rows

from edgesqueeze.latency.tflm_model import cycles
from edgesqueeze.target.load import load_target

SAME_CODE = ("cortex-m4", "cortex-m33")
"""Cores that are taken to run the code of the board's."""

M7 = "stm32f746g-disco"
"""A target with the core that runs code of its own."""

CORES = ("cortex-m4", "cortex-m33", "cortex-m7")
PRIORS = (0.0, math.log(0.85), math.log(0.6))
"""Logarithms of the factors that cores are drawn to, weakly: a guess from what they issue in a cycle."""

CORE_RIDGE, CLOCK_RIDGE = 0.05, 0.3
"""How strongly factors are drawn to ``PRIORS``, and the exponent of the clock to none: the scatter of boards,
as a logarithm, over the spread that they are taken to have before anything was measured."""

OUTLIER = 0.1
"""Logarithm beyond which an error counts linearly (Huber)."""

BOARD_SPREAD, CELL_SPREAD = 0.1, 0.1
"""Spreads of the logarithms of boards around their cores, and of models on one board: chosen by leaving out
one model of a board."""


class Pair(NamedTuple):
    """Published cycles of one model on two devices.

    Attributes:
        row: the latency on the device that is compared with the board.
        ratio: cycles on the device over cycles on the board.
        is_published: whether the board's cycles were published for the same engine, or are the fitted
            model's.
    """

    row: Row
    ratio: float
    is_published: bool


class Cell(NamedTuple):
    """All pairs of one device and model.

    Attributes:
        device, core, model: what was measured.
        log: median of the logarithms of their ratios.
    """

    device: str
    core: str
    model: str
    log: float


@functools.cache
def pairs() -> tuple[Pair, ...]:
    """All pairs of a device with the board by one engine, version and int8 model, none of them blind.

    TFLM itself was published on the board, by one source, and on others, by another: these pairs take what
    the fitted model says for the board.
    """
    return tuple(_pairs(rows(), rows()))


@functools.cache
def blind_pairs() -> tuple[Pair, ...]:
    """Pairs of published latencies of which one or both are kept out of every fit."""
    everything = (*rows(), *blind_rows())
    known = {pair.row.id for pair in pairs()}
    return tuple(
        one for one in _pairs(everything, everything) if one.is_published and one.row.id not in known
    )


def _pairs(devices: Sequence[Row], boards: Sequence[Row]) -> Iterable[Pair]:
    known = {
        _key(row): row for row in boards if _is_board(row) and row.use != "fit" and row.arithmetic == "int8"
    }
    for row in devices:
        if _is_board(row) or row.arithmetic != "int8" or row.use == "information":
            continue
        if "TFLM" in row.runtime:
            if row.core in CORES:
                yield Pair(row, row.cycles / _on_the_board(row), is_published=False)
        elif _key(row) in known:
            yield Pair(row, row.cycles / known[_key(row)].cycles, is_published=True)


def _key(row: Row) -> tuple[str, ...]:
    return (row.runtime, row.runtime_version, row.version, row.model)


def _is_board(row: Row) -> bool:
    return row.device == BOARD.upper()


def _on_the_board(row: Row) -> float:
    """Cycles that the row's code would take on the board, in the row's build."""
    if row.core not in SAME_CODE:
        return cycles(instructions(row, load_target(M7).cpu), fit_rates("speed"))
    return size_cycles(row, board_cpu()) if BUILDS.get(row.build) == "size" else predicted(row, "speed")


@functools.cache
def cells() -> tuple[Cell, ...]:
    """Every device and model that is not blind, but for those of cores that are not in the model."""
    logs: dict[tuple[str, str, str], list[float]] = {}
    for row, ratio, _ in pairs():
        if row.core in CORES:
            logs.setdefault((row.device, row.core, row.name), []).append(math.log(ratio))
    return tuple(Cell(*key, statistics.median(found)) for key, found in logs.items())


def devices(core: str) -> list[str]:
    """Names of the devices with a core that have cells."""
    return list(dict.fromkeys(one.device for one in cells() if one.core == core))


def core_factor(core: str, left_out: Collection[str] = (), clock_mhz: float | None = None) -> float:
    """Cycles of a core over the board's, for a device that nothing was published of.

    Args:
        core: name of the core.
        left_out: names of devices that are left out.
        clock_mhz: clock of the device; the board's by default.

    Raises:
        ValueError: the core is not one of ``CORES``.
    """
    known = tuple(one for one in cells() if one.device not in left_out)
    return math.exp(_core_log(core, clock_mhz or board_cpu().clock_mhz, known))


def device_factor(device: str, left_out_model: str = "") -> float:
    """Cycles of a device over the board's: its own models', drawn to what the other devices say.

    The best linear prediction where boards scatter by ``BOARD_SPREAD`` around their core and models by
    ``CELL_SPREAD`` around their board (Henderson, Best linear unbiased estimation and prediction, Biometrics
    1975).

    Args:
        device: name of a device with cells.
        left_out_model: a model of the device that is left out.
    """
    known = tuple(one for one in cells() if (one.device, one.model) != (device, left_out_model))
    own = [one for one in known if one.device == device]
    core = next(one.core for one in cells() if one.device == device)
    middle = _core_log(core, _clocks()[device], tuple(one for one in known if one.device != device))
    weight = len(own) * BOARD_SPREAD**2 / (len(own) * BOARD_SPREAD**2 + CELL_SPREAD**2)
    off = statistics.mean(one.log - middle for one in own) if own else 0.0
    return math.exp(middle + weight * off)


def device_errors(left_out: Collection[str] = ()) -> list[float]:
    """Logarithms of how far each cell is off what other devices say, but for those of some devices."""
    return [
        one.log - math.log(core_factor(one.core, (*left_out, one.device), _clocks()[one.device]))
        for one in cells()
        if one.device not in left_out
    ]


def model_errors(left_out: Collection[str] = ()) -> list[float]:
    """The same with other models of its device known, where there are any."""
    counts = Counter(one.device for one in cells())
    return [
        one.log - math.log(device_factor(one.device, one.model))
        for one in cells()
        if counts[one.device] > 1 and one.device not in left_out
    ]


def _core_log(core: str, clock_mhz: float, known: tuple[Cell, ...]) -> float:
    if core not in CORES:
        raise ValueError(f"expected one of {', '.join(CORES)}, got {core}")
    return float(_features(core, clock_mhz) @ _fit(known))


@functools.cache
def _fit(known: tuple[Cell, ...]) -> npt.NDArray[np.float64]:
    """Factors of the cores and the exponent of the clock: least squares by Huber, one vote for each device.

    The board is among the devices, by definition with a factor of 1.
    """
    counts = Counter(one.device for one in known)
    matrix = np.array([_features("cortex-m4", board_cpu().clock_mhz), *map(_features_of, known)])
    logs = np.array([0.0, *(one.log for one in known)])
    votes = np.array([1.0, *(1 / counts[one.device] for one in known)])
    ridge = np.diag([*(CORE_RIDGE for _ in CORES), CLOCK_RIDGE])
    goal = ridge @ np.array([*PRIORS, 0.0])
    solution, trust = np.array([*PRIORS, 0.0]), np.ones(len(logs))
    for _ in range(50):
        weights = np.sqrt(votes * trust)
        rows_of = np.vstack([matrix * weights[:, None], ridge])
        solution = np.linalg.lstsq(rows_of, np.concatenate([logs * weights, goal]), rcond=None)[0]
        trust = np.minimum(1.0, OUTLIER / np.maximum(np.abs(logs - matrix @ solution), 1e-9))
    return solution


def _features_of(cell: Cell) -> npt.NDArray[np.float64]:
    return _features(cell.core, _clocks()[cell.device])


def _features(core: str, clock_mhz: float) -> npt.NDArray[np.float64]:
    clock = math.log(clock_mhz / board_cpu().clock_mhz) if core == "cortex-m4" else 0.0
    return np.array([*(float(core == one) for one in CORES), clock])


@functools.cache
def _clocks() -> dict[str, float]:
    """Megahertz by device."""
    return {row.device: row.clock_mhz for row in rows()}
