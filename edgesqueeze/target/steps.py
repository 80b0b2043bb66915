"""How many channels the kernels of a target take at a time: what is cut in between saves no time."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from edgesqueeze.target.processor import processor_of
from edgesqueeze.target.records import Target

Kernels = Literal["portable", "dsp", "mve", "xnnpack"]

CHANNEL_STEPS: Mapping[Kernels, int] = MappingProxyType(
    {
        "portable": 4,  # the inputs of four output channels are multiplied together
        "dsp": 4,  # output channels in pairs, inputs and depthwise channels four at a time
        "mve": 16,  # a vector holds 16 inputs, or 16 depthwise channels
        "xnnpack": 8,  # a tile of 8 or 16 output channels, inputs eight at a time
    }
)
"""Kind of kernels -> channels that they take at a time."""


def channel_step(target: Target) -> int:
    """How many channels the kernels that run on a target take at a time."""
    return CHANNEL_STEPS[_kernels(target)]


def _kernels(target: Target) -> Kernels:
    if not target.is_mcu:
        return "xnnpack"
    processor = processor_of(target.cpu)
    if processor.mve != "none":
        return "mve"
    return "dsp" if processor.dsp else "portable"
