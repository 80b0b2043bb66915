"""The user's own classes, named on a command line as MODULE:NAME."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from edgesqueeze.base.users_code import import_named


def import_objects(names: Iterable[str]) -> dict[str, Any]:
    """Import classes and functions.

    Args:
        names: ``MODULE:NAME`` each; modules in the current folder are found, as with ``python -m``.

    Returns:
        The objects by NAME.

    Raises:
        UsageError: a name is not MODULE:NAME or cannot be imported.
    """
    found = {}
    for name in names:
        attribute = name.partition(":")[2]
        found[attribute] = import_named(name, "MODULE:NAME", got=name)
    return found
