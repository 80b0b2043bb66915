"""Which weights the kernels of a target skip together where all of them are zero."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgesqueeze.recipe.filled import DeviceBlocks
from edgesqueeze.target.processor import processor_of
from edgesqueeze.target.records import Target

DEVICE_BLOCKS: Mapping[str, DeviceBlocks] = MappingProxyType(
    {
        **dict.fromkeys(
            ("cortex-m4", "cortex-m7", "cortex-m33"), DeviceBlocks(convolution=(2, 4), dense=(4, 1))
        ),
        **dict.fromkeys(("cortex-m55", "cortex-m85"), DeviceBlocks(convolution=(16, 1), dense=(4, 1))),
    }
)
"""Core -> the blocks of its kernels; other cores have none that skip blocks.

With the DSP extension 2 outputs by 4 inputs are what one step of a convolution multiplies. MVE gathers the
inputs that any of 16 outputs needs: fewer instructions than blocks of 2 by 16 for up to 256 inputs, and
fewer weights that stand or fall together.
"""


def device_blocks(target: Target) -> DeviceBlocks | None:
    """The blocks that the target's kernels skip; None: it has no such kernels."""
    if target.device_class != "mcu":
        return None
    return DEVICE_BLOCKS.get(processor_of(target.cpu).kernel_core)
