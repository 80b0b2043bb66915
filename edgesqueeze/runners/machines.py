"""The boards of QEMU that stand for Cortex-M devices, and how code for each core is compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from edgesqueeze.target.records import Cpu

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
        name: as ``-machine`` takes it.
        core: of its processor.
        code: memory that it starts from.
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

FPUS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("cortex-m4", "single"): "fpv4-sp-d16",
        ("cortex-m7", "single"): "fpv5-sp-d16",
        ("cortex-m7", "double"): "fpv5-d16",
        ("cortex-m33", "single"): "fpv5-sp-d16",
    }
)


@dataclass(frozen=True)
class Processor:
    """What decides how code is generated and compiled.

    Attributes:
        core: name of the core.
        fpu: the widest floating point format in hardware.
        dsp: whether it has the DSP extension.
        mve: whether it has MVE, for integers or floats too.
    """

    core: str
    fpu: Literal["none", "single", "double"]
    dsp: bool
    mve: Literal["none", "integer", "float"]

    @property
    def machine(self) -> Machine:
        """The board that runs its code."""
        return MACHINES[self.core]

    @property
    def kernel_core(self) -> str:
        """The core whose kernels it can run: its own, or one with fewer extensions."""
        if self.core in ("cortex-m55", "cortex-m85") and self.mve == "none":
            return "cortex-m33" if self.dsp else "cortex-m3"
        if self.core in ("cortex-m4", "cortex-m7", "cortex-m33") and not self.dsp:
            return "cortex-m3"
        return self.core

    @property
    def flags(self) -> tuple[str, ...]:
        """Options of GCC that choose the instructions."""
        if self.core in ("cortex-m55", "cortex-m85"):
            return self._vector_flags()
        cpu = self.core
        if cpu == "cortex-m33" and not self.dsp:
            cpu += "+nodsp"
        fpu = FPUS.get((self.core, self.fpu))
        floats = (f"-mfpu={fpu}", "-mfloat-abi=hard") if fpu else ("-mfloat-abi=soft",)
        return (f"-mcpu={cpu}", "-mthumb", *floats)

    def _vector_flags(self) -> tuple[str, ...]:
        # By architecture: GCC knows the name cortex-m85 from version 13 on only.
        extensions = {"none": "+dsp" if self.dsp else "", "integer": "+mve", "float": "+mve.fp"}[self.mve]
        extensions += {"none": "", "single": "+fp", "double": "+fp.dp"}[self.fpu]
        hard = self.fpu != "none" or self.mve != "none"
        return (
            f"-march=armv8.1-m.main{extensions}",
            "-mtune=cortex-m55",
            "-mthumb",
            f"-mfloat-abi={'hard' if hard else 'soft'}",
        )


def processor_of(cpu: Cpu) -> Processor:
    """The processor of a target."""
    return Processor(cpu.core, cpu.fpu, cpu.dsp, cpu.mve)
