"""How many cycles each class of instruction takes on each core, with the documents that say so.

Every figure is a range: lowest, most likely, highest. Where Arm publishes a table of timings, its own ranges
are used, and the most likely value is chosen within them so that published latencies come out
(``validation.py``). Cores that issue two instructions at once, or whose timings Arm does not publish, take
those of the Cortex-M4 times a factor, of what the same engine needed for the same model on both, without what
both wait for flash (``validation.factors``): the middle nine of ten, with the median as the most likely. Of
the Cortex-M55 and M85 no such pairs are known; their scalar factors are assumed to be about those of the
Cortex-M33 and M7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from edgesqueeze.latency.instructions import Kind


class Cycles(NamedTuple):
    """A number of cycles: lowest, most likely, highest."""

    low: float
    estimate: float
    high: float


ONE = Cycles(1, 1, 1)
TWO = Cycles(2, 2, 2)
OVERLAP = Cycles(0, -1, -0.5)


@dataclass(frozen=True)
class CoreTimings:
    """Timings of a core with memory that never makes it wait.

    Attributes:
        cycles: cycles of an instruction, by class; multiple loads and stores take one more for every
            register.
        pipelined_load: cycles of a single load right behind another single load or store.
        refill: cycles that a taken branch takes in addition.
        factor: factor on the cycles of all scalar instructions, refills included.
        overlap: cycles added for a vector instruction right behind one of another unit; below 0, since they
            overlap.
        vector_factor: factor on the cycles of MVE instructions.
        basis: what these figures rest on, for the report.
    """

    cycles: Mapping[Kind, Cycles]
    pipelined_load: Cycles
    refill: Cycles
    basis: str
    factor: Cycles = ONE
    vector_factor: Cycles = ONE
    overlap: Cycles = OVERLAP


_SIMPLE: Mapping[Kind, Cycles] = {
    "alu": ONE,
    "multiply": ONE,
    "multiply_accumulate": ONE,
    "multiply_long": ONE,
    "multiply_accumulate_long": ONE,
    "divide": Cycles(2, 7, 12),
    "load": TWO,
    "load_pair": Cycles(3, 3, 3),
    "load_multiple": ONE,
    "store": Cycles(1, 2, 2),
    "store_pair": Cycles(2, 3, 3),
    "store_multiple": ONE,
    "branch": ONE,
    "call": ONE,
    "loop": ONE,
    "float": ONE,
    "float_multiply_accumulate": Cycles(3, 3, 3),
    "float_divide": Cycles(14, 14, 14),
    "float_load": TWO,
    "float_store": Cycles(1, 2, 2),
    # MVE handles a vector of 128 bits in two beats a cycle: two cycles, of which the second overlaps with the
    # first of a neighbour in another unit.
    "vector": Cycles(1, 2, 2),
    "vector_multiply": Cycles(1, 2, 2),
    "vector_load": Cycles(1, 2, 2),
    "vector_store": Cycles(1, 2, 2),
    "vector_move": Cycles(1, 2, 2),
}


def _span(factor: Cycles) -> str:
    return f"{factor.low:g} to {factor.high:g}"


_M0PLUS = CoreTimings(
    cycles={**_SIMPLE, "store": TWO},
    pipelined_load=TWO,
    refill=ONE,
    basis="Arm Cortex-M0+ Technical Reference Manual (DDI 0484), instruction set summary, with the "
    "single-cycle multiplier",
)
_M0 = CoreTimings(
    cycles={**_SIMPLE, "store": TWO},
    pipelined_load=TWO,
    refill=TWO,
    basis="Arm Cortex-M0 Technical Reference Manual (DDI 0432), instruction set summary, with the "
    "single-cycle multiplier",
)
_M3 = CoreTimings(
    cycles={
        **_SIMPLE,
        "multiply_accumulate": TWO,
        "multiply_long": Cycles(3, 4, 5),
        "multiply_accumulate_long": Cycles(4, 5.5, 7),
    },
    pipelined_load=Cycles(1, 2, 2),
    refill=Cycles(2, 2.5, 3),
    basis="Arm Cortex-M3 Technical Reference Manual (DDI 0337), processor instructions",
)
_M4 = CoreTimings(
    cycles=_SIMPLE,
    pipelined_load=Cycles(1, 2, 2),
    refill=Cycles(2, 2.5, 3),
    basis="Arm Cortex-M4 Technical Reference Manual (DDI 0439), processor and FPU instruction set summaries",
)
_M33_FACTOR = Cycles(0.76, 0.88, 1.17)
_M33 = CoreTimings(
    cycles=_SIMPLE,
    pipelined_load=Cycles(1, 2, 2),
    refill=Cycles(2, 2.5, 3),
    factor=_M33_FACTOR,
    basis=f"timings of the Cortex-M4 times {_span(_M33_FACTOR)}, the published cycles of a Cortex-M33 over "
    "those of a Cortex-M4 with the same engine and model, flash left out; Arm publishes no table for the "
    "Cortex-M33",
)
_M7_FACTOR = Cycles(0.52, 0.59, 0.83)
_M7 = CoreTimings(
    cycles=_SIMPLE,
    pipelined_load=Cycles(1, 2, 2),
    refill=Cycles(2, 2.5, 3),
    factor=_M7_FACTOR,
    basis=f"timings of the Cortex-M4 times {_span(_M7_FACTOR)}, the published cycles of a Cortex-M7 over "
    "those of a Cortex-M4 with the same engine and model, flash left out; it issues up to two instructions a "
    "cycle, and Arm publishes no table for it",
)
_M55 = CoreTimings(
    cycles=_SIMPLE,
    pipelined_load=Cycles(1, 2, 2),
    refill=Cycles(2, 2.5, 3),
    factor=_M33_FACTOR,
    basis=f"scalar instructions as the Cortex-M33's, those of the Cortex-M4 times {_span(_M33_FACTOR)}, "
    "which is an assumption; vector instructions 1 to 2 cycles (Arm Cortex-M55 Technical Reference Manual, "
    "101051: two beats a cycle, overlapping)",
)
_M85_FACTOR = Cycles(_M7_FACTOR.low, _M7_FACTOR.estimate, 0.9)
_M85 = CoreTimings(
    cycles=_SIMPLE,
    pipelined_load=Cycles(1, 2, 2),
    refill=Cycles(2, 2.5, 3),
    factor=_M85_FACTOR,
    vector_factor=Cycles(0.5, 0.6, 1),
    basis=f"scalar instructions those of the Cortex-M4 times {_span(_M85_FACTOR)}, as the Cortex-M7's but "
    "for a higher upper bound, which is an assumption; vector instructions 0.5 to 2 cycles (Arm Cortex-M85 "
    "Technical Reference Manual, 101924: two beats a cycle, two instructions at once)",
)

TIMINGS: Mapping[str, CoreTimings] = MappingProxyType(
    {
        "cortex-m0": _M0,
        "cortex-m0plus": _M0PLUS,
        "cortex-m3": _M3,
        "cortex-m4": _M4,
        "cortex-m33": _M33,
        "cortex-m7": _M7,
        "cortex-m55": _M55,
        "cortex-m85": _M85,
    }
)
"""By the core's name."""
