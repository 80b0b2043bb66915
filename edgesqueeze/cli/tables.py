"""What the commands' tables share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from edgesqueeze.cli.screen import Line, Run, Screen, escape, parsed, say, width_of, wrapped

if TYPE_CHECKING:
    from edgesqueeze.base.findings import Finding

COLOURS = {"note": "cyan", "warning": "yellow", "error": "red"}
GAP = "  "
LEAST_FOLD = 12
"""Columns below which no column is narrowed."""

Cell = list[Line]


class Table:
    """A table with a line under its header and an empty line on either side.

    Where the screen is too narrow, columns that may fold take several lines. The others never do: a figure
    that is cut is a wrong figure.
    """

    def __init__(self, *columns: str, right: Iterable[str] = (), fold: Iterable[str] = ()) -> None:
        """Begin a table.

        Args:
            columns: the titles.
            right: titles of right-aligned columns.
            fold: titles of columns that may take several lines.
        """
        self._header = [parsed(escape(title), "bold") for title in columns]
        self._right = [title in set(right) for title in columns]
        self._folds = [title in set(fold) for title in columns]
        self._rows: list[list[Cell] | None] = []

    def add_row(self, *cells: str, style: str = "") -> None:
        """Add a row.

        Args:
            cells: marked-up text, one for each column.
            style: of all cells.
        """
        if len(cells) != len(self._header):
            raise ValueError(f"expected {len(self._header)} cells, got {len(cells)}")
        self._rows.append([parsed(cell, style) for cell in cells])

    def add_section(self) -> None:
        """Draw a line here."""
        self._rows.append(None)

    @property
    def widest(self) -> int:
        """Columns that the table takes if nothing is folded."""
        return self._total(self._widths())

    @property
    def narrowest(self) -> int:
        """Columns that it takes at least."""
        return self._total(self._folded(self._widths(), 0))

    def lines(self, width: int) -> Iterator[Line]:
        """The lines for a screen of so many columns."""
        widths = self._folded(self._widths(), width)
        rule = (Run(" " + "─" * (self._total(widths) - 2)),)
        yield ()
        yield from self._row(self._header, widths)
        yield rule
        for row in self._rows:
            if row is None:
                yield rule
            else:
                yield from self._row(row, widths)
        yield ()

    def _widths(self) -> list[int]:
        rows = [self._header, *(row for row in self._rows if row is not None)]
        return [max(width_of(line) for row in rows for line in row[i]) for i in range(len(self._header))]

    def _total(self, widths: Sequence[int]) -> int:
        """With a space on either side."""
        return sum(widths) + len(GAP) * (len(widths) - 1) + 2

    def _folded(self, widths: list[int], room: int) -> list[int]:
        """Narrow the widest of the columns that may fold, one by one, until there is room or none is left."""
        while self._total(widths) > room:
            foldable = [i for i, folds in enumerate(self._folds) if folds and widths[i] > LEAST_FOLD]
            if not foldable:
                break
            widths[max(foldable, key=lambda i: widths[i])] -= 1
        return widths

    def _row(self, cells: Sequence[Cell], widths: Sequence[int]) -> Iterator[Line]:
        parts = [
            [part for line in cell for part in wrapped(line, width)]
            for cell, width in zip(cells, widths, strict=True)
        ]
        for number in range(max(map(len, parts))):
            line: list[Run] = [Run(" ")]
            for column, (lines, width) in enumerate(zip(parts, widths, strict=True)):
                shown = lines[number] if number < len(lines) else ()
                blank = Run(" " * (width - width_of(shown)))
                line += [Run(GAP)] if column else []
                line += [blank, *shown] if self._right[column] else [*shown, blank]
            yield tuple(line)


def print_findings(out: Screen, findings: Iterable[Finding]) -> None:
    """One line per finding, its severity in colour."""
    for one in findings:
        # The converter joins the names of everything that it fused; the first one is enough for a person.
        subject = f"{one.subject.split(';')[0]}: " if one.subject else ""
        out.print(f"[{COLOURS[one.severity]}]{one.severity}[/]: {escape(subject + one.message)}")


def say_finding(finding: Finding) -> None:
    """Say on stderr what was noticed while a command is at work."""
    say(f"{finding.severity}: {finding.subject}: {finding.message}", stderr=True)


def count(value: int | None) -> str:
    """An integer with thousands separated; a dash for none."""
    return "-" if value is None else f"{value:,}"


def percent(share: float | None) -> str:
    """A share as a percentage with one decimal; a dash for none."""
    return "-" if share is None else f"{share:.1%}"


def shape_text(shape: Iterable[int]) -> str:
    """``1x49x10x1``, with ``?`` for an open dimension; ``scalar`` without dimensions."""
    return "x".join("?" if size < 0 else str(size) for size in shape) or "scalar"
