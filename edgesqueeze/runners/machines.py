"""The boards of QEMU that stand for Cortex-M devices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edgesqueeze.target.processor import Processor

KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True)
class Region:
    """A memory: its address and size in bytes."""

    origin: int
    bytes: int


@dataclass(frozen=True)
class Machine:
    """A board of QEMU.

    Attributes:
        name: the machine's name, as ``-machine`` takes it.
        core: name of the machine's processor core.
        code: memory that the machine starts from.
        data: memory for data and the stack.
        large: memory for weights and activations.
    """

    name: str
    core: str
    code: Region
    data: Region
    large: Region


# Addresses as in QEMU's hw/arm/mps2.c and mps2-tz.c; the last two start in the secure state, so theirs are
# the secure aliases.
AN385 = Machine(
    "mps2-an385",
    "cortex-m3",
    Region(0x0000_0000, 4 * MIB),
    Region(0x2000_0000, 4 * MIB),
    Region(0x2100_0000, 16 * MIB),
)
AN386 = Machine("mps2-an386", "cortex-m4", AN385.code, AN385.data, AN385.large)
AN500 = Machine("mps2-an500", "cortex-m7", AN385.code, AN385.data, Region(0x6000_0000, 16 * MIB))
AN505 = Machine(
    "mps2-an505",
    "cortex-m33",
    Region(0x1000_0000, 4 * MIB),
    Region(0x3800_0000, 4 * MIB),
    Region(0x8000_0000, 16 * MIB),
)
AN547 = Machine(
    "mps3-an547",
    "cortex-m55",
    Region(0x0000_0000, 512 * KIB),
    Region(0x3100_0000, 4 * MIB),
    Region(0x7000_0000, 64 * MIB),
)

MACHINES: Mapping[str, Machine] = MappingProxyType(
    {
        "cortex-m0": AN385,
        "cortex-m0plus": AN385,
        "cortex-m3": AN385,
        "cortex-m4": AN386,
        "cortex-m7": AN500,
        "cortex-m33": AN505,
        "cortex-m55": AN547,
        "cortex-m85": AN547,
    }
)
"""The board that runs the code of each core. QEMU has no large enough Cortex-M0+ and no Cortex-M85; the
boards of M3 and M55 execute the same instructions."""


def machine_of(processor: Processor) -> Machine:
    """The board that runs a processor's code."""
    return MACHINES[processor.core]
