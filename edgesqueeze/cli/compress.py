"""``edgesqueeze compress``: the main job."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import click

from edgesqueeze.base.custom_objects import import_objects
from edgesqueeze.base.names import read_names
from edgesqueeze.checks.user_metric import as_metric
from edgesqueeze.cli import options
from edgesqueeze.cli.paths import NamedPath
from edgesqueeze.cli.screen import say, say_json
from edgesqueeze.recipe.read import load_recipe
from edgesqueeze.recipe.sections import Calibration, IoType, QuantizeMode, Structure
from edgesqueeze.target.chosen_runtime import with_runtime
from edgesqueeze.target.load import load_target


@click.command("compress")
@click.argument("model", type=NamedPath())
@click.option("--target", metavar="NAME", help="The device: a name from `targets list`, or a file.")
@options.target_runtime
@options.data
@click.option("--out", metavar="DIR", type=NamedPath(), help="Where the files go.")
@click.option("--recipe", metavar="FILE", type=NamedPath(), help="A TOML recipe; flags win over it.")
@click.option(
    "--channels",
    type=float,
    metavar="F",
    help="Remove whole filters and units: share of the multiply-accumulates that goes, 0 to 1.",
)
@click.option(
    "--sparsity", type=float, metavar="F", help="Prune: share of each kernel that becomes zero, 0 to 1."
)
@click.option(
    "--structure",
    type=click.Choice(get_args(Structure)),
    help="Prune: which weights become zero together; else what pays on the target.",
)
@click.option(
    "--clusters", type=int, metavar="N", help="Cluster: distinct values of a kernel, zero included."
)
@click.option(
    "--bits",
    type=int,
    metavar="N",
    help="4: weights of four bits, fifteen even levels for each channel; eight bits if unset.",
)
@click.option(
    "--aware",
    is_flag=True,
    default=None,
    help="Train weights and activations as int8 rounds them (quantization-aware training).",
)
@click.option(
    "--quantize",
    type=click.Choice(get_args(QuantizeMode)),
    help="What the .tflite holds; else what the target prefers.",
)
@click.option(
    "--io", type=click.Choice(get_args(IoType)), help="Type of inputs and outputs of an integer model."
)
@click.option(
    "--calibration",
    type=click.Choice(get_args(Calibration)),
    help="What the range of an activation is: all that samples show if unset; best: the best by its error.",
)
@click.option(
    "--epochs",
    type=int,
    metavar="N",
    help="Fine-tuning passes over the data, over all stages together; if unset, while it helps.",
)
@click.option(
    "--seed", type=int, metavar="N", help="Of everything random; the same seed gives the same bytes."
)
@click.option(
    "--max-accuracy-drop", type=float, metavar="F", help="Exit with 1 if more is lost; 0.01 is one point."
)
@options.metric
@options.labels
@click.option(
    "--evaluation-samples",
    type=int,
    metavar="N",
    help="Judge on so many test samples, at most; 2000 if unset.",
)
@click.option(
    "--lift-normalization",
    is_flag=True,
    default=None,
    help="Take a normalization that stands first out of the model; the report has its constants.",
)
@options.custom_objects
@options.unsafe
@click.option(
    "--html",
    is_flag=True,
    help="Also write report.html, a page about it; test samples whose class changed are shown on it.",
)
@click.option(
    "--check",
    metavar="DIR",
    type=NamedPath(),
    help="Write nothing: say whether the inputs of DIR are the same and still give the same bytes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON instead of tables.")
def command(
    model: Path,
    target: str | None,
    runtime: str | None,
    data: str,
    out: Path | None,
    recipe: Path | None,
    metric: str | None,
    labels: Path | None,
    custom_objects: tuple[str, ...],
    unsafe: bool,
    html: bool,
    check: Path | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Make a Keras MODEL small, convert it for a device and prove that it still does its job.

    MODEL is a .keras or .h5 file, or a SavedModel folder, such as model.export() writes. Writes model.tflite,
    report.json, model.keras where MODEL has Keras layers, and sources for microcontrollers. Without
    --channels, --sparsity and --clusters the model is quantized only. Exits with 1 if the result does not fit
    the target, loses more accuracy than allowed or cannot be right (a finding is an error); the files are
    written all the same.

    --target and --out are required, except with --check: then the target and the recipe are those of DIR
    where none are given, and the exit status is 1 if an input has changed or a file comes out different.
    """
    _check_needed(target, out, check)
    # Both are checked before the seconds that TensorFlow takes to start.
    chosen = None if check and recipe is None and not _given(flags) else load_recipe(recipe, flags)
    profile = None if target is None else with_runtime(load_target(target), runtime)
    if custom_objects:
        # Started here, TensorFlow says nothing; the user's module would let it print its greetings.
        import edgesqueeze.squeeze  # noqa: F401
    objects = import_objects(custom_objects)
    own = as_metric(metric)
    names = None if labels is None else read_names(labels)
    given: dict[str, Any] = {"data": data, "target": profile, "recipe": chosen, "labels": names}
    given |= {"runtime": runtime, "custom_objects": objects, "unsafe": unsafe}
    if check is not None:
        sys.exit(_recheck(check, model, given, as_json=as_json))
    with progress_bar(enabled=not as_json) as progress:
        from edgesqueeze.pipeline import compress
        from edgesqueeze.report.report import problems_of, raise_if_not_ok

        result = compress(model, out=out, metric=own, html=html, progress=progress, **given)
    if as_json:
        say_json(result.report.model_dump_json(indent=2))
        if not result.report.ok:
            say(f"not ok: {'; '.join(problems_of(result.report))}", stderr=True)
            raise SystemExit(1)
        return
    from edgesqueeze.cli.summary import print_report

    print_report(result.report, out)
    raise_if_not_ok(result.report)


def _recheck(folder: Path, model: Path, given: Mapping[str, Any], *, as_json: bool) -> int:
    """Make it again and compare; the exit status."""
    with progress_bar(enabled=not as_json) as progress:
        from edgesqueeze.pipeline.recheck import recheck

        found = recheck(folder, model, progress=progress, **given)
    from edgesqueeze.cli.recheck import print_recheck

    print_recheck(found, folder, as_json=as_json)
    return 0 if found.ok else 1


def _check_needed(target: str | None, out: Path | None, check: Path | None) -> None:
    """Refuse what is missing without --check, and what makes no sense with it."""
    context = click.get_current_context()
    parameters = {one.name: one for one in context.command.params}
    for name, value in (("target", target), ("out", out)):
        if check is None and value is None:
            raise click.MissingParameter(ctx=context, param=parameters[name])
    if check is not None and out is not None:
        raise click.UsageError("--check writes nothing: leave out --out", context)


def _given(flags: Mapping[str, Any]) -> bool:
    """Whether a flag lies over the recipe."""
    return any(value is not None for value in flags.values())


@contextmanager
def progress_bar(*, enabled: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """A line on stderr that says which stage runs and how far it is; nothing in a pipe or with --json."""
    if not enabled or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        TextColumn("{task.fields[steps]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("start", total=None, steps="")

        def update(stage: str, done: int, total: int) -> None:
            steps = f"{done}/{total} steps" if total else ""
            bar.update(task, description=stage, completed=done, total=total or None, steps=steps)

        yield update
