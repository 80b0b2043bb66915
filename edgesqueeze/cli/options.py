"""Options that several commands have."""

from __future__ import annotations

import click

input_shape = click.option(
    "--input-shape",
    "shapes",
    metavar="SHAPE",
    multiple=True,
    help="A shape for an input with open dimensions: 1,224,224,3, or NAME=1,224,224,3 for one of several.",
)
