"""Published latencies of TFLM on Cortex-M, and what is predicted without them.

Every prediction is made without the family of the model that it is for, or without the device, and so are its
bounds: they come from the errors of the rest, each of these predicted without both.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

from tflm_builds import size_build, size_instructions, size_rates
from tflm_devices import CORES as MODELLED
from tflm_devices import Pair, blind_pairs, core_factor, device_errors, device_factor, devices, pairs
from tflm_published import (
    BOARD,
    BUILDS,
    Row,
    blind_rows,
    can_predict,
    fit_rates,
    fitted_rows,
    instructions,
    log_errors,
    predicted,
    rows,
)
from tflm_soft import CORE as SOFT
from tflm_soft import soft_cycles
from tflm_targets import (
    UNMEASURED,
    board_interval,
    both,
    cpu_of,
    device_interval,
    float_interval,
    unmeasured_pico_rates,
)

from edgesqueeze.latency.records import CONFIDENCE
from edgesqueeze.latency.residuals import Factors, Residual, interval_of
from edgesqueeze.latency.tflm_features import RATES
from edgesqueeze.latency.tflm_model import counted_core, cycles
from edgesqueeze.target.latency import Rate

CORES = {
    "cortex-m0plus": "Cortex-M0+",
    "cortex-m4": "Cortex-M4",
    "cortex-m33": "Cortex-M33",
    "cortex-m7": "Cortex-M7",
    "cortex-m85": "Cortex-M85",
}
OTHER_RUNTIME = Factors(0.8, 1.25)
"""Assumed for what another runtime, or another version, makes of the same kernels."""
BUILD_NAMES = {"speed": "", "size": ", -Os", "none": ", no FPU"}
ENGINE_MODELS = {
    "keyword_spotting": "keyword spotting",
    "image_classification": "image classification",
    "anomaly_detection": "anomaly detection",
}
"""MLPerf Tiny's models that closed engines were measured with, and what a table calls them."""


class Engine(NamedTuple):
    """What a closed engine reaches on the board.

    Attributes:
        name: name of the engine, with its version if it is known.
        version: round of MLPerf Tiny.
        cycles: millions of them for one inference, by model: keys of ``ENGINE_MODELS``.
    """

    name: str
    version: str
    cycles: dict[str, float]


def residuals() -> list[Residual]:
    """Every published latency of TFLM and its kin on a Cortex-M, and what is predicted without it."""
    return [*_of_the_board(), *_other_runtimes(), *_other_devices(), *_same_engine()]


def _of_the_board() -> list[Residual]:
    """The board's own rows, one family of models left out at a time."""
    found = []
    for build, arithmetic in itertools.product(BUILDS.values(), ("int8", "float32")):
        for row in fitted_rows(build, arithmetic):
            if can_predict(row, build) and _is_bounded(row, build):
                said = predicted(row, build, row.siblings)
                group = f"Cortex-M4, TFLM + CMSIS-NN, {arithmetic}{BUILD_NAMES[build]}"
                found.append(_residual(row, group, said, _interval(row, build), "family"))
    return found


def _other_runtimes() -> list[Residual]:
    """The board with other runtimes or builds that call kernels of CMSIS-NN; not part of any fit."""
    return [
        _residual(
            row,
            _other_runtime(row),
            predicted(row, "speed", row.siblings),
            both(_interval(row, "speed"), OTHER_RUNTIME),
            "family",
        )
        for row in rows()
        if row.use == "check" and _is_board(row)
    ]


def _other_runtime(row: Row) -> str:
    return f"Cortex-M4, {row.runtime} {'2.3.1, build not stated' if row.runtime == 'TFLM' else ''}".strip()


def _other_devices() -> list[Residual]:
    """TFLM on other devices, from what the board and further devices say."""
    return [
        _of_another_device(row)
        for row in rows()
        if row.use in ("check", "layers") and not _is_board(row) and row.runtime.startswith("TFLM")
    ]


def _same_engine() -> list[Residual]:
    """Other devices with an engine whose cycles on the board are known, whatever it is."""
    return [_of_a_pair(pair) for pair in pairs() if pair.is_published and pair.row.core in MODELLED]


def blind_residuals() -> list[Residual]:
    """Latencies that no fit has seen, and what the whole fit predicts."""
    found = [_of_a_pair(pair) for pair in blind_pairs() if pair.row.core in MODELLED]
    for row in blind_rows():
        if row.use not in ("fit", "check") or "TFLM" not in row.runtime:
            continue
        if _is_board(row):
            found.append(_of_the_known_board(row))
        else:
            found.append(_of_a_known_device(row) if _is_known(row) else _of_another_device(row))
    return found


def _of_the_known_board(row: Row) -> Residual:
    """As the board's target predicts, which knows all other models."""
    interval, build = board_interval(row.arithmetic), BUILDS.get(row.build, "speed")
    if row.use == "check":
        return _residual(
            row, _other_runtime(row), predicted(row, build), both(interval, OTHER_RUNTIME), "family"
        )
    group = f"Cortex-M4, {row.runtime}, {row.arithmetic}{BUILD_NAMES[build]}"
    return _residual(row, group, predicted(row, build), interval, "family")


def _is_board(row: Row) -> bool:
    return row.device == BOARD.upper()


def _of_a_pair(pair: Pair) -> Residual:
    """The engine's own cycles on the board times what all devices but this one say of its core."""
    row, errors = pair.row, device_errors((pair.row.device,))
    said = row.cycles / pair.ratio * core_factor(row.core, (row.device,), row.clock_mhz)
    group = f"{CORES[row.core]}, the same engine on both boards, {row.arithmetic}"
    return _residual(row, group, said, interval_of(errors, CONFIDENCE), "device")


def _of_another_device(row: Row) -> Residual:
    if _is_soft(row):
        return _residual(row, _group(row), soft_cycles(row, row.siblings), UNMEASURED, "family")
    said = cycles(_instructions(row), _rates(row))
    interval = device_interval(row.device) if row.core in MODELLED else UNMEASURED
    if row.arithmetic == "float32":
        interval = float_interval(interval)
    return _residual(row, _group(row), said, interval, "device")


def _group(row: Row) -> str:
    return f"{CORES[row.core]}, TFLM, other boards, {row.arithmetic}"


def _is_soft(row: Row) -> bool:
    """Whether floating point numbers are computed in software, as was measured on one board alone."""
    return (row.core, row.arithmetic) == (SOFT, "float32")


def _is_known(row: Row) -> bool:
    """Whether other models of the device are in the fit."""
    return not _is_soft(row) and row.core in MODELLED and row.device in devices(row.core)


def _of_a_known_device(row: Row) -> Residual:
    """As its target predicts, which knows other models of the device."""
    said = cycles(_instructions(row), _scaled(row, device_factor(row.device)))
    interval = device_interval(is_known=True)
    if row.arithmetic == "float32":
        interval = float_interval(interval)
    elif _is_small(row):
        error = math.exp(size_build(counted_core(cpu_of(row.core)).removeprefix("cortex-"))["error"])
        interval = both(interval, Factors(1 / error, error))
    return _residual(row, _group(row), said, interval, "family")


def _rates(row: Row) -> Mapping[Rate, float]:
    if row.core == "cortex-m0plus":
        return unmeasured_pico_rates()
    # Nothing but this device has a Cortex-M85: without it, the core is taken to be as fast as a Cortex-M7.
    core = "cortex-m7" if row.core == "cortex-m85" else row.core
    return _scaled(row, core_factor(core, (row.device,), row.clock_mhz))


def _scaled(row: Row, factor: float) -> dict[Rate, float]:
    ratio = size_rates() if _is_small(row) else dict.fromkeys(RATES, 1.0)
    return {rate: value * factor * ratio[rate] for rate, value in fit_rates("speed").items()}


def _instructions(row: Row) -> Mapping[Rate, float]:
    cpu = cpu_of(row.core)
    if row.arithmetic == "float32":
        return {"other": predicted(row, "speed") / fit_rates("speed")["other"]}
    return size_instructions(row, cpu) if _is_small(row) else instructions(row, cpu)


def _is_small(row: Row) -> bool:
    return BUILDS.get(row.build) == "size"


def _interval(row: Row, build: str) -> Factors:
    """Bounds on the board, from everything but the row's family of models."""
    return board_interval(row.arithmetic, row.siblings, build != "none")


def _is_bounded(row: Row, build: str) -> bool:
    """Whether two models are left whose errors bounds can follow from."""
    builds = ("speed", "size") if build != "none" else (build,)
    return len(log_errors(builds, row.arithmetic, row.siblings)) > 1


def engines() -> list[Engine]:
    """The latest submission of each closed engine to MLPerf Tiny on the board, the fastest first.

    Nothing of them is predicted; they say what the board can do.
    """
    found: dict[str, Engine] = {}
    for row in rows():
        if row.use == "ratios" and row.device == BOARD.upper():
            name = f"{row.runtime} {row.runtime_version}".strip()
            latest = found.setdefault(row.runtime, Engine(name, row.version, {}))
            if row.version > latest.version:
                latest = found[row.runtime] = Engine(name, row.version, {})
            if row.version == latest.version:
                latest.cycles[row.name] = row.cycles / 1e6
    return sorted(found.values(), key=lambda engine: engine.cycles["keyword_spotting"])


def _residual(
    row: Row, group: str, said: float, interval: Factors, left_out: Literal["family", "device"]
) -> Residual:
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
        left_out=left_out,
    )
