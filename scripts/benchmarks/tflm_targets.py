"""What the section ``[latency]`` of each microcontroller target says."""

from __future__ import annotations

import functools
import math
import statistics
from typing import NamedTuple

import numpy as np
from tflm_devices import DENSE, core_factors, deviations, device_factors
from tflm_published import (
    Row,
    counting_model,
    fit_rates,
    instructions,
    layer_milliseconds,
    log_errors,
    rows,
)

from edgesqueeze.latency.nnls import nnls
from edgesqueeze.latency.records import CONFIDENCE
from edgesqueeze.latency.residuals import Factors, interval_of
from edgesqueeze.latency.tflm_features import RATES
from edgesqueeze.latency.tflm_model import layer_of
from edgesqueeze.target.latency import Rate
from edgesqueeze.target.load import load_target
from edgesqueeze.target.records import Cpu

VERSION = "tflite-micro 90b983c2 with CMSIS-NN 99f736a6, built for speed (-O3)"
UNMEASURED = Factors(0.5, 2.0)
"""Assumed for cores on which no int8 kernel of CMSIS-NN was published with its latency."""

OTHER_CHIP = Factors(1 / 1.3, 1.3)
"""Assumed for a chip where all that is known of its core was measured on one other."""

NOVEL_FLOAT = Factors(0.5, 2.0)
"""Assumed for float32 on any other device than the board."""

PORTABLE_OVER_HALE = 1.4
"""Assumed: cycles of TFLM over those of Bosch HALE on a Cortex-M0+, where there are no instructions that only
one of them uses. On a Cortex-M4, where there are, it is 1.5 to 2.3."""

SERIAL_CYCLES_PER_WEIGHT = 90 / 16
"""As in ``edgesqueeze/latency/flash.py``: 16 bytes from serial flash take about 90 cycles."""

INSTRUCTIONS_PER_WEIGHT = {"cortex-m3": 58.9 / 16, "cortex-m4": 1.88}
"""Of a fully connected layer, from the fit, by counted core."""


class Figures(NamedTuple):
    """The section's figures.

    Attributes:
        rates: cycles per instruction.
        interval: bounds on int8 models.
        dense_interval: bounds on int8 models of fully connected layers.
        float32_interval: bounds on float32 models.
        basis: what they rest on.
    """

    rates: dict[Rate, float]
    interval: Factors
    dense_interval: Factors
    float32_interval: Factors
    basis: str


def figures(target: str) -> Figures:
    """The figures of a shipped microcontroller.

    Raises:
        KeyError: the target is none of them.
    """
    return _RULES[target]()


def both(one: Factors, two: Factors) -> Factors:
    """Bounds with two independent errors."""
    return Factors(
        math.exp(-math.hypot(math.log(one.low), math.log(two.low))),
        math.exp(math.hypot(math.log(one.high), math.log(two.high))),
    )


def cpu_of(core: str) -> Cpu:
    """A processor with a core, for the kernels that it takes."""
    names = {
        "cortex-m0plus": "pico",
        "cortex-m4": "nucleo-l4r5zi",
        "cortex-m33": "nrf5340dk",
        "cortex-m85": "corstone-300",
    }
    return load_target(names[core]).cpu


@functools.cache
def board_interval(arithmetic: str, left_out: frozenset[str] = frozenset(), fpu: bool = True) -> Factors:
    """Bounds on the board, from the errors of models whose families are left out in turn.

    Args:
        arithmetic: ``int8`` or ``float32``.
        left_out: models that are left out of all of it.
        fpu: whether the build uses the FPU.
    """
    errors = log_errors(("speed", "size") if fpu else ("none",), arithmetic, left_out)
    return interval_of(list(errors.values()), CONFIDENCE)


@functools.cache
def device_interval(dense: bool, left_out: str = "") -> Factors:
    """Bounds on int8 models on another device with a core that was measured on at least one.

    Args:
        dense: whether for models of fully connected layers or of convolutions.
        left_out: a device that is left out.
    """
    return both(board_interval("int8"), interval_of(deviations(dense, (left_out,)), CONFIDENCE))


def _board() -> Figures:
    errors = [abs(math.exp(-error) - 1) for error in log_errors(("speed", "size"), "int8").values()]
    return Figures(
        dict(fit_rates("speed")),
        board_interval("int8"),
        board_interval("int8"),
        board_interval("float32"),
        "measured on this very board by EdgeMark (2024): 17 latencies of int8 models and 17 of float32 "
        "models with the FPU, TFLM with CMSIS-NN built for speed and for size. Predicted without all "
        "models of the family in question, int8 models are "
        f"{statistics.median(errors) * 100:.0f} % off in the median, {max(errors) * 100:.0f} % at most",
    )


def _m4() -> Figures:
    return _scaled(
        core_factors("cortex-m4", clock_mhz=load_target("nucleo-f446re").cpu.clock_mhz),
        "scaled from the NUCLEO-L4R5ZI by {other:.2f} ({weights:.2f} for fully connected layers), from a "
        "line over the clock through that board, a NUCLEO-F413ZH and a Nano 33 BLE with TFLM, and a "
        "CY8CPROTO-062-4343W by the cycles that two closed engines take on both: no published measurement "
        "of TFLM on this board",
    )


def _measured(core: str, device: str, engines: str) -> Figures:
    return _scaled(
        device_factors(core)[device],
        "scaled from the NUCLEO-L4R5ZI by {other:.2f} ({weights:.2f} for fully connected layers), which is "
        f"how many times its cycles this board takes with {engines} (MLPerf Tiny's anomaly detection, "
        "keyword spotting and image classification): no published measurement of TFLM on this board",
    )


def _nano() -> Figures:
    return _scaled(
        device_factors("cortex-m4")["Nano 33 BLE"],
        "scaled from the NUCLEO-L4R5ZI by {other:.2f} ({weights:.2f} for fully connected layers), which is "
        "how many times what the model says of that board, built for size, this board takes with TFLM as "
        "Arduino builds it (mcufit-bench, 2026: person detection, keyword spotting and anomaly detection)",
    )


def _m33_with_tflm() -> Figures:
    """The one board with a Cortex-M33 that TFLM itself was measured on, without a word on its version."""
    return _scaled(
        device_factors("cortex-m33")["EK-RA6M4"],
        "scaled from the NUCLEO-L4R5ZI by {other:.2f} ({weights:.2f} for fully connected layers), which is "
        "how many times what the model says of that board TFLM takes on this one (MLPerf Tiny v0.7, "
        "Renesas: anomaly detection, keyword spotting and image classification; version and build are not "
        "stated)",
    )


def _m0() -> Figures:
    rates = _rates_of("cortex-m0plus", "Bosch HALE", cpu_of("cortex-m0plus"), PORTABLE_OVER_HALE)
    return Figures(
        rates,
        UNMEASURED,
        UNMEASURED,
        both(UNMEASURED, NOVEL_FLOAT),
        f"cycles of Bosch HALE on this board (MLPerf Tiny v1.1 and v1.2) times {PORTABLE_OVER_HALE:g}, "
        "which TFLM is taken to need more, over instructions of a Cortex-M3. The same rule is 17 % off on "
        "a Raspberry Pi Pico. Bounds of half and twice are an assumption: no published measurement of TFLM "
        "on this board",
    )


def _m85() -> Figures:
    interval = device_interval(dense=False)
    return Figures(
        _m85_rates(),
        interval,
        device_interval(dense=True),
        both(UNMEASURED, NOVEL_FLOAT),
        "measured on this very board by Renesas (MLPerf Tiny v1.2: anomaly detection, keyword spotting and "
        "image classification with TFLM; version and build are not stated), over instructions of a "
        "Cortex-M55. Bounds are as of other boards, of float32 an assumption",
    )


def _pico2() -> Figures:
    found = _scaled(
        core_factors("cortex-m33", clock_mhz=load_target("pico2").cpu.clock_mhz),
        "scaled from the NUCLEO-L4R5ZI by {other:.2f}, from a line over the clock through five boards with "
        "a Cortex-M33; fully connected layers by {weights:.2f}, and the time that weights take from serial "
        "flash is added, from the data sheet: no published measurement of TFLM on this board",
    )
    extra = SERIAL_CYCLES_PER_WEIGHT / INSTRUCTIONS_PER_WEIGHT["cortex-m4"]
    found.rates["weights"] += extra
    return found._replace(
        interval=both(found.interval, OTHER_CHIP), dense_interval=both(found.dense_interval, OTHER_CHIP)
    )


def _m7() -> Figures:
    found = _scaled(
        core_factors("cortex-m7"),
        "scaled from the NUCLEO-L4R5ZI by {other:.2f} ({weights:.2f} for fully connected layers), how many "
        "times its cycles an STM32F746G-DISCO takes with two closed engines, the only board with this core "
        "for which there is such a figure; bounds widened by 1.3 for another chip: no published measurement "
        "of TFLM with CMSIS-NN on this core",
    )
    return found._replace(
        interval=both(found.interval, OTHER_CHIP), dense_interval=both(found.dense_interval, OTHER_CHIP)
    )


def _m55() -> Figures:
    slower = {
        rate: value / core_factors("cortex-m7")[rate] for rate, value in core_factors("cortex-m33").items()
    }
    rates = {rate: value * slower[rate] for rate, value in _m85_rates().items()}
    return Figures(
        rates,
        UNMEASURED,
        UNMEASURED,
        both(UNMEASURED, NOVEL_FLOAT),
        "cycles per instruction of a Cortex-M85 (Renesas EK-RA8D1, MLPerf Tiny v1.2) times "
        f"{slower['other']:.2f} ({slower['weights']:.2f} for fully connected layers), a Cortex-M33's over a "
        "Cortex-M7's, because the Cortex-M55 issues one instruction a cycle and the Cortex-M85 two. Bounds "
        "of half and twice are an assumption: no published measurement of TFLM on this core",
    )


def _pico() -> Figures:
    row = next(row for row in rows() if row.use == "layers")
    return Figures(
        _pico_rates(row),
        device_interval(dense=False),
        UNMEASURED,
        both(UNMEASURED, NOVEL_FLOAT),
        "measured on this very board, in the port's own repository: every layer of TFLM's person detection "
        "(782 ms with one core, another version 824 ms), over instructions of a Cortex-M3. Bounds are as of "
        "other boards. Nothing was published of fully connected layers, for which the time that weights take "
        "from serial flash is added, from the data sheet, nor of float32: their bounds are an assumption",
    )


def _pico_rates(row: Row) -> dict[Rate, float]:
    """Cycles per instruction that come nearest to the published layers, as shares of the whole."""
    cpu, model = cpu_of("cortex-m0plus"), counting_model("cortex-m3")
    counted = [layer_of(model, work, cpu).instructions for work in row.works]
    figures = [one * row.clock_mhz * 1000 for one in layer_milliseconds(row)]
    weights = np.sqrt(np.array(figures))
    matrix = np.array(
        [
            [one["products"] / cycles, one["other"] / cycles]
            for one, cycles in zip(counted, figures, strict=True)
        ]
    )
    products, other = (float(one) for one in nnls(matrix * weights[:, None], weights))
    serial = SERIAL_CYCLES_PER_WEIGHT / INSTRUCTIONS_PER_WEIGHT["cortex-m3"]
    return {"products": products, "weights": products + serial, "other": other}


def unmeasured_pico_rates() -> dict[Rate, float]:
    """What the Raspberry Pi Pico's rates would be taken to be without its own measurement."""
    rates = _rates_of("cortex-m0plus", "Bosch HALE", cpu_of("cortex-m0plus"), PORTABLE_OVER_HALE)
    rates["weights"] += SERIAL_CYCLES_PER_WEIGHT / INSTRUCTIONS_PER_WEIGHT["cortex-m3"]
    return rates


def _m85_rates() -> dict[Rate, float]:
    return _rates_of("cortex-m85", "TFLM", cpu_of("cortex-m85"), 1.0)


def _rates_of(core: str, runtime: str, cpu: Cpu, factor: float) -> dict[Rate, float]:
    """Cycles of a runtime per instruction of TFLM: those of the dense model, and of the others."""

    def mean(dense: bool) -> float:
        chosen: list[Row] = [
            row
            for row in rows()
            if (row.core, row.runtime) == (core, runtime) and (row.name == DENSE) == dense
        ]
        logs = [math.log(row.cycles / sum(instructions(row, cpu).values())) for row in chosen]
        return factor * math.exp(statistics.mean(logs))

    return {"products": mean(False), "weights": mean(True), "other": mean(False)}


def _scaled(factors: dict[Rate, float], basis: str) -> Figures:
    rates = {rate: fit_rates("speed")[rate] * factors[rate] for rate in RATES}
    interval, dense = device_interval(dense=False), device_interval(dense=True)
    said = basis.format(other=factors["other"], weights=factors["weights"])
    return Figures(rates, interval, dense, both(interval, NOVEL_FLOAT), said)


_RULES = {
    "alif-e7": _m55,
    "b-u585i-iot02a": lambda: _measured("cortex-m33", "B-U585I-IOT02A", "Plumerai"),
    "corstone-300": _m55,
    "cy8cproto-062-4343w": lambda: _measured("cortex-m4", "CY8CPROTO-062-4343W", "Plumerai and Bosch HALE"),
    "ek-ra6m4": _m33_with_tflm,
    "ek-ra8d1": _m85,
    "nano33ble-sense": _nano,
    "nrf5340dk": lambda: _measured("cortex-m33", "nRF5340 DK", "microTVM and kernels of CMSIS-NN"),
    "nucleo-f446re": _m4,
    "nucleo-g0b1re": _m0,
    "nucleo-h7a3zi-q": _m7,
    "nucleo-l4r5zi": _board,
    "nucleo-u385rg-q": lambda: _measured("cortex-m33", "NUCLEO-U385RG-Q", "X-CUBE-AI"),
    "nucleo-u575zi-q": lambda: _measured(
        "cortex-m33", "NUCLEO-U575ZI-Q", "X-CUBE-AI, Plumerai and Bosch HALE"
    ),
    "pico": _pico,
    "pico2": _pico2,
    "stm32f746g-disco": lambda: _measured("cortex-m7", "DISCO-F746NG", "Plumerai and Bosch HALE"),
    "stm32h747i-disco": _m7,
    "stm32n6570-dk": _m55,
}
TARGETS = tuple(_RULES)
"""The shipped targets that are microcontrollers."""
