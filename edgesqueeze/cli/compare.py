"""``edgesqueeze compare``: what became better or worse from one document to the next."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgesqueeze.cli.options import json_option
from edgesqueeze.cli.paths import NamedPath
from edgesqueeze.cli.screen import escape, open_screen, say_json
from edgesqueeze.cli.tables import Table
from edgesqueeze.errors import UsageError

if TYPE_CHECKING:
    from edgesqueeze.report.compare import Comparison

COLOURS = {"worse": "red", "gone": "red", "better": "green", "new": "cyan", "same": ""}


@click.command("compare")
@click.argument("old", metavar="OLD", type=NamedPath())
@click.argument("new", metavar="NEW", type=NamedPath())
@click.option(
    "--tolerance",
    "tolerances",
    metavar="KIND=AMOUNT",
    multiple=True,
    help="What figures of a kind may become worse by: latency=2%, size=100, accuracy=0.5points. Kinds: "
    "accuracy, latency, instructions, size, flash, ram. Can be repeated.",
)
@click.option(
    "--markdown", metavar="FILE", type=NamedPath(), help="Also write a table for a pull request into it."
)
@click.option(
    "--junit", metavar="FILE", type=NamedPath(), help="Also write JUnit XML for a build server into it."
)
@json_option
def command(
    old: Path,
    new: Path,
    tolerances: tuple[str, ...],
    markdown: Path | None,
    junit: Path | None,
    as_json: bool,
) -> None:
    """Show what became better or worse from OLD to NEW.

    Both are what `compress` wrote (a folder, or its report.json), both what `search` wrote (a folder, or its
    front.json: the best model, and the best in each objective), or both what `bench --json` printed in the
    same way. Sizes, instructions and times that are emulated or predicted may not become worse at all;
    accuracy by what chance explains for the number of samples; what was measured by 5 %.

    Exits with 1 if a figure became worse by more than that, or if the new document misses a requirement that
    the old one met.
    """
    from edgesqueeze.base.output import refuse_inputs, write_file
    from edgesqueeze.report.compare import compare, parse_tolerance
    from edgesqueeze.report.compare_forms import as_junit, as_markdown
    from edgesqueeze.report.documents import find_document

    if markdown is not None and junit is not None and markdown.resolve() == junit.resolve():
        raise UsageError("--markdown and --junit name the same file", expected="two files", got=str(markdown))
    found = compare(old, new, dict(map(parse_tolerance, tolerances)))
    forms = ((markdown, as_markdown, "--markdown"), (junit, as_junit, "--junit"))
    wanted = [(path, form, flag) for path, form, flag in forms if path is not None]
    for path, _, flag in wanted:
        refuse_inputs([path], map(find_document, (old, new)), flag)
    for path, form, flag in wanted:
        write_file(path, form(found), flag)
    if as_json:
        say_json(found.model_dump_json(indent=2))
    else:
        _print(found)
    if not found.ok:
        sys.exit(1)


def _print(comparison: Comparison) -> None:
    from edgesqueeze.report.compare import rows_of, summary

    screen = open_screen()
    screen.print(escape(f"{comparison.old} -> {comparison.new}"))
    right = ("old", "new", "change")
    table = Table("figure", *right, "may vary by", "", right=right, fold=("figure", "may vary by"))
    for *cells, verdict in rows_of(comparison):
        colour = COLOURS[verdict]
        table.add_row(*map(escape, cells), f"[{colour}]{verdict}" if colour else verdict)
    if comparison.changes:
        screen.print(table)
    for note in comparison.notes:
        screen.print(f"[yellow]{escape(note)}")
    for problem in comparison.problems:
        screen.print(f"[red]{escape(problem)}")
    screen.print(f"[{'green' if comparison.ok else 'red'}]{escape(summary(comparison))}")
