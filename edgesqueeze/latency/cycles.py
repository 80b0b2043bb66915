"""From executed instructions to cycles and milliseconds.

The model adds up what every instruction takes by its class and its neighbour (``timings.py``), what taken
branches take to refill the pipeline, and what the processor waits for flash where its caches miss.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edgesqueeze.latency.flash import Flash
from edgesqueeze.latency.instructions import MEMORY_KINDS, VECTOR_UNITS, Instruction, Kind
from edgesqueeze.latency.timings import TIMINGS, CoreTimings, Cycles
from edgesqueeze.runners.counts import Block, Counts

ZERO = Cycles(0, 0, 0)
MODEL_ERROR = 0.1
"""Below and above everything else: interrupts, buses, and what the tables of timings leave out."""


@dataclass(frozen=True)
class LayerCount:
    """What one layer executed.

    Attributes:
        kinds: number of instructions of each class.
        taken: number of branches that were taken, calls and returns included; loop ends are not.
        pipelined: number of loads right behind another single load or store.
        overlapped: number of vector instructions right behind one of another unit.
        registers: number of registers that multiple loads and stores transferred.
        code_lines: number of lines of 16 bytes of code that were not in the cache.
        data_lines: number of lines of 16 bytes of constant data that were not in the cache.
    """

    kinds: Mapping[Kind, int]
    taken: int
    pipelined: int
    overlapped: int
    registers: int
    code_lines: int
    data_lines: int

    @property
    def instructions(self) -> int:
        """All of them."""
        return sum(self.kinds.values())


def layer_counts(
    counts: Counts, instructions: Mapping[int, Instruction], layers: int
) -> tuple[LayerCount, ...]:
    """What every layer executed; behind them, what came before the first of them.

    Args:
        counts: what the emulator counted in one inference.
        instructions: instructions of the program, by address.
        layers: how many layers there are.
    """
    blocks: list[list[Block]] = [[] for _ in range(layers + 1)]
    for block in counts.blocks:
        blocks[block.layer].append(block)
    return tuple(
        _count(blocks[layer], instructions, counts.code_lines.get(layer, 0), counts.data_lines.get(layer, 0))
        for layer in (*range(layers), -1)
    )


def total(counts: Iterable[LayerCount]) -> LayerCount:
    """The sum over layers."""
    listed = list(counts)
    kinds: Counter[Kind] = Counter()
    for one in listed:
        kinds.update(one.kinds)
    return LayerCount(
        kinds,
        sum(one.taken for one in listed),
        sum(one.pipelined for one in listed),
        sum(one.overlapped for one in listed),
        sum(one.registers for one in listed),
        sum(one.code_lines for one in listed),
        sum(one.data_lines for one in listed),
    )


def estimate_cycles(core: str, flash: Flash, count: LayerCount) -> Cycles:
    """Cycles for what a layer executed.

    Args:
        core: name of the core.
        flash: the way from the target's flash to the core.
        count: what was executed.
    """
    cycles = _core_cycles(TIMINGS[core], count)
    cycles = _add(cycles, flash.code_line, count.code_lines)
    cycles = _add(cycles, flash.data_line, count.data_lines)
    return Cycles(cycles.low * (1 - MODEL_ERROR), cycles.estimate, cycles.high * (1 + MODEL_ERROR))


def _count(
    blocks: Sequence[Block], instructions: Mapping[int, Instruction], code_lines: int, data_lines: int
) -> LayerCount:
    kinds: Counter[Kind] = Counter()
    taken = pipelined = overlapped = registers = 0
    for block in blocks:
        previous: Kind | None = None
        address = block.first
        while address <= block.last:
            one = instructions[address]
            kinds[one.kind] += block.count
            if one.kind.endswith("_multiple"):
                registers += one.registers * block.count
            if one.kind in ("load", "float_load") and previous in MEMORY_KINDS:
                pipelined += block.count
            if previous in VECTOR_UNITS and VECTOR_UNITS.get(one.kind, "") not in (
                "",
                VECTOR_UNITS[previous],
            ):
                overlapped += block.count
            previous, address = one.kind, one.end
        if block.successor not in (0, address) and previous != "loop":
            taken += block.count
    return LayerCount(kinds, taken, pipelined, overlapped, registers, code_lines, data_lines)


def _core_cycles(timings: CoreTimings, count: LayerCount) -> Cycles:
    scalar, vector = ZERO, ZERO
    for kind, number in count.kinds.items():
        if kind.startswith("vector"):
            vector = _add(vector, timings.cycles[kind], number)
        else:
            scalar = _add(scalar, timings.cycles[kind], number)
    load = timings.cycles["load"]
    saved = Cycles(*(less - full for less, full in zip(timings.pipelined_load, load, strict=True)))
    # The highest figure is for loads that wait for an address or a bus, and so do not pipeline.
    scalar = _add(scalar, Cycles(saved.low, saved.estimate, 0), count.pipelined)
    vector = _add(vector, timings.overlap, count.overlapped)
    scalar = _add(scalar, Cycles(1, 1, 1), count.registers)
    scalar = _add(scalar, timings.refill, count.taken)
    return Cycles(
        *(
            one * factor + two * vector_factor
            for one, factor, two, vector_factor in zip(
                scalar, timings.factor, vector, timings.vector_factor, strict=True
            )
        )
    )


def _add(sum_: Cycles, each: Cycles, number: int) -> Cycles:
    return Cycles(*(one + number * two for one, two in zip(sum_, each, strict=True)))
