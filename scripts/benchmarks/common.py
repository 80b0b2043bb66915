"""What the benchmarks share: the machine they ran on, their tables, and their verdict."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "bench"
"""Where models that take long to train are kept; git ignores it."""

PACKAGES = ("tensorflow", "tf-keras", "keras", "tensorflow-model-optimization", "ai-edge-litert", "numpy")
PIPE_WIDTH = 110

out = Console(width=None if sys.stdout.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH, highlight=False)


def start(title: str, text: str) -> None:
    """Print what is measured, and on what machine."""
    out.rule(f"[bold]{escape(title)}", align="left")
    out.print(escape(" ".join(text.split())))
    out.print(f"machine: {escape(machine())}", style="dim", soft_wrap=True)
    busy = os.getloadavg()[0]
    if busy > 0.5:
        out.print(
            f"the machine is not idle (load {busy:.1f} on {os.cpu_count()} cores): times are too long, and "
            "ratios of times less exact",
            style="yellow",
        )


def machine() -> str:
    """Processor, cores, memory, and the versions of what computes, in one line."""
    versions = [f"Python {platform.python_version()}", *map(_version, PACKAGES)]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    parts = (f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB", platform.system(), *versions)
    return "; ".join(parts)


def _version(package: str) -> str:
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return f"no {package}"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    # Arm's cpuinfo has no model name.
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
    """Print a table.

    Args:
        columns: the titles.
        rows: cells, as they are to be shown.
        left: so many columns stand left, the others right.
    """
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for number, title in enumerate(columns):
        made.add_column(title, justify="left" if number < left else "right", overflow="fold")
    for row in rows:
        made.add_row(*map(escape, row))
    out.print(made)


def verdict(ok: bool, text: str) -> int:
    """Print whether a figure is reached.

    Returns:
        The exit status for it: 0 or 1.
    """
    out.print(f"[bold {'green' if ok else 'red'}]{'reached' if ok else 'MISSED'}[/]: {escape(text)}")
    return 0 if ok else 1
