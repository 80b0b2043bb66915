"""``edgesqueeze demo``: the main job on handwritten digits, with the commands to repeat it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgesqueeze.cli.compress import progress_bar
from edgesqueeze.cli.paths import NamedPath
from edgesqueeze.cli.screen import say, say_json

if TYPE_CHECKING:
    from edgesqueeze.cli.demo_job import Digits, Paths

# The defaults of cli/demo_job.py, repeated here so that --help answers at once; a test compares them.
OUT = Path("edgesqueeze-demo")
EPOCHS = 40


@click.command("demo")
@click.option(
    "--out",
    metavar="DIR",
    type=NamedPath(),
    default=OUT,
    show_default=True,
    help="Folder for the files.",
)
@click.option(
    "--epochs",
    metavar="N",
    type=click.IntRange(min=0, max=10_000),
    default=EPOCHS,
    show_default=True,
    help="How often fine-tuning goes through the data, as in `compress`.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document instead of the progress and tables."
)
def command(out: Path, epochs: int, as_json: bool) -> None:
    """Train a small model, compress it and verify it, and show the commands that do so.

    The model tells handwritten digits apart. The digits come with scikit-learn; nothing is downloaded. It
    takes about a minute on two cores. Exits with 1 if the model does not fit its target or the runtimes
    disagree.
    """
    from edgesqueeze.cli import demo_job as demo
    from edgesqueeze.cli.summary import print_report
    from edgesqueeze.cli.verify import print_verification

    demo.require_packages()
    paths = demo.paths_in(out)
    commands = demo.compress_command(paths, epochs), demo.verify_command(paths)
    seconds: dict[str, float] = {}
    show = not as_json
    _say(show, "1. Train a small model on the handwritten digits of scikit-learn")
    with _timed(seconds, "train"), _working("train", show):
        digits = demo.prepare(paths)
    _say(show, *_made(digits, paths, seconds["train"]), "", "2. Compress it", f"$ {commands[0]}")
    with _timed(seconds, "compress"), progress_bar(enabled=show) as progress:
        report = demo.squeeze(paths, epochs, progress)
    if show:
        print_report(report, paths.compressed)
    _say(show, "", "3. Run it on every runtime that is here, and against the original", f"$ {commands[1]}")
    with _timed(seconds, "verify"), _working("verify", show):
        verification = demo.check(paths)
    if show:
        print_verification(verification)
        _say(show, "", *_ending(paths, demo.TARGET, seconds))
    else:
        result = demo.Demonstration(
            ok=report.ok and verification.ok,
            out=str(out),
            train_samples=len(digits.x_train),
            test_samples=len(digits.x_test),
            seconds=seconds,
            commands=commands,
            report=report,
            verification=verification,
        )
        say_json(result.model_dump_json(indent=2))
    if not (report.ok and verification.ok):
        sys.exit(1)


def _say(show: bool, *lines: str) -> None:
    if show:
        say("\n".join(lines))


def _made(digits: Digits, paths: Paths, seconds: float) -> tuple[str, ...]:
    counts = f"{len(digits.x_train)} digits to train on, {len(digits.x_test)} others to judge by"
    return f"   {counts}, {seconds:.0f} s", f"   written: {paths.model}, {paths.data}"


def _ending(paths: Paths, target: str, seconds: dict[str, float]) -> tuple[str, ...]:
    return (
        f"That took {sum(seconds.values()):.0f} s. For a model of your own, put its path, your data and your "
        "device into the commands above. To look inside the result:",
        f"$ edgesqueeze inspect {paths.compressed / 'model.tflite'} --target {target}",
    )


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[name] = round(time.perf_counter() - start, 1)


@contextmanager
def _working(name: str, show: bool) -> Iterator[None]:
    """A line on stderr that shows that something happens, where a person looks at it."""
    with progress_bar(enabled=show) as progress:
        if progress is not None:
            progress(name, 0, 0)
        yield
