"""Where files of the user's go, by the XDG Base Directory Specification."""

from __future__ import annotations

import os
from pathlib import Path

NAME = "edgesqueeze"


def config_folder() -> Path:
    """The user's folder for what is to be kept, such as target profiles; it need not exist."""
    return _folder("XDG_CONFIG_HOME", "~/.config")


def cache_folder() -> Path:
    """The user's folder for what can be made again, such as builds; it need not exist."""
    return _folder("XDG_CACHE_HOME", "~/.cache")


def _folder(variable: str, default: str) -> Path:
    named = Path(os.environ.get(variable, ""))
    if named.is_absolute():  # the specification has others ignored
        return named / NAME
    # Unlike Path.expanduser it does not fail where there is no home.
    return Path(os.path.expanduser(default)) / NAME  # noqa: PTH111
