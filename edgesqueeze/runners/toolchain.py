"""The compilers and the emulator that native C is built and run with."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgesqueeze.errors import MissingToolError, RequirementError

ANSWER_SECONDS = 20
DISASSEMBLE_SECONDS = 60
DISASSEMBLED_ARCHITECTURE = "armv8.1-m.main"
"""It has the instructions of all cores; objdump takes MVE for unknown coprocessors unless it is named."""


@dataclass(frozen=True)
class Program:
    """A program that is not part of EdgeSqueeze.

    Attributes:
        names: file names that the program may have; the first that is found is used.
        title: what a person calls the program.
        packages: the Debian packages that install the program.
    """

    names: tuple[str, ...]
    title: str
    packages: tuple[str, ...]


HOST_COMPILER = Program(("gcc", "cc", "clang"), "a C compiler for this machine", ("gcc", "libc6-dev"))
ARM_COMPILER = Program(
    ("arm-none-eabi-gcc",),
    "the C compiler for Cortex-M",
    ("gcc-arm-none-eabi", "libnewlib-arm-none-eabi"),
)
ARM_DISASSEMBLER = Program(
    ("arm-none-eabi-objdump",), "the disassembler for Cortex-M", ("binutils-arm-none-eabi",)
)
QEMU = Program(("qemu-system-arm",), "the emulator for Cortex-M", ("qemu-system-arm",))
SSH = Program(("ssh",), "OpenSSH's client", ("openssh-client",))


@dataclass(frozen=True)
class Tool:
    """A program as it was found.

    Attributes:
        path: path of the program's file.
        version: the first line of what the program says about itself.
    """

    path: str
    version: str

    @property
    def number(self) -> tuple[int, ...]:
        """The version as numbers; empty if it has none."""
        return tuple(int(part) for part in version_number(self.version).split(".") if part)


def find(program: Program) -> Tool:
    """Find a program on the PATH.

    Raises:
        MissingToolError: it is not there, or does not start.
    """
    path = next(filter(None, map(shutil.which, program.names)), None)
    if path is None:
        raise _missing(program, "no such program on the PATH")
    return Tool(path, _version(path, Path(path).stat().st_mtime_ns, program))


def run_program(
    command: Sequence[str], seconds: float, *, folder: Path | None = None, english: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a program that reads nothing, and keep what it says.

    Args:
        command: the program and its arguments.
        seconds: how long it may take.
        folder: where it runs; by default here.
        english: have it speak English, so that its messages can be understood.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was ended.
    """
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "LC_ALL": "C"} if english else None,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )


def require(*programs: Program) -> tuple[Tool, ...]:
    """Find several programs, and tell all that are missing at once.

    Raises:
        MissingToolError: one is not there, or does not start.
    """
    absent = _absent(programs)
    if len(absent) > 1:
        names = ", ".join(one.names[0] for one in absent)
        raise MissingToolError(
            f"{len(absent)} programs are missing",
            expected=names,
            got="no such programs on the PATH",
            hint=f"{install_command(*absent)} (Debian, Ubuntu)",
        )
    return tuple(map(find, programs))


def version_number(line: str) -> str:
    """The version in the first line of what a program says about itself: ``12.2.1``; empty if none."""
    # What stands in brackets before it is the name of a distribution's build, with numbers of its own.
    found = re.search(r"\b\d+(?:\.\d+)+", re.sub(r"\([^)]*\)", "", line))
    return found[0] if found else ""


def missing(*programs: Program) -> str | None:
    """None when all programs are there, else which are not and what installs them."""
    absent = _absent(programs)
    if not absent:
        return None
    names = ", ".join(one.names[0] for one in absent)
    return f"{names} not found; {install_command(*absent)}"


def install_command(*programs: Program) -> str:
    """What installs them on Debian and Ubuntu."""
    packages = dict.fromkeys(package for one in programs for package in one.packages)
    return f"apt-get install {' '.join(packages)}"


def require_arm_library(compiler: Tool) -> None:
    """Check that the C library for Cortex-M is there, which is a package of its own.

    Raises:
        MissingToolError: it is not.
    """
    if not _has_library(compiler.path):
        raise _missing(ARM_COMPILER, f"{compiler.path} finds no libc.a")


def _absent(programs: tuple[Program, ...]) -> list[Program]:
    return [one for one in programs if not any(map(shutil.which, one.names))]


@functools.cache
def _has_library(path: str) -> bool:
    # GCC answers with a path where it finds the file, else with the bare name.
    return "/" in run_program([path, "-print-file-name=libc.a"], ANSWER_SECONDS).stdout


@functools.cache
def _version(path: str, changed: int, program: Program) -> str:
    """Asked once for every version of the file."""
    try:
        done = run_program([path, "--version"], ANSWER_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _missing(program, f"{path} does not start: {error}") from error
    lines = done.stdout.strip().splitlines()
    return lines[0] if lines else Path(path).name


def _missing(program: Program, got: str) -> MissingToolError:
    return MissingToolError(
        f"{program.title} is missing",
        expected=program.names[0],
        got=got,
        hint=f"{install_command(program)} (Debian, Ubuntu); `edgesqueeze doctor` shows what else is missing",
    )


def disassembly(elf: Path, disassembler: Tool) -> str:
    """What ``objdump --disassemble`` prints about a linked file.

    Raises:
        RequirementError: the disassembler fails.
    """
    command = [disassembler.path, "--disassemble", "--architecture", DISASSEMBLED_ARCHITECTURE, str(elf)]
    try:
        done = run_program(command, DISASSEMBLE_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise RequirementError(
            f"{disassembler.path} read the firmware for more than {DISASSEMBLE_SECONDS} s",
            hint="try again when this computer has less to do",
        ) from error
    if done.returncode:
        raise RequirementError(
            f"{disassembler.path} cannot read the firmware",
            expected="a disassembler that knows Armv8.1-M with MVE",
            got=done.stderr.strip()[:300],
            hint=f"{install_command(ARM_DISASSEMBLER)} (Debian, Ubuntu) and let it come first on the PATH",
        )
    return done.stdout
