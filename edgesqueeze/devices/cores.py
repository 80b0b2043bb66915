"""Names of processor cores, from the numbers that Linux shows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgesqueeze.devices.faults import clean

# MIDR_EL1 implementer and part numbers, as in Linux, arch/arm64/include/asm/cputype.h.
_PARTS: Mapping[tuple[int, int], str] = MappingProxyType(
    {
        (0x41, 0xB76): "ARM1176",
        (0x41, 0xC05): "Cortex-A5",
        (0x41, 0xC07): "Cortex-A7",
        (0x41, 0xC08): "Cortex-A8",
        (0x41, 0xC09): "Cortex-A9",
        (0x41, 0xC0E): "Cortex-A17",
        (0x41, 0xC0F): "Cortex-A15",
        (0x41, 0xD01): "Cortex-A32",
        (0x41, 0xD02): "Cortex-A34",
        (0x41, 0xD03): "Cortex-A53",
        (0x41, 0xD04): "Cortex-A35",
        (0x41, 0xD05): "Cortex-A55",
        (0x41, 0xD07): "Cortex-A57",
        (0x41, 0xD08): "Cortex-A72",
        (0x41, 0xD09): "Cortex-A73",
        (0x41, 0xD0A): "Cortex-A75",
        (0x41, 0xD0B): "Cortex-A76",
        (0x41, 0xD0C): "Neoverse-N1",
        (0x41, 0xD0D): "Cortex-A77",
        (0x41, 0xD40): "Neoverse-V1",
        (0x41, 0xD41): "Cortex-A78",
        (0x41, 0xD42): "Cortex-A78AE",
        (0x41, 0xD44): "Cortex-X1",
        (0x41, 0xD46): "Cortex-A510",
        (0x41, 0xD47): "Cortex-A710",
        (0x41, 0xD48): "Cortex-X2",
        (0x41, 0xD49): "Neoverse-N2",
        (0x41, 0xD4B): "Cortex-A78C",
        (0x41, 0xD4D): "Cortex-A715",
        (0x41, 0xD4E): "Cortex-X3",
        (0x41, 0xD4F): "Neoverse-V2",
        (0x41, 0xD80): "Cortex-A520",
        (0x41, 0xD81): "Cortex-A720",
        (0x41, 0xD82): "Cortex-X4",
        (0x42, 0x516): "ThunderX2",
        (0x4E, 0x003): "Denver 2",
        (0x4E, 0x004): "Carmel",
        (0x51, 0x800): "Kryo 2xx Gold",
        (0x51, 0x801): "Kryo 2xx Silver",
        (0x51, 0x802): "Kryo 3xx Gold",
        (0x51, 0x803): "Kryo 3xx Silver",
        (0x51, 0x804): "Kryo 4xx Gold",
        (0x51, 0x805): "Kryo 4xx Silver",
        (0xC0, 0xAC3): "Ampere-1",
    }
)


def core_name(names: Mapping[str, str]) -> str:
    """What to call a core, from its lines in /proc/cpuinfo."""
    try:
        implementer, part = int(names["CPU implementer"], 16), int(names["CPU part"], 16)
    except (KeyError, ValueError):
        return clean(names.get("model name") or names.get("uarch") or names.get("isa") or "unknown")
    known = _PARTS.get((implementer, part))
    return known or f"implementer 0x{implementer:02x}, part 0x{part:03x}"
