"""What ``edgesqueeze bench`` prints of measured devices: one table for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgesqueeze.cli.prediction import layers_table, milliseconds, span
from edgesqueeze.cli.screen import Screen, escape, open_screen
from edgesqueeze.cli.tables import Table, print_findings
from edgesqueeze.devices.look import condition, describe
from edgesqueeze.devices.notes import drift

if TYPE_CHECKING:
    from edgesqueeze.devices.records import Measurement
    from edgesqueeze.latency.prediction import MeasuredFactor, Prediction
    from edgesqueeze.timing.boards import MeasuredBoards

NARROWEST = 80
WIDE = 100
"""From so many columns on there is room for what a reader could also work out."""


def print_measurements(found: MeasuredBoards) -> None:
    """Print the boards, their times side by side, and what a reader should know of each."""
    screen = open_screen()
    # The terminal's own line breaks lose nothing; a table that is squeezed loses digits.
    screen.width = max(screen.width, NARROWEST)
    for one in found.measurements:
        _print_device(screen, one)
    if found.measurements:
        screen.print(_times(found.measurements, screen.width))
    for one in found.measurements:
        _print_layers(screen, one)
        _print_sustained(screen, one)
    for one in found.measurements:
        _print_verdict(screen, one)
    for failure in found.failures:
        screen.print(f"[red]{escape(failure.host)}: {escape(failure.message)}[/]")


def _print_device(screen: Screen, one: Measurement) -> None:

    screen.print(
        f"[bold]{escape(one.host)}[/bold]: {escape(describe(one.device))}; "
        f"{escape(one.runtime)} {escape(one.runtime_version)}"
    )
    screen.print(f"  {escape(condition(one.device))}")


def _print_verdict(screen: Screen, one: Measurement) -> None:
    """Whether the outputs are right, how near the time is to what was predicted, and the findings."""
    verdict = "right" if one.outputs.ok and one.outputs.compared else "not compared"
    colour = "green" if verdict == "right" else "yellow"
    if not one.outputs.ok:
        verdict, colour = "WRONG", "red"
    screen.print(f"{escape(one.host)}: outputs [{colour}]{verdict}[/]: {escape(one.outputs.reason)}")
    screen.print(f"{escape(one.host)}: {one.overhead_seconds:.1f} s besides running")
    if one.predicted and one.predicted.correction:
        for line in _compared(one, one.predicted, one.predicted.correction):
            screen.print(escape(line))
    print_findings(screen, one.findings)


def _times(measurements: Sequence[Measurement], width: int) -> Table:
    first = any(run.first_ms is not None for one in measurements for run in one.threads)
    # A browser tells no memory, and its first inference takes far longer than others.
    figures = ("threads", "median ms", "p90", "p99", "min", "load ms", "first ms" if first else "peak MiB")
    more = ("speedup", "runs") if width >= WIDE else ()
    rows = Table("device", *figures, *more, right=(*figures, *more), fold=("device",))
    for one in measurements:
        for run in one.threads:
            last = milliseconds(run.first_ms or 0.0) if first else _mebibytes(run.peak_rss_bytes)
            rows.add_row(
                escape(one.host) if run is one.threads[0] else "",
                str(run.threads),
                *map(milliseconds, (run.median_ms, run.p90_ms, run.p99_ms, run.min_ms, run.load_ms)),
                last,
                *((f"{run.speedup:.2f}", f"{run.runs:,}") if more else ()),
            )
    return rows


def _mebibytes(count: int | None) -> str:
    return f"{count / 2**20:.0f}" if count else "-"


def _print_layers(screen: Screen, one: Measurement) -> None:
    if one.layers:
        threads = one.threads[0].threads
        screen.print(f"{escape(one.host)}: layers, {threads} thread{'s' if threads > 1 else ''}")
        screen.print(layers_table(one.layers, screen))


def _print_sustained(screen: Screen, one: Measurement) -> None:
    """A line for about every tenth of a sustained run, and the drift from its start to its end."""

    seconds = one.sustained
    if not seconds:
        return
    figures = ("second", "median ms", "temperature", "clock MHz", "throttled")
    rows = Table(*figures, right=figures)
    step = max(1, len(seconds) // 10)
    for second in [*seconds[:-1:step], seconds[-1]]:
        throttled = {True: "yes", False: "no", None: "-"}[second.throttled]
        rows.add_row(
            f"{second.t_seconds:.0f}",
            milliseconds(second.median_ms),
            "-" if second.temperature_c is None else f"{second.temperature_c:.1f} C",
            "-" if second.clock_mhz is None else f"{second.clock_mhz:.0f}",
            throttled,
        )
    threads = "1 thread" if one.sustained_threads == 1 else f"{one.sustained_threads} threads"
    screen.print(f"{escape(one.host)}: sustained, {threads}")
    screen.print(rows)
    change = drift(seconds) - 1
    screen.print(f"{escape(one.host)}: from the first seconds to the last {change:+.1%}")


def _compared(one: Measurement, prediction: Prediction, made: MeasuredFactor) -> tuple[str, str]:
    measured = one.latency_ms.estimate
    inside = made.predicted_ms.contains(measured)
    return (
        f"{one.host}: measured {milliseconds(measured)} ms, predicted for {prediction.target} "
        f"{span(made.predicted_ms)} ms: {'inside' if inside else 'OUTSIDE'} the bounds",
        f"{one.host}: the prediction is corrected by {made.factor:.3g}; `edgesqueeze calibrate --from` "
        "makes a target of this and other measurements",
    )
