"""Predicts the latency of TensorFlow Lite Micro on a Cortex-M, without the device.

Every operator's instructions follow from its shape, by coefficients that were fitted to counts in an
emulator (``tflm_model``). The target's profile says how many cycles an instruction takes and how far off
that has been. Operators that were never counted are guessed, and widen the bounds by their share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from edgesqueeze.errors import TargetError
from edgesqueeze.latency.records import Bounds, Estimate, bounds_around
from edgesqueeze.latency.tflm_model import Layer, counted_core, cycles, inference, layer_of, shipped_model
from edgesqueeze.latency.work import Work
from edgesqueeze.target.latency import InstructionLatency, Interval
from edgesqueeze.target.records import Target

LAYER_ERROR = math.log(1.15)
"""Half width of bounds on one operator beyond those of the whole inference, as a logarithm: errors of
operators cancel in the sum."""

BUILD = (
    "the runtime is built for speed (-O3; by the levels of its own makefile it executes up to 4 % more "
    "instructions, with MVE 21 %); built for size (-Os), int8 models took 1.3 to 1.7 times as long on the "
    "NUCLEO-L4R5ZI, and float32 convolutions 4 to 8 times"
)
HIDDEN = 0.01
"""Operators that were never counted are named in ``basis`` from this share of the latency on, together."""


class _Part(NamedTuple):
    """An operator's cycles and the logarithms of its bounds."""

    cycles: float
    interval: Interval
    layer: Layer


def predict(works: Sequence[Work], target: Target) -> Estimate:
    """The latency of one inference, in milliseconds.

    Args:
        works: work of a model's operators, in execution order.
        target: a microcontroller whose profile has a section ``[latency]`` for ``tflm``.

    Raises:
        TargetError: the profile has no such section.
    """
    latency = _latency(target)
    model = shipped_model()
    layers = tuple(layer_of(model, work, target.cpu) for work in works)
    rates = latency.cycles_per_instruction.by_rate()
    parts = [
        _Part(
            cycles(layer.instructions, rates),
            _interval(work, latency),
            layer,
        )
        for work, layer in zip(works, layers, strict=True)
    ]
    total = cycles(inference(model, layers), rates)
    milliseconds = 1 / (target.cpu.clock_mhz * 1000)
    return Estimate(
        total=_total(parts, total, latency.interval, milliseconds),
        layers=tuple(_layer(part, milliseconds) for part in parts),
        runtime=latency.runtime,
        runtime_version=latency.version,
        threads=1,
        basis=(latency.basis, _counted(target), *_guessed(parts, total), BUILD),
    )


def _latency(target: Target) -> InstructionLatency:
    if not isinstance(target.latency, InstructionLatency):
        raise TargetError(
            f"the profile of {target.name} does not say how fast TensorFlow Lite Micro is",
            expected='a section [latency] with runtime = "tflm"',
            hint="take over that of the nearest shipped target; targets/README.md has its fields",
        )
    return target.latency


def _interval(work: Work, latency: InstructionLatency) -> Interval:
    if work.arithmetic in ("float32", "hybrid"):
        return latency.float32_interval
    return latency.dense_interval if work.kind == "fully_connected" else latency.interval


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
