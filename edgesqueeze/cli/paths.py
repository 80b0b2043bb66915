"""Paths on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


class NamedPath(click.Path):
    """A path, which must not be empty: ``Path("")`` is the folder that the command runs in."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, or wrong use."""
        if isinstance(value, str) and (not value.strip() or "\0" in value):
            self.fail("a path is expected, got an empty one; for the current folder write a dot", param, ctx)
        return super().convert(value, param, ctx)
