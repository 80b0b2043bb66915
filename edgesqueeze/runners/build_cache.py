"""Things that were built, kept by what they were built from."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from edgesqueeze.base import user_folders
from edgesqueeze.errors import OutputError

KEPT = 2000
"""Builds that are kept, of programs and single files; the one that was not used for longest goes first."""
IN_USE_SECONDS = 3600
"""A build that was asked for so lately may be in use by another process, however many there are."""
LEFTOVER_SECONDS = 3600
"""A half-made build of this age belongs to a process that was killed."""
_HALF_MADE = ".making-"
_LOCK = ".lock"


def cached(parts: Iterable[str | bytes], make: Callable[[Path], None]) -> Path:
    """A folder with what ``make`` puts into it, made at most once for the same parts.

    It is made beside its place and renamed, so that what is found there is complete, and two processes may
    make the same one at the same time.

    Args:
        parts: everything that the content depends on.
        make: gets an empty folder, fills it, and may raise.

    Raises:
        OutputError: the cache cannot be written.
    """
    folder = cache_folder()
    place = folder / _digest(parts)
    if _found(place):
        return place
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # What unpacks an archive into the folder may set its times to anything.
        fresh = Path(tempfile.mkdtemp(prefix=f"{_HALF_MADE}{int(time.time())}-", dir=folder))
    except OSError as error:
        raise _cannot_write(folder, error) from error
    try:
        make(fresh)
        _rename(fresh, place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    # Now and then is enough.
    if place.name.startswith("0"):
        _tidy(folder)
    return place


def cache_folder() -> Path:
    """Where builds are kept."""
    return user_folders.cache_folder() / "builds"


def _found(place: Path) -> bool:
    """Whether a build is there; if so, it stays for ``IN_USE_SECONDS`` more."""
    if not place.is_dir():
        return False
    with _locked(place.parent, fcntl.LOCK_SH):
        # Another process may have removed it just now.
        if not place.is_dir():
            return False
        with contextlib.suppress(OSError):
            os.utime(place)
        return True


@contextlib.contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """Hold a lock on the cache, where it may be written and the file system has locks."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            lock = stack.enter_context((folder / _LOCK).open("ab"))
            fcntl.flock(lock, how)
        yield


def _rename(fresh: Path, place: Path) -> None:
    try:
        fresh.rename(place)
    except OSError as error:
        # Otherwise another process was faster, and made the same.
        if not place.is_dir():
            raise _cannot_write(place.parent, error) from error


def _cannot_write(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"cannot write to the cache of builds: {error.strerror}",
        got=str(folder),
        hint="name another cache folder with the environment variable XDG_CACHE_HOME",
    )


def _digest(parts: Iterable[str | bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:32]


def _begun(path: Path) -> int:
    """When a half-made build was begun, in seconds; 0 where its name does not say."""
    begun = path.name.removeprefix(_HALF_MADE).partition("-")[0]
    return int(begun) if begun.isdecimal() else 0


def _tidy(folder: Path) -> None:
    """Remove builds beyond ``KEPT`` that nobody uses, and what killed processes left behind."""
    now = time.time()
    # Removing takes long; under the lock, builds are only put aside.
    with _locked(folder, fcntl.LOCK_EX):
        ages: list[tuple[float, Path]] = []
        for path in folder.iterdir():
            with contextlib.suppress(OSError):
                if path.is_dir():
                    ages.append((now - path.stat().st_mtime, path))
        ages.sort()
        half_made = [path for _, path in ages if path.name.startswith(_HALF_MADE)]
        old = [path for path in half_made if now - _begun(path) > LEFTOVER_SECONDS]
        whole = [(age, path) for age, path in ages if not path.name.startswith(_HALF_MADE)]
        unused = [path for age, path in whole[KEPT:] if age > IN_USE_SECONDS]
        for path in unused:
            with contextlib.suppress(OSError):
                old.append(path.rename(folder / f"{_HALF_MADE}0-{path.name}"))
    for path in old:
        shutil.rmtree(path, ignore_errors=True)
