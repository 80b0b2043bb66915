"""The final table of ``compress`` and ``demo``: what a person wants to know, with its provenance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgesqueeze.cli.screen import escape, open_screen
from edgesqueeze.cli.tables import Table, print_findings
from edgesqueeze.report.summary import rows_of, short_names, shown_findings, verdict_of

if TYPE_CHECKING:
    from pathlib import Path

    from edgesqueeze.report.report import Report


def print_report(report: Report, out: Path | None) -> None:
    """Print the verdict, the weights and the findings of a report."""
    screen = open_screen()
    rows = Table("", "before", "after", "", right=("before", "after"), fold=("",))
    for row in rows_of(report):
        rows.add_row(*row)
    screen.print(rows)
    screen.print(_weights(report))
    print_findings(screen, shown_findings(report.findings))
    word = "[green]ok[/]" if report.ok else "[red]not ok[/]"
    screen.print(f"{word}: {escape(verdict_of(report))}")
    if out is not None:
        screen.print(f"written to {out}: {', '.join(report.files)}")


def _weights(report: Report) -> Table:
    rows = Table(
        "weights",
        "shape",
        "type",
        "bytes",
        "zero",
        "values",
        right=("bytes", "zero", "values"),
        fold=("weights",),
    )
    shown = [one for one in report.weights if one.role == "weights"]
    for one, name in zip(shown, short_names([one.name for one in shown]), strict=True):
        shape = "x".join(map(str, one.shape))
        rows.add_row(
            escape(name), shape, one.dtype, f"{one.bytes:,}", f"{one.sparsity:.1%}", str(one.distinct_values)
        )
    return rows
