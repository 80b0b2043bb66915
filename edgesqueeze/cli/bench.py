"""``edgesqueeze bench``: time and memory on a target, before there is a board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edgesqueeze.bench_records import Bench, LayerBench, Level, Range


@click.command("bench")
@click.argument("model", metavar="MODEL.tflite", type=click.Path(path_type=Path))
@click.option(
    "--target", "target_name", metavar="NAME", required=True, help="The device, as in `targets list`."
)
@click.option("--runtime", metavar="NAME", default="c", show_default=True, help="c: native C.")
@click.option(
    "--opt",
    type=click.Choice(["O3", "O2", "Os"]),
    default="O3",
    show_default=True,
    help="The compiler's optimization level.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of tables.")
def bench(model: Path, target_name: str, runtime: str, opt: Level, as_json: bool) -> None:
    """Run MODEL.tflite as firmware in an emulator: instructions, cycles, milliseconds, flash and RAM.

    Exits with 1 if the model does not fit the target, or computes something else there.
    """
    from edgesqueeze.bench import bench as run_bench
    from edgesqueeze.graph import read_tflite
    from edgesqueeze.target import load_target

    result = run_bench(read_tflite(model), load_target(target_name), runtime=runtime, opt=opt)
    if as_json:
        click.echo(result.model_dump_json(indent=2))
    else:
        print_bench(result)


def print_bench(result: Bench) -> None:
    """Print the layers, the totals, and what they rest on."""
    from rich.markup import escape

    from edgesqueeze.cli.tables import console, count, table

    screen = console()
    screen.print(
        f"{escape(result.model)} on {result.target} ({result.core}, {result.clock_mhz:g} MHz), "
        f"native C, -{result.opt}: emulated",
        soft_wrap=True,
    )
    figures = ("MACs", "instr.", "/MAC", "time", "flash", "RAM")
    rows = table("", "operator", "shapes", *figures, right=("", *figures), fold=("shapes",))
    for layer in result.layers:
        rows.add_row(*_cells(layer))
    rows.add_section()
    cells = (count(result.macs), count(result.instructions), _ratio(result.instructions, result.macs))
    memory = (count(result.memory.flash_weights_bytes), count(result.memory.ram_arena_bytes))
    rows.add_row("", "all", "", *cells, "100%", *memory)
    screen.print(rows)
    for line in _totals(result):
        screen.print(escape(line), soft_wrap=True)


def _cells(layer: LayerBench) -> list[str]:
    from rich.markup import escape

    from edgesqueeze.cli.tables import count, percent

    return [
        str(layer.index),
        escape(layer.opcode),
        escape(layer.summary),
        count(layer.macs) if layer.macs else "-",
        count(layer.instructions),
        _ratio(layer.instructions, layer.macs),
        percent(layer.share),
        count(layer.weights_bytes) if layer.weights_bytes else "-",
        count(layer.ram_bytes),
    ]


def _totals(result: Bench) -> list[str]:
    memory, emulation = result.memory, result.emulation
    return [
        f"latency  {_span(result.latency_ms, '.3g')} ms at {result.clock_mhz:g} MHz",
        f"cycles   {_span(result.cycles, ',.0f')}",
        f"flash    {memory.flash_bytes:,} bytes: weights {memory.flash_weights_bytes:,}, "
        f"code {memory.flash_code_bytes:,}, parameters {memory.flash_parameters_bytes:,}",
        f"RAM      {memory.ram_bytes:,} bytes: arena {memory.ram_arena_bytes:,}, "
        f"stack {memory.ram_stack_bytes:,}, variables {memory.ram_static_bytes:,}",
        f"outputs  equal to those of the portable C on {emulation.checked_samples} random inputs",
        f"built    {emulation.compiler}; {emulation.flags}; {emulation.kernel_set} kernels",
        f"ran on   {emulation.emulator}; {emulation.machine}",
        *result.basis,
    ]


def _span(figure: Range, form: str) -> str:
    return f"{figure.estimate:{form}} ({figure.low:{form}} to {figure.high:{form}})"


def _ratio(instructions: int, macs: int) -> str:
    return f"{instructions / macs:.2f}" if macs else "-"
