"""What the linked firmware says: where layers begin, and how its memory is divided."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

MARK = struct.Struct("<II")


@dataclass(frozen=True)
class ElfSizes:
    """Bytes that a model takes, without the harness around it and without its arena.

    Attributes:
        code: bytes of instructions: the model, its kernels, and what they use of the C library.
        weights: bytes of the layers' constant data: weights and parameters of channels.
        constants: bytes of all other constant data, and of the start values of variables.
        variables: bytes of RAM for variables.
    """

    code: int
    weights: int
    constants: int
    variables: int


def read_marks(elf: Path) -> list[tuple[int, int]]:
    """The marks of ``firmware/es_bench_marks.h`` in the order of the code: address and number."""
    with elf.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".es_marks")
        data = section.data() if section is not None else b""
    # Marks of one address keep their order, which is the order in which they apply.
    return sorted(MARK.iter_unpack(data), key=lambda mark: mark[0])


def constant_ranges(elf: Path) -> list[tuple[int, int]]:
    """Where the model's constant data are, literals between instructions included: first and end address."""
    with elf.open("rb") as file:
        sections = [ELFFile(file).get_section_by_name(name) for name in (".weights", ".rodata", ".text")]
    found = [(int(one["sh_addr"]), int(one["sh_size"])) for one in sections if one is not None]
    return [(address, address + size) for address, size in found if size]


def read_sizes(elf: Path) -> ElfSizes:
    """Sizes by the sections of ``firmware/link.ld.j2``, which keep the harness apart."""
    with elf.open("rb") as file:
        sizes = {section.name: int(section["sh_size"]) for section in ELFFile(file).iter_sections()}
    data = sizes.get(".data", 0)
    return ElfSizes(
        code=sizes.get(".text", 0),
        weights=sizes.get(".weights", 0),
        constants=sizes.get(".rodata", 0) + data,
        variables=data + sizes.get(".bss", 0),
    )
