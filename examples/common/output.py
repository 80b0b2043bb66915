"""What the examples' ``run`` says and writes."""

from __future__ import annotations

from pathlib import Path


def say(text: str) -> None:
    """One line of progress."""
    print(text, flush=True)


def write_firmware(folder: Path, files: dict[str, str]) -> None:
    """Write all files of the firmware."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
