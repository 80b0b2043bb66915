"""A .tflite as a folder of plain C: lower, plan, render."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from edgesqueeze.emit.names import c_name, check_c_name
from edgesqueeze.emit.native.channel_counts import lower_for_kernels
from edgesqueeze.emit.native.constants import collect
from edgesqueeze.emit.native.kernels import kernel_set_of
from edgesqueeze.emit.native.lower.table import OPERATORS
from edgesqueeze.emit.native.packing.choose import Optimize
from edgesqueeze.emit.native.packing.stage import Packed, pack
from edgesqueeze.emit.native.packing.terms import Terms
from edgesqueeze.emit.native.ports import ports_of
from edgesqueeze.emit.native.program import Build, Program
from edgesqueeze.emit.native.records import Layer, LayerSummary, NativeSource, Refused
from edgesqueeze.emit.native.refusals import in_words
from edgesqueeze.emit.native.render import INCLUDE_FOLDERS, render
from edgesqueeze.emit.native.rows.choose import with_rows
from edgesqueeze.emit.native.rows.document import LayerChain
from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.graph import TfliteModel, as_model
from edgesqueeze.target.records import check_core


def emit_native(
    model: str | Path | TfliteModel,
    *,
    core: str | None = None,
    name: str | None = None,
    target: str = "",
    cpu_flags: str = "",
    optimize: Optimize = "balance",
    ram_bytes: int | None = None,
    wait_states: int = 0,
) -> NativeSource:
    """Generate C for a model.

    Args:
        model: any int8 .tflite, or its path; float32 or uint8 at its inputs and outputs.
        core: the Cortex-M core whose kernels are taken (``cortex-m4``); None, or a core without kernels of
            its own: portable C.
        name: the model's name in C; made from the file's name when it is None.
        target: what comments say that it is for; the core when it is empty.
        cpu_flags: options of GCC that select the processor, for the generated makefiles.
        optimize: ``time``, ``size`` or ``balance``: whether weights are packed in flash where that takes
            time; ``balance``: as far as it takes at most 4 % of the model's time. ``ram``: layers run by
            turns, some rows at a time, where that makes the arena smaller, and only memory that is free is
            used to unpack weights; otherwise as ``balance``.
        ram_bytes: size that the arena must not exceed because weights are unpacked, in bytes.
        wait_states: of the flash at the core's clock, where no cache hides them: with some, weights that are
            read many times are copied to RAM.

    Raises:
        UsageError: ``name`` is not valid in C, or there is no such core.
        UnsupportedModelError: with everything that native C does not support, all at once.
    """
    model = as_model(model)
    check_core(core)
    made = try_native(
        model,
        core=core,
        name=name,
        target=target,
        cpu_flags=cpu_flags,
        optimize=optimize,
        ram_bytes=ram_bytes,
        wait_states=wait_states,
    )
    if isinstance(made, Refused):
        raise _unsupported_model(model, made)
    return made


def try_native(
    model: TfliteModel,
    *,
    core: str | None = None,
    name: str | None = None,
    target: str = "",
    cpu_flags: str = "",
    optimize: Optimize = "balance",
    ram_bytes: int | None = None,
    wait_states: int = 0,
) -> NativeSource | Refused:
    """Generate C for a model, or say everything that speaks against it; arguments as ``emit_native``.

    Raises:
        UsageError: ``name`` is not valid in C.
    """
    valid = c_name(model.name) if name is None else check_c_name(name)
    build = Build(
        target=target or core or "any C99 compiler",
        kernel_set=kernel_set_of(core),
        cross="arm-none-eabi-" if (core or "").startswith("cortex-m") else "",
        cpu_flags=cpu_flags,
    )
    lowered = lower_for_kernels(model, build.kernel_set)
    if isinstance(lowered, Refused):
        return lowered
    if optimize == "ram":
        # Nothing is unpacked then but into memory that is free anyway.
        lowered, optimize, ram_bytes = with_rows(lowered, build.kernel_set), "balance", 0
    packed = pack(lowered, Terms(build.kernel_set, core, optimize, ram_bytes, wait_states=wait_states))
    constants = collect(packed.lowered.layers, f"{valid}_data", lowered.states)
    inputs, outputs = ports_of(lowered.graph)
    program = Program(model, valid, build, packed.lowered, packed.plan, constants, inputs, outputs)
    return _source(program, packed)


def _source(program: Program, packed: Packed) -> NativeSource:
    files = render(program)
    chains = {
        index: LayerChain(first=chain.first, last=chain.layers[-1], rows=chain.rows)
        for chain in program.lowered.chains
        for index in chain.layers
    }
    return NativeSource(
        name=program.name,
        kernel_set=program.build.kernel_set,
        files=MappingProxyType(files),
        sources=tuple(file for file in files if file.endswith(".c") and file != "main.c"),
        include_folders=INCLUDE_FOLDERS,
        arena_bytes=program.plan.arena_bytes,
        weights_bytes=program.constants.bytes,
        inputs=program.inputs,
        outputs=program.outputs,
        layers=tuple(_summary(layer, packed, chains.get(layer.index)) for layer in program.lowered.layers),
        state_bytes=program.plan.state_bytes,
        places=program.plan.places,
    )


def _summary(layer: Layer, packed: Packed, chain: LayerChain | None) -> LayerSummary:
    return LayerSummary(
        index=layer.index,
        opcode=layer.opcode,
        name=layer.name,
        summary=layer.summary,
        macs=layer.macs,
        kernels=tuple(name for call in layer.calls for name in (call.function, *call.helpers)),
        weights_bytes=sum(blob.bytes for call in layer.calls for blob in call.constants),
        ram_bytes=packed.plan.in_use[layer.index],
        packing=packed.layers.get(layer.index),
        chain=chain,
    )


def _unsupported_model(model: TfliteModel, refused: Refused) -> UnsupportedModelError:
    if not any(tensor.dtype == "int8" for tensor in model.main.tensors):
        kinds = sorted({tensor.dtype for tensor in model.main.input_tensors})
        return UnsupportedModelError(
            f"{model.name} is not an int8 model",
            expected="int8 or int16 activations, int8 weights; float32 or uint8 at inputs and outputs only",
            got=f"no int8 tensor at all; inputs are {', '.join(kinds)}",
            hint="quantize it: edgesqueeze compress --quantize int8",
        )
    return UnsupportedModelError(
        f"{model.name} has what native C does not support",
        expected="int8 activations and weights, or int16 activations for the most common operators, "
        f"and these operators: {', '.join(OPERATORS)}",
        got=in_words(refused.refusals),
        hint="replace the layers that become these operators, quantize the model to int8 throughout, or "
        "run it in TensorFlow Lite Micro",
    )
