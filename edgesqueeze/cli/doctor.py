"""``edgesqueeze doctor``: what is installed, and what each missing thing would enable."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from edgesqueeze.cli import tables
from edgesqueeze.cli.options import json_option
from edgesqueeze.cli.screen import escape, open_screen, say_json

if TYPE_CHECKING:
    from edgesqueeze.cli.doctor_facts import Diagnosis

COLOURS = {"ok": "green", "missing": "yellow", "too old": "red", "too new": "yellow"}


@click.command("doctor")
@json_option
def command(as_json: bool) -> None:
    """Show which packages and programs are installed, what they are for, and how to install the others.

    Exits with 1 only if something is missing that every command needs.
    """
    from edgesqueeze.cli.doctor_facts import diagnose

    diagnosis = diagnose()
    if as_json:
        say_json(diagnosis.model_dump_json(indent=2))
    else:
        _print(diagnosis)
    if not diagnosis.ok:
        sys.exit(1)


def _print(diagnosis: Diagnosis) -> None:
    out = open_screen()
    out.print(f"EdgeSqueeze {diagnosis.edgesqueeze}, Python {diagnosis.python}, {diagnosis.platform}")
    made = tables.Table("", "state", "version", "for", fold=("version", "for"))
    for one in diagnosis.components:
        state = f"[{COLOURS[one.state]}]{one.state}[/]"
        made.add_row(escape(one.name), state, escape(one.version or "-"), escape(one.enables))
    out.print(made)
    out.print(f"model files are opened under {escape(', '.join(diagnosis.confinement))}", wrap=True)
    # Several components share one command.
    commands = {one.install: one for one in diagnosis.components if one.state != "ok"}
    for install in commands:
        names = [one.name for one in diagnosis.components if one.install == install and one.state != "ok"]
        out.print(f"for {escape(', '.join(names))}:\n  {escape(install)}")
    if not commands:
        out.print("[green]nothing is missing")
