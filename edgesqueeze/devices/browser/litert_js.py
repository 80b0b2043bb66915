"""LiteRT.js, which runs a .tflite in a browser: fetched from npm when it is first used, by its hash.

What npm gives is compared with the integrity that npm published for that version (SHA-512), and only the
files that a page needs are unpacked, into the user's cache folder. A folder of the user's own is taken as it
is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from edgesqueeze.base.files import read_file
from edgesqueeze.base.given import path_of
from edgesqueeze.base.output import advised, write_files
from edgesqueeze.base.user_folders import cache_folder
from edgesqueeze.devices.folders import temporary_folder
from edgesqueeze.errors import MissingToolError, UsageError
from edgesqueeze.runners.toolchain import Program, find, run_program

NPM = Program(("npm",), "the package manager of Node.js", ("npm",))
VERSION = "2.5.3"
FETCH_SECONDS = 300.0
MOST_BYTES = 64 << 20
OPTION = "--litert-js DIR"


class Package(NamedTuple):
    """One npm package.

    Attributes:
        name: name of the package within ``@litertjs``.
        integrity: SHA-512 of the archive, in base64, as npm publishes it.
        files: files that are used, by their path in the package.
    """

    name: str
    integrity: str
    files: tuple[str, ...]


WASM = tuple(
    f"wasm/litert_wasm{kind}_internal.{end}"
    for kind in ("", "_compat", "_threaded")
    for end in ("js", "wasm")
)
PACKAGES = (
    Package(
        "core",
        "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
        ("package.json", "dist/index.js", *WASM),
    ),
    Package(
        "wasm-utils",
        "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
        ("package.json", "dist/index.js"),
    ),
)


class LiteRtJs(NamedTuple):
    """LiteRT.js on this computer.

    Attributes:
        version: version of its core.
        files: where each file lies, by its path in ``@litertjs``: ``core/dist/index.js``.
    """

    version: str
    files: Mapping[str, Path]


def litert_js(folder: str | Path | None = None) -> LiteRtJs:
    """The files of LiteRT.js: from a folder, from the cache, or fetched from npm.

    Args:
        folder: where npm put them: ``node_modules``, or the ``@litertjs`` in it.

    Raises:
        UsageError: the folder has not all of them.
        MissingToolError: there is no ``npm``, or it cannot fetch them.
    """
    if folder is not None:
        given = path_of(folder, "a folder with LiteRT.js: node_modules, or the @litertjs in it")
        return _found(given, f"{given} has not all of LiteRT.js")
    kept = kept_folder()
    if not is_kept():
        with advised("name another cache folder with the environment variable XDG_CACHE_HOME"):
            write_files(kept, _fetched())
    return _found(kept, f"{kept} is damaged")


def kept_folder() -> Path:
    """Where what was fetched is kept."""
    return cache_folder() / "litert-js" / VERSION


def is_kept() -> bool:
    """Whether it was fetched before."""
    return all((kept_folder() / name).is_file() for name in _names())


def unpacked(package: Package, archive: bytes) -> dict[str, bytes]:
    """The files of an archive that npm gave, by their path in ``@litertjs``.

    Raises:
        MissingToolError: it is not the archive that was published, or lacks a file.
    """
    if hashlib.sha512(archive).digest() != base64.b64decode(package.integrity):
        raise MissingToolError(
            f"npm gave another @litertjs/{package.name} {VERSION} than was published",
            expected=f"SHA-512 {binascii.hexlify(base64.b64decode(package.integrity)).decode()[:16]}...",
            got=f"{hashlib.sha512(archive).hexdigest()[:16]}..., {len(archive):,} bytes",
            hint=f"see which registry npm uses (npm config get registry), or give the folder: {OPTION}",
        )
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        found = {}
        for name in package.files:
            member = tar.extractfile(f"package/{name}")
            assert member is not None, name
            found[f"{package.name}/{name}"] = member.read()
    return found


def _names() -> tuple[str, ...]:
    return tuple(f"{package.name}/{name}" for package in PACKAGES for name in package.files)


def _found(folder: Path, problem: str) -> LiteRtJs:
    root = folder / "@litertjs" if (folder / "@litertjs").is_dir() else folder
    files = {name: root / name for name in _names()}
    missing = [name for name, path in files.items() if not path.is_file()]
    try:
        version = str(json.loads(read_file(root / "core" / "package.json", 1 << 20))["version"])
    except (OSError, ValueError, LookupError, TypeError):
        missing, version = missing or ["core/package.json"], ""
    if missing:
        raise UsageError(
            problem,
            expected="core and wasm-utils of @litertjs, as `npm install @litertjs/core` puts them there",
            got=f"no {', '.join(missing[:3])}",
            hint="give node_modules, or the folder @litertjs in it",
        )
    return LiteRtJs(version, files)


def _fetched() -> dict[str, bytes]:
    try:
        npm = find(NPM).path
    except MissingToolError as error:
        raise MissingToolError(
            "LiteRT.js is not here, and there is no npm to fetch it",
            expected=f"@litertjs/core {VERSION} from npm (12 MB, once)",
            hint=f"{error.hint}; or give a folder that has it: {OPTION}",
        ) from None
    files: dict[str, bytes] = {}
    with temporary_folder() as folder:
        for package in PACKAGES:
            name = f"@litertjs/{package.name}@{VERSION}"
            command = [npm, "pack", name, "--silent", "--ignore-scripts"]
            try:
                done = run_program(command, FETCH_SECONDS, folder=folder)
                said = done.stderr.strip() or done.stdout.strip()
            except (OSError, subprocess.TimeoutExpired) as error:
                said = str(error)
            archive = folder / f"litertjs-{package.name}-{VERSION}.tgz"
            if not archive.is_file():
                raise MissingToolError(
                    f"npm cannot fetch {name}",
                    expected="the archive of that version",
                    got=said.splitlines()[-1] if said else "nothing",
                    hint=f"see that `npm view {name}` works, or give a folder that has it: {OPTION}",
                )
            files |= unpacked(package, read_file(archive, MOST_BYTES))
    return files
