"""What it costs to read from a target's flash, behind its caches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from edgesqueeze.latency.timings import Cycles
from edgesqueeze.runners.counts import FlashCaches
from edgesqueeze.target.records import Cpu, Memory

UNKNOWN = Cycles(0, 4, 16)
"""Cycles for a line of 16 bytes where neither the profile nor ``SERIAL`` says: memory inside the chip, which
may be as fast as the core, or several times slower."""


class Chip(NamedTuple):
    """What tells a chip apart, whatever its profile is called and whatever flash a board puts beside it.

    Attributes:
        core: name of the core.
        icache_bytes: size of the cache in front of the flash, in bytes.
        ram_bytes: size of the RAM, all blocks together, in bytes.
    """

    core: str
    icache_bytes: int | None
    ram_bytes: int


SERIAL: Mapping[Chip, Cycles] = MappingProxyType(
    {
        # RP2040 and RP2350 data sheets, chapters on SSI and QMI: a read of 8 bytes takes about 12 clocks of
        # the flash for the address and 16 for the data, each of them 2 cycles of the core.
        Chip("cortex-m0plus", 16384, 264 * 1024): Cycles(60, 90, 120),
        Chip("cortex-m33", 16384, 520 * 1024): Cycles(60, 90, 120),
    }
)
"""Chips that execute from serial flash: cycles for a line of 16 bytes. A profile has no field for it, so
these are recognized, also in profiles of other boards; a chip that is not in the table is ``UNKNOWN``."""

CACHED_CORES = frozenset({"cortex-m7", "cortex-m55", "cortex-m85"})
CORE_CACHES = FlashCaches(16384, 16384)
WIDE = frozenset({"cortex-m7"})
"""Cores whose caches are filled by 32 bytes, from flash that is read by 128 or 256 bits (ST reference manuals
RM0385 and RM0455, chapter Embedded flash memory; Arm Cortex-M7 Technical Reference Manual, DDI 0489)."""


@dataclass(frozen=True)
class Flash:
    """The way from flash to the core.

    Attributes:
        code_line: cycles that the core waits for 16 bytes of code which no cache holds.
        data_line: cycles that the core waits for 16 bytes of constant data which no cache holds.
        caches: caches that the emulator imitates.
        basis: what these figures rest on, for the report.
    """

    code_line: Cycles
    data_line: Cycles
    caches: FlashCaches
    basis: str


def flash_of(cpu: Cpu, memory: Memory | None = None) -> Flash:
    """The flash of a target.

    Where the profile names no cache: cores that are built with caches get those of common devices; others
    have small ones in the flash interface (ST calls them ART Accelerator), or flash that keeps up.

    Args:
        cpu: processor of the target.
        memory: memory of the target, by which chips with serial flash are recognized.
    """
    caches = _caches(cpu)
    sizes = f"{caches.code_bytes:,} bytes for code"
    sizes += f" and {caches.data_bytes:,} for data" if caches.data_bytes else " and data"
    code_line, data_line, said = _lines(cpu, memory)
    return Flash(
        code_line,
        data_line,
        caches,
        f"memory: {said}, behind imitated caches of {sizes}; no waiting for RAM",
    )


def _caches(cpu: Cpu) -> FlashCaches:
    if cpu.icache_bytes:
        # A cache for code alone is on the way to the flash, and so holds its constants too.
        return FlashCaches(cpu.icache_bytes, cpu.dcache_bytes or 0)
    return CORE_CACHES if cpu.core in CACHED_CORES else FlashCaches()


def _lines(cpu: Cpu, memory: Memory | None) -> tuple[Cycles, Cycles, str]:
    wait = cpu.flash_wait_states
    if wait is not None and cpu.core in WIDE:
        # One read fills two lines of 16 bytes, which then come over the bus in four beats.
        both = Cycles(0.5 * wait, 0.5 * wait + 2, wait + 2)
        return both, both, f"flash with {wait} wait states"
    if wait is not None:
        # A line takes two reads of 64 bits; of code, the second is often there in time.
        code, data = Cycles(0.5 * wait, wait, 2 * wait), Cycles(1.5 * wait, 2 * wait, 2.4 * wait)
        return code, data, f"flash with {wait} wait states"
    serial = SERIAL.get(Chip(cpu.core, cpu.icache_bytes, memory.ram_bytes)) if memory else None
    line = serial or UNKNOWN
    kind = "serial flash" if serial else "flash (the profile gives no wait states)"
    return line, line, f"{kind} that takes {line.low:g} to {line.high:g} cycles for 16 bytes"
