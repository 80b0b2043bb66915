"""``edgesqueeze inspect``: what is in a .tflite, and whether it fits a target."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgesqueeze.cli import tables
from edgesqueeze.cli.options import input_shape, json_option
from edgesqueeze.cli.paths import NamedPath
from edgesqueeze.cli.repeats import blocks_of
from edgesqueeze.cli.screen import Screen, escape, open_screen, say_json
from edgesqueeze.cli.tables import Table

if TYPE_CHECKING:
    from edgesqueeze.graph.metadata import Metadata
    from edgesqueeze.report.inspection import Inspection, OperatorInfo
    from edgesqueeze.target.fit import Fit, ResourceFit

LEGEND = "bytes: weights and biases; values: different weights; chan.: most of them in one output channel"
MOST_LABELS = 8
"""Labels of an output that are shown."""
VERDICTS = {"fits": "green", "tight": "yellow", "does-not-fit": "red", "not-checked": "dim"}
SCHEMES = {
    "full-int8": "full int8",
    "legacy-uint8": "legacy uint8 (TensorFlow 1)",
    "full-int16x8": "int16 activations, int8 weights",
    "dynamic-range": "dynamic range: int8 weights, float activations",
    "weight-only": "integer weights, dequantized to float",
    "float16": "float16 weights, float arithmetic",
    "float32": "none: float32",
    "mixed": "mixed: integer and float",
    "compiled": "not told: a program for a neural processor",
    "unknown": "not clear: no operator with weights",
}


@click.command("inspect")
@click.argument("model", metavar="MODEL.tflite", type=NamedPath())
@click.option(
    "--target",
    "target_name",
    metavar="NAME",
    help="Also check whether it fits this device: a name from `targets list`, or a file.",
)
@input_shape
@json_option
def command(model: Path, target_name: str | None, shapes: tuple[str, ...], as_json: bool) -> None:
    """Show what is in MODEL.tflite: sizes, operators, weights, quantization.

    Exits with 1 if a target is named and the model does not fit it.
    """
    from edgesqueeze.graph import read_tflite
    from edgesqueeze.report.inspection import inspect_model
    from edgesqueeze.runners.resize import resized

    content = resized(read_tflite(model), shapes)
    fit = None
    if target_name is not None:
        from edgesqueeze.runners.memory import fit_to
        from edgesqueeze.target.load import load_target

        fit = fit_to(content, load_target(target_name))
    inspection = inspect_model(content, fit)
    if as_json:
        say_json(inspection.model_dump_json(indent=2))
    else:
        _print(inspection)
    if not inspection.ok:
        sys.exit(1)


def _print(inspection: Inspection) -> None:
    out = open_screen()
    title = f" ({inspection.description})" if inspection.description else ""
    out.print(f"[bold]{escape(inspection.model)}[/bold]{escape(title)}\n")
    for label, text in _summary(inspection):
        out.print(f"{label:<14}{escape(text)}")
    for label, text in _said(inspection.metadata):
        out.print(f"{label:<14}{escape(text)}")
    out.print()
    out.print(_ports(inspection))
    out.print(_operators(inspection, out.width))
    if inspection.weights:
        out.print(f"[dim]{LEGEND}[/dim]")
    tables.print_findings(out, inspection.findings)
    if inspection.fit is not None:
        _print_fit(out, inspection.fit)


def _summary(inspection: Inspection) -> Iterator[tuple[str, str]]:
    sizes, totals = inspection.sizes, inspection.totals
    yield "file", f"{sizes.tflite_bytes:,} bytes, {sizes.tflite_deflate_bytes:,} deflated"
    parts = f"constants {sizes.weights_bytes:,}, quantization metadata {sizes.metadata_bytes:,}"
    yield "", f"{parts}, the rest {sizes.tflite_bytes - sizes.weights_bytes - sizes.metadata_bytes:,}"
    yield "quantization", SCHEMES[inspection.quantization]
    if inspection.quantization == "compiled":
        yield "work", "not told"
        return
    yield "weights", f"{totals.weights:,}, {tables.percent(totals.sparsity)} of them zero"
    plural = "" if totals.operators == 1 else "s"
    yield "work", f"{totals.macs:,} MACs in {totals.operators} operator{plural}"


def _said(metadata: Metadata | None) -> Iterator[tuple[str, str]]:
    """What the file says to an app."""
    if metadata is None:
        return
    words = (metadata.name, metadata.description, metadata.version, metadata.author, metadata.license)
    yield "metadata", "; ".join(word for word in words if word) or "no name"
    for port in metadata.inputs:
        if port.normalizes:
            mean, std = _numbers(port.mean), _numbers(port.std)
            kind = f", {port.content}" if port.content else ""
            yield "", f"input {port.name}{kind}: (raw - mean) / std with mean {mean}, std {std}"
        elif port.content:
            yield "", f"input {port.name}: {port.content}"
    for port in metadata.outputs:
        if port.labels:
            shown = ", ".join(port.labels[:MOST_LABELS]) + (", ..." if len(port.labels) > MOST_LABELS else "")
            count = "1 label" if len(port.labels) == 1 else f"{len(port.labels)} labels"
            yield "", f"output {port.name}: {count}: {shown}"
    if metadata.files:
        yield "", f"files behind it: {', '.join(metadata.files)}"


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _ports(inspection: Inspection) -> Table:
    made = tables.Table("", "name", "shape", "type", "scale", "zero", right=("scale", "zero"), fold=("name",))
    for label, ports in (("input", inspection.inputs), ("output", inspection.outputs)):
        for port in ports:
            scale = "-" if port.scale is None else f"{port.scale:.6g}"
            zero = "-" if port.zero_point is None else str(port.zero_point)
            made.add_row(label, escape(port.name), tables.shape_text(port.shape), port.dtype, scale, zero)
    return made


def _operators(inspection: Inspection, width: int) -> Table:
    """One row per operator, of equal ones that follow each other the first; with room, its weights' shape."""
    wide = width >= 110
    numbers = ("#", "MACs", "bytes", "zeros", "values", "chan.")
    columns = ("#", "operator", "output", *(("weights",) if wide else ()), *numbers[1:])
    made = tables.Table(*columns, right=numbers, fold=("operator", "output"))
    floats = set(inspection.float_operators)
    kernels = _kernels(inspection)
    rows = []
    for one in inspection.operators:
        place = (one.subgraph, one.index)
        style = "yellow" if one.subgraph == 0 and one.index in floats else ""
        number, *names = _names(one)
        extra = (kernels.get(place, ""),) if wide else ()
        rows.append((number, (*names, *extra, *_figures(one), style)))
    for block in blocks_of([row for _, row in rows]):
        for number, (*cells, style) in rows[block.first : block.first + block.length]:
            made.add_row(*(escape(text) for text in (number, *cells)), style=style)
        if block.times > 1:
            last = rows[block.first + block.length * block.times - 1][0]
            above = f"the {block.length} above" if block.length > 1 else "the same"
            more = f"{above} {block.times - 1} times more, to {last}"
            made.add_row("...", escape(more), *[""] * (len(columns) - 2), style="dim")
    return made


def _names(one: OperatorInfo) -> tuple[str, str, str]:
    number = f"{one.subgraph}:{one.index}" if one.subgraph else str(one.index)
    return number, one.kind, f"{tables.shape_text(one.output_shape)} {one.output_dtype}"


def _figures(one: OperatorInfo) -> tuple[str, ...]:
    return (
        tables.count(one.macs or None),
        tables.count(one.weights_bytes or None),
        tables.percent(one.sparsity),
        tables.count(one.distinct_values),
        tables.count(one.distinct_values_per_channel_max),
    )


def _kernels(inspection: Inspection) -> dict[tuple[int, int], str]:
    """Shape and type of each operator's weights; of the largest, where there are several."""
    found: dict[tuple[int, int], str] = {}
    for one in sorted(inspection.weights, key=lambda weights: weights.elements):
        if one.role == "weights":
            found[one.subgraph, one.operator] = f"{tables.shape_text(one.shape)} {one.dtype}"
    return found


def _print_fit(out: Screen, fit: Fit) -> None:
    made = tables.Table("", "verdict", "needed", "available", "", right=("needed", "available"))
    for name, part in (("flash", fit.flash), ("RAM", fit.ram)):
        share = "" if part.share_percent is None else f"{part.share_percent:g}%"
        needed, available = tables.count(part.needed_bytes), tables.count(part.available_bytes)
        made.add_row(name, _verdict(part.verdict), needed, available, share)
    ops = fit.ops
    made.add_row("operators", _verdict(ops.verdict), str(len(ops.needed)), tables.count(ops.available), "")
    out.print(f"\non [bold]{escape(fit.target)}[/bold] with {escape(ops.runtime)}: {_whole(fit)}")
    out.print(made)
    for name, how in (("flash", _how(fit.flash)), ("RAM", _how(fit.ram)), ("operators", ops.method)):
        out.print(f"[dim]{name}: {escape(how)}[/dim]")
    for missing in ops.missing:
        out.print(f"[red]missing[/red]: {escape(missing.kind)}: {escape(missing.reason)}")
    for problem in ops.problems:
        out.print(f"[red]refused[/red]: {escape(problem)}")
    # The lines above say already why RAM was not checked.
    tables.print_findings(out, (one for one in fit.findings if one.code != "ram-not-checked"))


def _whole(fit: Fit) -> str:
    """The verdict on all three, which is no better than what was looked at."""
    parts = (("RAM", fit.ram.verdict), ("operators", fit.ops.verdict))
    unknown = [name for name, verdict in parts if verdict == "not-checked"]
    if not fit.ok:
        return "[red]does not fit[/]"
    if unknown:
        return f"[yellow]nothing speaks against it, but not all was checked: {', '.join(unknown)}[/]"
    return "[green]fits[/]"


def _how(part: ResourceFit) -> str:
    detail = " + ".join(f"{label} {size:,}" for label, size in part.parts.items())
    return f"{detail}; {part.method}" if len(part.parts) > 1 else part.method


def _verdict(verdict: str) -> str:
    return f"[{VERDICTS[verdict]}]{verdict.replace('-', ' ')}[/]"
