"""What ``edgesqueeze bench`` prints of an emulated microcontroller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgesqueeze.cli.packing import chain_lines, packing_lines
from edgesqueeze.cli.screen import Screen, escape, open_screen
from edgesqueeze.cli.tables import Table, count, percent

if TYPE_CHECKING:
    from edgesqueeze.base.records import Range
from edgesqueeze.timing.emulation import EmulatedLayer, Emulation


def print_emulation(result: Emulation) -> None:
    """Print the layers, the totals, and what they rest on."""
    screen = open_screen()
    screen.print(
        f"{escape(result.model)} on {result.target} ({result.core}, {result.clock_mhz:g} MHz), "
        f"native C, -{result.opt}: emulated"
    )
    _print_layers(screen, result)
    for line in _totals(result):
        screen.print(escape(line))


def _print_layers(screen: Screen, result: Emulation) -> None:
    """Print the table, on narrow screens with shapes in two lines, on narrower ones without memory."""
    summaries = [layer.summary for layer in result.layers]
    longest = max(map(len, ("shapes", *summaries)))
    shortest = max(len(part) for text in ("shapes", *summaries) for part in _at_arrows(text).splitlines())
    for memory in (True, False):
        wanted = _table(result, memory, longest).widest
        room = longest - max(0, wanted - screen.width)
        if room >= shortest:
            break
    # Too narrow even so: let the terminal break the lines, but no number lose a digit.
    screen.width += max(0, shortest - room)
    screen.print(_table(result, memory, max(room, shortest)))


def _at_arrows(shapes: str) -> str:
    return shapes.replace("->", "->\n")


def _table(result: Emulation, memory: bool, room: int) -> Table:
    """One row for each layer, with or without flash and RAM, with so many characters for shapes."""
    figures = ("MACs", "instr.", "/MAC", "time", *(("flash", "RAM") if memory else ()))
    rows = Table("", "operator", "shapes", *figures, right=("", *figures))
    for layer in result.layers:
        rows.add_row(*_cells(layer, room)[: 3 + len(figures)])
    rows.add_section()
    ratio = _ratio(result.instructions, result.macs)
    total = ["", "all", "", count(result.macs), count(result.instructions), ratio, "100%"]
    total += [count(result.memory.flash_weights_bytes), count(result.memory.ram_arena_bytes)]
    rows.add_row(*total[: 3 + len(figures)])
    return rows


def _cells(layer: EmulatedLayer, room: int) -> list[str]:
    shapes = layer.summary if len(layer.summary) <= room else _at_arrows(layer.summary)
    return [
        str(layer.index),
        escape(layer.opcode),
        escape(shapes),
        count(layer.macs) if layer.macs else "-",
        count(layer.instructions),
        _ratio(layer.instructions, layer.macs),
        percent(layer.share),
        count(layer.weights_bytes) if layer.weights_bytes else "-",
        count(layer.ram_bytes),
    ]


def _totals(result: Emulation) -> list[str]:
    memory, emulation = result.memory, result.emulation
    whose = "those of the portable C"
    if emulation.reference == "tflm":
        whose = f"TensorFlow Lite Micro's, and to {whose},"
    return [
        f"latency  {_span(result.latency_ms, '.3g')} ms at {result.clock_mhz:g} MHz",
        f"cycles   {_span(result.cycles, ',.0f')}",
        f"flash    {memory.flash_bytes:,} bytes: weights {memory.flash_weights_bytes:,}, "
        f"code {memory.flash_code_bytes:,}, parameters {memory.flash_parameters_bytes:,}",
        f"RAM      {memory.ram_bytes:,} bytes: arena {memory.ram_arena_bytes:,}, "
        f"stack {memory.ram_stack_bytes:,}, variables {memory.ram_static_bytes:,}",
        f"outputs  equal to {whose} on {emulation.checked_samples} random inputs",
        f"built    {emulation.compiler}; {emulation.flags}; {emulation.kernel_set} kernels",
        f"ran on   {emulation.emulator}; {emulation.machine}",
        *result.basis,
        *chain_lines(result.chains),
        *packing_lines((one.index, one.opcode, one.summary, one.packing) for one in result.layers),
    ]


def _span(figure: Range, form: str) -> str:
    return f"{figure.estimate:{form}} ({figure.low:{form}} to {figure.high:{form}})"


def _ratio(instructions: int, macs: int) -> str:
    return f"{instructions / macs:.2f}" if macs else "-"
