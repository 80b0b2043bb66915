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
    type=click.Choice(["time", "size", "balance", "ram"]),
    help="What C without a runtime is made for. time: the fastest way to store weights. size: the smallest. "
    "balance, the default: the smallest that takes at most 4 % of the time more than the fastest. ram: "
    "as balance, but layers run by turns, some rows at a time: no large tensor is in memory as a whole.",
)
target_runtime = click.option(
    "--runtime",
    metavar="NAME",
    help="What runs it there; else the target's first. c: C without a runtime, where packed weights count.",
)
data = click.option(
    "--data",
    required=True,
    metavar="DATA",
    help="An .npz, a folder of images by class, or module:callable. Labels are not needed.",
)
metric = click.option(
    "--metric",
    metavar="MODULE:CALLABLE",
    help="Judge by a metric of your own: called with labels and outputs, it gives a number.",
)
labels = click.option(
    "--labels",
    metavar="FILE",
    type=NamedPath(),
    help="Names of the classes, one a line, for the .tflite's metadata; else those of a folder of images.",
)
custom_objects = click.option(
    "--custom-objects",
    multiple=True,
    metavar="MODULE:NAME",
    help="A class that the model needs; may be repeated.",
)
data_recipe = click.option(
    "--recipe",
    metavar="FILE",
    type=NamedPath(),
    help="Scale the data as [data] in this recipe says, as when the model was made.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document instead of tables."
)
unsafe = click.option(
    "--unsafe", is_flag=True, help="Open a model file that holds code (Lambda layers), and run that code."
)
