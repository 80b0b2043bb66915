"""Some fifty small models of many kinds through compress, verify and emit, as a user would."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING

from common import ROOT, out, start, table, verdict

from edgesqueeze.base.output import write_files

if TYPE_CHECKING:
    from runtime_tests.support.zoo.running import Run
    from runtime_tests.support.zoo.table import Case

README = ROOT / "edgesqueeze" / "checks" / "README.md"
BEGIN, END = "<!-- models: written by scripts/bench models --write -->\n", "<!-- end of models -->"


def main() -> int:
    """Run the table; the exit status is 1 when something is not as it must be."""
    from runtime_tests.support.zoo.judging import COLUMNS, cells_of, faults_of

    arguments = _arguments()
    cases = _chosen(arguments.only)
    start(
        "models",
        f"""{len(cases)} small models, trained for seconds, each through `compress`, `verify` and
        `emit --format c` in processes of their own. Must be reached: none ends with a signal, with status 70
        or with a Python error; none is refused that TensorFlow's plain converter takes; the result is at most
        one point worse than the original, or 2 % of the spread for real numbers; `verify` says the same as
        `compress`; and what is deliberately ruined ends with status 1. Of each output the figure that dropped
        most is shown.""",
    )
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-bench-") as folder:
        runs = list(_runs(cases, arguments.keep or Path(folder), arguments.jobs))
    runs.sort(key=lambda run: cases.index(run.case))
    found = {run.case.name: faults_of(run) for run in runs}
    lines = [line for run in runs for line in cells_of(run, found[run.case.name])]
    table(COLUMNS, lines, left=3)
    if arguments.write:
        write(README, lines)
    for name, faults in found.items():
        for fault in faults:
            out.print(f"{name}: {fault}", markup=False, soft_wrap=True)
    reached = sum(not faults for faults in found.values())
    minutes = (time.monotonic() - began) / 60
    return verdict(
        reached == len(found), f"{reached} of {len(found)} models are as they must be; {minutes:.0f} minutes"
    )


def write(readme: Path, lines: Sequence[Sequence[str]]) -> None:
    """Put the table into a README, between the comments that are there for it."""
    from runtime_tests.support.zoo.judging import COLUMNS

    rows = (COLUMNS, ["---", "---", "---", "---:", "---:", "---:", "---", "---", "---"], *lines)
    made = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    before, rest = readme.read_text(encoding="utf-8").split(BEGIN)
    text = f"{before}{BEGIN}\n{made}\n{END}{rest.split(END)[1]}"
    write_files(readme.parent, {readme.name: text.encode()})


def _runs(cases: Sequence[Case], folder: Path, jobs: int) -> Iterator[Run]:
    """Run the cases, some at a time, in the order in which they end; stderr says so."""
    from runtime_tests.support.zoo.judging import faults_of
    from runtime_tests.support.zoo.running import run_case

    def run(case: Case) -> Run:
        return run_case(case, folder / "".join(c if c.isalnum() else "_" for c in case.name))

    with ThreadPoolExecutor(jobs) as pool:
        begun = [pool.submit(run, case) for case in cases]
        for number, done in enumerate((one.result() for one in as_completed(begun)), 1):
            said = "; ".join(faults_of(done)) or "as it must be"
            line = f"{number}/{len(cases)} {done.case.name}, {done.seconds:.0f} s: {said}"
            print(line, file=sys.stderr, flush=True)
            yield done


def _chosen(names: Sequence[str]) -> list[Case]:
    from runtime_tests.support.zoo.table import CASES

    known = {case.name: case for case in CASES}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"error: there is no model {unknown[0]!r}\n  expected: one of {', '.join(known)}")
    return [known[name] for name in names] if names else list(CASES)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", metavar="NAME", action="append", default=[], help="this row; may be repeated"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="models at a time; default: one a core"
    )
    parser.add_argument(
        "--write", action="store_true", help="put the table into edgesqueeze/checks/README.md"
    )
    parser.add_argument(
        "--keep", metavar="DIR", type=Path, help="keep models, files and transcripts (log.txt) there"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
