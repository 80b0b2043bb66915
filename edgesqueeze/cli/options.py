"""Options that several commands have."""

from __future__ import annotations

import click

from edgesqueeze.cli.paths import NamedPath

input_shape = click.option(
    "--input-shape",
    "shapes",
    metavar="SHAPE",
    multiple=True,
    help="A shape for an input with open dimensions: 1,224,224,3, or NAME=1,224,224,3 for one of several.",
)
ssh_config = click.option(
    "--ssh-config", metavar="FILE", type=NamedPath(), help="Read this file in place of ~/.ssh/config."
)
install = click.option(
    "--install", is_flag=True, help="Install a runtime, in a folder of its own, on a board that has none."
)
optimize = click.option(
    "--optimize",
    type=click.Choice(["time", "size", "balance"]),
    help="What C without a runtime is made for. time: the fastest way to store weights. size: the smallest. "
    "balance, the default: the smallest that takes at most 4 % of the time more than the fastest.",
)
