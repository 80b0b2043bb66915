"""What the examples' ``run`` says and writes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import edgesqueeze


def say(text: str) -> None:
    """One line of progress."""
    print(text, flush=True)


def missed_by(report: edgesqueeze.Report) -> str:
    """What a compressed model misses of what its recipe and device ask for, in a sentence; "" if nothing."""
    try:
        edgesqueeze.raise_if_not_ok(report)
    except edgesqueeze.EdgeSqueezeError as error:
        return error.problem
    return ""


def end_with(missed: Sequence[str]) -> None:
    """Say which networks missed what, when all results are written; then end with status 1.

    Args:
        missed: ``missed_by`` of each network.
    """
    for number, problem in enumerate(missed, 1):
        if problem:
            say(f"network {number}: LIMIT MISSED: {problem}")
    if any(missed):
        sys.exit(1)


def write_firmware(folder: Path, files: dict[str, str]) -> None:
    """Write all files of the firmware."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
