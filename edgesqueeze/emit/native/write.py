"""Puts a generated folder where the user wants it, without taking anything of theirs."""

from __future__ import annotations

import re
from pathlib import Path

from edgesqueeze.base.generated import listed, update_of
from edgesqueeze.base.output import write_files
from edgesqueeze.emit.native.records import NativeSource
from edgesqueeze.emit.native.render import KERNEL_FOLDER

WEIGHTS = "_weights.c"
"""How the name of a file ends that each model has."""


def write_native(folder: Path, source: NativeSource) -> tuple[str, ...]:
    """Write a generated folder, replacing an earlier one.

    Kernels of an earlier one that this model does not need are removed, unless another model is there, which
    may need them.

    Returns:
        Names of the files in the folder: those of the source, and the list of them.

    Raises:
        OutputError: a file of the same name was not generated or was changed since, or the folder cannot be
            written.
    """
    models = {name for name in listed(folder) if name.endswith(WEIGHTS)}
    alone = models <= set(source.files)
    update = update_of(folder, source.files, lambda name: alone and is_kernel(name))
    write_files(folder, update.files, update.remove)
    return tuple(update.files)


def is_kernel(name: str) -> bool:
    """Whether a file of a generated folder is one of the kernels."""
    return re.fullmatch(rf"{KERNEL_FOLDER}/es_\w+\.[ch]", name) is not None
