"""Compile C into a program, at most once for the same sources, flags and compiler."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from edgesqueeze.base.templates import rendered
from edgesqueeze.emit.native.literals import C_TYPES
from edgesqueeze.emit.native.records import NativeSource
from edgesqueeze.errors import RequirementError
from edgesqueeze.runners.build_cache import cached
from edgesqueeze.runners.toolchain import Tool, run_program

FIRMWARE = Path(__file__).with_name("firmware")
HARNESS = "es_bench"
"""Folder of the harness beside a generated model, whose files may have any other name."""
COMPILE_SECONDS = 300
FAULT_HINT = "this is a fault in EdgeSqueeze's kernels or in the compiler; please report it"
PROGRAM = "program"
OBJECT = "object.o"
_ERROR = re.compile(r"error:|overflowed|undefined|cannot find|\bld: ")
_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


@dataclass(frozen=True)
class Sources:
    """What a program is compiled from.

    Attributes:
        about: what to call it in messages.
        files: path inside a folder -> text.
        compiled: those of ``files`` that are compiled.
        include_folders: where headers are, inside the folder.
    """

    about: str
    files: Mapping[str, str]
    compiled: tuple[str, ...]
    include_folders: tuple[str, ...]


def with_harness(source: NativeSource, *ports: str) -> Sources:
    """A generated model and the program around it that runs it on samples.

    Args:
        source: the generated folder.
        ports: files of ``firmware/`` that go with the harness; those that end in ``.c`` are compiled.
    """
    names = ("es_bench_port.h", *ports)
    harness = {f"{HARNESS}/{name}": (FIRMWARE / name).read_text(encoding="utf-8") for name in names}
    harness[f"{HARNESS}/harness.c"] = _harness(source)
    return Sources(
        about=source.name,
        files={**source.files, **harness},
        compiled=(*source.sources, *(path for path in harness if path.endswith(".c"))),
        include_folders=tuple(dict.fromkeys((".", *source.include_folders))),
    )


def object_name(path: str) -> str:
    """What the linker script calls the object file of a source file: its path too, which is its own."""
    return f"{path}.o"


def build(sources: Sources, compiler: Tool, flags: Sequence[str], link_flags: Sequence[str] = ()) -> Path:
    """Compile and link; the path of the program.

    Every object file is kept for itself, so that models share the kernels that they have in common.

    Args:
        sources: what to compile.
        compiler: GCC, or something that takes its options.
        flags: options for both steps.
        link_flags: options for linking, after the object files.

    Raises:
        RequirementError: the compiler or linker refuses; with its first message.
    """
    parts: list[str | bytes] = [compiler.path, compiler.version, "\n".join((*flags, "--", *link_flags))]
    parts += ["\n".join(sources.compiled), "\n".join(sources.include_folders)]
    for name in sorted(sources.files):
        parts += [name, sources.files[name]]
    return cached(parts, lambda folder: _link(sources, compiler, flags, link_flags, folder)) / PROGRAM


def _link(
    sources: Sources, compiler: Tool, flags: Sequence[str], link_flags: Sequence[str], folder: Path
) -> None:
    _write(sources.files, folder)
    names = [object_name(path) for path in sources.compiled]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(lambda name: _object(sources, compiler, flags, name), sources.compiled))
    # By their own names, which the linker script knows.
    for name, path in zip(names, objects, strict=True):
        (folder / name).symlink_to(path)
    _run([compiler.path, *flags, *names, *link_flags, "-o", PROGRAM], folder, sources.about)
    _keep_only(folder, PROGRAM)


def _object(sources: Sources, compiler: Tool, flags: Sequence[str], name: str) -> Path:
    """Compile one file."""
    files = _with_headers(sources.files, name, flags)
    parts: list[str | bytes] = [compiler.path, compiler.version, "\n".join(flags), name]
    parts += ["\n".join(sources.include_folders), *(part for item in sorted(files.items()) for part in item)]

    def compile_into(folder: Path) -> None:
        _write(files, folder)
        # For #include "..." only: a model may be called math, but <math.h> is the C library's.
        includes = [word for one in sources.include_folders for word in ("-iquote", one)]
        # The folder is renamed later; debuggers and sanitizers shall not name one that is gone.
        paths = f"-ffile-prefix-map={folder}=."
        command = [compiler.path, *flags, paths, *includes, "-c", name, "-o", OBJECT]
        _run(command, folder, sources.about)
        _keep_only(folder, OBJECT)

    return cached(parts, compile_into) / OBJECT


def _with_headers(files: Mapping[str, str], name: str, flags: Sequence[str]) -> dict[str, str]:
    """A source file and the headers that it may include, however indirectly, found by their file names."""
    wanted = [name, *(flag for before, flag in itertools.pairwise(flags) if before == "-include")]
    found: dict[str, str] = {}
    while wanted:
        one = PurePosixPath(wanted.pop()).name
        for path, text in files.items():
            if PurePosixPath(path).name == one and path not in found:
                found[path] = text
                wanted += _INCLUDE.findall(text)
    return found


def _write(files: Mapping[str, str], folder: Path) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _keep_only(folder: Path, name: str) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != name:
            path.unlink()


def _run(command: Sequence[str], folder: Path, about: str) -> None:
    try:
        done = run_program(command, COMPILE_SECONDS, folder=folder, english=True)
    except subprocess.TimeoutExpired as error:
        raise RequirementError(
            f"compiling the C of {about} took more than {COMPILE_SECONDS} s",
            got=command[0],
            hint="try again when this computer has less to do, or shrink the model",
        ) from error
    if done.returncode:
        raise RequirementError(
            f"the C of {about} does not compile",
            expected="C99 that this compiler takes",
            got=_first_error(done.stderr),
            hint=f"the compiler was {command[0]}; `edgesqueeze emit --format c` writes the same sources",
        )


def _first_error(text: str) -> str:
    lines = text.strip().splitlines()
    # The last line of GCC says only that its linker failed.
    errors = [line for line in lines if _ERROR.search(line) and not line.startswith("collect2:")]
    return "; ".join((errors or lines or ["it gave no reason"])[:3])


def _harness(source: NativeSource) -> str:
    values = {
        "name": source.name,
        "macro": source.name.upper(),
        "inputs": source.inputs,
        "outputs": source.outputs,
        "state_bytes": source.state_bytes,
        "ctypes": C_TYPES,
        "sizes": {dtype: np.dtype(dtype).itemsize for dtype in C_TYPES},
    }
    return rendered(FIRMWARE / "harness.c.j2", values)
