"""One hostile file: how it is made, and what has to become of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from runtime_tests.support.hostile.honest import Honest

OPENS = "opens"
"""An attack whose harmful part is simply left out."""


class Canaries(NamedTuple):
    """What an attack aims at.

    Attributes:
        written: a file that must not come into being.
        secret: a file that nobody may open.
        port: of a server on this machine that nobody may call.
    """

    written: Path
    secret: Path
    port: int

    @property
    def url(self) -> str:
        """An address of the server."""
        return f"http://127.0.0.1:{self.port}/model"


Make = Callable[[Path, Honest, Canaries], Path]
"""Writes a hostile file into a folder, gives its path."""


class Attack(NamedTuple):
    """A hostile file.

    Attributes:
        kind: the check that stops it: a key of ``switches.SWITCHES``.
        name: what it is, in words.
        make: writes it into a folder, gives its path.
        error: name of the exception that must come, or ``OPENS``.
        words: what its message says, as a regular expression; proves that the right check stopped it.
    """

    kind: str
    name: str
    make: Make
    error: str
    words: str = ""


class Attacks:
    """Collects attacks of one kind."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._found: list[Attack] = []

    def __iter__(self) -> Iterator[Attack]:
        return iter(self._found)

    def add(self, name: str, make: Make, error: str, words: str = "") -> None:
        """Add one."""
        self._found.append(Attack(self.kind, name, make, error, words))
