"""The C kernels that ship with EdgeSqueeze: three sets, and which files a call needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

FOLDER = Path(__file__).parent.parent.parent / "kernels"

ALIGNMENT: Mapping[str, int] = MappingProxyType({"reference": 4, "dsp": 4, "mve": 16})
"""Kernel set -> what the addresses of activations are multiples of, in bytes."""

CORE_SETS: Mapping[str, str] = MappingProxyType(
    {
        "cortex-m4": "dsp",
        "cortex-m7": "dsp",
        "cortex-m33": "dsp",
        "cortex-m55": "mve",
        "cortex-m85": "mve",
    }
)
"""Core -> its kernel set; the portable C for all others."""

LENT = frozenset({"es_depthwise_conv2d_3x3_s16", "es_depthwise_taps_s16"})
"""Kernels of the DSP set that the MVE set has too: its cores have the DSP extension, which is faster than
vectors for few channels."""

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_INCLUDE = re.compile(r'#include "(\w+)\.h"')
_CALL = re.compile(r"\b(es_\w+)\b")


def kernel_set_of(core: str | None) -> str:
    """The kernel set for a core; None: portable C."""
    return CORE_SETS.get(core or "", "reference")


def files_of(kernel_set: str, functions: Iterable[str]) -> dict[str, str]:
    """The C files and headers that some kernels need, file name -> text; each kernel is the set's best.

    A file belongs to it when its function is called, or its header included, by one that does.
    """
    files: dict[str, str] = {}
    waiting = [f"{name}.c" for name in functions]
    while waiting:
        name = waiting.pop()
        path = _find(kernel_set, name)
        if name in files or path is None:
            continue
        files[name] = path.read_text(encoding="utf-8")
        waiting += _needs(path)
    return dict(sorted(files.items()))


def portable_of(kernel_set: str, functions: Iterable[str]) -> tuple[str, ...]:
    """Those of some kernels that a set lacks, so that portable C stands in; none for the portable set."""
    if kernel_set == "reference":
        return ()
    return tuple(sorted(name for name in set(functions) if not has_own(kernel_set, name)))


def has_own(kernel_set: str, function: str) -> bool:
    """Whether a set has a kernel itself, or has it from the DSP set; else portable C stands in."""
    lent = kernel_set == "mve" and function in LENT
    return lent or (FOLDER / kernel_set / f"{function}.c").is_file()


def sources_of(kernel_set: str) -> dict[str, Path]:
    """All C files that a set has, portable ones and those of the DSP set too, by name without suffix."""
    found = {path.stem: path for path in (FOLDER / "reference").glob("*.c")}
    if kernel_set == "mve":
        found |= {name: FOLDER / "dsp" / f"{name}.c" for name in LENT}
    found |= {path.stem: path for path in (FOLDER / kernel_set).glob("*.c")}
    return dict(sorted(found.items()))


@cache
def _needs(path: Path) -> tuple[str, ...]:
    """Names of files that one file may need; those that are no files are harmless."""
    code = _COMMENT.sub("", path.read_text(encoding="utf-8"))
    headers = tuple(f"{name}.h" for name in _INCLUDE.findall(code))
    if path.suffix == ".h":
        return headers  # a header's declarations are no calls
    return headers + tuple(f"{name}.c" for name in sorted(set(_CALL.findall(code))))


def _find(kernel_set: str, name: str) -> Path | None:
    folders = ["include"] if kernel_set == "reference" else ["include", kernel_set]
    if kernel_set == "mve" and (name.removesuffix(".c") in LENT or name.endswith("_dsp.h")):
        folders.append("dsp")
    paths = (FOLDER / folder / name for folder in (*folders, "reference"))
    return next((path for path in paths if path.is_file()), None)
