"""How long a program of the user's takes on a microcontroller, part by part, before there is a board.

The program is C around a generated model, or none at all: what takes samples, computes features, calls the
model and decides. It is compiled for the target's core and runs in QEMU as ``emulate`` runs a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgesqueeze.base.given import wrong_kind
from edgesqueeze.base.records import Range
from edgesqueeze.errors import UsageError
from edgesqueeze.latency import cycles as cycle_model
from edgesqueeze.latency.builds import BUILDS, Build, as_built
from edgesqueeze.latency.cycles import LayerCount
from edgesqueeze.latency.flash import Flash, flash_of
from edgesqueeze.latency.instructions import parse_disassembly
from edgesqueeze.runners import qemu, toolchain
from edgesqueeze.runners.build import FIRMWARE, HARNESS, Sources
from edgesqueeze.runners.elf import read_sizes
from edgesqueeze.runners.firmware_build import PORTS, Linked, link
from edgesqueeze.runners.machines import machine_of
from edgesqueeze.target.load import as_target
from edgesqueeze.target.processor import processor_of
from edgesqueeze.target.records import Target

TOOLS = (toolchain.ARM_DISASSEMBLER, toolchain.ARM_COMPILER, toolchain.QEMU, toolchain.HOST_COMPILER)
HARNESS_FILES = ("es_bench_port.h", "es_emulated.h", "program.c", *PORTS)
RUN_SECONDS = 120


@dataclass(frozen=True)
class ProgramPart:
    """What one part of a program executed, all its turns together.

    Attributes:
        name: name of the part.
        instructions: executed instructions, counted exactly.
        cycles: processor cycles, computed from the instructions.
        milliseconds: time at the target's clock, computed from the cycles.
    """

    name: str
    instructions: int
    cycles: Range
    milliseconds: Range


@dataclass(frozen=True)
class ProgramRun:
    """A program that ran on an emulated microcontroller.

    Attributes:
        target: name of the target.
        clock_mhz: clock of the target's core, in megahertz.
        output: the bytes that the program wrote.
        parts: what each part executed; what ran before the first part is in none.
        flash_code_bytes: size of the instructions, in bytes.
        flash_constants_bytes: size of the constant data, in bytes.
        ram_static_bytes: size of the variables, arenas among them, in bytes.
        ram_stack_bytes: deepest stack, in bytes.
    """

    target: str
    clock_mhz: float
    output: bytes
    parts: tuple[ProgramPart, ...]
    flash_code_bytes: int
    flash_constants_bytes: int
    ram_static_bytes: int
    ram_stack_bytes: int

    @property
    def flash_bytes(self) -> int:
        """Code and constant data together."""
        return self.flash_code_bytes + self.flash_constants_bytes

    @property
    def ram_bytes(self) -> int:
        """Variables and stack together."""
        return self.ram_static_bytes + self.ram_stack_bytes


def emulate_program(
    files: Mapping[str, str],
    target: str | Path | Target,
    *,
    parts: Sequence[str] = ("program",),
    data: bytes = b"",
    build: Build = "O3",
    seconds: float = RUN_SECONDS,
) -> ProgramRun:
    """Run C of yours for a target's core in QEMU, and say what each part of it costs.

    The program includes ``es_emulated.h``, which the emulator has, and defines ``es_emulated_program()``. It
    reads ``data`` with ``ES_EMULATED_READ``, writes results with ``ES_EMULATED_WRITE``, and says with
    ``ES_EMULATED_PART(number)`` which of ``parts`` begins.

    Args:
        files: path -> text of all sources and headers, those of ``emit_native(...).files`` among them. Files
            that end in ``.c`` are compiled; ``main.c`` of a generated model has to be left out.
        target: a microcontroller's profile, its name or its path.
        parts: names of the parts, by their numbers.
        data: what the program can read.
        build: how the C is compiled.
        seconds: how long it may take in the emulator.

    Raises:
        UsageError: not a microcontroller, or no parts.
        RequirementError: the program does not compile, fails, or does not end.
        MissingToolError: a compiler or the emulator is not installed.
    """
    if not isinstance(files, Mapping):
        raise wrong_kind(files, "texts of C by their paths")
    target = as_target(target)
    _check_use(target, parts)
    target = target.model_copy(update={"cpu": as_built(target.cpu, build)})
    (disassembler, *_) = toolchain.require(*TOOLS)
    flash = flash_of(target.cpu, target.memory)
    linked, done = _run(files, target, flash, data, BUILDS[build].level, seconds)
    assert done.counts is not None
    instructions = parse_disassembly(toolchain.disassembly(linked.elf, disassembler))
    counts = cycle_model.layer_counts(done.counts, instructions, len(parts))
    sizes = read_sizes(linked.elf)
    return ProgramRun(
        target=target.name,
        clock_mhz=target.cpu.clock_mhz,
        output=done.output,
        parts=tuple(_part(name, target, flash, count) for name, count in zip(parts, counts, strict=False)),
        flash_code_bytes=sizes.code,
        flash_constants_bytes=sizes.weights + sizes.constants,
        ram_static_bytes=sizes.variables,
        ram_stack_bytes=done.stack_bytes,
    )


def _run(
    files: Mapping[str, str], target: Target, flash: Flash, data: bytes, level: str, seconds: float
) -> tuple[Linked, qemu.Executed]:
    """Link the program and run it to its end."""
    processor = processor_of(target.cpu)
    weights = [path for path in files if path.endswith("_weights.c")]
    linked = link(_sources(files), weights, processor, level, "ES_EMULATED_PROGRAM")
    machine = machine_of(processor)
    done = qemu.execute(
        linked.elf,
        machine,
        data,
        about=f"the program on {machine.name}",
        fault_hint="the reason is in the program: look for memory that is not its own, and for endless loops",
        count=flash.caches,
        seconds=seconds,
    )
    return linked, done


def _check_use(target: Target, parts: Sequence[str]) -> None:
    if not target.is_mcu:
        raise UsageError(
            f"{target.name} is not a microcontroller, and only those are emulated",
            expected="a target with a Cortex-M core",
            got=target.cpu.core,
            hint="`edgesqueeze targets list` shows them",
        )
    if not parts:
        raise UsageError("a program has one part at least", expected="the names of its parts", got="none")


def _sources(files: Mapping[str, str]) -> Sources:
    harness = {f"{HARNESS}/{name}": (FIRMWARE / name).read_text(encoding="utf-8") for name in HARNESS_FILES}
    folders = {str(Path(path).parent) for path in files}
    return Sources(
        about="the program",
        files={**files, **harness},
        compiled=tuple(sorted(path for path in (*files, *harness) if path.endswith(".c"))),
        include_folders=(*sorted(folders), HARNESS),
    )


def _part(name: str, target: Target, flash: Flash, count: LayerCount) -> ProgramPart:
    cycles = cycle_model.estimate_cycles(target.cpu.core, flash, count)
    low, estimate, high = cycles
    clock = target.cpu.clock_mhz * 1000
    return ProgramPart(
        name=name,
        instructions=count.instructions,
        cycles=Range(estimate=round(estimate), low=round(low), high=round(high)),
        milliseconds=Range(
            estimate=round(estimate / clock, 4), low=round(low / clock, 4), high=round(high / clock, 4)
        ),
    )
