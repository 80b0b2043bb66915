"""``edgesqueeze emit``: firmware sources from a .tflite."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Literal

import click

from edgesqueeze.base.generated import update_of
from edgesqueeze.base.output import write_files
from edgesqueeze.base.records import Record
from edgesqueeze.cli.options import input_shape, optimize
from edgesqueeze.cli.packing import chain_lines, packing_lines
from edgesqueeze.cli.paths import NamedPath
from edgesqueeze.cli.refusals import refused_as_unfit
from edgesqueeze.cli.screen import say, say_json
from edgesqueeze.emit.arena import Arena
from edgesqueeze.emit.native.code_size import estimate_native_code
from edgesqueeze.emit.native.for_target import emit_for
from edgesqueeze.emit.native.kernels import portable_of
from edgesqueeze.emit.native.packing.choose import Optimize
from edgesqueeze.emit.native.packing.document import LayerPacking
from edgesqueeze.emit.native.records import NativeSource
from edgesqueeze.emit.native.rows.document import LayerChain
from edgesqueeze.emit.native.write import write_native
from edgesqueeze.emit.scaling import Scaling, scaling_header
from edgesqueeze.emit.tflm import TflmSource
from edgesqueeze.errors import TfliteError, UsageError
from edgesqueeze.graph import TfliteModel, read_tflite
from edgesqueeze.graph.npu import refuse_npu
from edgesqueeze.runners.firmware_sources import tflm_source
from edgesqueeze.runners.lean_array import TflmArray
from edgesqueeze.runners.resize import resized
from edgesqueeze.target.load import load_target
from edgesqueeze.target.records import Target

KERNEL_SETS = {"reference": "portable C", "dsp": "the DSP extension", "mve": "MVE (Helium)"}


class StoredLayer(Record):
    """A layer with weights.

    Attributes:
        index: number of the layer in the generated code.
        opcode: builtin operator name, as the .tflite schema has it.
        name: name of the output tensor in the model.
        packing: how the layer's weights are stored in flash.
    """

    index: int
    opcode: str
    name: str
    packing: LayerPacking


class NativeEmission(Record):
    """What is particular to native C.

    Attributes:
        kernel_set: the set of kernels: ``reference`` (portable C), ``dsp`` or ``mve``.
        kernels: names of the C functions that the layers call.
        portable: those of ``kernels`` that the kernel set lacks, so that portable C stands in.
        weights_bytes: bytes of flash that the layers' constant data take.
        layers: the layers whose weights can be packed in flash.
        chains: layers that run by turns, some rows at a time.
    """

    kernel_set: Literal["reference", "dsp", "mve"]
    kernels: tuple[str, ...]
    portable: tuple[str, ...]
    weights_bytes: int
    layers: tuple[StoredLayer, ...] = ()
    chains: tuple[LayerChain, ...] = ()


class Emission(Record):
    """What ``emit`` wrote.

    Attributes:
        schema_version: version of the form of this document; it rises when a field changes its meaning.
        model: path of the .tflite that was read.
        target: name of the target's profile.
        format: ``tflm``: C++ for TensorFlow Lite Micro; ``c``: C without a runtime.
        name: the model's name in C.
        files: paths of the files that were written.
        arena_bytes: bytes of RAM that the firmware must give for tensors.
        arena: how ``arena_bytes`` was found; None for native C, which plans it exactly.
        array_bytes: bytes of flash that the model takes with TFLM; None for native C.
        operators: the methods of TFLM's resolver that the firmware links; empty for native C.
        native: what is particular to native C; None for TFLM.
    """

    schema_version: Literal[1] = 1
    model: str
    target: str
    format: Literal["tflm", "c"]
    name: str
    files: tuple[str, ...]
    arena_bytes: int
    arena: Arena | None = None
    array_bytes: int | None = None
    operators: tuple[str, ...] = ()
    native: NativeEmission | None = None


@click.command("emit")
@click.argument("model", metavar="MODEL.tflite", type=NamedPath())
@click.option(
    "--target", "target_name", metavar="NAME", required=True, help="The device, as in `targets list`."
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["tflm", "c"]),
    required=True,
    help="tflm: C++ for TensorFlow Lite Micro. c: C without a runtime.",
)
@click.option("--out", metavar="DIR", type=NamedPath(), required=True, help="Where the files go.")
@click.option(
    "--scaling",
    metavar="FILE",
    type=NamedPath(),
    help="A report.json or a recipe: write its scale and offset of raw data, as NAME_scaling.h; else those "
    "of the .tflite's metadata.",
)
@input_shape
@click.option("--name", metavar="C_NAME", help="The model's name in C; otherwise made from the file's name.")
@optimize
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a summary.")
def emit(
    model: Path,
    target_name: str,
    output_format: str,
    out: Path,
    scaling: Path | None,
    shapes: tuple[str, ...],
    name: str | None,
    optimize: Optimize | None,
    as_json: bool,
) -> None:
    """Write MODEL.tflite as firmware sources, with the memory that it needs.

    Exits with 1 if the runtime, or C without one, does not take the model, or if C does not fit the target;
    nothing is written then.
    """
    target = load_target(target_name)
    content = resized(read_tflite(model), shapes)
    scalings = _scalings(scaling, content)
    if output_format == "c":
        with refused_as_unfit():
            refuse_npu(content, "C without a runtime cannot be made")
        native = emit_for(content, target, name=name, optimize=optimize or "balance")
        native = replace(native, files={**native.files, **scaling_header(content, native.name, scalings)})
        emission = _native_emission(native, target, model, out, write_native(out, native))
        _tell(emission, as_json, _native_summary(native, target, model, out))
        return
    _check_microcontroller(target)
    _check_no_choice(optimize)
    with refused_as_unfit():
        source, array = tflm_source(content, target, name=name)
    source = replace(source, files={**source.files, **scaling_header(content, source.name, scalings)})
    update = update_of(out, source.files, lambda name: False)
    write_files(out, update.files)
    emission = _tflm_emission(source, target, model, out, tuple(update.files))
    _tell(emission, as_json, _tflm_summary(source, target, model, out, _flash_line(content, array)))


def _scalings(path: Path | None, model: TfliteModel) -> tuple[Scaling, ...]:
    """What is done with raw data: as the file says that was given, else as the model's own metadata say."""
    from edgesqueeze.report.scaling import metadata_scalings, read_scalings

    if path is not None:
        return read_scalings(path, model)
    try:
        return metadata_scalings(model)
    except TfliteError as error:
        say(f"note: no scale and offset of raw data: {error.problem}", stderr=True)
        return ()


def _tell(emission: Emission, as_json: bool, summary: str) -> None:
    if as_json:
        say_json(emission.model_dump_json(indent=2))
    else:
        say(summary)


def _check_microcontroller(target: Target) -> None:
    if not target.is_mcu:
        raise UsageError(
            f"{target.name} is not a microcontroller",
            expected="a target with a Cortex-M core",
            got=target.cpu.core,
            hint="copy the .tflite to the device and run it in LiteRT there, or use --format c",
        )


def _check_no_choice(optimize: Optimize | None) -> None:
    if optimize:
        raise UsageError(
            "TensorFlow Lite Micro reads weights as they are in the .tflite",
            expected="--optimize with --format c",
            got=f"--optimize {optimize} with --format tflm",
            hint="leave out --optimize, or use --format c",
        )


def _kernels(source: NativeSource) -> tuple[str, ...]:
    return tuple(sorted({kernel for layer in source.layers for kernel in layer.kernels}))


def _native_emission(
    source: NativeSource, target: Target, model: Path, out: Path, written: tuple[str, ...]
) -> Emission:
    return Emission(
        model=str(model),
        target=target.name,
        format="c",
        name=source.name,
        files=tuple(str(out / name) for name in written),
        arena_bytes=source.arena_bytes,
        native=NativeEmission.model_validate(
            {
                "kernel_set": source.kernel_set,
                "kernels": _kernels(source),
                "portable": portable_of(source.kernel_set, _kernels(source)),
                "weights_bytes": source.weights_bytes,
                "layers": [
                    {"index": one.index, "opcode": one.opcode, "name": one.name, "packing": one.packing}
                    for one in source.layers
                    if one.packing is not None
                ],
                "chains": source.chains,
            }
        ),
    )


def _native_summary(source: NativeSource, target: Target, model: Path, out: Path) -> str:
    kernels = _kernels(source)
    portable = portable_of(source.kernel_set, kernels)
    own = [name for name in kernels if name not in portable]
    return "\n".join(
        [
            f"{model.name} as C without a runtime for {target.name}; its name in C is {source.name}",
            *(f"  {out / name}" for name in source.files if "/" not in name),
            f"  {out / 'kernels'}: {sum('/' in name for name in source.files)} files",
            f"RAM: {source.arena_bytes:,} bytes for tensors and scratch memory",
            f"flash: {source.weights_bytes:,} bytes of constant data, {_code(source, target)}",
            *([f"kernels for {KERNEL_SETS[source.kernel_set]}: {', '.join(own)}"] if own else []),
            *([f"kernels in portable C: {', '.join(portable)}"] if portable else []),
            *chain_lines(source.chains),
            *packing_lines((one.index, one.opcode, one.summary, one.packing) for one in source.layers),
            f"next: make -C {shlex.quote(str(out))}",
        ]
    )


def _code(source: NativeSource, target: Target) -> str:
    kernels = f"the code of {len(_kernels(source))} kernels"
    if not target.is_mcu:
        return f"and {kernels}"
    size = estimate_native_code(source, target.cpu.core)
    return f"and {kernels}: about {size.code_bytes:,} bytes with GCC at -O3, {size.high_bytes:,} at worst"


def _tflm_emission(
    source: TflmSource, target: Target, model: Path, out: Path, written: tuple[str, ...]
) -> Emission:
    return Emission(
        model=str(model),
        target=target.name,
        format="tflm",
        name=source.name,
        files=tuple(str(out / name) for name in written),
        arena_bytes=source.arena.bytes,
        arena=source.arena,
        array_bytes=source.array_bytes,
        operators=source.operators,
    )


def _summands(arena: Arena) -> str:
    if not arena.measured_on:
        return (
            f"{arena.measured_bytes} as compiled, {arena.margin_bytes} for records and safety; not measured"
        )
    return (
        f"{arena.measured_bytes} measured, {arena.scratch_bytes} for CMSIS-NN, "
        f"{arena.margin_bytes} for safety"
    )


def _flash_line(model: TfliteModel, array: TflmArray) -> str:
    size, file = len(array.content), len(model.content)
    if array.kept:
        return f"flash: {size:,} bytes for the model, as the .tflite: {array.kept}"
    return (
        f"flash: {size:,} bytes for the model, {1 - size / file:.0%} less than the .tflite: without what "
        "TensorFlow Lite Micro does not read; tried on it, with the same outputs"
    )


def _tflm_summary(source: TflmSource, target: Target, model: Path, out: Path, flash: str) -> str:
    arena = source.arena
    return "\n".join(
        [
            f"{model.name} for TensorFlow Lite Micro on {target.name}; its name in C is {source.name}",
            *(f"  {out / name}" for name in source.files),
            flash,
            f"arena: {arena.bytes} bytes ({_summands(arena)})",
            f"operators: {', '.join(method.removeprefix('Add') for method in source.operators)}",
        ]
    )
