"""Write files so that they appear whole or not at all.

Everything is written into a hidden folder inside the output folder and moved into place by renaming. What
goes wrong before the first rename leaves the output folder as it was; if a rename fails, those already made
are taken back; a process that is killed between two of them is finished by the next. See ``base.publish``.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from edgesqueeze.base.publish import STAGE_PREFIX, inside, make_folder, open_stage, publish, remove_empty
from edgesqueeze.errors import OutputError

# A write into an open file fails without naming it.
NAMELESS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG}


def write_files(
    directory: Path, files: Mapping[str, bytes | str | Path], remove: Mapping[str, str] | None = None
) -> None:
    """Write several files into a folder: all of them, or none.

    Args:
        directory: is made if it does not exist, with its parents.
        files: name inside ``directory`` (``/`` makes subfolders) -> content: bytes, text (UTF-8), or the
            path of a file to copy.
        remove: names of files there that go at the same time -> their SHA-256; one with another stays.

    Raises:
        OutputError: the folder or a file in it cannot be written, a link is in the way, or a name leads out
            of the folder.
    """
    with staged(directory, remove) as stage:
        for name, content in files.items():
            path = stage / inside(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                shutil.copyfile(content, path)
            elif isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.write_text(content, encoding="utf-8", newline="")


def refuse_inputs(outputs: Iterable[Path], inputs: Iterable[object], flag: str) -> None:
    """Refuse to write over what is read: it would be gone, and what was made of it could not be made again.

    Args:
        outputs: files that will be written.
        inputs: what is read: paths, and anything else, which is no file.
        flag: what names another place.

    Raises:
        OutputError: one of the files is read.
    """
    read = [Path(one) for one in inputs if isinstance(one, str | Path)]
    for output in outputs:
        for one in read:
            # A name that no file can have is no file.
            with contextlib.suppress(OSError, ValueError):
                if output.samefile(one):
                    raise OutputError(
                        f"{output} is read here, and would be replaced",
                        expected="another place for what is made",
                        got=str(one),
                        hint=f"name another with {flag}, or copy the file first",
                    )


def write_file(path: Path, content: bytes | str, flag: str, inputs: Iterable[Path] = ()) -> None:
    """Write one file whose path was given by a flag: whole, or not at all.

    Args:
        path: its folder is made if it does not exist.
        content: bytes, or text (UTF-8).
        flag: what names another place.
        inputs: files that it must not replace, since they are read.

    Raises:
        OutputError: it cannot be written, or is one of ``inputs``.
    """
    refuse_inputs([path], inputs, flag)
    try:
        write_files(path.parent, {path.name: content})
    except OutputError as error:
        raise OutputError(
            f"cannot write {path}",
            expected="a file that can be made or replaced",
            got=error.got,
            hint=f"name another file with {flag}, or free some space",
        ) from error


@contextlib.contextmanager
def advised(hint: str) -> Iterator[None]:
    """Where ``--out`` is not what leads elsewhere: have errors say what does.

    Raises:
        OutputError: what the block raises, with that hint.
    """
    try:
        yield
    except OutputError as error:
        raise OutputError(error.problem, expected=error.expected, got=error.got, hint=hint) from error


@contextlib.contextmanager
def staged(directory: Path, remove: Mapping[str, str] | None = None) -> Iterator[Path]:
    """A temporary folder whose files move into ``directory`` when the block ends without an exception.

    Files that exist already are replaced; all others in ``directory`` stay. Links in it are not followed: a
    file that is one is replaced, a folder that is one is an error. After an exception, Ctrl-C included,
    ``directory`` is as it was (if it had to be made, it is removed again).

    Args:
        directory: the output folder.
        remove: as in ``write_files``; what the block adds to it counts.

    Raises:
        OutputError: ``directory`` cannot be made or written, now or at the end.
    """
    with _explained(directory):
        made = make_folder(directory)
    try:
        with _explained(directory):
            stage = open_stage(directory)
        try:
            yield stage.new
            with _explained(directory):
                publish(stage, directory, {} if remove is None else remove)
        except OSError as error:
            # The block's own writing: a full disk, or a stage that someone removed.
            if _belongs(error, stage.folder):
                raise _output_error(directory, error) from error
            raise
        finally:
            stage.close()
    except BaseException:
        remove_empty(made)
        raise


def open_folder(directory: Path) -> list[Path]:
    """Make a folder where there is none, and see that it can be written.

    Returns:
        The folders that were made, innermost first.

    Raises:
        OutputError: it cannot.
    """
    with _explained(directory):
        made = make_folder(directory)
        with tempfile.TemporaryFile(dir=directory):
            pass
    return made


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
