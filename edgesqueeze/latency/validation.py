"""How far off the cycle model is where it can be checked, and what a target's cycles rest on.

The published latencies are those of TensorFlow Lite Micro with CMSIS-NN on a board with a Cortex-M4. That
runtime's instructions were counted in the emulator, operator by operator, as those of EdgeSqueeze's own
firmware are, so the model can be asked for its cycles. The timings were chosen, within the ranges of Arm's
manual, with three of these latencies in view, and those come out well; the others were not looked at, and
most take longer than the model says, fully connected ones by a quarter. Instructions of models whose files
were not published follow from their shapes. And how an operator's instructions divide into classes was not
counted in that runtime: the mix is that of stand-in kernels for typical shapes, whose counts are 7 % below to
14 % above the operators' own, the depthwise convolution's 48 % above. ``data/validation.json`` has the
figures and says where they come from.
"""

from __future__ import annotations

import functools
import json
import statistics
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgesqueeze.latency.cycles import MODEL_ERROR, LayerCount, estimate_cycles
from edgesqueeze.latency.flash import Flash, flash_of
from edgesqueeze.latency.timings import TIMINGS, Cycles
from edgesqueeze.target.records import Cpu

DATA = Path(__file__).with_name("data") / "validation.json"
CHECKED_CORE = "cortex-m4"
BOARD = "NUCLEO-L4R5ZI"
"""The board whose Cortex-M4 other cores are compared with."""

CAVEAT = (
    "the timings were chosen, within the manual's ranges, with these in view, and that runtime's mix of "
    "instructions is that of stand-in kernels, whose counts are -7 % to +14 % off, "
    "the depthwise convolution's +48 %"
)
"""What weakens the check, for every core."""


@dataclass(frozen=True)
class Check:
    """A published latency and what the model says.

    Attributes:
        device: the board.
        model: name of the model that ran.
        runtime: name of the runtime that ran it.
        source: where the latency was published.
        published: cycles of one inference on the board.
        modelled: cycles of one inference according to the model.
        in_view: whether the timings were chosen with it in view.
    """

    device: str
    model: str
    runtime: str
    source: str
    published: float
    modelled: Cycles
    in_view: bool

    @property
    def is_covered(self) -> bool:
        """Whether the published figure is between the model's bounds."""
        return self.modelled.low <= self.published <= self.modelled.high

    @property
    def error(self) -> float:
        """The estimate's error as a share of the published figure; positive if the estimate is too high."""
        return self.modelled.estimate / self.published - 1


@functools.cache
def checks() -> tuple[Check, ...]:
    """All published latencies that can be checked."""
    data = _data()
    kernels = {name: _layer_count(kernel) for name, kernel in data["kernels"].items()}
    return tuple(_check(row, kernels) for row in data["latencies"])


def ratios(core: str) -> tuple[float, ...]:
    """Published cycles of a core over a Cortex-M4's, for the same engine and model, in rising order."""
    rows = [row for row in _data()["ratios"] if row["core"] == core]
    return tuple(sorted(row["cycles"] / row["m4_cycles"] for row in rows))


def factors(core: str) -> tuple[float, ...]:
    """The same without what both boards wait for flash, in rising order.

    How much that is follows from native C of these models in the emulator, behind caches as large as the
    boards': other engines are taken to read as many lines, and as much in proportion.
    """
    found = []
    for row in _data()["ratios"]:
        if row["core"] == core:
            board, board_flash = _emulated(BOARD, row["model"])
            own, own_flash = _emulated(row["device"], row["model"])
            whole = row["cycles"] / row["m4_cycles"] * (board + board_flash)
            found.append((whole - own_flash) / own)
    return tuple(sorted(found))


def _emulated(device: str, model: str) -> tuple[float, float]:
    """Cycles of native C on a Cortex-M4, and what a device's flash adds to them."""
    flash = _data()["flash"][device]
    way = flash_of(Cpu(**flash["cpu"]))
    row = next(
        one for one in _data()["emulated"] if (one["device"], one["model"]) == (flash["emulated_as"], model)
    )
    lines = row["code_lines"] * way.code_line.estimate + row["data_lines"] * way.data_line.estimate
    return row["core_cycles"], lines


def basis(core: str, flash: Flash) -> tuple[str, ...]:
    """What the cycles of a target rest on, one sentence each."""
    return (
        f"cycles: {TIMINGS[core].basis}",
        flash.basis,
        f"range: that of the timings, and {MODEL_ERROR:.0%} for what they leave out",
        _checked(core),
    )


def _checked(core: str) -> str:
    chosen = [check.error for check in checks() if check.in_view]
    others = [check for check in checks() if not check.in_view]
    errors = [check.error for check in others]
    said = (
        f"{len(errors)} published latencies of TensorFlow Lite Micro on {checks()[0].device} come out "
        f"{min(errors):+.0%} to {max(errors):+.0%} off, {statistics.median(map(abs, errors)):.0%} in the "
        f"median, {sum(check.is_covered for check in others)} of them inside the range, and {len(chosen)} "
        f"more {min(chosen):+.1%} to {max(chosen):+.1%} ({CAVEAT})"
    )
    if core == CHECKED_CORE:
        return f"checked: {said}"
    found = ratios(core)
    if found:
        middle = found[len(found) // 2]
        return (
            f"checked: {said}, and {len(found)} published pairs of boards need {found[0]:.2f} to "
            f"{found[-1]:.2f} times as many cycles on a {core}, {middle:.2f} in the middle"
        )
    return f"not checked on a {core}; on a {CHECKED_CORE}, {said}"


def _check(row: dict[str, Any], kernels: dict[str, LayerCount]) -> Check:
    cpu = Cpu(**row["cpu"])
    flash = flash_of(cpu)
    modelled = Cycles(0, 0, 0)
    everything = sum(row["instructions"].values())
    known = sum(number for name, number in row["instructions"].items() if name in kernels)
    for name, number in row["instructions"].items():
        if name in kernels:
            # Operators without a kernel of their own are taken to be as fast as the rest.
            scale = number * everything / known / kernels[name].instructions
            cycles = estimate_cycles(cpu.core, flash, kernels[name])
            modelled = Cycles(*(one + two * scale for one, two in zip(modelled, cycles, strict=True)))
    return Check(
        device=row["device"],
        model=row["model"],
        runtime=row["runtime"],
        source=row["source"],
        published=row["latency_ms"] * cpu.clock_mhz * 1000,
        modelled=modelled,
        in_view=row["in_view"],
    )


def _layer_count(kernel: dict[str, Any]) -> LayerCount:
    return LayerCount(**{**kernel, "kinds": Counter(kernel["kinds"])})


@functools.cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return data
