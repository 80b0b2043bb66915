"""Native C for a target: its kernels, its compiler options, and what it needs of the target's memory."""

from __future__ import annotations

from collections.abc import Sequence

from edgesqueeze.emit.native.code_size import estimate_native_code
from edgesqueeze.emit.native.emit import try_native
from edgesqueeze.emit.native.lower.table import OPERATORS
from edgesqueeze.emit.native.packing.choose import Optimize
from edgesqueeze.emit.native.records import NativeSource, Refusal, Refused
from edgesqueeze.emit.native.refusals import by_kind, other_problems
from edgesqueeze.graph import TfliteModel
from edgesqueeze.target.chosen_runtime import NATIVE
from edgesqueeze.target.fit import MissingOperator, ModelNeeds, RuntimeAnswer, check_fit, raise_if_unfit
from edgesqueeze.target.needs import needs_of
from edgesqueeze.target.processor import processor_of
from edgesqueeze.target.records import Cpu, Target

ARENA_METHOD = "planned when the C was generated"
CACHED_CORES = frozenset({"cortex-m7", "cortex-m55", "cortex-m85"})
"""Cores that are built with caches."""
NO_SOURCE = "no C was generated"
STACK_BYTES = 1024
"""Bytes of RAM that unpacking weights leaves for the stack."""
OPERATORS_METHOD = "every operator was given to the generator of C"


def emit_for(
    model: TfliteModel, target: Target, *, name: str | None = None, optimize: Optimize = "balance"
) -> NativeSource:
    """Generate C that fits a target; portable C where it is not a microcontroller.

    Args:
        model: any int8 .tflite.
        target: the device.
        name: the model's name in C; made from ``model.name`` when it is None.
        optimize: as ``emit_native``.

    Raises:
        UsageError: ``name`` is not valid in C.
        FitError: the weights do not fit the flash, the activations the RAM, or native C does not take the
            model; with everything that it does not take.
    """
    made = try_for(model, target, name=name, optimize=optimize)
    # How much code comes besides depends on the compiler and its options.
    needs = native_needs(model, made, target, code_bytes=0, code_method="constant data only")
    raise_if_unfit(check_fit(target, needs, NATIVE))
    assert isinstance(made, NativeSource)
    return made


def try_for(
    model: TfliteModel, target: Target, *, name: str | None = None, optimize: Optimize = "balance"
) -> NativeSource | Refused:
    """Generate C for a target, whether it fits or not, or say everything that speaks against it.

    Args:
        model: any .tflite.
        target: the device.
        name: as ``emit_for``.
        optimize: as ``emit_native``.

    Raises:
        UsageError: ``name`` is not valid in C.
    """
    if not target.is_mcu:
        return try_native(model, name=name, target=target.title, optimize=optimize)
    processor = processor_of(target.cpu)
    flags = " ".join(processor.flags)
    return try_native(
        model,
        core=processor.kernel_core,
        name=name,
        target=target.title,
        cpu_flags=flags,
        optimize=optimize,
        ram_bytes=target.memory.usable_ram_bytes - STACK_BYTES,
        wait_states=wait_states_of(target.cpu),
    )


def wait_states_of(cpu: Cpu) -> int:
    """Wait states of the flash that no cache of the core hides; 0 where the profile does not say."""
    cached = cpu.core in CACHED_CORES or cpu.icache_bytes
    return 0 if cached else cpu.flash_wait_states or 0


def native_needs(
    model: TfliteModel,
    made: NativeSource | Refused,
    target: Target,
    *,
    code_bytes: int | None = None,
    code_method: str = "",
    program_bytes: int = 0,
) -> ModelNeeds:
    """What a model asks of a target as native C: the input of ``check_fit`` with the runtime ``c``.

    Args:
        model: the .tflite.
        made: what ``try_for`` made of it.
        target: the device.
        code_bytes: code and parameters in flash, once it is compiled; else they are estimated.
        code_method: how that figure came about.
        program_bytes: RAM for variables and stack, once it is compiled.
    """
    file = needs_of(model)
    source = made if isinstance(made, NativeSource) else None
    high_bytes = code_bytes
    if source and code_bytes is None and target.is_mcu:
        code_bytes, high_bytes, code_method = estimate_native_code(source, target.cpu.core)
    return ModelNeeds(
        model_bytes=source.weights_bytes if source else None,
        model_method="" if source else NO_SOURCE,
        operators=file.operators,
        inputs=file.inputs,
        outputs=file.outputs,
        arena_bytes=source.arena_bytes if source else None,
        arena_method=ARENA_METHOD if source else NO_SOURCE,
        code_bytes=code_bytes,
        code_high_bytes=high_bytes,
        code_method=code_method,
        program_bytes=program_bytes,
        answer=_answer(() if isinstance(made, NativeSource) else made.refusals),
    )


def _answer(refusals: Sequence[Refusal]) -> RuntimeAnswer:
    return RuntimeAnswer(
        runtime=NATIVE,
        available=len(OPERATORS),
        missing=tuple(MissingOperator(kind=kind, reason=why) for kind, why in by_kind(refusals).items()),
        problems=other_problems(refusals),
        method=OPERATORS_METHOD,
    )
