"""Options of the commands that work on a board."""

from __future__ import annotations

import click

from edgesqueeze.cli.paths import NamedPath

ssh_config = click.option(
    "--ssh-config", metavar="FILE", type=NamedPath(), help="Read this file in place of ~/.ssh/config."
)
install = click.option(
    "--install", is_flag=True, help="Install a runtime, in a folder of its own, on a board that has none."
)
