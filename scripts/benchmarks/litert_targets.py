"""What the section ``[latency]`` of each Linux and Android target says."""

from __future__ import annotations

import functools
import math
import statistics
import textwrap
from typing import Any, NamedTuple, get_args

from litert_model import Fit, Setting, fit
from litert_priors import CORES, XNNPACK
from litert_rows import Arithmetic, amounts, rows, section

from edgesqueeze.latency.records import CONFIDENCE
from edgesqueeze.target.latency import Interval, OperatorCost, OperatorLatency
from edgesqueeze.target.load import load_target
from edgesqueeze.target.records import Cpu, Target

RUNTIME = "XNNPACK end2end_bench"
VERSION = "2022-02-08"
SHOWN_VERSION = "XNNPACK of February 2022, 64-bit, as LiteRT's delegate"
LATER_RUNTIME = 0.1
"""Assumed: standard deviation of the logarithm of what later versions and the delegate change. From 2019 to
2022 XNNPACK became 5 to 20 % faster on the devices of the table."""
WIDE_CORE = 0.2
"""Assumed: the same for cores with more than two 128-bit pipelines, of which none is in the table."""
DIGITS = 3
ARITHMETICS: tuple[Arithmetic, ...] = get_args(Arithmetic)


class Basis(NamedTuple):
    """What a target's figures rest on.

    Attributes:
        device: device of the table with the same core; or another board or phone, which is not in it.
        threads: number of threads that the device was measured with.
        words: what the figures rest on, in words.
    """

    device: str
    threads: int
    words: str


_SCALED = (
    "No latency on this core entered the fit: the costs of XNNPACK on the {seen} are scaled by clock and by "
    "multiply-accumulates per clock ({how}). The bounds allow for what is not known of the core, for later "
    "versions of the runtime, and for the number of threads."
)
_SEEN = "Cortex-A7, A72, A73, A75 and Kryo"
_BETWEEN = "it issues in order and is put between the Cortex-A7 and the Cortex-A72"
_DOUBLE = "twice those of a Cortex-A72, as its vector pipelines are twice as wide"
_FOUR = "four times those of a Cortex-A72, as it has four vector pipelines of 128 bits"
TARGETS = {
    "rpi4": Basis(
        "Raspberry Pi 4",
        4,
        "Fitted to published latencies of XNNPACK's end2end_bench on this board: MobileNet v1, v2 and v3 "
        "Large in float32, v1 and v2 in int8, with four threads. How it scales with threads is known of a "
        "second, slower board in float32. The bounds allow for other numbers of threads and for later "
        "versions of the runtime.",
    ),
    "pixel3a": Basis(
        "Pixel 3",
        1,
        "The core was measured in another phone (Pixel 3) in float32, with one thread and TensorFlow Lite of "
        "2018 to 2020; that XNNPACK gains on it what it gains on a Cortex-A73, and all of int8, is assumed.",
    ),
    "rpi-zero2w": Basis("another board", 1, _SCALED.format(seen=_SEEN, how=_BETWEEN)),
    "rpi3b-plus": Basis("another board", 1, _SCALED.format(seen=_SEEN, how=_BETWEEN)),
    "rpi5": Basis("another board", 1, _SCALED.format(seen=_SEEN, how=_DOUBLE)),
    "android-low": Basis("another phone", 1, _SCALED.format(seen=_SEEN, how=_BETWEEN)),
    "android-mid": Basis("another phone", 1, _SCALED.format(seen=_SEEN, how=_DOUBLE)),
    "pixel6": Basis("another phone", 1, _SCALED.format(seen=_SEEN, how=_FOUR)),
    "pixel8": Basis("another phone", 1, _SCALED.format(seen=_SEEN, how=_FOUR)),
}
"""By target."""


@functools.cache
def latency_of(name: str) -> OperatorLatency:
    """The section of a shipped target, rounded as in its file."""
    target, basis, fitted = load_target(name), TARGETS[name], fit()
    costs = {kind: fitted.costs(setting(target, basis, kind, 1)) for kind in ARITHMETICS}
    # A profile has one cost of weights for both arithmetics.
    weight = math.sqrt(costs["float32"].weight * costs["int8"].weight)
    speedup = fitted.speedup(basis.device, strengths(target.cpu), basis.threads)
    latency = section(
        {kind: cost._replace(weight=weight) for kind, cost in costs.items()},
        version=SHOWN_VERSION,
        speedup=speedup,
        interval=bounds_of(fitted, target, basis),
        basis=basis.words,
    )
    return OperatorLatency.model_validate(_rounded_figures(latency.model_dump()))


def setting(target: Target, basis: Basis, arithmetic: Arithmetic, threads: int) -> Setting:
    """A target as the fit takes it."""
    core, clock = target.cpu.core, target.cpu.clock_mhz
    return Setting(basis.device, core, clock, "64-bit", RUNTIME, VERSION, XNNPACK, arithmetic, threads)


def strengths(cpu: Cpu) -> list[float]:
    """What each core can compute, as a share of the one that a single thread runs on; the fastest first."""
    clusters = [(one.core, one.clock_mhz, one.count) for one in cpu.clusters]
    every = [
        CORES[core].float32 * clock
        for core, clock, count in clusters or [(cpu.core, cpu.clock_mhz, cpu.cores)]
        for _ in range(count)
    ]
    return [strength / max(every) for strength in sorted(every, reverse=True)]


def bounds_of(fitted: Fit, target: Target, basis: Basis) -> Interval:
    """Bounds that hold for both arithmetics and any number of threads, over the table's models."""
    graphs = dict.fromkeys(row.graph for row in rows())
    counts = {1, target.cpu.cores if basis.threads == 1 else basis.threads}
    spread = max(
        statistics.median(
            fitted.spread(setting(target, basis, kind, threads), amounts(graph, kind)) for graph in graphs
        )
        for kind in ARITHMETICS
        for threads in counts
    )
    core = WIDE_CORE if CORES[target.cpu.core].float32 > CORES["cortex-a76"].float32 else 0.0
    reach = statistics.NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * math.hypot(spread, LATER_RUNTIME, core)
    return Interval(low=rounded(math.exp(-reach), 2), high=rounded(math.exp(reach)))


def toml_of(latency: OperatorLatency) -> str:
    """The section as the profiles write it."""
    lines = [
        "[latency]",
        f'runtime = "{latency.runtime}"',
        f'version = "{latency.version}"',
        f"speedup = [{', '.join(f'{factor:g}' for factor in latency.speedup)}]",
        "memory = [",
        *(
            f"    {{ weights_bytes = {step.weights_bytes:_}, byte_ps = {step.byte_ps:g} }},"
            for step in latency.memory
        ),
        "]",
        f"interval = {{ low = {latency.interval.low:g}, high = {latency.interval.high:g} }}",
        'basis = """\\',
        *(f"    {line} \\" for line in textwrap.wrap(latency.basis, 102)),
    ]
    lines[-1] = lines[-1].removesuffix(" \\") + "\\"
    lines.append('    """')
    for kind in ARITHMETICS:
        arithmetic = getattr(latency, kind)
        lines += ["", f"[latency.{kind}]", f"activation_ps = {arithmetic.activation_ps:g}", ""]
        lines.append(f"[latency.{kind}.operators]")
        lines += [f"{key} = {{ {_inline(cost)} }}" for key, cost in arithmetic.operators.items()]
    return "\n".join(lines) + "\n"


def rounded(value: float, digits: int = DIGITS) -> float:
    """To some significant digits."""
    return float(f"{value:.{digits}g}")


def _rounded_figures(value: Any) -> Any:
    """All floating point numbers of a record, rounded."""
    if isinstance(value, float):
        return rounded(value)
    if isinstance(value, dict):
        return {key: _rounded_figures(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return tuple(_rounded_figures(one) for one in value)
    return value


def _inline(cost: OperatorCost) -> str:
    given = cost.model_dump(exclude_defaults=True)
    return ", ".join(
        f"{key} = {list(value)}" if isinstance(value, tuple) else f"{key} = {value:g}"
        for key, value in given.items()
    )
