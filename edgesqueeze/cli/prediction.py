"""What ``edgesqueeze bench`` prints of a predicted latency."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from edgesqueeze.base.plain import plain
from edgesqueeze.cli.screen import Screen, escape, open_screen
from edgesqueeze.cli.tables import Table, count, percent

if TYPE_CHECKING:
    from edgesqueeze.base.records import Range
    from edgesqueeze.devices.records import MeasuredLayer
    from edgesqueeze.latency.prediction import PredictedLayer, Prediction

NARROW = ("weights", "MACs", "shapes", "bounds")
"""Columns that a narrow terminal goes without, in this order: a cut figure would be a wrong one."""
SHOWN_LAYERS = 40
"""Of a longer table, what takes least is summed up in one row."""


def print_prediction(result: Prediction) -> None:
    """Print the layers, the latency with its bounds, and what it rests on."""
    screen = open_screen()
    threads = "1 thread" if result.threads == 1 else f"{result.threads} threads"
    screen.print(
        f"{escape(plain(result.model))} on {result.target} ({result.core}, {result.clock_mhz:g} MHz), "
        f"{escape(result.runtime)}, {threads}: predicted"
    )
    screen.print(layers_table(result.layers, screen))
    for line in _lines(result):
        screen.print(escape(plain(line)))


def span(figure: Range) -> str:
    """``12.3 (9.87 to 15.4)``."""
    return f"{milliseconds(figure.estimate)} ({milliseconds(figure.low)} to {milliseconds(figure.high)})"


def milliseconds(value: float) -> str:
    """Three digits, never in powers of ten."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.001 or not value else f"{value:.5f}"


def layers_table(layers: Sequence[PredictedLayer | MeasuredLayer], screen: Screen) -> Table:
    """A row for each layer, with as many columns as the terminal has room for."""
    for hidden in range(len(NARROW)):
        rows = _table(layers, NARROW[:hidden])
        if rows.narrowest <= screen.width:
            return rows
    return _table(layers, NARROW)


def _table(layers: Sequence[PredictedLayer | MeasuredLayer], hidden: Collection[str]) -> Table:
    slowest = sorted(layers, key=lambda layer: -layer.latency_ms.estimate)[:SHOWN_LAYERS]
    shown = {layer.index for layer in slowest}
    lines = [_row(layer) for layer in layers if layer.index in shown]
    rest = [layer for layer in layers if layer.index not in shown]
    if rest:
        lines.append(
            {
                "operator": f"{len(rest)} shorter",
                "MACs": count(sum(layer.macs for layer in rest)),
                "weights": count(sum(layer.weights_bytes for layer in rest)),
                "ms": milliseconds(sum(layer.latency_ms.estimate for layer in rest)),
                "time": percent(sum(layer.share for layer in rest)),
            }
        )
    figures = ("MACs", "weights", "ms", "bounds", "time")
    titles = [one for one in ("", "operator", "shapes", *figures) if one not in hidden]
    rows = Table(*titles, right=("", *figures), fold=("shapes",))
    for line in lines:
        rows.add_row(*(line.get(title, "") for title in titles))
    return rows


def _row(layer: PredictedLayer | MeasuredLayer) -> dict[str, str]:
    """An operator's cells by column."""
    time = layer.latency_ms
    return {
        "": str(layer.index),
        "operator": escape(plain(layer.opcode)),
        "shapes": escape(layer.summary),
        "MACs": count(layer.macs) if layer.macs else "-",
        "weights": count(layer.weights_bytes) if layer.weights_bytes else "-",
        "ms": milliseconds(time.estimate),
        "bounds": f"{milliseconds(time.low)} to {milliseconds(time.high)}",
        "time": percent(layer.share),
    }


def _lines(result: Prediction) -> list[str]:
    memory = result.memory
    code = f", the runtime's code about {memory.flash_code_bytes:,}" if memory.flash_code_bytes else ""
    return [
        f"latency  {span(result.latency_ms)} ms; {result.confidence:.0%} of measured latencies are expected "
        "between the bounds",
        f"MACs     {result.macs:,}",
        f"memory   file {memory.flash_model_bytes:,} bytes, weights {memory.weights_bytes:,}, activations at "
        f"least {memory.activations_bytes:,}{code}",
        f"runtime  {result.runtime}: {result.runtime_version}",
        *(f"basis    {sentence}" for sentence in result.basis),
    ]
