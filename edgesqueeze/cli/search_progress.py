"""How a search stands, on the terminal while it goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edgesqueeze.cli.screen import say

if TYPE_CHECKING:
    from edgesqueeze.explore.standing import Standing

MOST_SHOWN = 5
"""Trials of the front that are shown."""


@contextmanager
def watching(*, enabled: bool) -> Iterator[Callable[[Standing], None] | None]:
    """What shows a search on stderr: a table that follows it on a terminal, a line a trial in a pipe."""
    if not enabled:
        yield None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.live import Live

        with Live(console=Console(stderr=True), transient=True, refresh_per_second=2) as live:
            yield lambda standing: live.update(_drawn(standing))
    else:
        yield _lines()


def _lines() -> Callable[[Standing], None]:
    told = {"trials": 0, "finalists": 0}

    def tell(standing: Standing) -> None:
        now = {"trials": standing.done, "finalists": len(standing.finalists)}
        if any(now[name] > told[name] for name in now):
            told.update(now)
            say(headline(standing), stderr=True)

    return tell


def headline(standing: Standing) -> str:
    """How far a search is, in one line."""
    of = "" if standing.most is None else f" of {standing.most}"
    parts = [f"{standing.done}{of} trials", f"{_minutes(standing.seconds)} gone"]
    if standing.left is not None:
        parts.append(f"{_minutes(standing.left)} left for trials")
    if count := len(standing.finalists):
        parts.append(f"{count} finalist{'s' if count > 1 else ''}")
    best = standing.finalists[0] if standing.finalists else standing.front[0] if standing.front else None
    if best is not None:
        takes = best.takes
        figures = ((takes.latency_ms, "ms"), (takes.flash_kib, "KiB"))
        told = " ".join(f"{value:.4g} {unit}" for value, unit in figures if value is not None)
        parts.append(f"best so far {told} (trial {best.number})")
    return f"{standing.phase}: {', '.join(parts)}"


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _drawn(standing: Standing) -> Any:
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table

    from edgesqueeze.recipe.words import words_of

    table = Table(box=None, pad_edge=False)
    for title in ("trial", "ms", "KiB", "RAM KiB", "expected drop", "recipe"):
        table.add_column(title, justify="left" if title == "recipe" else "right")
    for one in standing.front[:MOST_SHOWN]:
        takes = one.takes
        figures = (takes.latency_ms, takes.flash_kib, takes.ram_kib, one.expected_drop)
        cells = ["-" if value is None else f"{value:.4g}" for value in figures]
        table.add_row(str(one.number), *cells, escape(words_of(one.recipe)))
    return Group(escape(headline(standing)), table)
