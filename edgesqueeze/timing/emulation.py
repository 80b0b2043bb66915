"""The document of a microcontroller that was emulated."""

from __future__ import annotations

from typing import Literal

from edgesqueeze.base.records import Range, Record
from edgesqueeze.emit.native.packing.document import LayerPacking
from edgesqueeze.emit.native.rows.document import LayerChain
from edgesqueeze.latency.builds import Build, Level
from edgesqueeze.latency.document import LayerHead, MemoryHead, TimingHead

Reference = Literal["tflm", "c"]


class EmulatedLayer(LayerHead):
    """One layer of the generated code.

    Attributes:
        kernels: names of the C functions that compute the layer.
        instructions: executed instructions of one inference, counted exactly.
        classes: executed instructions of one inference, by class of instruction.
        cycles: processor cycles of one inference, computed from the instructions.
        ram_bytes: bytes of the arena in use while the layer runs.
        packing: how the layer's weights are stored in flash; null for layers whose weights are never packed.
    """

    kernels: tuple[str, ...]
    instructions: int
    classes: dict[str, int]
    cycles: Range
    ram_bytes: int
    packing: LayerPacking | None = None


class EmulatedMemory(MemoryHead):
    """Memory that the model takes on the device, with its code, without the application around it.

    Attributes:
        flash_code_bytes: size of the instructions in flash, in bytes: the model, its kernels, and what they
            use of the C library.
        flash_model_bytes: size of the constant data in flash, in bytes: weights and parameters together.
        flash_weights_bytes: size of weights, biases and parameters of channels in flash, in bytes.
        flash_parameters_bytes: size of the descriptions of layers and of the C library's tables in flash, in
            bytes.
        flash_bytes: size of code and constant data in flash together, in bytes.
        ram_arena_bytes: size of the arena, activations and scratch memory, in bytes.
        ram_static_bytes: size of the variables in RAM, in bytes.
        ram_stack_bytes: deepest stack that was measured, in bytes.
        ram_bytes: size of arena, variables and stack together, in bytes.
    """

    flash_code_bytes: int
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
        machine: name of QEMU's board.
        core: core that QEMU emulated; it may stand for the target's.
        emulator: name and version of QEMU.
        compiler: name and version of the cross compiler.
        flags: options of the cross compiler.
        kernel_set: set of kernels that was linked: ``reference``, ``dsp`` or ``mve``.
        checked_samples: number of inferences whose outputs equal those of the reference.
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


class Emulation(TimingHead):
    """How long a model takes on a microcontroller, and how much memory, found in an emulator.

    Attributes:
        runtime: ``c``: native C.
        method: ``emulated``: instructions counted in QEMU, cycles computed from them.
        latency_ms: time of one inference in milliseconds, computed from the cycles.
        core: name of the target's core.
        clock_mhz: clock of the target's core, in megahertz.
        build: how the code is compiled: ``O3``, ``O2``, ``Os``, ``arduino`` or ``nofpu``.
        opt: optimization level of the compiler.
        instructions: executed instructions of one inference, counted exactly.
        cycles: processor cycles of one inference, computed from the instructions.
        macs: multiply-accumulate operations of one inference.
        layers: figures of each layer, in execution order.
        chains: layers that run by turns, some rows at a time.
        memory: memory that the model takes on the device.
        emulation: what the firmware was built with and ran on.
        basis: what the cycles rest on, one sentence each.
    """

    runtime: Literal["c"] = "c"
    method: Literal["emulated"] = "emulated"
    core: str
    clock_mhz: float
    build: Build
    opt: Level
    instructions: int
    cycles: Range
    macs: int
    layers: tuple[EmulatedLayer, ...]
    chains: tuple[LayerChain, ...] = ()
    memory: EmulatedMemory
    emulation: EmulationSetup
    basis: tuple[str, ...]
