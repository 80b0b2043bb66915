"""Versions of installed packages, this one among them."""

from __future__ import annotations

from importlib import metadata


def installed_version(package: str) -> str | None:
    """The version of a package by the name that pip knows; None if it is not installed as a package."""
    try:
        # The type says str, but a damaged installation gives None.
        found: str | None = metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
    return found


def own_version() -> str:
    """The version of EdgeSqueeze; ``(version unknown)`` where it runs without being installed."""
    return installed_version("edgesqueeze") or "(version unknown)"
