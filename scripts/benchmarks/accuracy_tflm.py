"""How far off the predicted latencies of TFLM are, against published ones that the fit leaves out.

Every prediction is made without the model that it is for, or without the device, and so are its bounds: they
come from the errors of the rest, each of these predicted without both.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping

from common import out, start, table, verdict
from tflm_devices import core_factors
from tflm_published import BOARD, BUILDS, Row, calibration, fit_rates, instructions, predicted, rows
from tflm_targets import (
    UNMEASURED,
    board_interval,
    both,
    cpu_of,
    device_interval,
    unmeasured_pico_rates,
)

from edgesqueeze.latency.residuals import Factors, Residual, summary
from edgesqueeze.latency.tflm_model import cycles
from edgesqueeze.target_latency import Rate

CORES = {
    "cortex-m0plus": "Cortex-M0+",
    "cortex-m4": "Cortex-M4",
    "cortex-m33": "Cortex-M33",
    "cortex-m85": "Cortex-M85",
}
GOAL_GROUPS = ("Cortex-M4, TFLM + CMSIS-NN, int8", "Cortex-M4, TFLM + CMSIS-NN, int8, -Os")
MEDIAN_LIMIT = 0.12
OTHER_RUNTIME = Factors(0.8, 1.25)
"""Assumed for what another runtime, or another version, makes of the same kernels."""
BUILD_NAMES = {"speed": "", "size": ", -Os", "none": ", no FPU"}


def residuals() -> list[Residual]:
    """Every published latency of TFLM and its kin on a Cortex-M, and what is predicted without it."""
    return [*_calibrated(), *_other_runtimes(), *_other_devices()]


def _calibrated() -> list[Residual]:
    """The board's own rows, one model left out at a time."""
    found = []
    for build, arithmetic in itertools.product(BUILDS.values(), ("int8", "float32")):
        for row in calibration(build, arithmetic):
            said = predicted(row, build, frozenset({row.name}))
            group = f"Cortex-M4, TFLM + CMSIS-NN, {arithmetic}{BUILD_NAMES[build]}"
            found.append(_residual(row, group, said, _interval(row, build), "model"))
    return found


def _other_runtimes() -> list[Residual]:
    """The board with other runtimes or builds that call kernels of CMSIS-NN; not part of any fit."""
    return [
        _residual(
            row,
            f"Cortex-M4, {row.runtime} {'2.3.1, build not stated' if row.runtime == 'TFLM' else ''}".strip(),
            predicted(row, "speed", frozenset({row.name})),
            both(_interval(row, "speed"), OTHER_RUNTIME),
            "model",
        )
        for row in rows()
        if row.use == "check" and row.device == BOARD.upper()
    ]


def _other_devices() -> list[Residual]:
    """Other devices, from what the board and further devices say."""
    found = []
    for row in rows():
        if row.use in ("check", "layers") and row.device != BOARD.upper():
            said = cycles(instructions(row, cpu_of(row.core)), _rates(row))
            interval = device_interval(row.is_dense, row.device)
            if row.core in ("cortex-m0plus", "cortex-m85"):
                interval = UNMEASURED
            elif "TFLM" not in row.runtime:
                interval = both(interval, OTHER_RUNTIME)
            runtime = row.runtime.removesuffix(" + CMSIS-NN") if "TFLM" in row.runtime else row.runtime
            group = f"{CORES[row.core]}, {runtime}, other boards"
            found.append(_residual(row, group, said, interval, "device"))
    return found


def _rates(row: Row) -> Mapping[Rate, float]:
    if row.core == "cortex-m0plus":
        return unmeasured_pico_rates()
    # Nothing but this device has a Cortex-M85: without it, the core is taken to be as fast as a Cortex-M7.
    factors = core_factors("cortex-m7" if row.core == "cortex-m85" else row.core, (row.device,))
    return {rate: value * factors[rate] for rate, value in fit_rates("speed").items()}


def _interval(row: Row, build: str) -> Factors:
    """Bounds on the board, from everything but the row's model."""
    return board_interval(row.arithmetic, row.name, build != "none")


def _print_engines() -> None:
    """What other engines reach on the board, of which nothing can be predicted: millions of cycles."""
    models = tuple(sorted({row.model for row in rows() if row.use == "ratios"}))
    engines: dict[tuple[str, str, str], dict[str, float]] = {}
    for row in rows():
        if row.use == "ratios" and row.device == BOARD.upper():
            engine = (row.runtime, row.runtime_version, row.version)
            engines.setdefault(engine, {})[row.model] = row.cycles / 1e6
    out.print("[bold]other engines on the NUCLEO-L4R5ZI, millions of cycles")
    table(
        ("engine", "version", "MLPerf Tiny", *models),
        [
            (*engine, *(f"{found[model]:.3g}" if model in found else "" for model in models))
            for engine, found in sorted(engines.items())
        ],
        left=3,
    )


def _residual(row: Row, group: str, said: float, interval: Factors, left_out: str) -> Residual:
    milliseconds = said / (row.clock_mhz * 1000)
    return Residual(
        group=group,
        device=row.device,
        core=row.core,
        runtime=row.runtime,
        model=row.model,
        arithmetic=row.arithmetic,
        threads=1,
        source=row.id,
        measured_ms=row.milliseconds,
        predicted_ms=milliseconds,
        low_ms=milliseconds * interval.low,
        high_ms=milliseconds * interval.high,
        left_out="model" if left_out == "model" else "device",
    )


def main() -> int:
    """Print all residuals and their sums by group; 0 if the errors are as small as they shall be."""
    start("TFLM on Cortex-M", __doc__ or "")
    found = residuals()
    groups = list(dict.fromkeys(one.group for one in found))
    for group in groups:
        out.print(f"[bold]{group}")
        table(
            ("model", "device", "measured ms", "predicted ms", "error", "bounds ms", "held"),
            [
                (
                    one.model,
                    one.device,
                    f"{one.measured_ms:.4g}",
                    f"{one.predicted_ms:.4g}",
                    f"{one.error:+.1%}",
                    f"{one.low_ms:.4g} to {one.high_ms:.4g}",
                    "yes" if one.is_covered else "no",
                )
                for one in found
                if one.group == group
            ],
            left=2,
        )
    sums = [(group, summary([one for one in found if one.group == group])) for group in groups]
    sums.append(("all", summary(found)))
    out.print("[bold]absolute errors")
    table(
        ("group", "latencies", "median", "90th percentile", "within 12 %", "within 25 %", "in the bounds"),
        [
            (
                group,
                str(one.count),
                f"{one.median:.1%}",
                f"{one.percentile_90:.1%}",
                f"{one.within[0.12]:.0%}",
                f"{one.within[0.25]:.0%}",
                f"{one.coverage:.0%}",
            )
            for group, one in sums
        ],
    )
    _print_engines()
    goal = summary([one for one in found if one.group in GOAL_GROUPS])
    reached = goal.median <= MEDIAN_LIMIT and goal.within[0.25] >= 0.9
    said = f"int8 on a Cortex-M4: median {goal.median:.1%} (at most {MEDIAN_LIMIT:.0%}), "
    return verdict(reached, f"{said}{goal.within[0.25]:.0%} within 25 % (at least 90 %)")


if __name__ == "__main__":
    sys.exit(main())
