"""How many channels the kernels of a target take at a time: what is cut in between saves no time."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgesqueeze.recipe.filled import Kernels
from edgesqueeze.target.processor import processor_of
from edgesqueeze.target.records import Target

CHANNEL_STEPS: Mapping[Kernels, int] = MappingProxyType(
    {
        "small": 4,  # as the portable ones, whose C it is
        "portable": 4,  # the inputs of four output channels are multiplied together
        "dsp": 4,  # output channels in pairs, inputs and depthwise channels four at a time
        "mve": 16,  # a vector holds 16 inputs, or 16 depthwise channels
        "xnnpack": 8,  # a tile of 8 or 16 output channels, inputs eight at a time
    }
)
"""Kind of kernels -> channels that they take at a time."""


def channel_step(target: Target) -> int:
    """How many channels the kernels that run on a target take at a time."""
    return CHANNEL_STEPS[kernels_of(target)]


def kernels_of(target: Target) -> Kernels:
    """The kind of kernels that run on a target."""
    if not target.is_mcu:
        return "xnnpack"
    processor = processor_of(target.cpu)
    if processor.mve != "none":
        return "mve"
    if processor.dsp:
        return "dsp"
    return "small" if target.cpu.architecture == "armv6-m" else "portable"
