"""How a search begins, and what is left of one that ends before it found anything: nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from edgesqueeze.base.output import open_folder
from edgesqueeze.base.publish import remove_empty
from edgesqueeze.base.signals import say_left
from edgesqueeze.explore.study import FILE, Study, kept_study

GOES_ON = "--resume goes on with the search"


@contextlib.contextmanager
def begun(folder: Path, storage: str, opened: Callable[[str], Study]) -> Iterator[Study]:
    """The study of a search in its folder, which is made.

    Where the block fails or is ended before anything was noted, the folder is as it was. Where it is ended
    later, what was found stays, and the exception says that the search can go on.

    Args:
        folder: for what is found.
        storage: URL of the study's database.
        opened: opens the study there.

    Raises:
        OutputError: the folder cannot be written, or the database fails.
    """
    made = open_folder(folder)
    file, study = folder / FILE, None
    was_there = file.exists()
    try:
        study = opened(storage)
        with kept_study(storage):
            yield study
    except BaseException as error:
        if study is None or study.is_empty:
            if not was_there:
                file.unlink(missing_ok=True)
            remove_empty(made)
        else:
            say_left(error, GOES_ON)
        raise
