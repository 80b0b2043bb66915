"""What ``edgesqueeze bench`` prints of several devices: one table for all of them, and who differs where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgesqueeze.base.plain import plain
from edgesqueeze.cli.prediction import milliseconds
from edgesqueeze.cli.screen import Screen, escape, open_screen
from edgesqueeze.cli.tables import Table, print_findings

if TYPE_CHECKING:
    from edgesqueeze.checks.records import LayerDifference
    from edgesqueeze.timing.verdict import DeviceVerdict, Verdicts

STATUSES = {
    "reference": "[green]reference",
    "identical": "[green]identical",
    "rounding": "[yellow]rounding",
    "broken": "[red]WRONG",
}


def print_verdicts(found: Verdicts) -> None:
    """Print the table, then what each device's outputs and figures rest on."""
    screen = open_screen()
    inputs = "random inputs" if found.data == "random" else "samples of the data"
    screen.print(
        f"{escape(plain(found.model))}: {found.samples} {inputs} on every device, compared with "
        f"{found.reference}"
    )
    if found.devices:
        screen.print(_table(found))
    for one in found.devices:
        for line in _lines(one):
            screen.print(escape(plain(line)))
    print_findings(screen, found.findings)
    _print_failures(screen, found)


def _table(found: Verdicts) -> Table:
    titles = ["device", "way", "runtime", "ms", "bounds", "outputs"]
    metrics = any(one.fidelity for one in found.devices)
    figures = [_metric(found)] if metrics else []
    rows = Table(*titles, *figures, right=("ms", "bounds", *figures), fold=("device", "runtime"))
    for one in found.devices:
        time = one.latency_ms
        rows.add_row(
            escape(plain(one.device)),
            one.method,
            escape(plain(one.runtime)),
            milliseconds(time.estimate),
            f"{milliseconds(time.low)} to {milliseconds(time.high)}",
            STATUSES[one.parity.status] if one.parity and one.parity.status in STATUSES else "not compared",
            *([_figure(one)] if metrics else []),
        )
    return rows


def _metric(found: Verdicts) -> str:
    """What the first figure of all devices is."""
    figures = next(one.fidelity.figures for one in found.devices if one.fidelity)
    return next((one.metric for one in figures if one.decides), "metric").replace("_", " ")


def _figure(one: DeviceVerdict) -> str:
    figures = one.fidelity.figures if one.fidelity else ()
    figure = next((figure for figure in figures if figure.decides), None)
    if figure is None:
        return "-"
    return f"{figure.compressed:.2%}" if figure.unit == "share" else f"{figure.compressed:.4g}"


def _lines(one: DeviceVerdict) -> list[str]:
    """Where a device differs, or why it was not compared; of a measured one also what else went wrong."""
    name = f"{one.device}, {one.method}"
    if one.parity is None:
        return [f"{name}: outputs not compared: {one.reason}"]
    lines = []
    if one.parity.status in ("rounding", "broken"):
        lines.append(f"{name}: {one.parity.reason}{_where(one.parity.first_divergence)}")
    if one.timing.method == "measured":
        if not one.timing.outputs.ok:
            lines.append(f"{name}: outputs WRONG: {one.timing.outputs.reason}")
        lines += [f"{name}: {finding.message}" for finding in one.timing.findings if finding.code == "failed"]
    return lines


def _where(layer: LayerDifference | None) -> str:
    if layer is None:
        return ""
    off = f"{layer.max_relative or 0:.1e}"
    if layer.max_lsb is not None:
        off = f"{layer.max_lsb:g} step{'' if layer.max_lsb == 1 else 's'}"
    return f"; the first operator that differs is {layer.operator}, {layer.kind}, by {off}"


def _print_failures(screen: Screen, found: Verdicts) -> None:
    for failure in found.failures:
        screen.print(f"[red]{escape(failure.host)}: {escape(failure.message)}[/]")
