"""How long a model takes on a microcontroller and how much memory, before there is a board: emulated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from edgesqueeze.base.records import Range
from edgesqueeze.emit.native.packing.choose import Optimize
from edgesqueeze.emit.native.records import NativeSource
from edgesqueeze.errors import (
    MissingToolError,
    ParityError,
    RequirementError,
    UnsupportedModelError,
    UsageError,
)
from edgesqueeze.graph import TfliteModel, as_model
from edgesqueeze.graph.npu import refuse_npu
from edgesqueeze.graph.shapes import refuse_open
from edgesqueeze.graph.state import state_of
from edgesqueeze.latency import cycles as cycle_model
from edgesqueeze.latency.builds import BUILDS, Build, Level, as_built
from edgesqueeze.latency.cycles import LayerCount
from edgesqueeze.latency.flash import Flash, flash_of
from edgesqueeze.latency.instructions import parse_disassembly
from edgesqueeze.latency.timings import Cycles
from edgesqueeze.latency.validation import basis
from edgesqueeze.runners import host_c, qemu, tflm, toolchain
from edgesqueeze.runners.elf import ElfSizes, read_sizes
from edgesqueeze.runners.firmware_build import Firmware, build_firmware, describe_flags
from edgesqueeze.runners.samples import random_samples
from edgesqueeze.target.chosen_runtime import NATIVE
from edgesqueeze.target.fit import check_fit, raise_if_unfit
from edgesqueeze.target.load import as_target
from edgesqueeze.target.processor import processor_of
from edgesqueeze.target.records import Target
from edgesqueeze.timing.emulation import (
    EmulatedLayer,
    EmulatedMemory,
    Emulation,
    EmulationSetup,
    Reference,
)

Samples = list[list[npt.NDArray[Any]]]

TOOLS = (toolchain.ARM_DISASSEMBLER, toolchain.ARM_COMPILER, toolchain.QEMU, toolchain.HOST_COMPILER)
TITLES: Mapping[Reference, str] = MappingProxyType({"c": "the portable C", "tflm": "TensorFlow Lite Micro"})
LIBRARY = frozenset({"es_map_f32", "es_softmax_f32", "es_log_softmax_f32"})
"""Kernels that call functions of the C library, whose last bits differ from one library to the next."""
LIBRARIES_DIFFER = 2e-6
"""By how much, of the value or of one."""
NAME = "model"
"""What an emulated model is called in C."""
SAMPLES = 3
"""Random inputs whose outputs are compared; the first of them is counted."""
STEPS = 32
"""The same for a model that takes one step of a sequence per inference."""


class _Built(NamedTuple):
    source: NativeSource
    firmware: Firmware
    sizes: ElfSizes


def emulate(
    model: str | Path | TfliteModel,
    target: str | Path | Target,
    *,
    build: Build = "O3",
    optimize: Optimize = "balance",
    seed: int = 0,
) -> Emulation:
    """Run a model's native C for a target's core in QEMU, and say what it costs.

    Args:
        model: any .tflite that native C supports, or its path.
        target: a microcontroller's profile, its name or its path.
        build: how the C is compiled.
        optimize: what the C is made for: ``time``, ``size``, ``balance`` or ``ram``.
        seed: seed of the random inputs.

    Raises:
        UsageError: not a microcontroller.
        UnsupportedModelError: an input has an open shape (``runners.resize`` gives it one), or the model was
            compiled for a neural processor.
        FitError: the model does not fit the target's flash, or with its stack the RAM, or native C does not
            take it.
        ParityError: the emulated outputs are not those of TensorFlow Lite Micro and of the portable C.
        RequirementError: the firmware does not compile, fails, or does not end.
        MissingToolError: a compiler or the emulator is not installed.
    """
    model, target = as_model(model), as_target(target)
    target = target.model_copy(update={"cpu": as_built(target.cpu, build)})
    built = _build(model, target, BUILDS[build].level, optimize)
    flash = flash_of(target.cpu, target.memory)
    run, reference = _run(model, built.firmware, flash, seed)
    _check_fit(model, target, built, run.stack_bytes)
    counts = _counts(built, run)
    whole = cycle_model.total(counts)
    cycles = cycle_model.estimate_cycles(target.cpu.core, flash, whole)
    return Emulation(
        model=model.name,
        sha256=model.sha256,
        target=target.name,
        core=target.cpu.core,
        clock_mhz=target.cpu.clock_mhz,
        build=build,
        opt=BUILDS[build].level,
        latency_ms=_range(Cycles(*(figure / target.cpu.clock_mhz / 1000 for figure in cycles)), 4),
        instructions=whole.instructions,
        cycles=_range(cycles),
        macs=sum(layer.macs for layer in built.source.layers),
        layers=_layers(target, flash, built.source, counts, cycles),
        memory=_memory(built, run.stack_bytes),
        chains=built.source.chains,
        emulation=_emulation(built.firmware, run, reference),
        basis=_basis(target, flash, built.firmware, build),
    )


def _build(model: TfliteModel, target: Target, level: Level, optimize: Optimize) -> _Built:
    """Generate and compile, and see that it fits as far as that is known without running it."""
    # The generator is needed here only; the records are not.
    from edgesqueeze.emit.native.for_target import emit_for

    _check_use(target)
    refuse_npu(model, "it cannot be emulated")
    refuse_open(model, "it cannot be emulated")
    # Under one name for all: where code lies in flash follows its symbols, and what waits there the place.
    source = emit_for(model, target, name=NAME, optimize=optimize)
    toolchain.require(*TOOLS)
    firmware = build_firmware(source, processor_of(target.cpu), level)
    built = _Built(source, firmware, read_sizes(firmware.elf))
    _check_fit(model, target, built)
    return built


def _counts(built: _Built, run: qemu.Run) -> tuple[LayerCount, ...]:
    """What each layer executed."""
    assert run.counts is not None
    (disassembler,) = toolchain.require(toolchain.ARM_DISASSEMBLER)
    instructions = parse_disassembly(toolchain.disassembly(built.firmware.elf, disassembler))
    return cycle_model.layer_counts(run.counts, instructions, len(built.source.layers))


def _check_fit(model: TfliteModel, target: Target, built: _Built, stack_bytes: int = 0) -> None:
    """Raise ``FitError`` unless code, parameters, variables and stack fit beside weights and activations."""
    from edgesqueeze.emit.native.for_target import native_needs

    sizes = built.sizes
    needs = native_needs(
        model,
        built.source,
        target,
        code_bytes=sizes.code + sizes.constants,
        code_method="code and parameters as compiled",
        program_bytes=sizes.variables + stack_bytes,
    )
    raise_if_unfit(check_fit(target, needs, NATIVE))


def _run(model: TfliteModel, firmware: Firmware, flash: Flash, seed: int) -> tuple[qemu.Run, Reference]:
    """Run random inputs, and check that the outputs are right; with what says so."""
    sequence = state_of(model).is_sequence()
    samples = random_samples(model, STEPS if sequence else SAMPLES, seed)
    run = qemu.run_firmware(firmware, samples, count=flash.caches, sequence=sequence)
    # The portable C comes first: where it differs, the fault is in the kernels of this core.
    _check_parity(model, firmware, run.outputs, samples, "c", host_c.run(model, samples))
    expected = _tflm_outputs(model, samples)
    if expected is None:
        return run, "c"
    _check_parity(model, firmware, run.outputs, samples, "tflm", expected)
    return run, "tflm"


def _tflm_outputs(model: TfliteModel, samples: Samples) -> Samples | None:
    """What TensorFlow Lite Micro computes; None if it is not installed, or does not take the model."""
    try:
        return tflm.run(model, samples)
    except (MissingToolError, UnsupportedModelError, RequirementError):
        return None


def _check_use(target: Target) -> None:
    if not target.is_mcu:
        raise UsageError(
            f"{target.name} is not a microcontroller, and only those run native C in an emulator",
            expected="a target with a Cortex-M core",
            got=target.cpu.core,
            hint="leave out --runtime c to have its latency predicted",
        )


def _check_parity(
    model: TfliteModel,
    firmware: Firmware,
    outputs: Samples,
    samples: Samples,
    reference: Reference,
    expected: Samples,
) -> None:
    """Compare with a reference on this computer, whose arithmetic is the same to the bit."""
    exact = LIBRARY.isdisjoint(name for layer in firmware.source.layers for name in layer.kernels)
    differing = [
        (number, output)
        for number, (want, have) in enumerate(zip(expected, outputs, strict=True))
        for output, (one, other) in enumerate(zip(want, have, strict=True))
        if not _equal(one, other, exact=exact)
    ]
    if differing:
        number, output = differing[0]
        raise ParityError(
            f"{model.name} computes something else on the emulated {firmware.machine.core}",
            expected=f"the outputs of {TITLES[reference]}, to the bit",
            got=f"{len(differing)} of {len(samples)} random inputs differ, the first is number {number}, "
            f"output {output}{_culprit(model, samples[number], firmware, reference)}",
            hint="this is a fault in EdgeSqueeze's kernels or in the compiler; please report it",
        )


def _equal(one: npt.NDArray[Any], other: npt.NDArray[Any], *, exact: bool) -> bool:
    """Whether two outputs are the same; where functions of C libraries went into them, nearly."""
    if exact or one.dtype.kind != "f":
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    return np.allclose(one, other, LIBRARIES_DIFFER, LIBRARIES_DIFFER, equal_nan=True)


def _culprit(
    model: TfliteModel, sample: list[npt.NDArray[Any]], firmware: Firmware, reference: Reference
) -> str:
    """The first operator that differs when it is run alone, as far as that can be found out."""
    from edgesqueeze.checks.replay import CANNOT_RUN, differing_layers

    right = tflm.run if reference == "tflm" else host_c.run
    try:
        layers = differing_layers(model, [sample], right, qemu.runner(firmware.processor), 0)
    except CANNOT_RUN:
        return ""
    return f"; operator {layers[0].operator}, {layers[0].kind}, differs alone" if layers else ""


def _layers(
    target: Target, flash: Flash, source: NativeSource, counts: tuple[LayerCount, ...], whole: Cycles
) -> tuple[EmulatedLayer, ...]:
    rows = []
    for layer, count in zip(source.layers, counts, strict=False):
        cycles = cycle_model.estimate_cycles(target.cpu.core, flash, count)
        rows.append(
            EmulatedLayer(
                index=layer.index,
                opcode=layer.opcode,
                name=layer.name,
                summary=layer.summary,
                kernels=layer.kernels,
                macs=layer.macs,
                instructions=count.instructions,
                classes={kind: number for kind, number in sorted(count.kinds.items()) if number},
                cycles=_range(cycles),
                share=round(cycles.estimate / whole.estimate, 4),
                weights_bytes=layer.weights_bytes,
                ram_bytes=layer.ram_bytes,
                packing=layer.packing,
            )
        )
    return tuple(rows)


def _memory(built: _Built, stack: int) -> EmulatedMemory:
    source, sizes = built.source, built.sizes
    return EmulatedMemory(
        flash_code_bytes=sizes.code,
        flash_model_bytes=sizes.weights + sizes.constants,
        flash_weights_bytes=sizes.weights,
        flash_parameters_bytes=sizes.constants,
        flash_bytes=sizes.code + sizes.weights + sizes.constants,
        ram_arena_bytes=source.arena_bytes,
        ram_static_bytes=sizes.variables,
        ram_stack_bytes=stack,
        ram_bytes=source.arena_bytes + sizes.variables + stack,
    )


def _emulation(firmware: Firmware, run: qemu.Run, reference: Reference) -> EmulationSetup:
    return EmulationSetup(
        machine=firmware.machine.name,
        core=firmware.machine.core,
        emulator=run.emulator.version,
        compiler=firmware.compiler.version,
        flags=describe_flags(firmware.flags),
        kernel_set=firmware.source.kernel_set,
        checked_samples=len(run.outputs),
        reference=reference,
    )


def _basis(target: Target, flash: Flash, firmware: Firmware, build: Build) -> tuple[str, ...]:
    machine = firmware.machine
    counted = f"instructions: counted exactly in QEMU's {machine.name}"
    if machine.core != target.cpu.core:
        counted += f", whose {machine.core} executes the code that was compiled for {target.cpu.core}"
    return (counted, *_remarks(build), *basis(target.cpu.core, flash))


def _remarks(build: Build) -> tuple[str, ...]:
    """What is to be said of a build that its flags do not say."""
    if build == "arduino":
        return (f"build: {BUILDS[build].words}; native C brings its own kernels, no library's",)
    return ()


def _range(cycles: Cycles, digits: int = 0) -> Range:
    low, estimate, high = (round(figure, digits) for figure in cycles)
    return Range(estimate=estimate, low=low, high=high)
