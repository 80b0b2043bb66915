"""What the fit of ``litert_model`` takes for granted before it sees a latency."""

from __future__ import annotations

from typing import NamedTuple

from litert_rows import Costs

NOISE = 0.045
"""Of one latency, as a logarithm: what five costs cannot say of an operator, and figures of two digits.
Chosen as ``SPREADS`` are."""
COMPUTING = ("mac", "depthwise")
MOVING = ("activation", "weight")
XNNPACK = "XNNPACK"
"""The kernels that others are compared with."""


class Core(NamedTuple):
    """Multiply-accumulates that a core can do in one clock.

    Attributes:
        float32: in float32.
        int8: in int8 with widening multiplications.
        dot: in int8 with dot products; as ``int8`` where the core has none.
    """

    float32: float
    int8: float
    dot: float


CORES = {
    "arm1176": Core(0.4, 0.6, 0.6),
    "cortex-a7": Core(1, 2, 2),
    "cortex-a53": Core(2, 4, 4),
    "cortex-a55": Core(2, 4, 8),
    "cortex-a72": Core(4, 8, 8),
    "cortex-a73": Core(4, 8, 8),
    "kryo": Core(4, 8, 8),
    "cortex-a75": Core(5.7, 11, 17),
    "cortex-a76": Core(8, 16, 24),
    "cortex-a78": Core(8, 16, 24),
    "cortex-a510": Core(2, 4, 8),
    "cortex-a715": Core(8, 16, 24),
    "cortex-x1": Core(16, 32, 48),
    "cortex-x3": Core(16, 32, 48),
}
"""From the vector pipelines in Arm's Software Optimization Guides: 128 bits of float32 multiply-accumulates
for each clock on a Cortex-A72 and A73 (a Kryo is taken to be alike), 256 on an A76, A78 and A715, 512 on an
X1 and X3, 32 on a Cortex-A7; an ARM1176 has no vectors. The Cortex-A53 issues loads of vectors and
multiplications one after the other and is put at the geometric mean of the A7 and the A72, A55 and A510 like
it; the A75 at that of the A73 and the A76. int8 doubles the float32 figure; dot products would quadruple it,
and three times is assumed, since sums must be requantized."""

PRIOR = {
    "float32": Costs(mac=0.31, depthwise=0.5, activation=0.15, weight=0.4, call=10e3),
    "int8": Costs(mac=0.2, depthwise=0.35, activation=0.3, weight=0.4, call=10e3),
}
"""Clocks in place of times, on a core of two 64-bit pipelines: expected before any measurement."""

SPREADS = {
    "cost": 0.4,  # how far a cost may be from the prior, for all devices together
    "kind": 0.2,  # of phones, and of boards: their memory
    "device": 0.15,  # for all that a core's clock and width do not say
    "arithmetic": 0.06,
    "memory": 0.12,
    "build": 0.07,
    "version": 0.05,
    "family": 0.05,  # of models: what five costs cannot say of their operators
    "design": 0.15,  # for a cost of designs that are no MobileNet
    "family's kernels": 0.17,  # the same with other kernels than XNNPACK's
    "kernels": 0.45,
    "kernels' cost": 1.0,
    "slow cost": 0.3,
    "threads": 0.12,  # of a device's exponent around those of its kind
    "scaling": 0.15,
    "memory scaling": 0.15,
}
"""Standard deviations of the logarithms of factors, and of exponents of the number of threads: near those
under which the latencies are most probable (``Fit.evidence``; MacKay, Bayesian interpolation, 1992). Wider
than those are the exponents, which four devices tell of and which differ much between them, and ``family``:
between MobileNets XNNPACK has no need of it, but other designs may. ``accuracy.py`` checks the bounds that
follow."""
SCALING = {"mac": 0.75, "depthwise": 0.75, "activation": 0.3, "weight": 0.3, "call": 0.0}
"""Expected: n threads do it n to this power times as fast. They share one memory, and a call is not shared
out at all."""
