"""Firmware that runs a generated model on samples in QEMU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from edgesqueeze.base.templates import rendered
from edgesqueeze.emit.native.records import NativeSource
from edgesqueeze.errors import RequirementError
from edgesqueeze.runners import build, toolchain
from edgesqueeze.runners.machines import Machine, machine_of
from edgesqueeze.target.processor import Processor

LEVELS = ("O3", "O2", "Os")
"""Optimization levels of GCC that ``bench`` offers."""
STACK_BYTES = 64 * 1024
"""Far more than the kernels need, which keep nothing large on the stack."""
MARKS = "es_bench_marks.h"
PORTS = ("start.c", "port_semihosting.c", MARKS)
LINKER_SCRIPT = f"{build.HARNESS}/link.ld"
WARNINGS = ("-Wall", "-Wextra")


class Linked(NamedTuple):
    """A linked program: its path, the options that its sources were compiled with, the compiler."""

    elf: Path
    flags: tuple[str, ...]
    compiler: toolchain.Tool


@dataclass(frozen=True)
class Firmware:
    """A program for an emulated board.

    Attributes:
        source: the generated model that is in the firmware.
        processor: the processor that the firmware was compiled for.
        elf: path of the linked file.
        flags: options that the sources were compiled with.
        compiler: the compiler that was used.
    """

    source: NativeSource
    processor: Processor
    elf: Path
    flags: tuple[str, ...]
    compiler: toolchain.Tool

    @property
    def machine(self) -> Machine:
        """The board that runs it."""
        return machine_of(self.processor)


def build_firmware(source: NativeSource, processor: Processor, level: str = "O3") -> Firmware:
    """Compile a generated model and the harness for a core.

    Args:
        source: generated for the processor's ``kernel_core``.
        processor: the core and its extensions.
        level: one of ``LEVELS``.

    Raises:
        RequirementError: the emulated board has too little memory, or the compiler refuses.
        MissingToolError: the cross compiler or its C library is not installed.
    """
    _check_memory(source, machine_of(processor))
    linked = link(build.with_harness(source, *PORTS), (f"{source.name}_weights.c",), processor, level)
    return Firmware(source, processor, linked.elf, linked.flags, linked.compiler)


def link(
    sources: build.Sources, weights: Sequence[str], processor: Processor, level: str, *defines: str
) -> Linked:
    """Compile and link a program for the emulated board of a core.

    Args:
        sources: the program, with ``PORTS`` in the folder ``build.HARNESS``.
        weights: those of its files whose constants are weights.
        processor: the core and its extensions.
        level: one of ``LEVELS``.
        defines: macros that are defined for all sources.

    Raises:
        RequirementError: the compiler or the linker refuses.
        MissingToolError: the cross compiler or its C library is not installed.
    """
    compiler = toolchain.find(toolchain.ARM_COMPILER)
    toolchain.require_arm_library(compiler)
    flags = (*processor.flags, f"-{level}", "-std=c99", "-ffunction-sections", "-fdata-sections", *WARNINGS)
    sources = build.Sources(
        sources.about,
        {**sources.files, LINKER_SCRIPT: _linker_script(sources, weights, machine_of(processor))},
        sources.compiled,
        sources.include_folders,
    )
    link_flags = ("-nostartfiles", "--specs=nano.specs", "-Wl,--gc-sections", f"-T{LINKER_SCRIPT}", "-lm")
    macros = (f"-D{name}" for name in defines)
    marked = (*flags, *macros, "-include", f"{build.HARNESS}/{MARKS}")
    elf = build.build(sources, compiler, marked, link_flags)
    return Linked(elf, flags, compiler)


def _check_memory(source: NativeSource, machine: Machine) -> None:
    buffers = sum(io.elements * 4 for io in (*source.inputs, *source.outputs) if io.converts)
    needed = source.weights_bytes + source.arena_bytes + buffers
    if needed > machine.large.bytes:
        raise RequirementError(
            f"{source.name} is too large for the emulated board {machine.name}",
            expected=f"weights and arena within {machine.large.bytes:,} bytes",
            got=f"{source.weights_bytes:,} + {source.arena_bytes:,} bytes",
            hint="shrink the model; a microcontroller with this much memory is rare",
        )


def _linker_script(sources: build.Sources, weights: Sequence[str], machine: Machine) -> str:
    harness = [path for path in sources.compiled if path.startswith(f"{build.HARNESS}/")]
    values = {
        "machine": machine,
        "harness": [build.object_name(path) for path in harness],
        "weights": [build.object_name(path) for path in weights],
        "stack_bytes": STACK_BYTES,
    }
    return rendered(build.FIRMWARE / "link.ld.j2", values)


def describe_flags(flags: Sequence[str]) -> str:
    """Options as a reader of a report wants them: without warnings."""
    return " ".join(flag for flag in flags if not flag.startswith("-W"))
