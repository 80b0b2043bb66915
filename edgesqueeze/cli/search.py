"""``edgesqueeze search``: the best recipe within limits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgesqueeze.base.custom_objects import import_objects
from edgesqueeze.cli import options
from edgesqueeze.cli.paths import NamedPath
from edgesqueeze.cli.screen import escape, open_screen, say, say_json
from edgesqueeze.cli.tables import Table
from edgesqueeze.recipe.read import load_recipe
from edgesqueeze.target.chosen_runtime import with_runtime
from edgesqueeze.target.load import load_target

if TYPE_CHECKING:
    from edgesqueeze.report.front import Front, SearchLimits

OBJECTIVES = ("latency", "size", "accuracy")
SAMPLERS = ("tpe", "nsga2", "random")
LIMITS = ("max_accuracy_drop", "max_latency", "max_flash", "max_ram")
INTERRUPTED = 130


@click.command("search")
@click.argument("model", type=NamedPath())
@click.option(
    "--target", required=True, metavar="NAME", help="The device: a name from `targets list`, or a file."
)
@options.target_runtime
@options.data
@click.option("--out", required=True, metavar="DIR", type=NamedPath(), help="Where all that is found goes.")
@click.option(
    "--max-accuracy-drop", type=float, metavar="F", help="Most that may be lost; 0.01, one point, if unset."
)
@click.option("--max-latency", type=float, metavar="MS", help="Most milliseconds of an inference.")
@click.option(
    "--max-flash", type=float, metavar="KIB", help="Most flash, in KiB; what the target has if unset."
)
@click.option("--max-ram", type=float, metavar="KIB", help="Most RAM, in KiB; what the target has if unset.")
@click.option(
    "--objective",
    "objectives",
    multiple=True,
    metavar="NAME",
    help="What is to become small: latency, size or accuracy (its drop); may be repeated. The first two if "
    "unset.",
)
@click.option("--trials", type=int, metavar="N", help="Recipes to try; 40 if there is no --time either.")
@click.option("--time", "minutes", type=float, metavar="MINUTES", help="End after so long.")
@click.option(
    "--finalists", type=int, default=3, show_default=True, metavar="N", help="Recipes to train in full."
)
@click.option(
    "--workers",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="Trials at a time; with --ray 0 is one for each processor of the cluster.",
)
@click.option(
    "--ray",
    default="",
    metavar="ADDRESS",
    help="Work on a Ray cluster: HOST:PORT, ray://HOST:PORT, auto, local.",
)
@click.option("--resume", is_flag=True, help="Go on with the search in --out.")
@click.option("--recipe", metavar="FILE", type=NamedPath(), help="A TOML recipe: what holds for every trial.")
@click.option("--epochs", type=int, metavar="N", help="Of the finalists' training; if unset, while it helps.")
@click.option("--seed", type=int, metavar="N", help="Of everything random.")
@click.option(
    "--sampler",
    type=click.Choice(SAMPLERS),
    default="tpe",
    show_default=True,
    help="What draws the recipes; random is for comparison.",
)
@click.option("--storage", default="", metavar="URL", help="Database of the study; a file in --out if unset.")
@options.metric
@options.labels
@options.custom_objects
@options.unsafe
@click.option("--json", "as_json", is_flag=True, help="Print front.json instead of tables.")
def command(
    model: Path,
    target: str,
    runtime: str | None,
    data: str,
    out: Path,
    recipe: Path | None,
    epochs: int | None,
    seed: int | None,
    labels: Path | None,
    custom_objects: tuple[str, ...],
    as_json: bool,
    max_accuracy_drop: float | None,
    max_latency: float | None,
    max_flash: float | None,
    max_ram: float | None,
    **how: Any,
) -> None:
    """Search the recipe that makes the best of a Keras MODEL for a device, within limits.

    Many recipes are trained for a short time, the best in full; these are judged on test samples that no
    trial saw. Writes front.json, front.csv, a folder for each finalist as `compress` makes it, and the best
    one with its recipe to DIR/best. Ctrl-C ends the search after what runs; --resume goes on with it. Exits
    with 1 if no model keeps to the limits.
    """
    chosen = load_recipe(recipe, {"epochs": epochs, "seed": seed})
    profile = with_runtime(load_target(target), runtime)
    if custom_objects:
        # Started here, TensorFlow says nothing; the user's module would let it print its greetings.
        import edgesqueeze.squeeze  # noqa: F401
    objects = import_objects(custom_objects)
    from edgesqueeze.cli.search_progress import watching
    from edgesqueeze.explore.search import search

    # Without one, what the recipe says counts.
    drop = chosen.limits.max_accuracy_drop if max_accuracy_drop is None else max_accuracy_drop
    with watching(enabled=not as_json) as progress:
        front = search(
            model,
            target=profile,
            data=data,
            out=out,
            limits=_limits(drop, max_latency, max_flash, max_ram),
            recipe=chosen,
            labels=labels,
            custom_objects=objects,
            progress=progress,
            **how,
        )
    _end(front, out, as_json=as_json)


def _end(front: Front, out: Path, *, as_json: bool) -> None:
    """Print what was found, and exit with what became of it."""
    from edgesqueeze.explore.verdict import raise_if_none

    if as_json:
        say_json(front.model_dump_json(indent=2))
    else:
        _print(front, out)
    if not front.complete:
        say("interrupted; --resume goes on with the search", stderr=True)
        raise SystemExit(INTERRUPTED)
    if not front.ok and as_json:
        say(f"not ok: {front.reason}", stderr=True)
        raise SystemExit(1)
    raise_if_none(front)


def _limits(*values: float | None) -> SearchLimits:
    from edgesqueeze.base.toml import FileKind, check_record
    from edgesqueeze.errors import UsageError
    from edgesqueeze.report.front import SearchLimits

    given = {name: value for name, value in zip(LIMITS, values, strict=True) if value is not None}
    return check_record(
        given, SearchLimits, "the limits", FileKind("limit", UsageError, "limits are 0 or more")
    )


def _print(front: Front, out: Path) -> None:
    from edgesqueeze.explore.written import RECIPE
    from edgesqueeze.recipe.words import words_of
    from edgesqueeze.report.front import BEST

    screen = open_screen()
    states = [one.state for one in front.trials]
    told = [f"{states.count(state)} {state}" for state in ("trained", "dropped", "unfit", "failed")]
    screen.print(f"{len(states)} trials: {', '.join(told)}")
    for name, why in front.left_out.items():
        screen.print(f"[cyan]note[/]: no trial has {escape(f'{name}: {why}')}")
    for number, why in front.failed.items():
        screen.print(f"[yellow]warning[/]: trial {number} is no finalist: {escape(why)}")
    right = ("trial", "latency ms", "flash KiB", "RAM KiB", front.accuracy.title)
    table = Table(*right, "recipe", "", right=right, fold=("recipe",))
    table.add_row("", *_figures(front, front.baseline), "quantized only", "")
    table.add_section()
    for one in front.finalists:
        state = "[green]best" if one.number == front.best else f"[red]{' '.join(one.missed)}"
        figures = _figures(front, one.takes)
        table.add_row(
            str(one.number),
            *figures,
            escape(words_of(one.recipe)),
            state if one.number == front.best or one.missed else "",
        )
    screen.print(table)
    truth = (
        "the labels" if front.accuracy.truth == "labels" else "the original's outputs: there are no labels"
    )
    basis = front.accuracy
    listed = f" ({', '.join(basis.metrics)})" if len(basis.metrics) > 1 else ""
    screen.print(
        escape(
            f"{basis.title}{listed} against {truth}, on {basis.test_samples:,} test samples that no trial "
            f"saw; that of the quantized model on {basis.trial_samples:,} samples for trials"
        ),
        wrap=True,
    )
    if front.best is not None:
        place = out / BEST
        screen.print(
            f"[green]ok[/]: the best is in {escape(str(place))}; its recipe is {escape(str(place / RECIPE))}"
        )


def _figures(front: Front, takes: Any) -> tuple[str, ...]:
    drop = takes.accuracy_drop
    if drop is None:
        lost = "-"
    elif front.accuracy.unit == "share":
        lost = f"{-100 * drop + 0:+.2f} points"
    else:
        lost = f"{-drop + 0:+.4g}"
    figures = (takes.latency_ms, takes.flash_kib, takes.ram_kib)
    return (*("-" if one is None else f"{one:.4g}" for one in figures), lost)
