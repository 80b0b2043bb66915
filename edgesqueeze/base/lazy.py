"""Something in another module, imported when it is used: how every table names what it lists.

A table (commands, runtimes, the public names) can be read without importing what is in it, so that a program
pays only for the rows it uses.
"""

from __future__ import annotations

import importlib
from typing import Any


class Lazy:
    """Where something is. A function can be called as it is; anything else comes from ``load``.

    ``Lazy("package.module:run")(model)`` imports the module and calls its ``run``. The field of the table's
    record says what kind of thing it must be: ``run: Callable[[TfliteModel], float]``.

    Attributes:
        path: ``package.module:attribute``.
    """

    # Not a dataclass, whose module takes longer to import than this package.
    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"Lazy({self.path!r})"

    def load(self) -> Any:
        """Import the module and return what is named; a module is imported once, however often it is used.

        Raises:
            ValueError: the path does not read ``package.module:attribute``.
            ImportError: there is no such module, or it cannot be imported.
            AttributeError: the module has nothing of that name.
        """
        module, colon, attribute = self.path.partition(":")
        if not (module and colon and attribute):
            raise ValueError(f"expected 'package.module:attribute', got {self.path!r}")
        return getattr(importlib.import_module(module), attribute)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function that is named."""
        return self.load()(*arguments, **named)
