"""What the section ``[latency]`` of each microcontroller target says."""

from __future__ import annotations

import functools
import math
import statistics
from typing import NamedTuple

import numpy as np
from tflm_devices import cells, core_factor, device_errors, device_factor, model_errors
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
from edgesqueeze.latency.residuals import UNEXPECTED, Expected, Factors, interval_of
from edgesqueeze.latency.tflm_features import RATES
from edgesqueeze.latency.tflm_model import layer_of
from edgesqueeze.target.latency import Rate
from edgesqueeze.target.load import load_target
from edgesqueeze.target.records import Cpu

VERSION = "tflite-micro 90b983c2 with CMSIS-NN 99f736a6, built for speed (-O3)"
UNMEASURED = Factors(0.5, 2.0)
"""Assumed for cores on which no int8 kernel of CMSIS-NN was published with its latency."""

EXPECTED = {"int8": Expected(0.1, 8), "float32": UNEXPECTED}
"""How far models on the board are expected to be off before any is left out: chosen with the errors of int8
models in view. Those of float32 models spread far more."""

OTHER_CHIP = Factors(1 / 1.3, 1.3)
"""Assumed for a chip whose flash is another kind than all that were measured with its core."""

DENSE = "anomaly_detection"
"""The published model of fully connected layers that tells of their rate."""

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
        "cortex-m7": "stm32f746g-disco",
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
    return interval_of(list(errors.values()), CONFIDENCE, EXPECTED[arithmetic])


@functools.cache
def device_interval(left_out: str = "", *, is_known: bool = False) -> Factors:
    """Bounds on int8 models on another device with a core that was measured on at least one.

    Args:
        left_out: a device that is left out.
        is_known: whether other models were published of the device.
    """
    errors = (model_errors if is_known else device_errors)((left_out,))
    return both(board_interval("int8"), interval_of(errors, CONFIDENCE))


def float_interval(interval: Factors) -> Factors:
    """Bounds on float32 models on another device, from those on int8 models."""
    return both(interval, NOVEL_FLOAT)


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


def _unmeasured(core: str, target: str) -> Figures:
    """A board of which nothing was published, but others with its core were."""
    clock = load_target(target).cpu.clock_mhz
    return _scaled(core_factor(core, clock_mhz=clock), device_interval(), COMMON[core])


def _measured(device: str, engines: str) -> Figures:
    own = ", ".join(one.model.replace("_", " ") for one in cells() if one.device == device)
    return _scaled(
        device_factor(device),
        device_interval(is_known=True),
        "scaled from the NUCLEO-L4R5ZI by {factor:.2f}: how many times its cycles this board takes with "
        f"{engines} ({own}), drawn to what other boards say of its core; no published measurement of TFLM on "
        "this board",
    )


def _measured_with_tflm(device: str, source: str) -> Figures:
    return _scaled(
        device_factor(device),
        device_interval(is_known=True),
        "scaled from the NUCLEO-L4R5ZI by {factor:.2f}: how many times what the model says of that board "
        f"TFLM takes on this one ({source}), drawn to what other boards say of its core",
    )


def _m0() -> Figures:
    rates = _rates_of("cortex-m0plus", "Bosch HALE", cpu_of("cortex-m0plus"), PORTABLE_OVER_HALE)
    return Figures(
        rates,
        UNMEASURED,
        UNMEASURED,
        float_interval(UNMEASURED),
        f"cycles of Bosch HALE on this board (MLPerf Tiny v1.1 and v1.2) times {PORTABLE_OVER_HALE:g}, "
        "which TFLM is taken to need more, over instructions of a Cortex-M3. The same rule is 17 % off on "
        "a Raspberry Pi Pico. Bounds of half and twice are an assumption: no published measurement of TFLM "
        "on this board",
    )


def _m85() -> Figures:
    interval = device_interval()
    return Figures(
        _m85_rates(),
        interval,
        interval,
        float_interval(UNMEASURED),
        "measured on this very board by Renesas (MLPerf Tiny v1.2: anomaly detection, keyword spotting and "
        "image classification with TFLM; version and build are not stated), over instructions of a "
        "Cortex-M55. Bounds are as of other boards, of float32 an assumption",
    )


def _pico2() -> Figures:
    interval = both(device_interval(), OTHER_CHIP)
    found = _scaled(
        core_factor("cortex-m33"),
        interval,
        f"{COMMON['cortex-m33']}; for fully connected layers the time that weights take from serial flash is "
        "added, from the data sheet",
    )
    extra = SERIAL_CYCLES_PER_WEIGHT / INSTRUCTIONS_PER_WEIGHT["cortex-m4"]
    found.rates["weights"] += extra
    return found


def _m55() -> Figures:
    slower = core_factor("cortex-m33") / core_factor("cortex-m7")
    rates = {rate: value * slower for rate, value in _m85_rates().items()}
    return Figures(
        rates,
        UNMEASURED,
        UNMEASURED,
        float_interval(UNMEASURED),
        "cycles per instruction of a Cortex-M85 (Renesas EK-RA8D1, MLPerf Tiny v1.2) times "
        f"{slower:.2f}, a Cortex-M33's over a Cortex-M7's, because the Cortex-M55 issues one instruction a "
        "cycle and the Cortex-M85 two. Bounds of half and twice are an assumption: no published measurement "
        "of TFLM on this core",
    )


def _pico() -> Figures:
    row = next(row for row in rows() if row.use == "layers")
    return Figures(
        _pico_rates(row),
        device_interval(),
        UNMEASURED,
        UNMEASURED,
        "measured on this very board, in the port's own repository: every layer of TFLM's person detection "
        "(782 ms with one core, another version 824 ms), over instructions of a Cortex-M3. Bounds are as of "
        "other boards. Nothing was published of fully connected layers in int8, for which the time that "
        "weights take from serial flash is added, from the data sheet. Float32: eleven small networks of "
        "fully connected layers, built by Arduino (Sudharsan et al., 2021). The bounds of both are an "
        "assumption",
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


def _scaled(factor: float, interval: Factors, basis: str) -> Figures:
    rates = {rate: fit_rates("speed")[rate] * factor for rate in RATES}
    return Figures(rates, interval, interval, float_interval(interval), basis.format(factor=factor))


COMMON = {
    "cortex-m4": "scaled from the NUCLEO-L4R5ZI by {factor:.2f}, from a power of the clock through that "
    "board, a NUCLEO-F413ZH and a Nano 33 BLE with TFLM, and a CY8CPROTO-062-4343W by the cycles that two "
    "closed engines take on both: no published measurement of TFLM on this board",
    "cortex-m33": "scaled from the NUCLEO-L4R5ZI by {factor:.2f}, from five boards with a Cortex-M33 that "
    "TFLM or the same engine was measured on: no published measurement of TFLM on this board",
    "cortex-m7": "scaled from the NUCLEO-L4R5ZI by {factor:.2f}, from three boards with a Cortex-M7: an "
    "STM32F746G-DISCO and a NUCLEO-H7A3ZI-Q, by the cycles that closed engines take on both, and an "
    "STM32H743 with TFLM: no published measurement of TFLM on this board",
}
"""What the figures of a board rest on of which nothing was published, by core."""

_RULES = {
    "alif-e7": _m55,
    "b-u585i-iot02a": lambda: _measured("B-U585I-IOT02A", "Plumerai"),
    "corstone-300": _m55,
    "cy8cproto-062-4343w": lambda: _measured("CY8CPROTO-062-4343W", "Plumerai and Bosch HALE"),
    "ek-ra6m4": lambda: _measured_with_tflm(
        "EK-RA6M4",
        "MLPerf Tiny v0.7, Renesas: anomaly detection, keyword spotting, image classification and visual "
        "wake words; version and build are not stated",
    ),
    "ek-ra8d1": _m85,
    "nano33ble-sense": lambda: _measured_with_tflm(
        "Nano 33 BLE",
        "mcufit-bench, 2026: person detection, keyword spotting and anomaly detection, built for size as "
        "Arduino does",
    ),
    "nrf5340dk": lambda: _measured("nRF5340 DK", "microTVM and kernels of CMSIS-NN"),
    "nucleo-f446re": lambda: _unmeasured("cortex-m4", "nucleo-f446re"),
    "nucleo-g0b1re": _m0,
    "nucleo-h7a3zi-q": lambda: _measured("NUCLEO-H7A3ZI-Q", "X-CUBE-AI"),
    "nucleo-l4r5zi": _board,
    "nucleo-u385rg-q": lambda: _measured("NUCLEO-U385RG-Q", "X-CUBE-AI"),
    "nucleo-u575zi-q": lambda: _measured("NUCLEO-U575ZI-Q", "X-CUBE-AI, Plumerai and Bosch HALE"),
    "pico": _pico,
    "pico2": _pico2,
    "stm32f746g-disco": lambda: _measured("DISCO-F746NG", "Plumerai and Bosch HALE"),
    "stm32h747i-disco": lambda: _unmeasured("cortex-m7", "stm32h747i-disco"),
    "stm32n6570-dk": _m55,
}
TARGETS = tuple(_RULES)
"""The shipped targets that are microcontrollers."""
