"""What ``compress --check`` prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgesqueeze.cli.screen import escape, open_screen, say_json
from edgesqueeze.cli.tables import Table

if TYPE_CHECKING:
    from edgesqueeze.report.provenance import Compared, Recheck

HASH, SHOWN = 64, 12
"""Digits of a hash, and those that tell it from another."""
TITLES = {"file": "file in the folder", "output": "file made again"}


def print_recheck(found: Recheck, folder: Path, *, as_json: bool) -> None:
    """Print what has changed, and the verdict."""
    if as_json:
        say_json(found.model_dump_json(indent=2))
        return
    screen = open_screen()
    differing = [one for one in found.compared if one.verdict != "same" and (one.before or one.now)]
    if differing:
        rows = Table("", "what", "then", "now", "", fold=("what",))
        for one in differing:
            rows.add_row(TITLES.get(one.kind, one.kind), *map(escape, _cells(one)), one.verdict)
        screen.print(rows)
    screen.print(_verdict(found, folder))


def _cells(one: Compared) -> tuple[str, str, str]:
    return one.name, _short(one.before), _short(one.now)


def _short(text: str) -> str:
    return text[:SHOWN] if len(text) == HASH else text


def _verdict(found: Recheck, folder: Path) -> str:
    wrong = [
        one for one in found.compared if one.kind != "version" and one.verdict not in ("same", "unknown")
    ]
    if not wrong:
        return f"[green]same[/]: the same inputs give the same bytes as in {escape(str(folder))}"
    names = escape(", ".join(f"{TITLES.get(one.kind, one.kind)} {one.name}" for one in wrong))
    note = "" if found.made_again else "; nothing was made again"
    return f"[red]not the same[/]: {names}{note}"
