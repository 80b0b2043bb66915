"""Run firmware in QEMU, and count the instructions of every layer.

The counts are exact and repeat: a plugin (``firmware/count_plugin.c``) counts every block of instructions
as it runs, and the marks between layers are no instructions themselves.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from edgesqueeze.errors import MissingToolError, RequirementError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.state import state_of
from edgesqueeze.runners import build, toolchain
from edgesqueeze.runners.counts import Block, Counts, FlashCaches
from edgesqueeze.runners.elf import constant_ranges, read_marks
from edgesqueeze.runners.firmware_build import Firmware, build_firmware
from edgesqueeze.runners.host_c import packed, unpacked
from edgesqueeze.runners.machines import Machine
from edgesqueeze.runners.samples import Outputs, Samples, check_samples
from edgesqueeze.target.processor import Processor

START_SECONDS = 60
SAMPLE_SECONDS = 5
"""How long a run may take: ten times what the largest models of microcontrollers do."""
DEFAULT_PROCESSOR = Processor("cortex-m4", "single", dsp=True, mve="none")
"""What ``verify --runtime qemu`` emulates: the core of most boards, with kernels of its own."""
PLUGIN_FLAGS = ("-std=c99", "-O2", "-shared", "-fPIC", "-fvisibility=hidden")
# QEMU 9.0 raised the plugin interface's version and takes no plugin for an older one.
NEW_INTERFACE = (9, 0)


@dataclass(frozen=True, eq=False)
class Run:
    """What came out of one run of the firmware.

    Attributes:
        outputs: per inference the arrays of the model's outputs.
        stack_bytes: bytes of the deepest stack of an inference, found by painting.
        counts: what was executed in the first inference; None unless it was asked for.
        emulator: the emulator that ran the firmware, QEMU.
    """

    outputs: Outputs
    stack_bytes: int
    counts: Counts | None
    emulator: toolchain.Tool


class Executed(NamedTuple):
    """What a program left: the bytes that it wrote, its deepest stack in bytes, and what it executed."""

    output: bytes
    stack_bytes: int
    counts: Counts | None


def available() -> str | None:
    """None when compiler and emulator are there, else what to install."""
    return toolchain.missing(toolchain.ARM_COMPILER, toolchain.QEMU)


def runner(
    processor: Processor, carry_state: bool | None = None, level: str = "O3"
) -> Callable[[TfliteModel, Samples], Outputs]:
    """A function that runs inferences on an emulated core; see ``edgesqueeze.runners`` for the contract.

    Args:
        processor: the core and its extensions.
        carry_state: whether state goes on from sample to sample; None leaves it to the model.
        level: the compiler's optimization level.

    It raises:
        DataError: an array of the wrong dtype or shape, or the wrong number of arrays.
        UnsupportedModelError: operators that native C does not have.
        RequirementError: the firmware does not compile, fails or does not end.
        MissingToolError: the compiler or the emulator is not installed.
    """

    def run_on_core(model: TfliteModel, samples: Samples) -> Outputs:
        from edgesqueeze.emit.native.emit import emit_native

        check_samples(model, samples)
        if not samples:
            return []
        firmware = build_firmware(emit_native(model, core=processor.kernel_core), processor, level)
        sequence = state_of(model).is_sequence(carry_state)
        return run_firmware(firmware, samples, sequence=sequence).outputs

    return run_on_core


def run(model: TfliteModel, samples: Samples, *, carry_state: bool | None = None) -> Outputs:
    """Run inferences on an emulated Cortex-M4; see ``runner``."""
    return runner(DEFAULT_PROCESSOR, carry_state)(model, samples)


def run_firmware(
    firmware: Firmware,
    samples: Samples,
    *,
    count: FlashCaches | None = None,
    seconds: float | None = None,
    sequence: bool = False,
) -> Run:
    """Run firmware in QEMU on samples, all in one run.

    Args:
        firmware: what ``build_firmware`` made.
        samples: per inference the arrays of the model's inputs; at least one.
        count: count the instructions of the first inference, and what these caches miss.
        seconds: how long it may take; by default longer for more samples.
        sequence: whether state goes on from one sample to the next; it is reset before each otherwise.

    Raises:
        RequirementError: it fails, or does not end in time.
        MissingToolError: QEMU is not installed, or cannot load plugins.
    """
    emulator = toolchain.find(toolchain.QEMU)
    if seconds is None:
        seconds = START_SECONDS + SAMPLE_SECONDS * len(samples)
    done = execute(
        firmware.elf,
        firmware.machine,
        packed(samples, firmware.source, sequence=sequence),
        about=f"the firmware of {firmware.source.name} on {firmware.machine.name}",
        fault_hint=build.FAULT_HINT,
        count=count,
        seconds=seconds,
    )
    return Run(
        outputs=unpacked(firmware.source, done.output, len(samples)),
        stack_bytes=done.stack_bytes,
        counts=done.counts,
        emulator=emulator,
    )


def execute(
    elf: Path,
    machine: Machine,
    data: bytes,
    *,
    about: str,
    fault_hint: str,
    count: FlashCaches | None,
    seconds: float,
) -> Executed:
    """Run a linked program in QEMU until it ends.

    Args:
        elf: what ``firmware_build.link`` made.
        machine: the board that it was linked for.
        data: what it can read.
        about: what to call it in messages.
        fault_hint: what to do if it fails.
        count: count its instructions, and what these caches miss.
        seconds: how long it may take.

    Raises:
        RequirementError: it fails, or does not end in time.
        MissingToolError: QEMU is not installed, or cannot load plugins.
    """
    emulator = toolchain.find(toolchain.QEMU)
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-") as name:
        folder = Path(name)
        (folder / "samples.bin").write_bytes(data)
        _run_to_end(_command(elf, machine, emulator, folder, count), folder, seconds, about, fault_hint)
        return Executed(
            output=(folder / "outputs.bin").read_bytes(),
            stack_bytes=int.from_bytes((folder / "stack.bin").read_bytes(), "little"),
            counts=_read_counts(folder / "counts.txt") if count else None,
        )


def _command(
    elf: Path, machine: Machine, emulator: toolchain.Tool, folder: Path, count: FlashCaches | None
) -> list[str]:
    command = [emulator.path, "-machine", machine.name, "-nic", "none"]
    command += ["-display", "none", "-monitor", "none", "-serial", "none", "-parallel", "none"]
    command += ["-semihosting-config", "enable=on,target=native", "-kernel", str(elf)]
    if count:
        marks = read_marks(elf)
        (folder / "marks.txt").write_text("".join(f"{address:x} {number:x}\n" for address, number in marks))
        # Beside the other files: commas in a path would end QEMU's option.
        (folder / "count_plugin.so").symlink_to(_plugin(emulator))
        ranges = "".join(f",constant={first:#x}-{end:#x}" for first, end in constant_ranges(elf))
        caches = f",code={count.code_bytes},data={count.data_bytes}"
        command += ["-plugin", f"./count_plugin.so,marks=marks.txt,out=counts.txt{caches}{ranges}"]
    return command


def _run_to_end(command: Sequence[str], folder: Path, seconds: float, about: str, fault_hint: str) -> None:
    try:
        done = toolchain.run_program(command, seconds, folder=folder)
    except subprocess.TimeoutExpired as error:
        raise RequirementError(
            f"{about} gave no result within {seconds:g} s",
            expected="QEMU ends when the last inference is done",
            got="it was stopped",
            hint="the firmware hangs, or the model is far larger than those of microcontrollers",
        ) from error
    said = "; ".join(line for line in done.stderr.splitlines() if line and "warning:" not in line)
    if "plugin" in said and ("API version" in said or "not supported" in said or "invalid option" in said):
        raise MissingToolError(
            "this QEMU does not load plugins, which count the instructions",
            expected="a QEMU built with plugins, as Debian's and Ubuntu's are",
            got=said[:300],
            hint=f"{toolchain.install_command(toolchain.QEMU)} and let it come first on the PATH",
        )
    if done.returncode:
        ending = f"signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
        raise RequirementError(
            f"{about} failed", got=said[:300] or f"QEMU ended with {ending}", hint=fault_hint
        )


def _plugin(emulator: toolchain.Tool) -> Path:
    """The plugin, compiled for this QEMU's version of the interface."""
    version = 2 if emulator.number >= NEW_INTERFACE else 1
    text = (build.FIRMWARE / "count_plugin.c").read_text(encoding="utf-8")
    sources = build.Sources("QEMU's plugin", {"count_plugin.c": text}, ("count_plugin.c",), ())
    compiler = toolchain.find(toolchain.HOST_COMPILER)
    return build.build(sources, compiler, (*PLUGIN_FLAGS, f"-DAPI_VERSION={version}"))


def _read_counts(path: Path) -> Counts:
    blocks: list[Block] = []
    code_lines: dict[int, int] = {}
    data_lines: dict[int, int] = {}
    for words in map(str.split, path.read_text().splitlines()):
        if words[0] == "lines":
            layer = int(words[1])
            code_lines[layer], data_lines[layer] = int(words[2]), int(words[3])
        else:
            first, last, successor = (int(word, 16) for word in words[1:4])
            blocks.append(Block(int(words[0]), first, last, successor, int(words[4])))
    return Counts(tuple(blocks), code_lines, data_lines)
