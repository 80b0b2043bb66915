"""Damaged inputs by the million for everything that reads what strangers made."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from common import start, table, verdict

if TYPE_CHECKING:
    from runtime_tests.support.fuzzing import Tally

COUNT, SEED, PIECE = 1_000_000, 1, 20_000
SHARES = {
    "tflite": 1.0,
    "npz": 1.0,
    "recipe": 1.0,
    "target": 1.0,
    "protocol": 1.0,
    "configuration": 1.0,
    "container": 0.03,
}
"""The readers, with their parts of the inputs; each model file is opened in a process of its own."""
MODEL_READERS = {"configuration", "container"}
SLOWEST_SECONDS, MOST_BYTES = 10.0, 1 << 30
"""What one input may cost at most."""


class Piece(NamedTuple):
    """So many inputs of one reader, and what became of them."""

    name: str
    tally: Tally
    seconds: float
    peak_bytes: int


def run(honest: Path, name: str, count: int, seed: int) -> Piece:
    """Read so many inputs, in a process of its own."""
    from runtime_tests.support.fuzzing import fuzz, readers

    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-fuzz-") as folder:
        found = readers(Path(folder))
        if name not in found:
            from runtime_tests.support.fuzzing_models import model_readers
            from runtime_tests.support.hostile.honest import Honest

            found = model_readers(Path(folder), Honest(honest))
        tally = fuzz(found[name], count, seed)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Piece(name, tally, time.perf_counter() - began, peak)


def pieces(names: Sequence[str], count: int) -> list[tuple[str, int]]:
    """The inputs shared out among the readers, in portions."""
    each = {name: -(-count * SHARES[name] // sum(SHARES[one] for one in names)) for name in names}
    return [
        (name, int(min(piece, each[name] - begun)))
        for name in names
        for piece in [int(PIECE * SHARES[name])]
        for begun in range(0, int(each[name]), piece)
    ]


def cells(name: str, done: Sequence[Piece]) -> list[str]:
    """A line of the table."""
    tallies = [piece.tally for piece in done]
    read, refused = (sum(getattr(tally, field) for tally in tallies) for field in ("read", "refused"))
    return [
        name,
        f"{read + refused + sum(len(tally.faults) for tally in tallies):,}",
        f"{read:,}",
        f"{refused:,}",
        str(sum(len(tally.faults) for tally in tallies)),
        f"{max(tally.slowest_seconds for tally in tallies):.3f}",
        f"{max(piece.peak_bytes for piece in done) >> 20}",
        f"{sum(piece.seconds for piece in done):.0f}",
    ]


def main() -> int:
    """Run the benchmark; the exit status is 1 when an input is not read or refused as it must be."""
    arguments = _arguments()
    start(
        "fuzz",
        f"""{arguments.count:,} damaged inputs, seed {arguments.seed}: TensorFlow Lite models, .npz files,
        recipes, targets, what a board answers, and Keras models. Must be reached: each is read, or refused
        with the error that is documented, within {SLOWEST_SECONDS:.0f} s of processor time and
        {MOST_BYTES >> 20} MiB.""",
    )
    todo = pieces(arguments.readers, arguments.count)
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-fuzz-") as folder:
        if not MODEL_READERS.isdisjoint(arguments.readers):
            from runtime_tests.support.hostile.honest import honest_models

            honest_models(Path(folder), Path(folder) / "canary")
        jobs = [
            (Path(folder), *piece, arguments.seed * 1_000_000 + number) for number, piece in enumerate(todo)
        ]
        with multiprocessing.get_context("spawn").Pool(arguments.workers, maxtasksperchild=1) as pool:
            done = pool.starmap(run, jobs, chunksize=1)
    table(
        ("reader", "inputs", "read", "refused", "faults", "slowest, s of CPU", "peak, MiB", "seconds"),
        [cells(name, [piece for piece in done if piece.name == name]) for name in arguments.readers],
    )
    faults = [(piece.name, *fault) for piece in done for fault in piece.tally.faults]
    for name, content, what in faults[:10]:
        print(f"{name}: {what}\n  {content!r}")
    slowest = max(piece.tally.slowest_seconds for piece in done)
    peak = max(piece.peak_bytes for piece in done)
    return verdict(
        not faults and slowest <= SLOWEST_SECONDS and peak <= MOST_BYTES,
        f"{len(faults)} faults; one input takes at most {slowest:.3f} s of processor time, {peak >> 20} MiB",
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help=f"inputs in all; default: {COUNT:,}")
    parser.add_argument("--seed", type=int, default=SEED, help=f"which inputs; default: {SEED}")
    parser.add_argument(
        "--readers", nargs="+", choices=SHARES, default=list(SHARES), help="default: all of them"
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes at a time; default: one a core"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
