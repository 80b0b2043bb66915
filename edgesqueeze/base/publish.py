"""Moves a finished folder of files into place, so that even a killed process harms no earlier output.

Files lie in a stage, a hidden folder beside their places and so on the same disk. Before the first of them is
moved, a journal says which there are. A process that dies before that leaves everything as it was; what one
that dies later has begun is finished from the journal by the next one that writes to the folder. A stage is
locked as long as its process lives, which tells the two apart.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgesqueeze.base.signals import held_back
from edgesqueeze.errors import OutputError

STAGE_PREFIX = ".edgesqueeze-"
NEW, OLD, JOURNAL = "new", "old", "journal.json"
MAX_JOURNAL_BYTES = 4 << 20
LEFTOVER_SECONDS = 24 * 3600
"""Where files cannot be locked, a stage of this age belongs to a process that was killed."""


@dataclass(frozen=True)
class Stage:
    """A locked folder of files that are to be published.

    Attributes:
        folder: hidden folder beside the files' places.
        lock: descriptor that holds the lock.
    """

    folder: Path
    lock: int

    @property
    def new(self) -> Path:
        """Where the files are written."""
        return self.folder / NEW

    def close(self) -> None:
        """Remove what is left of it, and let go of the lock."""
        with held_back():
            shutil.rmtree(self.folder, ignore_errors=True)
            os.close(self.lock)


def open_stage(directory: Path) -> Stage:
    """Finish or remove what killed processes left in a folder, and make a stage there.

    Raises:
        OSError: the folder cannot be written, or what a killed process began cannot be finished.
    """
    with _locked(directory):
        recover(directory)
        folder = Path(tempfile.mkdtemp(prefix=STAGE_PREFIX, dir=directory))
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            _lock(lock, fcntl.LOCK_EX)
            (folder / NEW).mkdir()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return Stage(folder, lock)


def publish(stage: Stage, directory: Path, remove: Mapping[str, str]) -> None:
    """Move every file of a stage into place, or none.

    Args:
        stage: made by ``open_stage`` for the same folder.
        directory: the folder.
        remove: names of files that go -> their SHA-256; one that has changed meanwhile stays.

    Raises:
        OSError: a file cannot be moved, or a link or a folder is in the way; those that were moved are back
            where they were.
    """
    names = [
        path.relative_to(stage.new).as_posix() for path in sorted(stage.new.rglob("*")) if _is_leaf(path)
    ]
    for name in names:
        _check_place(directory, name)
        _flush(stage.new / name)
    if not names and not remove:
        return
    with _locked(directory), held_back():
        _write_journal(stage.folder, names, remove)
        _move_or_take_back(stage.folder, directory, names, remove)
        _flush(directory)


def recover(directory: Path) -> None:
    """Finish what killed processes began to publish in a folder, and remove what else they left.

    Raises:
        OSError: a file cannot be moved, or a link or a folder is in the way.
    """
    for folder in sorted(directory.glob(f"{STAGE_PREFIX}*")):
        with _abandoned(folder) as abandoned:
            if not abandoned:
                continue
            names, remove = _read_journal(folder)
            for name in names:
                _check_place(directory, name)
            _move(folder, directory, names, remove)
            shutil.rmtree(folder, ignore_errors=True)


def finish(directory: Path) -> None:
    """Finish what killed processes began in a folder, before anyone asks what is in it.

    A folder that is not there, or cannot be written, stays as it is: who writes to it is told so.
    """
    if any(directory.glob(f"{STAGE_PREFIX}*")):
        with contextlib.suppress(OSError), _locked(directory):
            recover(directory)


def inside(name: str) -> Path:
    """The path of a name inside an output folder.

    Raises:
        OutputError: it leads out of the folder.
    """
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        raise OutputError(f"{name!r} is not a name inside the output folder", expected="a relative path")
    return path


def digest(directory: Path, name: str) -> str:
    """SHA-256 of a regular file in a folder, in hex; empty for anything else, and behind a link."""
    if _link_above(directory, name) is not None:
        return ""
    try:
        descriptor = os.open(directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ""
        total = hashlib.sha256()
        while block := os.read(descriptor, 1 << 20):
            total.update(block)
        return total.hexdigest()
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> list[Path]:
    """Make a folder with its parents; those that did not exist, innermost first.

    Raises:
        OSError: it cannot be made; then none of them is left.
    """
    missing = []
    for path in (folder, *folder.parents):
        if path.exists():
            break
        missing.append(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except BaseException:
        remove_empty(missing)
        raise
    return missing


def remove_empty(folders: list[Path]) -> None:
    """Remove those of some folders that are empty, in this order."""
    for path in folders:
        with contextlib.suppress(OSError):
            path.rmdir()


def _is_leaf(path: Path) -> bool:
    return path.is_symlink() or not path.is_dir()


def _check_place(directory: Path, name: str) -> None:
    """Refuse a place behind a link, which may lead out of the folder, and one where a folder is."""
    path = directory / inside(name)
    link = _link_above(directory, name)
    if link is not None:
        raise OSError(errno.ELOOP, "a link is in the way, which may lead out of the folder", str(link))
    if path.is_dir() and not path.is_symlink():
        raise IsADirectoryError(errno.EISDIR, "a folder is in the way", str(path))


def _link_above(directory: Path, name: str) -> Path | None:
    """The first folder on the way to a file that is a link."""
    above = reversed(inside(name).parents[:-1])
    return next((directory / parent for parent in above if (directory / parent).is_symlink()), None)


def _move_or_take_back(folder: Path, directory: Path, names: list[str], remove: Mapping[str, str]) -> None:
    kept = _keep_all(folder, directory, [*names, *remove])
    before = {name for name in names if not os.path.lexists(directory / name)}
    made: list[Path] = []
    try:
        _move(folder, directory, names, remove, made)
    except BaseException:
        for name, copy in kept.items():
            with contextlib.suppress(OSError):
                copy.replace(directory / name)
        for name in before:
            with contextlib.suppress(OSError):
                (directory / name).unlink()
        remove_empty(made)
        (folder / JOURNAL).unlink(missing_ok=True)
        raise


def _keep_all(folder: Path, directory: Path, names: list[str]) -> dict[str, Path]:
    """A second name for each file that is there, so that it outlives its replacement."""
    place = folder / OLD
    place.mkdir()
    kept = {}
    for number, name in enumerate(names):
        if not os.path.lexists(directory / name):
            continue
        kept[name] = copy = place / str(number)
        try:
            os.link(directory / name, copy, follow_symlinks=False)
        except OSError:  # links are not possible here
            shutil.copy2(directory / name, copy, follow_symlinks=False)
    return kept


def _move(
    folder: Path, directory: Path, names: list[str], remove: Mapping[str, str], made: list[Path] | None = None
) -> None:
    """Rename what is still in the stage; what is not there has been renamed before."""
    for name in names:
        if not os.path.lexists(folder / NEW / name):
            continue
        fresh = make_folder((directory / name).parent)
        if made is not None:
            made[:0] = fresh
        (folder / NEW / name).replace(directory / name)
    for name, sha256 in remove.items():
        if digest(directory, name) == sha256:
            (directory / name).unlink()


def _write_journal(folder: Path, names: list[str], remove: Mapping[str, str]) -> None:
    part = folder / f"{JOURNAL}.part"
    part.write_text(json.dumps({"files": names, "remove": dict(remove)}), encoding="utf-8")
    _flush(part)
    part.replace(folder / JOURNAL)
    _flush(folder)


def _read_journal(folder: Path) -> tuple[list[str], dict[str, str]]:
    """What the journal names; nothing if there is none, or it is not one of ours."""
    try:
        with (folder / JOURNAL).open("rb") as file:
            journal = json.loads(file.read(MAX_JOURNAL_BYTES))
        names = [str(inside(str(name))) for name in journal["files"]]
        remove = {str(inside(str(name))): str(sha256) for name, sha256 in journal["remove"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OutputError):
        return [], {}
    return names, remove


@contextlib.contextmanager
def _abandoned(folder: Path) -> Iterator[bool]:
    """Whether a stage is ours and its process is gone; it is locked meanwhile, if so."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    try:
        status = os.fstat(descriptor)
        free = _lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if free is None:
            free = time.time() - status.st_mtime > LEFTOVER_SECONDS
        yield free and status.st_uid == os.geteuid()
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One process at a time makes stages in a folder, or publishes there."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, how: int) -> bool | None:
    """Whether the lock was given; None where the file system has none."""
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _flush(path: Path) -> None:
    """Bring a file or a folder's names to the disk, so that a power cut leaves no empty file."""
    if path.is_symlink():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
