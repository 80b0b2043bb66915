"""Commands that are ended at random moments, and what that leaves behind."""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import os
import random
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from common import start, table, verdict

if TYPE_CHECKING:
    from runtime_tests.support.killing import Command, Ending

COUNTS = {"emit": 100, "compress": 80, "calibrate": 20}
"""How many of 200 moments each command gets; the longer it takes, the fewer."""
LATE = {"emit": 0.5, "compress": 0.5, "calibrate": 0.2}
"""The share of them at which files are put in place."""
CALIBRATE_SECONDS = 130.0
SEED = 1
TRIES = 5
"""Moments that one process tries."""


class Tried(NamedTuple):
    """A moment that was tried."""

    name: str
    number: int
    ending: Ending


commands: dict[str, Command] = {}
"""For the processes that are forked; commands cannot be sent to them."""


def run(name: str, count: int, seed: int) -> list[Tried]:
    """Try so many moments of a command."""
    from runtime_tests.support.killing import SIGNALS, Ground, moment

    rng, command = random.Random(f"{name} {seed}"), commands[name]
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-kill-") as folder:
        ground = Ground(command, Path(folder) / "ground")
        done = []
        for _ in range(count):
            number = rng.choice(SIGNALS)
            late = rng.random() < LATE[name]
            done.append(Tried(name, number, ground.end(number, moment(command.seconds, late, rng))))
    return done


def prepare(folder: Path, names: Sequence[str]) -> None:
    """Run each command to its end, to see what it makes and how long it takes."""
    from runtime_tests.support import killing

    makers: dict[str, Callable[[Path], Command]] = {
        "emit": killing.emit_command,
        "compress": killing.compress_command,
        "calibrate": lambda _: killing.calibrate_command(CALIBRATE_SECONDS),
    }
    for name in names:
        place = folder / name
        place.mkdir()
        commands[name] = makers[name](place)


def cells(name: str, number: int, endings: Sequence[Ending]) -> list[str]:
    """A line of the table."""
    counts = (
        len(endings),
        sum(ending.new for ending in endings),
        sum(ending.mixed for ending in endings),
        sum(bool(ending.left) for ending in endings),
        sum(bool(ending.harm) for ending in endings),
    )
    return [name, signal.Signals(number).name, *map(str, counts)]


def main() -> int:
    """Run the benchmark; the exit status is 1 if anything is harmed or left behind."""
    arguments = _arguments()
    start(
        "kill",
        """Ctrl-C, SIGTERM and SIGKILL at random moments of emit, compress and calibrate, half of them while
        files are put in place. Must be reached: after the next start, the output is all of the old or all of
        the new each time, and nothing is left in the folder, among the temporary files, or running.""",
    )
    jobs = [
        (name, min(TRIES, count - begun), arguments.seed + begun)
        for name, all_ in COUNTS.items()
        for count in [round(all_ * arguments.count / sum(COUNTS.values()))]
        for begun in range(0, count, TRIES)
    ]
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-kill-") as folder:
        prepare(Path(folder), tuple(COUNTS))
        # Those that take longest come first.
        with multiprocessing.get_context("fork").Pool(arguments.workers, maxtasksperchild=1) as pool:
            done = [one for part in pool.starmap(run, jobs[::-1], chunksize=1) for one in part]
    groups = collections.defaultdict(list)
    for one in done:
        groups[one.name, one.number].append(one.ending)
    table(
        ("command", "signal", "moments", "new output", "mixed before", "left before", "harmed"),
        [cells(*key, endings) for key, endings in sorted(groups.items())],
        left=2,
    )
    harmed = [one for one in done if one.ending.harm]
    for one in harmed:
        print(f"{one.name}, {signal.Signals(one.number).name}: {'; '.join(one.ending.harm)}")
    return verdict(not harmed, f"{len(harmed)} of {len(done)} moments did harm (seed {arguments.seed})")


def _arguments() -> argparse.Namespace:
    total = sum(COUNTS.values())
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=total, help=f"moments in all; default: {total}")
    parser.add_argument("--seed", type=int, default=SEED, help=f"which moments; default: {SEED}")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="commands at a time; default: one a core"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
