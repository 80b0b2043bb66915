"""What the section ``[latency]`` of each Linux and Android target says."""

from __future__ import annotations

import functools
import math
import textwrap
from typing import Any, NamedTuple, get_args

from litert_bounds import REACH, Field, spread, width
from litert_model import Fit, Setting, fit
from litert_priors import CORES, XNNPACK
from litert_rows import Arithmetic, Costs, section

from edgesqueeze.target.latency import Interval, OperatorCost, OperatorLatency
from edgesqueeze.target.load import load_target
from edgesqueeze.target.records import Cpu, Target

RUNTIME = "XNNPACK end2end_bench"
VERSION = "2022-02-08"
SHOWN_VERSION = "XNNPACK of February 2022, {bits}, as LiteRT's delegate"
WIDE_CORE = 0.2
"""Assumed: standard deviation of the logarithm of what cores with more than two 128-bit pipelines change, of
which none is in the table."""
DIGITS = 3
ARITHMETICS: tuple[Arithmetic, ...] = get_args(Arithmetic)


class Basis(NamedTuple):
    """What a target's figures rest on.

    Attributes:
        device: device of the table with the same core; or another board or phone, which is not in it.
        like: the device whose bounds it gets: the same, or another board or phone.
        words: what the figures rest on, in words.
    """

    device: str
    like: str
    words: str


_SCALED = (
    "No latency on this core entered the fit: the costs of XNNPACK on the {seen} are scaled by clock and by "
    "multiply-accumulates per clock ({how}). The bounds are those that devices had which were left out of "
    "the fit{int8}; of what more threads bring, nothing is known of this core."
)
_FAMILY = "The bounds are those that models had whose whole family was left out of the fit."
_MEASURED_BOARD = (
    "Fitted to published latencies of XNNPACK's end2end_bench on this board, 32-bit: MobileNet {models}, "
    "with {how}{more}. " + _FAMILY
)
_DETECTORS = "; and of detectors with one to four threads, in TensorFlow Lite {versions}"
_MEASURED_PHONE = (
    "Fitted to published latencies of XNNPACK's end2end_bench on this phone: MobileNet v1, v2 and v3 in "
    "float32. {int8} The bounds of float32 are those that models had whose whole family was left out of the "
    "fit."
)
_OLD_INT8 = (
    "int8 was measured with TensorFlow Lite before XNNPACK alone (MobileNet v3); what XNNPACK gains there is "
    "taken from boards, and the bounds of int8 are an assumption."
)
_NO_INT8 = (
    "int8 was not measured on this phone, nor with XNNPACK on any: it is scaled from boards, and its bounds "
    "are an assumption."
)
_SAME_CORE = (
    "The core was measured on the Raspberry Pi 3 Model B and B+: MobileNets with XNNPACK's end2end_bench, "
    "four threads and 32 bits, and detectors with one to four threads; the rest is the clock's. The bounds "
    "are those that {kind} had which were left out of the fit{int8}."
)
_FLOAT_DETECTORS = _DETECTORS.format(versions="2.5.0, float32")
_SEEN = "Cortex-A7, A53, A72, A73, A75, A76 and Kryo"
_MODELS = "v1, v2 and v3 in float32, v1 and v2 in int8"
_DOUBLE = "twice those of a Cortex-A72, as its vector pipelines are twice as wide"
_FOUR = "four times those of a Cortex-A72, as it has four vector pipelines of 128 bits"


def _scaled(device: str, how: str) -> Basis:
    return Basis(device, device, _SCALED.format(seen=_SEEN, how=how, int8=_assumed(device)))


def _same_core(device: str) -> Basis:
    kind = "phones" if "phone" in device else "boards"
    return Basis(device, device, _SAME_CORE.format(kind=kind, int8=_assumed(device)))


def _assumed(device: str) -> str:
    said = ", of int8 those that the fit assumes, since no phone was measured with XNNPACK"
    return said if "phone" in device else ""


TARGETS = {
    "rpi4": Basis(
        "Raspberry Pi 4",
        "Raspberry Pi 4",
        "Fitted to published latencies of XNNPACK's end2end_bench on this board: MobileNet v1, v2 and v3 "
        "in float32, v1 and v2 in int8, with four threads"
        + _DETECTORS.format(versions="2.5.0 in float32 and 2.18.0 in both")
        + f". {_FAMILY}",
    ),
    "rpi2": Basis(
        "Raspberry Pi 2",
        "Raspberry Pi 2",
        _MEASURED_BOARD.format(models=_MODELS, how="one to four threads", more=_FLOAT_DETECTORS),
    ),
    "rpi-zerow": Basis(
        "Raspberry Pi Zero W",
        "Raspberry Pi Zero W",
        _MEASURED_BOARD.format(models=_MODELS, how="one thread", more=""),
    ),
    "rpi3b-plus": Basis(
        "Raspberry Pi 3+",
        "Raspberry Pi 3+",
        _MEASURED_BOARD.format(
            models="v2 and v3 in float32, v1 in int8", how="four threads", more=_FLOAT_DETECTORS
        ),
    ),
    "pixel": Basis("Pixel", "Pixel", _MEASURED_PHONE.format(int8=_OLD_INT8)),
    "pixel2": Basis("Pixel 2", "Pixel 2", _MEASURED_PHONE.format(int8=_OLD_INT8)),
    "pixel3a": Basis("Pixel 3a", "Pixel 3a", _MEASURED_PHONE.format(int8=_NO_INT8)),
    "pixel3": Basis(
        "Pixel 3",
        "another phone",
        "Measured on this phone with one thread and TensorFlow Lite of 2018 to 2020, in float32 and int8; "
        "what XNNPACK gains on it is taken from other devices, the Pixel 3a with the same core among them. "
        "The bounds of float32 are those that phones had which were left out of the fit, those of int8 an "
        "assumption.",
    ),
    "rpi-zero2w": _same_core("another board"),
    "rpi5": Basis(
        "Raspberry Pi 5",
        "another board",
        "Fitted to published latencies of detectors on this board with one to four threads, in TensorFlow "
        "Lite 2.18.0, float32 and int8 (EfficientDet-Lite 0 to 2). No other design was measured on it: the "
        "bounds are those that boards had which were left out of the fit.",
    ),
    "android-low": _same_core("another phone"),
    "android-mid": _scaled("another phone", _DOUBLE),
    "pixel6": _scaled("another phone", _FOUR),
    "pixel8": _scaled("another phone", _FOUR),
}
"""By target."""


@functools.cache
def latency_of(name: str) -> OperatorLatency:
    """The section of a shipped target, rounded as in its file."""
    target, basis, fitted = load_target(name), TARGETS[name], fit()
    settings = {kind: setting(target, basis.device, kind) for kind in ARITHMETICS}
    costs = {kind: fitted.costs(one) for kind, one in settings.items()}
    # A profile has one cost of weights for both arithmetics.
    weight = math.sqrt(costs["float32"].weight * costs["int8"].weight)
    latency = section(
        {kind: cost._replace(weight=weight) for kind, cost in costs.items()},
        version=SHOWN_VERSION.format(bits=bits_of(target)),
        speedup=fitted.speedup(settings["float32"], strengths(target.cpu)),
        intervals={kind: bounds_of(fitted, target, basis, kind) for kind in ARITHMETICS},
        call_interval=_interval(
            REACH * max(fitted.spread(one, Costs(0, 0, 0, 0, 1)) for one in settings.values())
        ),
        basis=basis.words,
    )
    figures = _rounded_figures(latency.model_dump())
    return OperatorLatency.model_validate({**figures, "runtime": target.runtime.name})


def setting(target: Target, device: str, arithmetic: Arithmetic, threads: float = 1) -> Setting:
    """A target as the fit takes it, as some device of the table or as none of it."""
    core, clock = target.cpu.core, target.cpu.clock_mhz
    return Setting(device, core, clock, bits_of(target), RUNTIME, VERSION, XNNPACK, arithmetic, "", threads)


def bits_of(target: Target) -> str:
    """Which programs its processor runs."""
    return "32-bit" if target.cpu.architecture in ("armv6", "armv7-a") else "64-bit"


def strengths(cpu: Cpu) -> list[float]:
    """What each core can compute, as a share of the one that a single thread runs on; the fastest first."""
    clusters = [(one.core, one.clock_mhz, one.count) for one in cpu.clusters]
    every = [
        CORES[core].float32 * clock
        for core, clock, count in clusters or [(cpu.core, cpu.clock_mhz, cpu.cores)]
        for _ in range(count)
    ]
    return [strength / max(every) for strength in sorted(every, reverse=True)]


def bounds_of(fitted: Fit, target: Target, basis: Basis, arithmetic: Arithmetic) -> Interval:
    """Bounds that hold for any number of threads, made as those that ``accuracy.py`` checks.

    Where the device was measured, they are those of families of models that are left out; else those of
    devices that are left out.
    """
    field: Field = "device" if basis.like.startswith("another ") else "family"
    strongest = max(sum(strengths(target.cpu)), 1.0)
    own = max(spread(fitted, setting(target, basis.like, arithmetic, threads)) for threads in (1, strongest))
    core = WIDE_CORE if CORES[target.cpu.core].float32 > CORES["cortex-a76"].float32 else 0.0
    # No phone was measured in int8 with XNNPACK: nothing says how many of the fit's own spreads are enough.
    is_checked = target.device_class == "linux" or arithmetic == "float32"
    spreads = width(field, arithmetic) if is_checked else REACH
    return _interval(math.hypot(spreads * own, REACH * core))


def _interval(reach: float) -> Interval:
    """Bounds, from the logarithm of the upper one."""
    return Interval(low=rounded(math.exp(-reach), 2), high=rounded(math.exp(reach)))


def toml_of(latency: OperatorLatency) -> str:
    """The section as the profiles write it."""
    lines = [
        "[latency]",
        f'runtime = "{latency.runtime}"',
        f'version = "{latency.version}"',
        *(
            f"{name} = [{', '.join(f'{factor:g}' for factor in getattr(latency, name))}]"
            for name in ("speedup", "byte_speedup", "call_speedup")
        ),
        "memory = [",
        *(
            f"    {{ weights_bytes = {step.weights_bytes:_}, byte_ps = {step.byte_ps:g} }},"
            for step in latency.memory
        ),
        "]",
        f"interval = {{ {_range(latency.interval)} }}",
        f"call_interval = {{ {_range(latency.call_interval or latency.interval)} }}",
        'basis = """\\',
        *(f"    {line} \\" for line in textwrap.wrap(latency.basis, 102)),
    ]
    lines[-1] = lines[-1].removesuffix(" \\") + "\\"
    lines.append('    """')
    for kind in ARITHMETICS:
        arithmetic = getattr(latency, kind)
        lines += ["", f"[latency.{kind}]", f"activation_ps = {arithmetic.activation_ps:g}"]
        lines += [f"interval = {{ {_range(arithmetic.interval)} }}", ""]
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


def _range(interval: Interval) -> str:
    return f"low = {interval.low:g}, high = {interval.high:g}"


def _inline(cost: OperatorCost) -> str:
    given = cost.model_dump(exclude_defaults=True)
    return ", ".join(
        f"{key} = {list(value)}" if isinstance(value, tuple) else f"{key} = {value:g}"
        for key, value in given.items()
    )
