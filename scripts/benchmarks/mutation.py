"""Whether the tests of the modules that decide notice a small fault in them."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from common import ROOT, out, start, table, verdict
from mutants import Mutant, mutants_of, sample
from mutation_runs import Verdict, WeakTestsError, judge_all
from rich.markup import escape

PACKAGE = "edgesqueeze"
MODULES = (
    "target/fit",
    "graph/affine",
    "graph/macs",
    "emit/memory_plan",
    "emit/native/channels",
    "emit/native/plan",
    "checks/agreement",
    "latency/cost",
    "latency/cycles",
    "squeeze/passes/promises",
)
"""What decides: whether a model fits, what it computes, where it lies in memory, how long it takes."""

SAMPLE, SEED = 40, 1
GOAL = 0.9
"""The share of the mutants that the tests must notice."""


class Row(NamedTuple):
    """What was found of a module.

    Attributes:
        module: its path in the package, without ``.py``.
        possible: how many mutants it has.
        verdicts: of those that were tried.
        seconds: how long that took, wall time.
    """

    module: str
    possible: int
    verdicts: Sequence[Verdict]
    seconds: float

    def count(self, fate: str) -> int:
        """How many of those tried had this fate."""
        return sum(one.fate == fate for one in self.verdicts)


def tried(module: str, source: bytes, possible: int, mutants: Sequence[Mutant], workers: int) -> Row:
    """Judge the mutants of a module, and print each that survives as soon as it has."""
    begin, verdicts = time.monotonic(), []
    for one in judge_all(ROOT, f"{PACKAGE}/{module}", mutants, workers) if mutants else ():
        verdicts.append(one)
        if one.fate == "survived":
            out.print(escape(survivor(module, source, one.mutant)), soft_wrap=True)
    return Row(module, possible, verdicts, time.monotonic() - begin)


def survivor(module: str, source: bytes, mutant: Mutant) -> str:
    """Where a mutant is, and what it changes."""
    before, after = mutant.shown(source)
    place = f"{PACKAGE}/{module}.py:{mutant.line}"
    return f"survived: {place} ({mutant.kind})\n  - {before}\n  + {after}"


def cells(row: Row) -> list[str]:
    """A line of the table."""
    caught = row.count("killed") + row.count("timeout")
    numbers = (row.possible, len(row.verdicts), caught, row.count("timeout"), row.count("survived"))
    return [row.module, *map(str, numbers), f"{row.seconds:.0f}"]


def main() -> int:
    """Run the benchmark; the exit status is 1 when the figure is missed."""
    arguments = _arguments()
    start(
        "mutation",
        f"""Modules with one small fault each (a comparison, an operator, a constant, a condition, what is
        returned), judged by their own tests. Must be reached: the tests notice {GOAL:.0%} of them.""",
    )
    sources = {name: (ROOT / PACKAGE / f"{name}.py").read_bytes() for name in arguments.modules}
    all_ = {name: mutants_of(source) for name, source in sources.items()}
    count = sum(map(len, all_.values())) if arguments.all else arguments.sample
    chosen = sample(all_, count, arguments.seed)
    try:
        rows = [
            tried(name, sources[name], len(all_[name]), some, arguments.workers)
            for name, some in chosen.items()
        ]
    except WeakTestsError as error:
        raise SystemExit(f"error: {error}") from error
    table(
        ("module", "mutants", "tried", "caught", "of them by time", "survived", "seconds"),
        [cells(row) for row in rows],
    )
    judged = sum(len(row.verdicts) for row in rows)
    caught = judged - sum(row.count("survived") for row in rows)
    return verdict(
        caught >= GOAL * judged,
        f"{caught} of {judged} mutants caught (seed {arguments.seed}), {GOAL:.0%} wanted",
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--modules",
        nargs="+",
        default=MODULES,
        type=_module,
        metavar="MODULE",
        help=f"paths in {PACKAGE}/, such as target/fit; default: {' '.join(MODULES)}",
    )
    parser.add_argument("--sample", type=int, default=SAMPLE, help=f"mutants to try; default: {SAMPLE}")
    parser.add_argument("--all", action="store_true", help="try all mutants of these modules")
    parser.add_argument("--seed", type=int, default=SEED, help=f"which mutants; default: {SEED}")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="mutants at a time; default: one a core"
    )
    return parser.parse_args()


def _module(text: str) -> str:
    name = Path(text).with_suffix("").as_posix().removeprefix(f"{PACKAGE}/")
    if not (ROOT / PACKAGE / f"{name}.py").is_file():
        raise argparse.ArgumentTypeError(f"expected a module of {PACKAGE}, such as target/fit, got {text}")
    return name


if __name__ == "__main__":
    sys.exit(main())
