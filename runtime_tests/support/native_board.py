"""A microcontroller whose first runtime is native C; none of the shipped profiles is one."""

from __future__ import annotations

from pathlib import Path

from edgesqueeze.target.load import load_target, shipped_folder
from edgesqueeze.target.records import Target


def write_native_board(folder: Path, **memory: int) -> Path:
    """Write such a profile.

    Args:
        folder: where to.
        memory: other values in bytes for fields of its section ``[memory]``.
    """
    text = (shipped_folder() / "nucleo-f446re.toml").read_text(encoding="utf-8")
    text = text.replace('name = "tflm"', 'name = "c"').replace('also = ["c"]', 'also = ["tflm"]')
    lines = text.replace('operators = "tflm"', 'operators = "c"').splitlines()
    for field, value in memory.items():
        lines = [f"{field} = {value}" if line.startswith(f"{field} = ") else line for line in lines]
    path = folder / "native-board.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def native_board(folder: Path, **memory: int) -> Target:
    """The same, loaded."""
    return load_target(write_native_board(folder, **memory))
