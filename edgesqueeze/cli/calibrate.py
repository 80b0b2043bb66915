"""``edgesqueeze calibrate``: measure a device once, so that every later prediction for it is better."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgesqueeze.cli.options import install, ssh_config
from edgesqueeze.cli.paths import NamedPath
from edgesqueeze.cli.screen import say
from edgesqueeze.errors import UsageError

if TYPE_CHECKING:
    from edgesqueeze.devices.session import Session
    from edgesqueeze.timing.calibrate import Calibration


@click.command("calibrate")
@click.option(
    "--ssh",
    "host",
    metavar="HOST",
    help="Calibrate this board, named as for `ssh`: user@host or an alias.",
)
@click.option("--local", is_flag=True, help="Calibrate this computer.")
@click.option(
    "--from",
    "documents",
    metavar="FILE",
    multiple=True,
    type=NamedPath(),
    help="Measure nothing, and correct a target by what `bench --target NAME --ssh HOST --json` printed; "
    "more files may follow.",
)
@click.argument("more", metavar="[FILE]...", nargs=-1, type=NamedPath())
@ssh_config
@install
@click.option(
    "--name",
    metavar="NAME",
    default="",
    help="Name of the new target; by default what the board calls itself.",
)
@click.option(
    "--out",
    metavar="DIR",
    type=NamedPath(),
    help="Folder for the profile; by default your own, where targets are found by name.",
)
def calibrate(
    host: str | None,
    local: bool,
    documents: tuple[Path, ...],
    more: tuple[Path, ...],
    ssh_config: Path | None,
    install: bool,
    name: str,
    out: Path | None,
) -> None:
    """Measure a device with microbenchmarks, and write a profile from which its latencies are predicted.

    Either --ssh or --local is needed. It takes one to three minutes, in which nothing else should run there.

    With --from nothing is measured: models that `bench` has measured correct the target that it was told.
    """
    from edgesqueeze.timing.calibrate import check_name

    if name:
        check_name(name)
    _check(host, local, documents, more)
    made = (
        _corrected((*documents, *more), name, out)
        if documents
        else _measured(_session(host, local, ssh_config, install), name, out)
    )
    reach = made.target.name if out is None else str(made.path)
    say(f"wrote {made.path}: {made.target.title}")
    if made.target.latency:
        say(made.target.latency.basis)
    say(f"now: edgesqueeze bench MODEL.tflite --target {reach}")


def _check(host: str | None, local: bool, documents: tuple[Path, ...], more: tuple[Path, ...]) -> None:
    if more and not documents:
        raise UsageError(
            "files are for --from",
            expected="--from before the first file",
            got=str(more[0]),
            hint="add --from",
        )
    if documents and (host is not None or local):
        raise UsageError(
            "--from measures nothing",
            expected="either --from, or --ssh or --local",
            got="both",
            hint="leave out one of them",
        )


def _corrected(documents: tuple[Path, ...], name: str, out: Path | None) -> Calibration:
    from edgesqueeze.timing.calibrate_from import calibrate_from

    return calibrate_from(documents, name=name, folder=out)


def _measured(opened: AbstractContextManager[Session], name: str, out: Path | None) -> Calibration:
    from edgesqueeze.timing.calibrate import calibrate as run_calibration

    with opened as session:
        return run_calibration(
            session, name=name, folder=out, progress=lambda text: say(f"{text} ...", stderr=True)
        )


def _session(
    host: str | None, local: bool, ssh_config: Path | None, install: bool
) -> AbstractContextManager[Session]:
    from edgesqueeze.devices.session import open_local, open_session
    from edgesqueeze.devices.ssh_host import parse_host

    if (host is None) == (not local):
        raise UsageError(
            "which device shall be calibrated?",
            expected="--ssh HOST, --local, or --from FILE",
            got="both" if local else "neither",
            hint="name one device",
        )
    if host is None:
        return open_local()
    return open_session(parse_host(host, ssh_config), install)
