"""What ``run`` measured, as the tables of the README."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from examples.drone_obstacles.trees import JUDGED

METHODS = {
    "every cell": "every cell an obstacle",
    "excess green": "excess green and slope, Otsu's thresholds",
    "regression": "logistic regression on 81 figures of colour and texture",
}
MACHINES = {
    "stm32h747i-disco": "STM32H747I-DISCO, Cortex-M7, 400 MHz: emulated",
    "stm32f746g-disco": "STM32F746G-DISCO, Cortex-M7, 216 MHz: emulated",
    "rpi-zero2w": "Raspberry Pi Zero 2 W, LiteRT, one thread: predicted",
}


def tables(results: dict[str, Any]) -> str:
    """All tables, in Markdown."""
    return "\n\n".join((_f1(results), _closer(results["seeds"][0]["int8"]), _flight(results)))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    line = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, line, *rows))


def _places(first: str) -> list[str]:
    return [first, *(name.title() for name in JUDGED)]


def _f1(results: dict[str, Any]) -> str:
    found = [(title, results["classical"][name]) for name, title in METHODS.items()]
    for kind in ("float", "int8"):
        found += [(f"network {i}, {kind}", seed[kind]) for i, seed in enumerate(results["seeds"], 1)]
    rows = [
        [name, *(f"{s['f1']:.2f} ({s['low']:.2f} to {s['high']:.2f})" for s in map(one.get, JUDGED))]
        for name, one in found
    ]
    return _table(_places("F1 of cells"), rows)


def _closer(scores: dict[str, Any]) -> str:
    places = [scores[name] for name in JUDGED]
    rows = [
        ["found cells that are right", *(f"{100 * one['precision']:.0f} %" for one in places)],
        ["occupied cells that are found", *(f"{100 * one['recall']:.0f} %" for one in places)],
        ["trees found", *(f"{one['trees_found']} of {one['trees']}" for one in places)],
        ["found cells with no crown in or beside them", *(f"{100 * one['far']:.0f} %" for one in places)],
    ]
    return _table(_places("network 1, int8"), rows)


def _flight(results: dict[str, Any]) -> str:
    rows = []
    for name, one in {**results["boards"], **results["predicted"]}.items():
        memory = [f"{one[key]:,}" if key in one else "" for key in ("flash_bytes", "ram_bytes")]
        rows.append(
            [
                MACHINES[name],
                f"{one['ms_estimate']:.1f} ({one['ms_low']:.1f} to {one['ms_high']:.1f})",
                f"{one['frames_a_second']:.0f}",
                f"{one['metres_a_frame']:.2f}",
                f"{one['metres_ahead_when_known']:.1f}",
                f"{one['seconds_to_obstacle_when_known']:.2f}",
                *memory,
            ]
        )
    head = ("ms a frame", "frames a second", "m flown a frame", "m ahead when known", "s to it")
    return _table(["", *head, "flash, bytes", "RAM, bytes"], rows)
