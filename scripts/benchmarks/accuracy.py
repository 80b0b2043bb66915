"""How far off predicted latencies are, against published ones that the fit leaves out."""

from __future__ import annotations

import argparse
import functools
import re
import sys
from collections.abc import Sequence
from typing import NamedTuple

import accuracy_litert
import accuracy_tflm
from common import ROOT, out, start, table, verdict

from edgesqueeze.base.output import write_files
from edgesqueeze.latency.residuals import Residual, summary

README = ROOT / "targets" / "README.md"
COVERAGE = (0.85, 0.95)
FIELDS = ("model", "device")
COLUMNS = ("number", "median", "9 of 10", "held")
HEADINGS = (
    "device class",
    "latencies predicted without their model",
    "median error",
    "nine of ten errors below",
    "in the bounds",
    "latencies predicted without their device",
    "median error",
    "nine of ten errors below",
    "in the bounds",
)
ENGINE_HEADINGS = ("engine", "MLPerf Tiny", *accuracy_tflm.ENGINE_MODELS.values())
NO_MEASURES = ("",) * len(COLUMNS)


class Goal(NamedTuple):
    """What predictions have to reach.

    Attributes:
        name: name of the predictions that are held to it.
        chosen: those predictions.
        median: limit of their median error, as a share of the measured latency.
        most: limit of nine of ten errors.
    """

    name: str
    chosen: list[Residual]
    median: float
    most: float


def device_class(residual: Residual) -> str:
    """The row of a table: core or board, runtime, and arithmetic."""
    if residual.core.startswith("cortex-m"):
        return residual.group.removesuffix(", -Os")
    return f"{residual.device}, {residual.group}"


def class_rows(found: Sequence[Residual]) -> list[list[str]]:
    """How far off predictions are by device class: cells as ``HEADINGS`` says, all of them last."""
    names = list(dict.fromkeys(device_class(one) for one in found))
    names.sort(key=lambda name: "" if name.startswith("Cortex-M") else name)
    groups = [(name, [one for one in found if device_class(one) == name]) for name in names]
    return [
        [
            name,
            *(
                cell
                for field in FIELDS
                for cell in _measures([one for one in group if one.left_out == field])
            ),
        ]
        for name, group in (*groups, ("all", list(found)))
    ]


def _measures(chosen: Sequence[Residual]) -> Sequence[str]:
    if not chosen:
        return NO_MEASURES
    total = summary(chosen)
    shares = (total.median, total.percentile_90, total.coverage)
    return (str(total.count), *(f"{share * 100:.0f} %" for share in shares))


def engine_rows() -> list[list[str]]:
    """What closed engines reach on the NUCLEO-L4R5ZI: engine, round, and millions of cycles by model."""
    return [
        [
            engine.name,
            engine.version,
            *(f"{engine.cycles[model]:.3g}" for model in accuracy_tflm.ENGINE_MODELS),
        ]
        for engine in accuracy_tflm.engines()
    ]


def blocks(found: Sequence[Residual]) -> dict[str, str]:
    """What ``targets/README.md`` holds between its comments, by the name that they have there."""
    return {
        "errors by device class": _markdown(HEADINGS, class_rows(found), left=1),
        "closed engines": _markdown(ENGINE_HEADINGS, engine_rows(), left=2),
    }


def block_pattern(name: str) -> re.Pattern[str]:
    """Finds a block in the README: the comment before it, the block, the comment behind it."""
    begin, end = f"<!-- {name}: written by scripts/bench accuracy --write -->\n", f"<!-- end of {name} -->"
    return re.compile(f"({re.escape(begin)})(.*?)({re.escape(end)})", re.DOTALL)


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    rule = ["---"] * left + ["---:"] * (len(columns) - left)
    lines = (f"| {' | '.join(cells)} |".replace("|  ", "| ") for cells in (columns, rule, *rows))
    return "\n" + "\n".join(lines) + "\n\n"


def write(found: Sequence[Residual]) -> None:
    """Put the tables into ``targets/README.md``."""
    text = README.read_text(encoding="utf-8")
    for name, block in blocks(found).items():
        text, count = block_pattern(name).subn(functools.partial(_filled, block), text)
        if count != 1:
            raise SystemExit(f"error: {README} has {count} places for {name!r}, and must have one")
    write_files(README.parent, {README.name: text})
    out.print(f"wrote {README}")


def _filled(block: str, match: re.Match[str]) -> str:
    return f"{match[1]}{block}{match[3]}"


def _print_models(found: Sequence[Residual]) -> None:
    """Every single prediction."""
    for name in dict.fromkeys(device_class(one) for one in found):
        out.print(f"[bold]{name}")
        table(
            (
                "model",
                "device",
                "threads",
                "left out",
                "measured ms",
                "predicted ms",
                "error",
                "bounds ms",
                "held",
            ),
            [
                (
                    one.model,
                    one.device,
                    str(one.threads),
                    one.left_out,
                    f"{one.measured_ms:.4g}",
                    f"{one.predicted_ms:.4g}",
                    f"{one.error:+.1%}",
                    f"{one.low_ms:.4g} to {one.high_ms:.4g}",
                    "yes" if one.is_covered else "no",
                )
                for one in found
                if device_class(one) == name
            ],
            left=2,
        )


def goals(found: Sequence[Residual]) -> list[Goal]:
    """What has to be reached."""
    boards = [
        one for one in found if one.device.startswith(("Raspberry Pi ", "Pixel")) and one.left_out == "model"
    ]
    return [
        Goal(
            "Cortex-M4, TFLM with CMSIS-NN, int8, models left out",
            [one for one in found if one.group in accuracy_tflm.GOAL_GROUPS],
            0.12,
            0.25,
        ),
        Goal(
            "Raspberry Pi and Pixel, one thread, models left out",
            [one for one in boards if one.threads == 1],
            0.20,
            0.40,
        ),
        Goal("Raspberry Pi and Pixel, any threads, models left out", boards, 0.20, 0.40),
    ]


def _judge(goal: Goal) -> int:
    total = summary(goal.chosen)
    within = total.within[goal.most]
    return verdict(
        total.median <= goal.median and within >= 0.9,
        f"{goal.name}: median error {total.median:.1%} (at most {goal.median:.0%}), {within:.0%} of "
        f"{total.count} within {goal.most:.0%} (at least 90%)",
    )


def main() -> int:
    """Run the benchmark; the exit status is 1 when a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", action="store_true", help="print every single prediction too")
    parser.add_argument("--write", action="store_true", help="put the tables into targets/README.md")
    arguments = parser.parse_args()
    start(
        "accuracy",
        """Published latencies, each predicted without all latencies of its model, or without all of its
        device, and so are its 90 % bounds. Errors are shares of the measured latency.""",
    )
    found = [*accuracy_tflm.residuals(), *accuracy_litert.residuals()]
    if arguments.models:
        _print_models(found)
    out.print("[bold]errors without the latencies of the model, and without those of the device")
    table(("device class", *COLUMNS * len(FIELDS)), class_rows(found))
    out.print("[bold]for comparison: closed engines on the NUCLEO-L4R5ZI, millions of cycles")
    table(ENGINE_HEADINGS, engine_rows(), left=2)
    if arguments.write:
        write(found)
    status = 0
    for goal in goals(found):
        status |= _judge(goal)
    share, (least, most) = summary(found).coverage, COVERAGE
    return status | verdict(
        least <= share <= most,
        f"the 90 % bounds contain {share:.1%} of all {len(found)} latencies ({least:.0%} to {most:.0%})",
    )


if __name__ == "__main__":
    sys.exit(main())
