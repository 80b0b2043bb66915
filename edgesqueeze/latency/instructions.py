"""Instructions of a Cortex-M by the class that decides how long they take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Kind = Literal[
    "alu",
    "multiply",
    "multiply_accumulate",
    "multiply_long",
    "multiply_accumulate_long",
    "divide",
    "load",
    "load_pair",
    "load_multiple",
    "store",
    "store_pair",
    "store_multiple",
    "branch",
    "call",
    "loop",
    "float",
    "float_multiply_accumulate",
    "float_divide",
    "float_load",
    "float_store",
    "vector",
    "vector_multiply",
    "vector_load",
    "vector_store",
    "vector_move",
]
"""Classes, in the words of Arm's tables of instruction timings. ``vector`` is MVE, ``float`` the FPU."""

MEMORY_KINDS = frozenset({"load", "store", "float_load", "float_store"})
"""Single transfers, which pipeline with their neighbours on some cores."""

VECTOR_UNITS: Mapping[Kind | None, str] = MappingProxyType(
    {
        "vector": "arithmetic",
        "vector_multiply": "multiply",
        "vector_load": "memory",
        "vector_store": "memory",
        "vector_move": "move",
    }
)
"""What executes vector instructions. Those of different units overlap."""


_CONDITION = r"(eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|al)?"
_SCALAR: tuple[tuple[str, Kind], ...] = (
    (rf"b{_CONDITION}|bx|cbn?z|tb[bh]|bxns|bfl?x?|bfcsel", "branch"),
    ("bl|blx|blxns", "call"),
    (r"letp|le|(wls|dls)(tp\..*)?|lctp", "loop"),
    ("[su]div.*", "divide"),
    ("(u|s)mull.*", "multiply_long"),
    ("umlal.*|umaal.*|smlal.*|smlsl.*", "multiply_accumulate_long"),
    ("mla.*|mls.*|smla.*|smls.*|smmla.*|smmls.*|usada8.*", "multiply_accumulate"),
    ("mul.*|smul.*|smuad.*|smusd.*|smmul.*|usad8.*", "multiply"),
    ("ldrd.*", "load_pair"),
    ("strd.*", "store_pair"),
    ("ldm.*|pop.*", "load_multiple"),
    ("stm.*|push.*", "store_multiple"),
    ("ldr.*|ldrex.*|lda.*", "load"),
    ("str.*|strex.*|stl.*", "store"),
)
_FLOAT: tuple[tuple[str, Kind], ...] = (
    ("vdiv.*|vsqrt.*", "float_divide"),
    ("vml[as].*|vnml[as].*|vfm[as].*|vfnm[as].*", "float_multiply_accumulate"),
    ("vldm.*|vpop.*", "load_multiple"),
    ("vstm.*|vpush.*", "store_multiple"),
    ("vldr.*", "float_load"),
    ("vstr.*", "float_store"),
    (".*", "float"),
)
_VECTOR: tuple[tuple[str, Kind], ...] = (
    ("vld.*", "vector_load"),
    ("vst.*", "vector_store"),
    ("vmov.*|vdup.*", "vector_move"),
    (".*mul.*|.*mla.*|.*mls.*|vmladav.*|.*fm[as].*|.*dav.*", "vector_multiply"),
    (".*", "vector"),
)
# Lines of the disassembly: "   3ac:<tab>6801<tab>ldr<tab>r1, [r0, #0]<tab>@ comment". The name is empty where
# the disassembler does not know an instruction: binutils 2.40 lacks CSEL and its kin, which are ``alu``.
_LINE = re.compile(r"^\s*([0-9a-f]+):\t([0-9a-f ]+)\t(\S*)(?:\t([^@;\n]*))?", re.MULTILINE)


@dataclass(frozen=True)
class Instruction:
    """One instruction of a program.

    Attributes:
        address: address of its first byte.
        bytes: size of the instruction in bytes: 2 or 4.
        kind: class of the instruction.
        registers: number of registers it transfers; 1 for all but multiple loads and stores.
    """

    address: int
    bytes: int
    kind: Kind
    registers: int = 1

    @property
    def end(self) -> int:
        """Address of the instruction behind it."""
        return self.address + self.bytes


def parse_disassembly(text: str) -> dict[int, Instruction]:
    """What ``objdump --disassemble`` printed, as instructions by address."""
    found: dict[int, Instruction] = {}
    for match in _LINE.finditer(text):
        mnemonic, operands = match[3], (match[4] or "").strip()
        if not mnemonic.startswith("."):
            address = int(match[1], 16)
            kind = kind_of(mnemonic, operands)
            registers = _registers(operands) if kind.endswith("_multiple") else 1
            found[address] = Instruction(address, len(match[2].replace(" ", "")) // 2, kind, registers)
    return found


def kind_of(mnemonic: str, operands: str) -> Kind:
    """The class of an instruction as the disassembler writes it: ``ldrb.w`` and ``r3, [r0, #1]``."""
    name = re.sub(r"\.[nw]$", "", mnemonic)
    table = _SCALAR
    if name.startswith("v"):
        table = (
            _VECTOR
            if re.search(r"\bq[0-7]\b", operands) or name.startswith(("vpt", "vpst", "vpnot", "vctp"))
            else _FLOAT
        )
    for pattern, kind in table:
        if re.fullmatch(pattern, name):
            return kind
    return "alu"


def _registers(operands: str) -> int:
    """Length of a list of registers: 3 for ``r0!, {r4, r5, pc}``, 8 for ``{d8-d15}``, in words of 32 bits."""
    inside = operands[operands.find("{") + 1 : operands.find("}")]
    count = 0
    for part in inside.split(","):
        numbers = [int(number) for number in re.findall(r"\d+", part)]
        length = numbers[-1] - numbers[0] + 1 if "-" in part and len(numbers) == 2 else 1
        count += length * (2 if part.strip().startswith("d") else 1)
    return count
