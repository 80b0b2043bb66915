"""``edgesqueeze bench``: how long a model takes on a device: emulated, predicted, or measured there."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import click

from edgesqueeze.cli.browser import (
    BrowserWish,
    browser_options,
    check_browser_wish,
    measure_in_browsers,
    take_browser_wish,
)
from edgesqueeze.cli.options import data_recipe, input_shape, install, json_option, optimize, ssh_config
from edgesqueeze.cli.paths import NamedPath
from edgesqueeze.cli.screen import say, say_json
from edgesqueeze.cli.tables import say_finding
from edgesqueeze.errors import UsageError

if TYPE_CHECKING:
    from edgesqueeze.devices.measure import Settings
    from edgesqueeze.devices.ssh_host import Host
    from edgesqueeze.emit.native.packing.choose import Optimize
    from edgesqueeze.graph import TfliteModel
    from edgesqueeze.latency.builds import Build
    from edgesqueeze.runners.samples import EvalData
    from edgesqueeze.target.records import Target


class _Wish(NamedTuple):
    """What was asked for beside the model and the target."""

    runtime: str | None
    build: Build | None
    optimize: Optimize | None
    hosts: tuple[str, ...]
    local: bool
    ssh_config: Path | None
    install: bool
    forget: bool
    threads: tuple[int, ...]
    sustain: float | None
    layers: bool
    plot: Path | None
    data: str | None
    recipe: Path | None
    samples: int | None
    as_json: bool
    browser: BrowserWish


@click.command("bench")
@click.argument("model", metavar="MODEL.tflite", type=NamedPath())
@click.option(
    "--target",
    "target_names",
    metavar="NAME",
    multiple=True,
    help="Device to emulate or predict: a name from `targets list`, or the path of a profile. "
    "Can be repeated.",
)
@click.option(
    "--runtime",
    type=click.Choice(["c", "tflm", "litert", "tflite-runtime"]),
    help="What runs the model. c: C without a runtime, emulated; the default on microcontrollers. The others "
    "are predicted; the target's profile says for which one.",
)
@click.option(
    "--build",
    type=click.Choice(["O3", "O2", "Os", "arduino", "nofpu"]),
    help="How a microcontroller's code is compiled: for speed (O3, by default), for size (Os), as Arduino "
    "compiles it, or without an FPU; O2 for --runtime c only.",
)
@optimize
@click.option(
    "--ssh",
    "hosts",
    metavar="HOST",
    multiple=True,
    help="Measure on this board, named as for `ssh`: user@host or an alias. Can be repeated.",
)
@click.option("--local", is_flag=True, help="Measure on this computer.")
@ssh_config
@install
@click.option(
    "--forget", is_flag=True, help="Afterwards remove what was left on the boards: models and a runtime."
)
@click.option(
    "--threads",
    metavar="N",
    type=click.IntRange(1, 1024),
    multiple=True,
    help="Number of threads. Predicted: 1 by default. Measured: 1 to all cores by default; can be repeated.",
)
@click.option(
    "--sustain",
    metavar="SECONDS",
    type=click.FloatRange(0, 86400),
    help="After measuring keep running for so long, to see whether the device slows down; with --browser 60 "
    "by default.",
)
@click.option(
    "--layers",
    is_flag=True,
    help="Also measure every operator, by models that end after it and before it.",
)
@click.option(
    "--plot",
    metavar="FILE.svg",
    type=NamedPath(),
    help="Draw the time of each layer, emulated or predicted, into this file.",
)
@click.option(
    "--data",
    metavar="DATA",
    help="Real inputs for all devices: an .npz, a folder of images by class, or module:callable; with labels "
    "the accuracy on each runtime is told.",
)
@data_recipe
@click.option(
    "--samples",
    metavar="N",
    type=click.IntRange(min=1),
    help="Compute at most so many samples of the data on every device, spread evenly; 64 by default.",
)
@browser_options
@input_shape
@json_option
def bench(model: Path, target_names: tuple[str, ...], **options: object) -> None:
    """Say how long one inference of MODEL.tflite takes on a device.

    There are three ways. For a microcontroller as --target the model becomes C and runs in an emulator that
    counts its instructions. For a Raspberry Pi or a phone as --target, and for --runtime tflm, the time is
    predicted from the file alone. With --ssh, --local or --browser it is measured; --target then adds what
    would have been predicted.

    With several targets, or with --data, all devices are compared in one table: their times, and their
    outputs on the same inputs.

    Exits with 1 if the model does not fit the target, or if a device fails or computes something else.
    """
    from edgesqueeze.graph import read_tflite
    from edgesqueeze.runners.resize import resized
    from edgesqueeze.target.load import load_target

    shapes: tuple[str, ...] = options.pop("shapes")  # type: ignore[assignment]
    wish = _Wish(browser=take_browser_wish(options), **options)  # type: ignore[arg-type]
    measured = bool(wish.hosts or wish.local or wish.browser.asked)
    compared = len(target_names) > 1 or wish.data is not None
    _check(wish, target_names, measured, compared)
    read = resized(read_tflite(model), shapes)
    if compared:
        _compare(read, [load_target(name) for name in target_names], wish)
    target = load_target(target_names[0]) if target_names else None
    if wish.browser.asked:
        sys.exit(measure_in_browsers(read, target, wish.browser, wish.threads, wish.sustain, wish.as_json))
    if measured:
        _measure(read, target, wish)
    elif target:
        _foretell(read, target, wish)


def _check(wish: _Wish, target_names: tuple[str, ...], measured: bool, compared: bool) -> None:
    if not measured and not target_names:
        raise UsageError(
            "which device?",
            expected="--target NAME to predict or emulate, --ssh HOST, --local or --browser to measure",
            got="none of them",
            hint="`edgesqueeze targets list` shows the names",
        )
    check_browser_wish(wish.browser, others=bool(wish.hosts or wish.local or compared))
    ways = "--ssh, --local or --browser"
    where = f"only goes with {ways}" if not measured else f"does not go with {ways}"
    if compared:
        where = "does not go with several devices or --data"
    only = measured and not (compared and target_names)
    wrong = {
        "--sustain": not measured and wish.sustain,
        "--layers": not measured and wish.layers,
        "--install": not wish.hosts and wish.install,
        "--forget": not wish.hosts and wish.forget,
        "--ssh-config": not wish.hosts and wish.ssh_config,
        "--plot": (measured or compared) and wish.plot,
        "--build": only and wish.build,
        "--optimize": only and wish.optimize,
        "--runtime": only and wish.runtime,
        "several --threads": (compared or not measured) and len(wish.threads) > 1,
        "--recipe without --data": wish.recipe and not wish.data,
        "--samples without --data": wish.samples and not wish.data,
    }
    for option, is_wrong in wrong.items():
        if is_wrong:
            why = "the device's runtime does not time layers" if option == "--plot" and measured else ""
            raise UsageError(f"{option} {where}", hint=why or f"leave out {option}")


def _foretell(model: TfliteModel, target: Target, wish: _Wish) -> None:
    """Emulate or predict, whatever the target and the runtime ask for."""
    from edgesqueeze.cli.refusals import refused_as_unfit
    from edgesqueeze.graph.npu import refuse_npu
    from edgesqueeze.timing.bench import bench as run_bench

    with refused_as_unfit():
        refuse_npu(model, "how long it takes cannot be told")
    threads = wish.threads[0] if wish.threads else 1
    result = run_bench(
        model,
        target,
        runtime=wish.runtime or "",
        build=wish.build,
        optimize=wish.optimize,
        threads=threads,
    )
    if wish.plot:
        from edgesqueeze.report.chart import write_chart

        write_chart(result, wish.plot)
    if wish.as_json:
        say_json(result.model_dump_json(indent=2))
        return
    if result.method == "emulated":
        from edgesqueeze.cli.emulation import print_emulation

        print_emulation(result)
    else:
        from edgesqueeze.cli.prediction import print_prediction

        print_prediction(result)
    if wish.plot:
        say(f"wrote {wish.plot}")


def _compare(model: TfliteModel, targets: Sequence[Target], wish: _Wish) -> NoReturn:
    """Compare all devices in one table."""
    from edgesqueeze.timing.judge import Wishes, judge_devices

    settings = _settings(wish, (1,))
    wishes = Wishes(wish.runtime or "", wish.build, wish.optimize, settings, wish.forget)
    hosts = _hosts(wish)
    names = [*(target.name for target in targets), *_names(hosts)]
    if not wish.as_json:
        say(f"comparing {', '.join(names)} ...", stderr=True)
    found = judge_devices(model, targets, hosts, wishes, data=_data(model, wish), tell=say_finding)
    if wish.as_json:
        say_json(found.model_dump_json(indent=2))
    else:
        from edgesqueeze.cli.verdict import print_verdicts

        print_verdicts(found)
    sys.exit(found.exit_code)


def _data(model: TfliteModel, wish: _Wish) -> EvalData | None:
    """The samples that all devices compute; None for random ones."""
    if wish.data is None:
        return None
    from edgesqueeze.checks.data import as_data, scaled
    from edgesqueeze.graph.state import state_of
    from edgesqueeze.timing.judge import MAX_SAMPLES

    limit = wish.samples or MAX_SAMPLES
    data = as_data(wish.data, model, limit).pick(limit, sequence=state_of(model).is_sequence())
    if wish.recipe:
        from edgesqueeze.recipe.read import load_recipe

        data = scaled(data, model, load_recipe(wish.recipe).data)
    return data


def _settings(wish: _Wish, threads: tuple[int, ...] | None) -> Settings:
    """How to measure; with other threads unless they were asked for."""
    from edgesqueeze.devices.measure import Settings

    return Settings(
        threads=wish.threads or threads,
        sustain_seconds=wish.sustain or 0.0,
        install=wish.install,
        layers=wish.layers,
    )


def _hosts(wish: _Wish) -> list[Host | str]:
    from edgesqueeze.devices.session import LOCAL
    from edgesqueeze.devices.ssh_host import parse_host

    return [*(parse_host(text, wish.ssh_config) for text in wish.hosts), *([LOCAL] if wish.local else [])]


def _names(hosts: Sequence[Host | str]) -> list[str]:
    return [host if isinstance(host, str) else host.destination for host in hosts]


def _measure(model: TfliteModel, target: Target | None, wish: _Wish) -> None:
    from edgesqueeze.timing.boards import measure_boards

    hosts = _hosts(wish)
    if not wish.as_json:
        say(f"measuring on {', '.join(_names(hosts))} ...", stderr=True)
    settings = _settings(wish, None)
    found = measure_boards(model, hosts, settings, target=target, forget_after=wish.forget, tell=say_finding)
    if wish.as_json:
        say_json(found.document.model_dump_json(indent=2))
    else:
        from edgesqueeze.cli.measurement import print_measurements

        print_measurements(found)
    sys.exit(found.exit_code)
