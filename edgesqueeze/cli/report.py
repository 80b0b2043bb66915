"""``edgesqueeze report``: what was made and found, as one page of HTML."""

from __future__ import annotations

from pathlib import Path

import click

from edgesqueeze.cli.paths import NamedPath
from edgesqueeze.cli.screen import say


@click.command("report")
@click.argument("place", metavar="DIR", type=NamedPath())
@click.option(
    "--html", metavar="FILE", type=NamedPath(), help="Where the page goes; report.html in DIR if not given."
)
@click.option(
    "--model-explorer",
    metavar="FOLDER",
    type=NamedPath(),
    help="Write latency, error and zeros of each operator there, as node data for Model Explorer.",
)
@click.option(
    "--target", metavar="NAME", help="The device, if the report's name does not find its profile: a file."
)
@click.option(
    "--runtime", metavar="NAME", default="", help="Whose time and memory to show; else what it was made for."
)
def command(
    place: Path, html: Path | None, model_explorer: Path | None, target: str | None, runtime: str
) -> None:
    """Show what `compress` or `search` wrote to DIR on one page of HTML, which needs no network.

    DIR is the folder, or the path of the report.json or front.json in it.
    """
    from edgesqueeze.base.output import advised

    if model_explorer is not None:
        from edgesqueeze.report.node_data import write_node_data

        with advised("name another folder with --model-explorer, or free some space"):
            written = write_node_data(place, model_explorer, target=target, runtime=runtime)
        say(f"wrote {', '.join(map(str, written))}")
        if html is None:
            return
    from edgesqueeze.report.page.page import write_page

    with advised("name another file with --html, or free some space"):
        page = write_page(place, html, target=target, runtime=runtime)
    say(f"wrote {page}")
