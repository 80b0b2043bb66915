"""``edgesqueeze bench``: how long a model takes on a device: emulated, predicted, or measured there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from edgesqueeze.cli.options import input_shape, install, optimize, ssh_config
from edgesqueeze.cli.paths import NamedPath
from edgesqueeze.cli.screen import say, say_json
from edgesqueeze.errors import UsageError

if TYPE_CHECKING:
    from edgesqueeze.base.findings import Finding
    from edgesqueeze.devices.ssh_host import Host
    from edgesqueeze.emit.native.packing.choose import Optimize
    from edgesqueeze.graph import TfliteModel
    from edgesqueeze.latency.builds import Build
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
    sustain: float
    plot: Path | None
    as_json: bool


@click.command("bench")
@click.argument("model", metavar="MODEL.tflite", type=NamedPath())
@click.option(
    "--target",
    "target_name",
    metavar="NAME",
    help="Device to emulate or predict: a name from `targets list`, or the path of a profile.",
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
    default=0.0,
    help="After measuring keep running for so long, to see whether the device slows down.",
)
@click.option(
    "--plot",
    metavar="FILE.svg",
    type=NamedPath(),
    help="Draw the time of each layer, emulated or predicted, into this file.",
)
@input_shape
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of tables.")
def bench(model: Path, target_name: str | None, **options: object) -> None:
    """Say how long one inference of MODEL.tflite takes on a device.

    There are three ways. For a microcontroller as --target the model becomes C and runs in an emulator that
    counts its instructions. For a Raspberry Pi or a phone as --target, and for --runtime tflm, the time is
    predicted from the file alone. With --ssh or --local it is measured; --target then adds what would have
    been predicted.

    Exits with 1 if the model does not fit the target, or if a device fails or computes something else.
    """
    from edgesqueeze.graph import read_tflite
    from edgesqueeze.target.load import load_target

    shapes: tuple[str, ...] = options.pop("shapes")  # type: ignore[assignment]
    wish = _Wish(**options)  # type: ignore[arg-type]
    measured = bool(wish.hosts or wish.local)
    _check(wish, target_name, measured)
    read = read_tflite(model)
    if shapes:
        from edgesqueeze.runners.resize import resized

        read = resized(read, shapes)
    target = load_target(target_name) if target_name else None
    if measured:
        _measure(read, target, wish)
    elif target:
        _foretell(read, target, wish)


def _check(wish: _Wish, target_name: str | None, measured: bool) -> None:
    if not measured and not target_name:
        raise UsageError(
            "which device?",
            expected="--target NAME to predict or emulate, --ssh HOST or --local to measure",
            got="none of them",
            hint="`edgesqueeze targets list` shows the names",
        )
    where = "only goes with --ssh or --local" if not measured else "does not go with --ssh and --local"
    wrong = {
        "--sustain": not measured and wish.sustain,
        "--install": not wish.hosts and wish.install,
        "--forget": not wish.hosts and wish.forget,
        "--ssh-config": not wish.hosts and wish.ssh_config,
        "--plot": measured and wish.plot,
        "--build": measured and wish.build,
        "--optimize": measured and wish.optimize,
        "--runtime": measured and wish.runtime,
        "several --threads": not measured and len(wish.threads) > 1,
    }
    for option, is_wrong in wrong.items():
        if is_wrong:
            why = "the device's runtime does not time layers" if option == "--plot" else ""
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


def _measure(model: TfliteModel, target: Target | None, wish: _Wish) -> None:
    from edgesqueeze.devices.measure import Settings
    from edgesqueeze.devices.session import LOCAL
    from edgesqueeze.devices.ssh_host import parse_host
    from edgesqueeze.timing.boards import measure_boards

    hosts: list[Host | str] = [parse_host(text, wish.ssh_config) for text in wish.hosts]
    hosts += [LOCAL] if wish.local else []
    if not wish.as_json:
        names = [host if isinstance(host, str) else host.destination for host in hosts]
        say(f"measuring on {', '.join(names)} ...", stderr=True)
    settings = Settings(threads=wish.threads or None, sustain_seconds=wish.sustain, install=wish.install)
    found = measure_boards(model, hosts, settings, target=target, forget_after=wish.forget, tell=_tell)
    if wish.as_json:
        say_json(found.document.model_dump_json(indent=2))
    else:
        from edgesqueeze.cli.measurement import print_measurements

        print_measurements(found)
    sys.exit(found.exit_code)


def _tell(finding: Finding) -> None:
    say(f"{finding.severity}: {finding.subject}: {finding.message}", stderr=True)
