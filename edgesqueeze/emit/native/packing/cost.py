"""About how many instructions a model takes: what the choice of encodings is weighed against.

Figures are fitted to counts of emulated layers; ``cost_test.py`` holds them against new ones.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edgesqueeze.emit.native.lower.graph import Lowered
from edgesqueeze.emit.native.packing.encoding import Machine
from edgesqueeze.emit.native.packing.sites import Kind, Site

SMALL_CORES = frozenset({"cortex-m0", "cortex-m0plus", "cortex-m1", "cortex-m23"})
"""Cores with the small instruction set: no instruction finds a set bit or multiplies long."""

FACTORED_CORES = SMALL_CORES | {"cortex-m3"}
"""Cores that multiply one pair of numbers at a time: adding up inputs before is faster there."""


@dataclass(frozen=True)
class LayerCost:
    """Instructions of a plain layer.

    Attributes:
        mac: instructions for a multiply-accumulate operation.
        output: instructions for an output value: requantization.
        input: instructions for an input value of every output pixel: widening, copying.
    """

    mac: float
    output: float
    input: float = 0.0


CHANNEL = 25.0
"""Instructions that unpack the parameters of an output channel of a convolution."""

COSTS: Mapping[Machine, Mapping[Kind, LayerCost]] = MappingProxyType(
    {
        "small": MappingProxyType(
            {
                "conv2d": LayerCost(4.0, 58, 10),
                "conv2d_1x1": LayerCost(4.2, 47, 8.8),
                "depthwise": LayerCost(15.5, 20),
                "depthwise_3x3": LayerCost(15.5, 2),
                "fully_connected": LayerCost(5.75, 60),
            }
        ),
        "portable": MappingProxyType(
            {
                "conv2d": LayerCost(1.7, 17, 6),
                "conv2d_1x1": LayerCost(1.77, 10, 8),
                "depthwise": LayerCost(5, 10),
                "depthwise_3x3": LayerCost(4, 5),
                "fully_connected": LayerCost(2.19, 29),
            }
        ),
        "dsp": MappingProxyType(
            {
                "conv2d": LayerCost(0.714, 9, 2.2),
                "conv2d_1x1": LayerCost(0.713, 9, 1.6),
                "depthwise": LayerCost(1.8, 15),
                "depthwise_3x3": LayerCost(1.8, 5),
                "fully_connected": LayerCost(0.97, 8),
            }
        ),
        "mve": MappingProxyType(
            {
                "conv2d": LayerCost(0.1, 4.8, 0.84),
                "conv2d_1x1": LayerCost(0.11, 3.5, 1.0),
                "depthwise": LayerCost(5, 10),
                "depthwise_3x3": LayerCost(0.7, 2),
                "fully_connected": LayerCost(0.14, 4),
            }
        ),
    }
)
"""Machine and kind of layer -> its cost."""

GENERAL: Mapping[Machine, float] = MappingProxyType(
    {"small": 70.0, "portable": 37.0, "dsp": 37.0, "mve": 37.0}
)
"""Machine -> instructions for a multiply-accumulate operation of the plain loops."""

OTHER: Mapping[Machine, float] = MappingProxyType({"small": 20.0, "portable": 12.0, "dsp": 5.0, "mve": 2.0})
"""Machine -> instructions for an output value of any other kernel."""


def machine_of(kernel_set: str, core: str | None) -> Machine:
    """What runs the C of a kernel set on a core; None: this computer."""
    if kernel_set == "dsp":
        return "dsp"
    if kernel_set == "mve":
        return "mve"
    return "small" if core in SMALL_CORES else "portable"


def layer_instructions(site: Site, machine: Machine, parts: int = 1) -> float:
    """Instructions of a layer whose weights are there, computed in so many parts."""
    cost = COSTS[machine][site.kind]
    instructions = site.macs * cost.mac + site.pixels * site.outputs * cost.output
    if site.kind.startswith("conv2d"):
        instructions += site.pixels * site.taps * parts * cost.input
    return instructions + (0 if site.kind == "fully_connected" else site.outputs * CHANNEL)


def other_instructions(lowered: Lowered, sites: Collection[tuple[int, int]], machine: Machine) -> float:
    """Instructions of all calls that are no ``sites``, which are pairs of layer and position."""
    tensors = lowered.graph.tensors
    instructions = 0.0
    for layer in lowered.layers:
        for position, call in enumerate(layer.calls):
            if (layer.index, position) in sites:
                continue
            instructions += OTHER[machine] * sum(tensors[tensor].elements for tensor in call.outputs)
            if "general" in call.function:
                instructions += GENERAL[machine] * layer.macs
    return instructions
