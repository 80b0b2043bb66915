"""Write files so that they appear whole or not at all.

Everything is written into a hidden folder inside the output folder (so on the same disk) and moved into
place by renaming. What goes wrong before the first rename leaves the output folder as it was; if a rename
fails, those already made are taken back.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from edgesqueeze.errors import OutputError

STAGE_PREFIX = ".edgesqueeze-"
# A write into an open file fails without naming it.
NAMELESS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG}
LEFTOVER_SECONDS = 24 * 3600
"""A stage of this age belongs to a run that was killed: nothing takes a day to write."""


def write_files(directory: Path, files: Mapping[str, bytes | str | Path]) -> None:
    """Write several files into a folder: all of them, or none.

    Args:
        directory: is made if it does not exist, with its parents.
        files: name inside ``directory`` (``/`` makes subfolders) -> content: bytes, text (UTF-8), or the
            path of a file to copy.

    Raises:
        OutputError: the folder or a file in it cannot be written, or a name leads out of the folder.
    """
    with staged(directory) as stage:
        for name, content in files.items():
            path = stage / _inside(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                shutil.copyfile(content, path)
            elif isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.write_text(content, encoding="utf-8", newline="")


@contextlib.contextmanager
def staged(directory: Path) -> Iterator[Path]:
    """A temporary folder whose files move into ``directory`` when the block ends without an exception.

    Files that exist already are replaced; all others in ``directory`` stay. After an exception, Ctrl-C
    included, ``directory`` is as it was (if it had to be made, it is removed again).

    Raises:
        OutputError: ``directory`` cannot be made or written, now or at the end.
    """
    made = _make_folder(directory)
    try:
        stage = _make_stage(directory)
        try:
            yield stage
            with _explained(directory):
                _publish(stage, directory)
        except OSError as error:
            # The block's own writing: a full disk, or a stage that someone removed.
            if _belongs(error, stage):
                raise _output_error(directory, error) from error
            raise
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    except BaseException:
        _remove_empty(made)
        raise


def _inside(name: str) -> Path:
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise OutputError(f"{name!r} is not a name inside the output folder", expected="a relative path")
    return path


def _make_folder(directory: Path) -> list[Path]:
    """Make a folder; the folders that did not exist, innermost first."""
    with _explained(directory):
        missing = []
        for path in (directory, *directory.parents):
            if path.exists():
                break
            missing.append(path)
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except BaseException:
            _remove_empty(missing)
            raise
    return missing


def _remove_empty(folders: list[Path]) -> None:
    for path in folders:
        with contextlib.suppress(OSError):
            path.rmdir()


def _make_stage(directory: Path) -> Path:
    with _explained(directory):
        _remove_leftovers(directory)
        return Path(tempfile.mkdtemp(prefix=STAGE_PREFIX, dir=directory))


def _remove_leftovers(directory: Path) -> None:
    for path in directory.glob(f"{STAGE_PREFIX}*"):
        with contextlib.suppress(OSError):
            if (
                path.is_dir()
                and not path.is_symlink()
                and time.time() - path.stat().st_mtime > LEFTOVER_SECONDS
            ):
                shutil.rmtree(path, ignore_errors=True)


def _publish(stage: Path, directory: Path) -> None:
    """Move every file of the stage into place, or none."""
    files = [path.relative_to(stage) for path in sorted(stage.rglob("*")) if not path.is_dir()]
    for name in files:
        if (directory / name).is_dir():
            raise IsADirectoryError(errno.EISDIR, "a folder is in the way", str(directory / name))
        _flush(stage / name)
    made: list[Path] = []
    done: list[Path] = []
    backup = Path(tempfile.mkdtemp(prefix=STAGE_PREFIX, dir=directory))
    try:
        for number, name in enumerate(files):
            made = _make_folder((directory / name).parent) + made
            if os.path.lexists(directory / name):
                _keep(directory / name, backup / str(number))
            done.append(name)
            (stage / name).replace(directory / name)
    except BaseException:
        _take_back(directory, backup, done)
        _remove_empty(made)
        raise
    finally:
        shutil.rmtree(backup, ignore_errors=True)


def _keep(path: Path, copy: Path) -> None:
    """A second name for a file, so that it outlives its replacement; a copy where links are not possible."""
    try:
        os.link(path, copy, follow_symlinks=False)
    except OSError:
        shutil.copy2(path, copy, follow_symlinks=False)


def _take_back(directory: Path, backup: Path, done: list[Path]) -> None:
    for number, name in enumerate(done):
        earlier = backup / str(number)
        with contextlib.suppress(OSError):
            if os.path.lexists(earlier):
                earlier.replace(directory / name)
            else:
                (directory / name).unlink()


def _flush(path: Path) -> None:
    """Bring the content to the disk before the name appears, so that a power cut leaves no empty file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def _explained(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _output_error(directory, error) from error


def _belongs(error: OSError, stage: Path) -> bool:
    names = [str(name) for name in (error.filename, error.filename2) if name]
    if not names:
        return error.errno in NAMELESS
    return any(name.startswith(str(stage)) for name in names)


def _output_error(directory: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    where = f" ({error.filename})" if error.filename and STAGE_PREFIX not in str(error.filename) else ""
    return OutputError(
        f"cannot write to {directory}",
        expected="a folder that can be made or written",
        got=f"{reason}{where}",
        hint="name another folder with --out, or free some space",
    )
