"""What ``edgesqueeze bench`` prints of a predicted latency."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from edgesqueeze.bench_records import Range
    from edgesqueeze.prediction_records import Prediction

SHOWN_LAYERS = 40
"""Of a longer table, what takes least is summed up in one row."""


def print_prediction(result: Prediction) -> None:
    """Print the layers, the latency with its bounds, and what it rests on."""
    from rich.markup import escape

    from edgesqueeze.cli.tables import console

    screen = console()
    threads = "1 thread" if result.threads == 1 else f"{result.threads} threads"
    screen.print(
        f"{escape(result.model)} on {result.target} ({result.core}, {result.clock_mhz:g} MHz), "
        f"{escape(result.runtime)}, {threads}: predicted",
        soft_wrap=True,
    )
    screen.print(_table(result))
    for line in _lines(result):
        screen.print(escape(line), soft_wrap=True)


def span(figure: Range) -> str:
    """``12.3 (9.87 to 15.4)``."""
    return f"{milliseconds(figure.estimate)} ({milliseconds(figure.low)} to {milliseconds(figure.high)})"


def milliseconds(value: float) -> str:
    """Three digits, never in powers of ten."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.001 or not value else f"{value:.5f}"


def _table(result: Prediction) -> Table:
    from rich.markup import escape

    from edgesqueeze.cli.tables import count, percent, table

    figures = ("MACs", "weights", "ms", "bounds", "time")
    rows = table("", "operator", "shapes", *figures, right=("", *figures), fold=("shapes",))
    slowest = sorted(result.layers, key=lambda layer: -layer.latency_ms.estimate)[:SHOWN_LAYERS]
    shown = {layer.index for layer in slowest}
    for layer in result.layers:
        if layer.index in shown:
            rows.add_row(
                str(layer.index),
                escape(layer.opcode),
                escape(layer.summary),
                count(layer.macs) if layer.macs else "-",
                count(layer.weights_bytes) if layer.weights_bytes else "-",
                milliseconds(layer.latency_ms.estimate),
                f"{milliseconds(layer.latency_ms.low)} to {milliseconds(layer.latency_ms.high)}",
                percent(layer.share),
            )
    rest = [layer for layer in result.layers if layer.index not in shown]
    if rest:
        rest_ms = sum(layer.latency_ms.estimate for layer in rest)
        share = percent(sum(layer.share for layer in rest))
        macs = count(sum(layer.macs for layer in rest))
        weights = count(sum(layer.weights_bytes for layer in rest))
        rows.add_row("", f"{len(rest)} shorter", "", macs, weights, milliseconds(rest_ms), "", share)
    return rows


def _lines(result: Prediction) -> list[str]:
    memory = result.memory
    return [
        f"latency  {span(result.latency_ms)} ms; {result.confidence:.0%} of measured latencies are expected "
        "between the bounds",
        f"MACs     {result.macs:,}",
        f"memory   file {memory.flash_model_bytes:,} bytes, weights {memory.weights_bytes:,}, activations at "
        f"least {memory.activations_bytes:,}",
        f"runtime  {result.runtime}: {result.runtime_version}",
        *(f"basis    {sentence}" for sentence in result.basis),
    ]
