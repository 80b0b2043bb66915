"""The generated folder's files from layers, plan and constants. What they look like is in ``templates/``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from edgesqueeze.base.templates import rendered
from edgesqueeze.emit.native.constants import Array, Constants
from edgesqueeze.emit.native.functions import functions_of, resets_of
from edgesqueeze.emit.native.kernels import files_of
from edgesqueeze.emit.native.literals import C_TYPES, array_rows, c_comment, initializer
from edgesqueeze.emit.native.pages import (
    ArrayText,
    BuildPage,
    ExamplePage,
    Head,
    HeaderPage,
    Page,
    Parameters,
    Place,
    Port,
    SourcePage,
    WeightsPage,
)
from edgesqueeze.emit.native.program import Program
from edgesqueeze.emit.native.records import Io, Layer
from edgesqueeze.emit.native.symbols import LONGEST_NAME, parameters_name, place_name, scratch_name
from edgesqueeze.emit.native.turns import ROW_FUNCTIONS, ROW_HEADER, row_layers
from edgesqueeze.emit.tflm_values import float_literal, generator
from edgesqueeze.graph import Tensor

TEMPLATES = Path(__file__).with_name("templates")
KERNEL_FOLDER = "kernels"
INCLUDE_FOLDERS = (".", KERNEL_FOLDER)
STRUCT_HEADERS: Mapping[str, str] = {"es_general_channel": "es_general.h"}
"""Struct types of constant data -> the header that has them."""


def render(program: Program) -> dict[str, str]:
    """The files of the folder, path -> text."""
    kernels = _kernels(program)
    head = _head(program)
    pages = _pages(program, [file for file in kernels if file.endswith(".c")])
    return {file: _fill(template, head, page) for file, (template, page) in pages.items()} | kernels


def _kernels(program: Program) -> dict[str, str]:
    calls = [call for layer in program.lowered.layers for call in layer.calls]
    functions = {name for call in calls for name in (call.function, *call.helpers)}
    functions.update(ROW_FUNCTIONS if program.lowered.chains else ())
    files = files_of(program.build.kernel_set, functions)
    return {f"{KERNEL_FOLDER}/{file}": text for file, text in files.items()}


def _pages(program: Program, kernels: Sequence[str]) -> dict[str, tuple[str, Page]]:
    """File -> its template and what that prints."""
    name = program.name
    inputs = tuple(_port(io, "input", name) for io in program.inputs)
    outputs = tuple(_port(io, "output", name) for io in program.outputs)
    weights = _weights_page(program.constants)
    library = BuildPage(
        cross=program.build.cross,
        cpu_flags=program.build.cpu_flags,
        sources=(f"{name}.c", f"{name}_weights.c", *kernels),
        include_folders=INCLUDE_FOLDERS,
    )
    return {
        f"{name}.h": ("model.h.j2", _header_page(program, inputs, outputs)),
        f"{name}.c": ("model.c.j2", _source_page(program)),
        f"{name}_weights.h": ("weights.h.j2", weights),
        f"{name}_weights.c": ("weights.c.j2", weights),
        "main.c": ("main.c.j2", ExamplePage(inputs, outputs)),
        "Makefile": ("Makefile.j2", library),
        "CMakeLists.txt": ("CMakeLists.txt.j2", library),
    }


def _head(program: Program) -> Head:
    name, model = program.name, program.model
    return Head(
        name=name,
        upper=name.upper(),
        guard=f"EDGESQUEEZE_{name.upper()}_{model.sha256[:8].upper()}_H",
        model_file=f"{model.name}.tflite",
        sha256=model.file_sha256,
        generator=generator(),
        target=program.build.target,
    )


def _header_page(program: Program, inputs: tuple[Port, ...], outputs: tuple[Port, ...]) -> HeaderPage:
    return HeaderPage(
        arena_bytes=program.plan.arena_bytes,
        live_bytes=program.plan.live_bytes,
        weights_bytes=program.constants.bytes,
        layer_count=len(program.lowered.layers),
        state_bytes=program.plan.state_bytes,
        inputs=inputs,
        outputs=outputs,
    )


def _source_page(program: Program) -> SourcePage:
    layers = program.lowered.layers
    headers = {call.header for layer in layers for call in layer.calls}
    return SourcePage(
        headers=tuple(sorted({*headers, *([ROW_HEADER] if program.lowered.chains else [])})),
        places=tuple(_places(program)),
        parameters=tuple(_parameters(layers, program.constants)),
        chains=tuple(map(row_layers, program.lowered.chains)),
        resets=resets_of(program),
        functions=functions_of(program),
    )


def _weights_page(constants: Constants) -> WeightsPage:
    structs = {array.blob.struct for array in constants.arrays if array.blob.struct}
    return WeightsPage(
        arrays=tuple(map(_array_text, constants.arrays)),
        weights_bytes=constants.bytes,
        headers=tuple(sorted({STRUCT_HEADERS[struct] for struct in structs})),
        named_values=any(not np.isfinite(array.blob.array).all() for array in constants.arrays),
    )


def _array_text(array: Array) -> ArrayText:
    return ArrayText(
        name=array.name,
        type_name=array.type_name,
        count=len(array.blob.array),
        alignment=array.blob.alignment,
        comment=array.comment,
        values=array_rows(array.blob.array),
    )


def _parameters(layers: Sequence[Layer], constants: Constants) -> list[Parameters]:
    return [
        Parameters(
            name=parameters_name(layer, position),
            type_name=call.parameters.type_name,
            comment=f"{layer.index} {layer.opcode} {layer.summary}",
            value=initializer(call.parameters, constants.names.__getitem__),
        )
        for layer in layers
        for position, call in enumerate(layer.calls)
        if call.parameters is not None
    ]


def _places(program: Program) -> list[Place]:
    plan, tensors = program.plan, program.lowered.graph.tensors
    times = program.lowered.times
    some_rows = {tensor for chain in program.lowered.chains for tensor in chain.between}
    return [
        *(
            Place(place_name(index), offset, _described(tensors[index], index in some_rows))
            for index, offset in sorted(plan.offsets.items())
        ),
        *(
            Place(scratch_name(index), offset, f"scratch memory of layer {index}")
            for index, offset in sorted(plan.scratch.items())
            if times.get(index, index) == index
        ),
    ]


def _described(tensor: Tensor, some_rows: bool = False) -> str:
    name = tensor.name if len(tensor.name) <= LONGEST_NAME else f"{tensor.name[: LONGEST_NAME - 3]}..."
    return f"{'some rows of ' if some_rows else ''}{tensor.dtype} {list(tensor.shape)} {name}".rstrip()


def _port(io: Io, side: str, name: str) -> Port:
    shape = "x".join(map(str, io.shape)) or "scalar"
    return Port(
        suffix=io.suffix,
        converts=io.converts,
        macro=f"{name}_{side}{io.suffix}".upper(),
        title=f"{side.capitalize()} {io.index}: {io.name[:LONGEST_NAME]}, {io.dtype} {shape}.",
        elements=io.elements,
        shape=io.shape or (1,),
        scale=float_literal(io.scale),
        zero_point=io.zero_point,
        c_type=C_TYPES[io.dtype],
    )


def _fill(template: str, head: Head, page: Page) -> str:
    values = {field.name: getattr(record, field.name) for record in (head, page) for field in fields(record)}
    return rendered(TEMPLATES / template, values, filters={"c_comment": c_comment})
