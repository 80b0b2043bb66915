"""How code for a device's processor is generated and compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from edgesqueeze.target.records import Cpu

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
