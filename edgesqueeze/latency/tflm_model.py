"""The fitted model of TensorFlow Lite Micro: instructions by operator and core, and how fast they are."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from edgesqueeze.latency.builds import Level
from edgesqueeze.latency.tflm_features import RATES, features_of, float_features_of, rate_of
from edgesqueeze.latency.work import Work
from edgesqueeze.target.latency import Rate
from edgesqueeze.target.records import Cpu

DATA = Path(__file__).with_name("data") / "tflm.json"

Coefficients = Mapping[str, Mapping[str, float]]
"""Cost of one turn of a loop, by family and loop."""

UNCOUNTED: Coefficients = MappingProxyType(
    {
        "transpose_conv": {"macs": 12.0, "outputs": 60.0},
        "recurrent": {"macs": 2.5, "outputs": 200.0},
        "reduce": {"inputs": 20.0, "outputs": 60.0},
        "elementwise": {"outputs": 80.0, "call": 1000.0},
        "broadcast": {"outputs": 120.0, "call": 1000.0},
        "activation": {"outputs": 60.0, "call": 300.0},
        "move": {"outputs": 10.0, "call": 400.0},
        "other": {"outputs": 60.0, "call": 1000.0},
    }
)
"""Instructions of kernels that were never counted: guesses from what their inner loops do, good to about a
factor of three."""

UNCOUNTED_ERROR = math.log(3)
INT16_FACTOR = 1.5
"""On the instructions of int8. CMSIS-NN widens int8 to 16 bits before it multiplies, so that without MVE
products cost the same; sums of 64 bits cost more, and MVE takes half as many products at once."""

INT16_ERROR = math.log(2)
HYBRID_ERROR = math.log(2)
"""Half widths of 90 % bounds, as logarithms: assumptions, because neither was counted or measured."""

MEASURED_FLOAT = frozenset(
    {"conv", "depthwise", "fully_connected", "pool", "softmax", "reduce", "elementwise", "convert"}
)
"""Kinds of operators in the float32 models that were measured."""


class Layer(NamedTuple):
    """What an operator takes.

    Attributes:
        instructions: number of instructions by rate; for float32, of those that would take as long.
        error: half width of the 90 % bounds on them, as a logarithm.
        why: what to say of it where it was not counted; empty where it was.
    """

    instructions: Mapping[Rate, float]
    error: float
    why: str


MEASURED_WITH = MappingProxyType(
    {
        "single": MEASURED_FLOAT,
        "size": MEASURED_FLOAT - {"depthwise"},
        "none": MEASURED_FLOAT - {"depthwise"},
        "soft": frozenset({"fully_connected", "softmax"}),
    }
)
"""The same by key of ``Model.float_cycles``."""

UNMEASURED_FLOAT_ERROR = math.log(2)
"""Half width of 90 % bounds on float32 kernels that were not measured in a build: an assumption. Depthwise
convolutions are taken to be convolutions with one input channel, and on a Cortex-M0+ all but fully connected
layers and softmax to be slower than without an FPU on a Cortex-M4 by as much as these are."""


SIZE_GROUPS = ("conv", "pointwise", "depthwise", "fully_connected", "rest")
"""Kernels whose instructions building for size changes alike."""


class SizeBuild(NamedTuple):
    """What building for size does to integer kernels.

    Attributes:
        growth: what it multiplies instructions with, by one of ``SIZE_GROUPS``.
        error: half width of the bounds on a whole model's factor, as a logarithm.
    """

    growth: Mapping[str, float]
    error: float


class Model(NamedTuple):
    """Figures that ``scripts/benchmarks/fit_tflm.py`` fits.

    Attributes:
        instructions: coefficients of the instructions of integer kernels, by counted core.
        errors: 90th percentile of the absolute logarithmic error of an operator's instructions in a model
            that the fit leaves out, by counted core and family.
        interpreter: instructions for every operator, and once for each inference.
        float_cycles: cycles of float32 kernels on the board that they were fitted on, by FPU (``single``,
            ``none``; ``size``: with the FPU, built for size; ``soft``: of a Cortex-M0+, over that core's
            cycles per other instruction and times the board's).
        rates: cycles per instruction on the board that they were fitted on, by build (``speed`` or ``size``).
        size: what -Os does to instructions, by counted core.
        size_rates: cycles per instruction at -Os over those at -O3, by rate.
    """

    instructions: Mapping[str, Coefficients]
    errors: Mapping[str, Mapping[str, float]]
    interpreter: tuple[float, float]
    float_cycles: Mapping[str, Coefficients]
    rates: Mapping[str, Mapping[Rate, float]]
    size: Mapping[str, SizeBuild]
    size_rates: Mapping[Rate, float]


@functools.cache
def shipped_model() -> Model:
    """The model of ``data/tflm.json``."""
    data: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return Model(
        data["instructions"],
        data["errors"],
        tuple(data["interpreter"]),
        data["float_cycles"],
        data["rates"],
        {core: SizeBuild(one["growth"], one["error"]) for core, one in data["size"].items()},
        data["size_rates"],
    )


def counted_core(cpu: Cpu) -> str:
    """The core whose instructions were counted and that takes the same kernels."""
    if cpu.core in ("cortex-m55", "cortex-m85") and cpu.mve != "none":
        return "cortex-m55"
    if cpu.core == "cortex-m7":
        return "cortex-m7"
    return "cortex-m4" if cpu.dsp else "cortex-m3"


def layer_of(model: Model, work: Work, cpu: Cpu, level: Level = "O3") -> Layer:
    """What an operator takes on a core, with kernels built for speed (``O3``) or for size (``Os``)."""
    if work.arithmetic in ("float32", "hybrid") and work.kind != "convert":
        return _float_layer(model, work, cpu, level)
    core = counted_core(cpu)
    family, loops = features_of(work)
    coefficients = model.instructions[core].get(family)
    why, error = "", model.errors[core].get(family, UNCOUNTED_ERROR)
    if coefficients is None:
        coefficients = UNCOUNTED.get(family, UNCOUNTED["other"])
        why = f"{work.opcode} was never counted"
    counts: dict[Rate, float] = dict.fromkeys(RATES, 0.0)
    for loop, turns in loops.items():
        counts[rate_of(family, loop)] += coefficients.get(loop, 0.0) * turns
    if work.arithmetic == "int16":
        counts = {rate: number * INT16_FACTOR for rate, number in counts.items()}
        why, error = f"{work.opcode} in int16 was never counted", math.hypot(error, INT16_ERROR)
    counts["other"] += model.interpreter[0]
    if level == "Os":
        growth = model.size[core].growth[size_group(family)]
        counts = {rate: number * growth for rate, number in counts.items()}
    return Layer(counts, error, why)


def size_group(family: str) -> str:
    """The one of ``SIZE_GROUPS`` that a family of kernels belongs to."""
    group = "depthwise" if family.startswith("depthwise") else family
    return group if group in SIZE_GROUPS else "rest"


def inference(model: Model, layers: tuple[Layer, ...]) -> dict[Rate, float]:
    """Instructions of a whole inference by rate: those of its layers, and of the interpreter."""
    totals: dict[Rate, float] = {rate: sum(one.instructions.get(rate, 0) for one in layers) for rate in RATES}
    totals["other"] += model.interpreter[1]
    return totals


def cycles(instructions: Mapping[Rate, float], rates: Mapping[Rate, float]) -> float:
    """Cycles of instructions at some cycles per instruction."""
    return sum(number * rates[rate] for rate, number in instructions.items())


def _float_layer(model: Model, work: Work, cpu: Cpu, level: Level) -> Layer:
    family, loops = float_features_of(work)
    kernels = _float_kernels(cpu, level)
    coefficients = model.float_cycles[kernels].get(family, {})
    total = sum(coefficients.get(loop, 0.0) * turns for loop, turns in loops.items())
    error, why = 0.0, ""
    if family != "copy" and work.kind not in MEASURED_FLOAT:
        error, why = UNCOUNTED_ERROR, f"{work.opcode} in float32 was never measured"
    elif kernels in ("none", "soft") and level == "Os":
        error, why = UNCOUNTED_ERROR, "float32 without an FPU was never measured in a build for size"
    elif family != "copy" and work.kind not in MEASURED_WITH[kernels]:
        where = "on this core" if kernels == "soft" else "in this build"
        error, why = UNMEASURED_FLOAT_ERROR, f"{work.opcode} in float32 was not measured {where}"
    elif work.arithmetic == "hybrid":
        error, why = HYBRID_ERROR, f"{work.opcode} with int8 weights for float32 was never measured"
    rate = model.rates["speed"]["other"]
    if level == "Os":
        rate *= model.size_rates["other"]
    return Layer({"other": total / rate}, error, why)


def _float_kernels(cpu: Cpu, level: Level) -> str:
    """The key of ``Model.float_cycles`` for a core and build."""
    if cpu.fpu == "none":
        return "soft" if cpu.core in ("cortex-m0", "cortex-m0plus") else "none"
    return "size" if level == "Os" else "single"
