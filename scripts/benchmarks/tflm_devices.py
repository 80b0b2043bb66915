"""How many cycles other devices need than the board that rates are fitted on, for one engine and model."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from tflm_builds import size_cycles
from tflm_published import BOARD, BUILDS, Row, board_cpu, predicted, rows

from edgesqueeze.latency.tflm_features import RATES
from edgesqueeze.target.latency import Rate

DENSE = "anomaly_detection"
SAME_CODE = ("cortex-m4", "cortex-m33")
"""Cores that are taken to run the code of the board's."""

SLOPE, SCATTER = 0.5, 0.15
"""Assumed: how the factor grows with the clock, as an exponent, before anything was measured; and how far
devices of one core and clock differ, as a logarithm."""

SHARED_RATES: dict[str, tuple[Rate, ...]] = {"dense": ("weights",), "convolutional": ("products", "other")}
"""Which rates each kind of model tells of."""


class Pair(NamedTuple):
    """Published cycles of one model on two devices.

    Attributes:
        device: name of the device that is compared with the board.
        core: name of the device's core.
        model: name of the model.
        ratio: cycles on the device over cycles on the board.
        origin: engine, its version and the round of results; or how else the ratio came about.
    """

    device: str
    core: str
    model: str
    ratio: float
    origin: str

    @property
    def kind(self) -> str:
        """A key of ``SHARED_RATES``."""
        return "dense" if self.model == DENSE else "convolutional"


@functools.cache
def pairs() -> tuple[Pair, ...]:
    """All pairs of a device with the board by one engine, version and model.

    TFLM itself was published on the board, by one source, and on others, by another: these pairs take what
    the fitted model says for the board.
    """
    board = BOARD.upper()
    known = {
        (row.runtime, row.runtime_version, row.version, row.model): row
        for row in rows()
        if row.device == board and row.use != "fit" and row.arithmetic == "int8"
    }
    found = []
    for row in rows():
        if row.device == board or row.arithmetic != "int8":
            continue
        key = (row.runtime, row.runtime_version, row.version, row.model)
        origin = f"{row.runtime} {row.runtime_version} ({row.version})"
        if "TFLM" in row.runtime:
            if row.core in SAME_CODE:
                said = _on_the_board(row)
                found.append(Pair(row.device, row.core, row.name, row.cycles / said, "TFLM, modelled board"))
        elif key in known:
            found.append(Pair(row.device, row.core, row.name, row.cycles / known[key].cycles, origin))
    return tuple(found)


def _on_the_board(row: Row) -> float:
    """Cycles that the board would take, in the row's build."""
    return size_cycles(row, board_cpu()) if BUILDS.get(row.build) == "size" else predicted(row, "speed")


def device_factors(core: str, left_out: Collection[str] = ()) -> dict[str, dict[Rate, float]]:
    """By device with a core: factors on the board's rates, geometric means over engines and models.

    The board itself is among those with its core.
    """
    chosen = [one for one in pairs() if one.core == core and one.device not in left_out]
    factors: dict[str, dict[Rate, float]] = {}
    if core == board_cpu().core:
        factors[BOARD] = dict.fromkeys(RATES, 1.0)
    for device in sorted({one.device for one in chosen}):
        factors[device] = {}
        own = [one for one in chosen if one.device == device]
        for kind, rates in SHARED_RATES.items():
            # Where models of one kind were not published, those of the other stand for them.
            logs = [math.log(one.ratio) for one in own if one.kind == kind or len(own) == 1]
            factors[device] |= dict.fromkeys(rates, math.exp(statistics.mean(logs)))
    return factors


def core_factors(
    core: str, left_out: Collection[str] = (), clock_mhz: float | None = None
) -> dict[Rate, float]:
    """Factors on the board's rates for another device with some core.

    They are on a line between the logarithms of clock and factor, since a fast clock waits more cycles for
    flash: through the mean of the devices, its slope drawn to none (a ridge) as far as ``SLOPE`` and
    ``SCATTER`` say.

    Args:
        core: name of the core.
        left_out: names of devices that are left out.
        clock_mhz: clock of the other device; without it, the mean of the devices.

    Raises:
        ValueError: no device with that core is left.
    """
    factors = device_factors(core, left_out)
    if not factors:
        raise ValueError(f"expected a core with published pairs, got {core}")
    clocks = np.log([_clocks()[device] for device in factors])
    at = float(clocks.mean()) if clock_mhz is None else math.log(clock_mhz)
    off = clocks - clocks.mean()
    found: dict[Rate, float] = {}
    for rate in RATES:
        logs = np.log([one[rate] for one in factors.values()])
        slope = float(off @ logs) / (float(off @ off) + (SCATTER / SLOPE) ** 2)
        found[rate] = math.exp(float(logs.mean()) + slope * (at - float(clocks.mean())))
    return found


@functools.cache
def _clocks() -> dict[str, float]:
    """Megahertz by device."""
    return {BOARD: board_cpu().clock_mhz, **{row.device: row.clock_mhz for row in rows()}}


def deviations(dense: bool, left_out: Collection[str] = ()) -> list[float]:
    """Logarithms of how far each pair is off what the other devices with its core say.

    Args:
        dense: whether for the dense model or the convolutional ones.
        left_out: names of devices that are left out.
    """
    found = []
    for one in pairs():
        if (one.model == DENSE) != dense:
            continue
        known = device_factors(one.core, (*left_out, one.device))
        if one.device not in left_out and known:
            factors = core_factors(one.core, (*left_out, one.device), _clocks()[one.device])
            found.append(math.log(one.ratio / factors[SHARED_RATES[one.kind][0]]))
    return found
