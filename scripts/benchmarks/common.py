"""What the benchmarks share: the machine they ran on, their tables, and their verdict."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "bench"
"""Where models that take long to train are kept; git ignores it."""

PACKAGES = ("tensorflow", "tf-keras", "keras", "tensorflow-model-optimization", "ai-edge-litert", "numpy")
PIPE_WIDTH, WIDEST = 110, 400
"""Of lines that go into a file: text, and at most what a table needs."""

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


def kept_model(name: str, recipe: str, seed: int, make: Callable[[], Any], *, quiet: bool = False) -> Path:
    """The path of a trained Keras model, which is kept in ``CACHE``; it is made if it is not there yet.

    Args:
        name: beginning of the file's name.
        recipe: everything that the model depends on, in words.
        seed: of everything random in ``make``.
        make: gives the trained model.
        quiet: whether nothing is said of a model that is there.
    """
    import keras

    digest = hashlib.sha256(recipe.encode()).hexdigest()[:8]
    path = CACHE / f"{name}-{digest}.keras"
    if path.is_file():
        if not quiet:
            out.print(f"float model: {path.relative_to(CACHE.parents[1])}, trained earlier", style="dim")
        return path
    keras.utils.set_random_seed(seed)
    model = make()
    CACHE.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.keras")
    model.save(partial)
    partial.rename(path)
    return path


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
    if out.is_terminal or os.environ.get("COLUMNS"):
        out.print(made)
    else:  # a file has room for lines of any length
        Console(width=WIDEST, highlight=False).print(made)


def verdict(ok: bool, text: str) -> int:
    """Print whether a figure is reached.

    Returns:
        The exit status for it: 0 or 1.
    """
    out.print(f"[bold {'green' if ok else 'red'}]{'reached' if ok else 'MISSED'}[/]: {escape(text)}")
    return 0 if ok else 1
