"""How far off predicted latencies are, against published ones that the fit leaves out."""

from __future__ import annotations

import argparse
import functools
import math
import re
import sys
from collections.abc import Sequence
from typing import NamedTuple

import accuracy_corrected
import accuracy_litert
import accuracy_tflm
from common import ROOT, out, start, table, verdict

from edgesqueeze.base.output import write_files
from edgesqueeze.latency.residuals import Residual, Summary, summary

README = ROOT / "targets" / "README.md"
COVERAGE = (0.85, 0.95)
FEW = 10
"""Cells, below which a share cannot be told from its limits, and bounds are missed only beyond chance."""
UNLIKELY = 0.05
"""Chance below which a share is not taken for an accident."""
FIELDS = ("family", "device")
LEFT_OUT = {"family": "family of models", "device": "device"}
HEADINGS = (
    "class",
    "left out",
    "cells",
    "latencies",
    "median error",
    "nine of ten errors below",
    "predicted too low",
    "in the bounds",
    "high over low",
)
CORRECTED_HEADINGS = ("measured there", "cells", "predictions", *HEADINGS[4:])
ENGINE_HEADINGS = ("engine", "MLPerf Tiny", *accuracy_tflm.ENGINE_MODELS.values())


class Class(NamedTuple):
    """Predictions that a claim is about.

    Attributes:
        name: what it is called.
        devices: how the names of its devices begin.
        group: how the names of its groups begin.
        arithmetic: arithmetic of its models.
        left_out: what the predictions are made without.
        median: limit of their median error, as a share of the measured latency.
        ratio: limit of the median of upper over lower bounds.
    """

    name: str
    devices: str
    group: str
    arithmetic: str
    left_out: str
    median: float
    ratio: float

    @property
    def is_micro(self) -> bool:
        """Whether it is about microcontrollers."""
        return "Cortex-M" in self.group

    def of(self, found: Sequence[Residual]) -> list[Residual]:
        """Those of some predictions that belong to it."""
        return [
            one
            for one in found
            if one.device.startswith(self.devices)
            and one.core.startswith("cortex-m") == self.is_micro
            and one.group.startswith(self.group)
            and (one.arithmetic, one.left_out) == (self.arithmetic, self.left_out)
        ]


CLASSES = (
    Class("Cortex-M4, TFLM, int8", "NUCLEO-L4R5ZI", "Cortex-M4, TFLM + CMSIS-NN", "int8", "family", 0.1, 1.6),
    Class("Cortex-M33, cycles over the NUCLEO-L4R5ZI's", "", "Cortex-M33", "int8", "device", 0.12, 2.2),
    Class("Cortex-M7, cycles over the NUCLEO-L4R5ZI's", "", "Cortex-M7", "int8", "device", 0.12, 2.2),
    Class("Raspberry Pi, XNNPACK, float32", "Raspberry Pi ", "XNNPACK", "float32", "family", 0.1, 1.6),
    Class("Raspberry Pi, XNNPACK, float32", "Raspberry Pi ", "XNNPACK", "float32", "device", 0.2, 2.2),
    Class("Raspberry Pi, XNNPACK, int8", "Raspberry Pi ", "XNNPACK", "int8", "family", 0.1, 1.6),
    Class("Raspberry Pi, XNNPACK, int8", "Raspberry Pi ", "XNNPACK", "int8", "device", 0.2, 2.2),
    Class("STM32MP1, XNNPACK, int8", "STM32MP", "XNNPACK", "int8", "family", 0.1, 1.6),
    Class("STM32MP1, XNNPACK, int8", "STM32MP", "XNNPACK", "int8", "device", 0.2, 2.2),
    Class("Pixel, XNNPACK, float32", "Pixel", "XNNPACK", "float32", "family", 0.1, 1.6),
    Class("Pixel, XNNPACK, float32", "Pixel", "XNNPACK", "float32", "device", 0.2, 2.2),
)
"""XNNPACK is what LiteRT runs and what targets predict. TensorFlow Lite without it is in the table by device
class."""


def device_class(residual: Residual) -> str:
    """The row of a table: core or board, runtime, and arithmetic."""
    if residual.core.startswith("cortex-m"):
        return residual.group.removesuffix(", -Os")
    return f"{residual.device}, {residual.group}"


def claim_rows(found: Sequence[Residual]) -> list[list[str]]:
    """How far off predictions are by ``CLASSES``: cells as ``HEADINGS`` says."""
    return [[one.name, LEFT_OUT[one.left_out], *_measures(one.of(found))] for one in CLASSES]


def class_rows(found: Sequence[Residual]) -> list[list[str]]:
    """How far off predictions are by device class: cells as ``HEADINGS`` says, all of them last."""
    names = list(dict.fromkeys(device_class(one) for one in found))
    names.sort(key=lambda name: "" if name.startswith("Cortex-M") else name)
    groups = [(name, [one for one in found if device_class(one) == name]) for name in names]
    return [
        [name, LEFT_OUT[field], *_measures(chosen)]
        for name, group in (*groups, ("all", list(found)))
        for field in FIELDS
        if (chosen := [one for one in group if one.left_out == field])
    ]


def _measures(chosen: Sequence[Residual]) -> Sequence[str]:
    total = summary(chosen)
    shares = (total.median, total.percentile_90, total.too_low, total.coverage)
    return (
        str(total.count),
        str(total.rows),
        *(f"{share * 100:.0f} %" for share in shares),
        f"{total.ratio:.2f}",
    )


def corrected_rows() -> list[list[str]]:
    """How far off predictions for a device are after some models were measured there."""
    rows = []
    for count in accuracy_corrected.COUNTS:
        cells, predictions, *shares, covered, ratio = _measures(accuracy_corrected.residuals(count))
        bounds = (covered, ratio) if count else ("-", "-")
        name = f"{count} model{'s' if count > 1 else ''}" if count else "nothing"
        rows.append([name, cells, predictions, *shares, *bounds])
    return rows


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
        "errors by claim": _markdown(HEADINGS, claim_rows(found), left=2),
        "errors by device class": _markdown(HEADINGS, class_rows(found), left=2),
        "blind errors": _markdown(HEADINGS, class_rows(blind()), left=2),
        "errors after measuring": _markdown(CORRECTED_HEADINGS, corrected_rows(), left=1),
        "closed engines": _markdown(ENGINE_HEADINGS, engine_rows(), left=2),
    }


@functools.cache
def blind() -> tuple[Residual, ...]:
    """Predictions of what no fit has seen."""
    return (*accuracy_tflm.blind_residuals(), *accuracy_litert.blind_residuals())


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


def _print_blind() -> None:
    """How far off predictions are of what no fit has seen."""
    out.print("[bold]blind: latencies that were added since the rule and that every fit leaves out")
    table(HEADINGS, class_rows(blind()), left=2)


def missed(goal: Class, found: Sequence[Residual]) -> tuple[str, ...]:
    """Which limits some predictions miss: ``median``, ``bounds``, ``ratio``."""
    total = summary(goal.of(found))
    least, most = COVERAGE
    limits = {
        "median": total.median <= goal.median,
        "bounds": chance(total) >= UNLIKELY if total.count < FEW else least <= total.coverage <= most,
        "ratio": total.ratio <= goal.ratio,
    }
    return tuple(name for name, is_kept in limits.items() if not is_kept)


def chance(total: Summary) -> float:
    """How likely a share outside ``COVERAGE`` is to be an accident.

    The probability of so many or more cells inside bounds that contain the most of ``COVERAGE``, or of so
    few or fewer inside those that contain the least: a binomial tail (Clopper and Pearson, 1934), as if cells
    were independent. 1 for a share that is inside.
    """
    inside = round(total.coverage * total.count)
    least, most = COVERAGE

    def tail(counts: range, share: float) -> float:
        every = total.count
        return sum(math.comb(every, one) * share**one * (1 - share) ** (every - one) for one in counts)

    if total.coverage > most:
        return tail(range(inside, total.count + 1), most)
    return tail(range(inside + 1), least) if total.coverage < least else 1.0


def _judge(goal: Class, found: Sequence[Residual], left_out: str) -> int:
    total, wrong = summary(goal.of(found)), missed(goal, found)
    likely = chance(total)
    by_chance = f"; by chance alone {likely:.0%}" if likely < 1 else ""
    few = f", below {FEW} cells judged by chance" if total.count < FEW else ""
    said = f"missed in {', '.join(wrong)}" if wrong else "all kept"
    return verdict(
        not wrong,
        f"{goal.name}, {left_out}: median error {total.median:.1%} (at most "
        f"{goal.median:.0%}), {total.coverage:.0%} of {total.count} cells in the bounds "
        f"({COVERAGE[0]:.0%} to {COVERAGE[1]:.0%}{few}{by_chance}), high over low {total.ratio:.2f} "
        f"(at most {goal.ratio:g}): {said}",
    )


def _judge_all(found: Sequence[Residual]) -> int:
    """Judge every class with what is left out of the fit, then by what no fit has seen."""
    status = 0
    for goal in CLASSES:
        status |= _judge(goal, found, f"{LEFT_OUT[goal.left_out]} left out")
    for some, name in ((blind(), "blind"),):
        for goal in CLASSES:
            if goal.of(some):
                status |= _judge(goal, some, name)
    return status


def main() -> int:
    """Run the benchmark; the exit status is 1 when a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", action="store_true", help="print every single prediction too")
    parser.add_argument("--write", action="store_true", help="put the tables into targets/README.md")
    arguments = parser.parse_args()
    start(
        "accuracy",
        """Published latencies, each predicted without all latencies of its model's family, or without all of
        its device, and so are its 90 % bounds and how wide they are. One device, model, arithmetic and number
        of threads is one cell and has one vote. Errors are shares of the measured latency.""",
    )
    found = [*accuracy_tflm.residuals(), *accuracy_litert.residuals()]
    if arguments.models:
        _print_models(found)
    out.print("[bold]by claim")
    table(HEADINGS, claim_rows(found), left=2)
    out.print("[bold]by device class")
    table(HEADINGS, class_rows(found), left=2)
    out.print("[bold]after other models were measured on the device, which the fit leaves out")
    table(CORRECTED_HEADINGS, corrected_rows(), left=1)
    _print_blind()
    out.print("[bold]for comparison: closed engines on the NUCLEO-L4R5ZI, millions of cycles")
    table(ENGINE_HEADINGS, engine_rows(), left=2)
    if arguments.write:
        write(found)
    return _judge_all(found)


if __name__ == "__main__":
    sys.exit(main())
