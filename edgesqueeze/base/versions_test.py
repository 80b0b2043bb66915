from importlib import metadata

import numpy as np

from edgesqueeze.base.versions import installed_version, own_version


def test_what_is_installed_has_its_version():
    assert installed_version("numpy") == np.__version__
    assert installed_version("edgesqueeze") == own_version() == metadata.version("edgesqueeze")


def test_what_is_not_installed_has_none(monkeypatch):
    assert installed_version("no-package-of-this-name") is None

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert own_version() == "(version unknown)"


def test_a_damaged_installation(monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda name: None)
    assert installed_version("numpy") is None
    assert own_version() == "(version unknown)"
