"""Versions of what takes part in a compression."""

from __future__ import annotations

import platform

from edgesqueeze.base.versions import installed_version

PACKAGES = (
    "edgesqueeze",
    "tensorflow",
    "tf-keras",
    "keras",
    "tensorflow-model-optimization",
    "ai-edge-litert",
)


def environment() -> dict[str, str]:
    """Version of Python, of the packages that took part, and the platform, by name."""
    versions = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    for package in PACKAGES:
        versions[package] = installed_version(package) or "not installed as a package"
    return versions
