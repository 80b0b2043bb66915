"""The record behind ``edgesqueeze bench``."""

from __future__ import annotations

from typing import Literal

from edgesqueeze.base.records import Range, Record

Level = Literal["O3", "O2", "Os"]
Reference = Literal["tflm", "c"]


class EmulatedLayer(Record):
    """One layer of the generated code.

    Attributes:
        index: position among the layers.
        opcode: builtin operator name.
        name: the output tensor's name in the model.
        summary: shapes in words.
        kernels: the C functions that compute it.
        macs: multiply-accumulate operations.
        instructions: executed instructions, exactly.
        classes: the same by class of instruction.
        cycles: of the processor.
        share: of all cycles, 0 to 1.
        weights_bytes: constant data that it reads, in flash.
        ram_bytes: bytes of the arena in use while it runs.
    """

    index: int
    opcode: str
    name: str
    summary: str
    kernels: tuple[str, ...]
    macs: int
    instructions: int
    classes: dict[str, int]
    cycles: Range
    share: float
    weights_bytes: int
    ram_bytes: int


class EmulatedMemory(Record):
    """Memory that the model takes on the device, with its code, without the application around it.

    Attributes:
        flash_code_bytes: instructions: the model, its kernels and what they use of the C library.
        flash_model_bytes: constant data, ``flash_weights_bytes`` and ``flash_parameters_bytes``.
        flash_weights_bytes: weights, biases and parameters of channels.
        flash_parameters_bytes: what describes layers, and tables of the C library.
        flash_bytes: code and constant data.
        ram_arena_bytes: activations and scratch memory.
        ram_static_bytes: variables.
        ram_stack_bytes: the deepest stack, measured.
        ram_bytes: all RAM.
    """

    flash_code_bytes: int
    flash_model_bytes: int
    flash_weights_bytes: int
    flash_parameters_bytes: int
    flash_bytes: int
    ram_arena_bytes: int
    ram_static_bytes: int
    ram_stack_bytes: int
    ram_bytes: int


class EmulationSetup(Record):
    """What the firmware was built with and ran on.

    Attributes:
        machine: QEMU's board.
        core: the core that QEMU emulated; it may stand for the target's.
        emulator: QEMU's version.
        compiler: the cross compiler's version.
        flags: its options.
        kernel_set: ``reference``, ``dsp`` or ``mve``.
        checked_samples: inferences whose outputs equal those of the reference.
        reference: ``tflm``: TensorFlow Lite Micro's interpreter and the portable C, both on this computer;
            ``c``: the portable C alone, where that interpreter is not installed or does not take the model.
    """

    machine: str
    core: str
    emulator: str
    compiler: str
    flags: str
    kernel_set: str
    checked_samples: int
    reference: Reference


class Emulation(Record):
    """How long a model takes on a target, and how much memory.

    Attributes:
        schema_version: of this record as JSON.
        model: the .tflite's name.
        sha256: of the .tflite.
        target: name of the profile.
        core: the target's core.
        clock_mhz: the target's clock.
        runtime: ``c``: native C.
        method: ``emulated``: instructions counted in QEMU, cycles computed from them.
        opt: the compiler's optimization level.
        latency_ms: of one inference.
        instructions: of one inference, exactly.
        cycles: of one inference.
        macs: multiply-accumulate operations of one inference.
        layers: the same by layer.
        memory: see there.
        emulation: see there.
        basis: what the cycles rest on, one sentence each.
    """

    schema_version: Literal[1] = 1
    model: str
    sha256: str
    target: str
    core: str
    clock_mhz: float
    runtime: Literal["c"] = "c"
    method: Literal["emulated"] = "emulated"
    opt: Level
    latency_ms: Range
    instructions: int
    cycles: Range
    macs: int
    layers: tuple[EmulatedLayer, ...]
    memory: EmulatedMemory
    emulation: EmulationSetup
    basis: tuple[str, ...]
