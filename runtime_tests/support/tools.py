"""Programs that a test needs."""

from __future__ import annotations

import os
import shutil

import pytest


def require_tool(name: str, package: str) -> str:
    """The path of a program, or a skipped test; in CI (``CI`` is set) a failed one.

    Args:
        name: the program.
        package: what installs it, as a Debian user would ask for it.
    """
    path = shutil.which(name)
    if path:
        return path
    reason = f"{name} is not installed; apt-get install {package}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
