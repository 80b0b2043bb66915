"""The user's own classes, named on a command line as MODULE:NAME."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from typing import Any

from edgesqueeze.base.users_code import said_of
from edgesqueeze.errors import UsageError


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
        module, _, attribute = name.partition(":")
        if "" not in sys.path:
            sys.path.insert(0, "")
        try:
            found[attribute] = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            raise UsageError(f"cannot import {name}: {error}", expected="MODULE:NAME", got=name) from error
        except Exception as error:  # whatever the module does when it is imported
            raise UsageError(
                f"cannot import {name}: {said_of(error)}",
                expected="MODULE:NAME",
                hint="try `import` of the module alone first, in Python",
            ) from error
    return found
