"""What the commands' tables share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from edgesqueeze.base.findings import Finding

# Tables stay readable in logs and pipes, where rich would assume 80 columns.
PIPE_WIDTH = 100
COLOURS = {"note": "cyan", "warning": "yellow", "error": "red"}


def console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal; in a pipe as wide as $COLUMNS, or 100."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    # A stream that was closed is None.
    width = None if (stream and stream.isatty()) or os.environ.get("COLUMNS") else PIPE_WIDTH

    class Screen(Console):
        def on_broken_pipe(self) -> None:
            """Leave the exit status to the command line; rich would end with 1."""
            raise BrokenPipeError

    # Names in models may look like rich's names of emoji.
    return Screen(stderr=stderr, width=width, highlight=False, emoji=False)


def table(*columns: str, right: Iterable[str] = (), fold: Iterable[str] = ()) -> Table:
    """A table with a line under its header.

    Args:
        columns: the titles.
        right: titles of right-aligned columns.
        fold: titles of columns that may take several lines; the others never wrap.
    """
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for title in columns:
        made.add_column(
            title,
            justify="right" if title in right else "left",
            no_wrap=title not in fold,
            overflow="fold",
        )
    return made


def print_findings(out: Console, findings: Iterable[Finding]) -> None:
    """One line per finding, its severity in colour."""
    from rich.markup import escape

    for one in findings:
        colour = COLOURS[one.severity]
        # The converter joins the names of everything that it fused; the first one is enough for a person.
        subject = f"{one.subject.split(';')[0]}: " if one.subject else ""
        out.print(f"[{colour}]{one.severity}[/]: {escape(subject + one.message)}", soft_wrap=True)


def count(value: int | None) -> str:
    """An integer with thousands separated; a dash for none."""
    return "-" if value is None else f"{value:,}"


def percent(share: float | None) -> str:
    """A share as a percentage with one decimal; a dash for none."""
    return "-" if share is None else f"{share:.1%}"


def shape_text(shape: Iterable[int]) -> str:
    """``1x49x10x1``, with ``?`` for an open dimension; ``scalar`` without dimensions."""
    return "x".join("?" if size < 0 else str(size) for size in shape) or "scalar"
