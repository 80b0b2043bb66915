"""Predicts the latency of TensorFlow Lite Micro on a Cortex-M, without the device.

Every operator's instructions follow from its shape, by coefficients that were fitted to counts in an
emulator (``tflm_model``). The target's profile says how many cycles an instruction takes and how far off
that has been. Operators that were never counted are guessed, and widen the bounds by their share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from edgesqueeze.errors import TargetError, UsageError
from edgesqueeze.latency.builds import ARDUINO_KERNELS, BUILDS, Build, as_built
from edgesqueeze.latency.records import Bounds, Estimate, bounds_around
from edgesqueeze.latency.tflm_features import COPIES
from edgesqueeze.latency.tflm_model import (
    Layer,
    counted_core,
    cycles,
    inference,
    layer_of,
    shipped_model,
)
from edgesqueeze.latency.work import Work
from edgesqueeze.target.latency import InstructionLatency, Interval
from edgesqueeze.target.records import Target

LAYER_ERROR = math.log(1.15)
"""Half width of bounds on one operator beyond those of the whole inference, as a logarithm: errors of
operators cancel in the sum."""

SIZE = (
    "what -Os changes: measured on the NUCLEO-L4R5ZI (int8 models take 1.3 to 1.7 times as long as at -O3, "
    "float32 convolutions 4 to 8 times), on other cores from counted instructions"
)
SAID: Mapping[Build, str] = MappingProxyType(
    {
        "O3": "the runtime is built for speed (-O3; by the levels of its own makefile it executes up to 4 % "
        "more instructions, with MVE 21 %); built for size (-Os), int8 models took 1.3 to 1.7 times as long "
        "on the NUCLEO-L4R5ZI, and float32 convolutions 4 to 8 times: --build Os, or --build arduino, "
        "predicts that",
        "Os": f"the runtime is {BUILDS['Os'].words}; {SIZE}",
        "arduino": f"the runtime is {BUILDS['arduino'].words}, from Arduino's library; {SIZE}",
        "nofpu": f"the runtime is {BUILDS['nofpu'].words}: kernels of int8 hardly use one, and float32 was "
        "measured so on the NUCLEO-L4R5ZI",
    }
)
"""What the build means for the figures."""
SIZE_FLOAT_ERROR = 0.12
"""Half width of bounds on float32 models at -Os beside those at -O3, as a logarithm: the largest error of a
published model that the fit leaves out."""
MEASURED_WITH_FLOATS = "nucleo-l4r5zi"
FLOATS = "float32: cycles of kernels with the FPU, fitted to 17 latencies of the NUCLEO-L4R5ZI"
FLOATS_ELSEWHERE = (
    " and scaled to this board as int8 is; small networks that others ran on further boards with a Cortex-M4 "
    "or M7 came out 30 to 40 % off in the median, and nearly four times too high at worst"
)
HIDDEN = 0.01
"""Operators that were never counted are named in ``basis`` from this share of the latency on, together."""


class _Part(NamedTuple):
    """An operator's cycles and the logarithms of its bounds."""

    cycles: float
    interval: Interval
    layer: Layer


def predict(works: Sequence[Work], target: Target, build: Build = "O3") -> Estimate:
    """The latency of one inference, in milliseconds.

    Args:
        works: work of a model's operators, in execution order.
        target: a microcontroller whose profile has a section ``[latency]`` for ``tflm``.
        build: how the runtime is compiled.

    Raises:
        TargetError: the profile has no such section.
        UsageError: nothing is known of the build.
    """
    latency = _latency(target)
    if build not in SAID:
        raise UsageError(
            f"nothing is known of TensorFlow Lite Micro {BUILDS[build].words}",
            expected=", ".join(SAID),
            got=build,
            hint="take another --build, or --runtime c",
        )
    model, cpu, level = shipped_model(), as_built(target.cpu, build), BUILDS[build].level
    layers = tuple(layer_of(model, work, cpu, level) for work in works)
    rates, error = latency.cycles_per_instruction.by_rate(), 0.0
    if level == "Os":
        rates = {rate: value * model.size_rates[rate] for rate, value in rates.items()}
        error = model.size[counted_core(cpu)].error
    parts = [
        _Part(cycles(layer.instructions, rates), _interval(work, latency, error), layer)
        for work, layer in zip(works, layers, strict=True)
    ]
    total = cycles(inference(model, layers), rates)
    milliseconds = 1 / (target.cpu.clock_mhz * 1000)
    return Estimate(
        total=_total(parts, total, latency.interval, milliseconds),
        layers=tuple(_layer(part, milliseconds) for part in parts),
        runtime=latency.runtime,
        runtime_version=_version(latency, build),
        threads=1,
        basis=(latency.basis, *_rests_on(works, target), *_guessed(parts, total), *_build(build, works)),
    )


def _latency(target: Target) -> InstructionLatency:
    if not isinstance(target.latency, InstructionLatency):
        raise TargetError(
            f"the profile of {target.name} does not say how fast TensorFlow Lite Micro is",
            expected='a section [latency] with runtime = "tflm"',
            hint="take over that of the nearest shipped target; targets/README.md has its fields",
        )
    return target.latency


def _version(latency: InstructionLatency, build: Build) -> str:
    """The version that was counted, in the build that is predicted."""
    if build == "O3":
        return latency.version
    return f"{latency.version.partition(', built ')[0]}, {BUILDS[build].words}"


def _build(build: Build, works: Sequence[Work]) -> tuple[str, ...]:
    """What the build means, and where it lacks kernels of CMSIS-NN."""
    computing = (
        work.opcode for work in works if work.kind not in ("free", "move") and work.opcode not in COPIES
    )
    missing = [one for one in dict.fromkeys(computing) if one not in ARDUINO_KERNELS]
    if build != "arduino" or not missing:
        return (SAID[build],)
    return (
        SAID[build],
        f"Arduino's library has no kernels of CMSIS-NN for {', '.join(missing)}: reference kernels compute "
        "them",
    )


def _interval(work: Work, latency: InstructionLatency, error: float) -> Interval:
    """Bounds on an operator's kind, with an independent error of what the build changes."""
    if work.arithmetic in ("float32", "hybrid"):
        own, error = latency.float32_interval, SIZE_FLOAT_ERROR if error else 0.0
    else:
        own = latency.dense_interval if work.kind == "fully_connected" else latency.interval
    if not error:
        return own
    low, _, high = bounds_around(1.0, math.log(own.low), math.log(own.high), error)
    return Interval(low=low, high=high)


def _total(parts: Sequence[_Part], total: float, default: Interval, milliseconds: float) -> Bounds:
    """Bounds of the sum; what was guessed is taken to be wrong all in one direction."""
    low, high, guessed, rest = 0.0, 0.0, 0.0, 1.0
    for part in parts:
        share = part.cycles / total
        rest -= share
        low += share * math.log(part.interval.low)
        high += share * math.log(part.interval.high)
        guessed += share * part.layer.error if part.layer.why else 0.0
    low, high = low + rest * math.log(default.low), high + rest * math.log(default.high)
    return bounds_around(total * milliseconds, low, high, guessed)


def _layer(part: _Part, milliseconds: float) -> Bounds:
    own = math.hypot(LAYER_ERROR, part.layer.error)
    return bounds_around(
        part.cycles * milliseconds, math.log(part.interval.low), math.log(part.interval.high), own
    )


def _rests_on(works: Sequence[Work], target: Target) -> tuple[str, ...]:
    """What the cycles of the operators rest on, by their arithmetic."""
    computing = {work.arithmetic for work in works if work.kind not in ("free", "move", "convert")}
    floats = FLOATS if "float32" in computing and target.cpu.fpu != "none" else ""
    if floats and target.name != MEASURED_WITH_FLOATS:
        floats += FLOATS_ELSEWHERE
    counted = _counted(target) if computing != {"float32"} or not floats else ""
    return tuple(said for said in (counted, floats) if said)


def _counted(target: Target) -> str:
    core, counted = target.cpu.core, counted_core(target.cpu)
    said = f"instructions of every operator: fitted to counts of eight int8 models on an emulated {counted}"
    return said if core == counted else f"{said}, whose code a {core} is taken to run"


def _guessed(parts: Sequence[_Part], total: float) -> tuple[str, ...]:
    """What was never counted, with its share of the latency."""
    shares: dict[str, float] = {}
    for part in parts:
        if part.layer.why:
            shares[part.layer.why] = shares.get(part.layer.why, 0.0) + part.cycles / total
    if sum(shares.values()) < HIDDEN:
        return ()
    # What takes next to nothing stands together, behind the rest.
    small = [why for why, share in sorted(shares.items()) if share < HIDDEN]
    said = [(why, share) for why, share in sorted(shares.items()) if share >= HIDDEN]
    if small:
        said.append(("; ".join(small), sum(shares[why] for why in small)))
    return tuple(
        f"{why}: {share:.0%} of the latency is a guess, which widens the bounds" for why, share in said
    )
