"""Flash that the code of native C takes: of each kernel as it was compiled, and besides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgesqueeze.emit.native.packing.encoding import Machine

DATA = Path(__file__).parent / "code_bytes.json"
MACHINES: tuple[Machine, ...] = ("small", "portable", "dsp", "mve")


@dataclass(frozen=True)
class Line:
    """What a model takes besides its kernels, in bytes.

    Attributes:
        base: once, with what is linked of the C library.
        layer: for every layer: its calls, and its parameters in flash.
        error: what an estimate may be off by.
    """

    base: int
    layer: int
    error: int


@dataclass(frozen=True)
class CodeTable:
    """What ``code_bytes.json`` holds.

    Attributes:
        files: name of a C file without its suffix -> bytes of its code for ``MACHINES``; 0: there it is not
            compiled.
        lines: machine -> what comes besides.
    """

    files: Mapping[str, tuple[int, ...]]
    lines: Mapping[Machine, Line]


@cache
def code_table() -> CodeTable:
    """The table that ships, written by ``scripts/benchmarks/fit_code.py``."""
    data = json.loads(DATA.read_text(encoding="utf-8"))
    return CodeTable(
        {name: tuple(sizes) for name, sizes in data["files"].items()},
        {machine: Line(**data["lines"][machine]) for machine in MACHINES},
    )


def file_bytes(name: str, machine: Machine) -> int:
    """Code of a C file of kernels, by GCC 12.2 at -O3, in bytes; 0 for one that is not in the table."""
    sizes = code_table().files.get(name)
    return sizes[MACHINES.index(machine)] if sizes else 0
