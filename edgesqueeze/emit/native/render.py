"""The generated folder's files from layers and plan. What the files look like is in ``templates/``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from edgesqueeze.emit.native.kernels import files_of
from edgesqueeze.emit.native.literals import C_TYPES, array_rows, c_comment, initializer
from edgesqueeze.emit.native.lower.graph import Lowered
from edgesqueeze.emit.native.plan import Plan
from edgesqueeze.emit.native.records import Blob, Call, Io, Layer
from edgesqueeze.emit.tflm_values import float_literal, generator
from edgesqueeze.graph import Tensor, TfliteModel

KERNEL_FOLDER = "kernels"
LONGEST_NAME = 60


@dataclass(frozen=True)
class Build:
    """How the generated folder is compiled.

    Attributes:
        target: what it is for, in words.
        kernel_set: whose kernels it links.
        cross: prefix of the compiler's programs; empty: this machine's own.
        cpu_flags: options that select the core.
    """

    target: str
    kernel_set: str
    cross: str
    cpu_flags: str


@dataclass(frozen=True)
class Array:
    """Constant data as the weights file prints it."""

    name: str
    type_name: str
    count: int
    alignment: int
    comment: str
    values: str


class Constants:
    """Names for constant data; what has equal bytes is stored once."""

    def __init__(self, prefix: str) -> None:
        self.arrays: list[Array] = []
        self.bytes = 0
        self._prefix = prefix
        self._names: dict[tuple[str, str, int, bytes], str] = {}

    def name_in(self, layer: Layer, blob: Blob) -> str:
        """The array that holds some data, made if there is none yet."""
        dtype = blob.array.dtype.name
        key = (dtype, blob.struct, blob.alignment, blob.array.tobytes())
        if key not in self._names:
            taken = sum(array.name.startswith(f"{self._prefix}_{layer.index}_") for array in self.arrays)
            name = f"{self._prefix}_{layer.index}_{taken}"
            self._names[key] = name
            self.bytes += blob.bytes
            self.arrays.append(
                Array(
                    name=name,
                    type_name=blob.struct or C_TYPES[dtype],
                    count=len(blob.array),
                    alignment=blob.alignment,
                    comment=f"{layer.index} {layer.opcode}: {blob.what}",
                    values=array_rows(blob.array),
                )
            )
        return self._names[key]


def render(
    model: TfliteModel,
    name: str,
    build: Build,
    lowered: Lowered,
    plan: Plan,
    inputs: Sequence[Io],
    outputs: Sequence[Io],
) -> tuple[dict[str, str], int]:
    """The files of the folder, path -> text, and the bytes of constant data."""
    constants = Constants(f"{name}_data")
    functions = {call.function for layer in lowered.layers for call in layer.calls}
    kernels = files_of(build.kernel_set, functions)
    structs = [_struct(layer, call, constants) for layer in lowered.layers for call in layer.calls]
    values: dict[str, Any] = {
        "model": {"file": f"{model.name}.tflite", "sha256": model.sha256},
        "name": name,
        "NAME": name.upper(),
        "guard": f"EDGESQUEEZE_{name.upper()}_{model.sha256[:8].upper()}_H",
        "generator": generator(),
        "target": build.target,
        "runs_here": not build.cross,
        "cross": build.cross,
        "cpu_flags": build.cpu_flags,
        "arena_bytes": plan.arena_bytes,
        "live_bytes": plan.live_bytes,
        "layer_count": len(lowered.layers),
        "headers": sorted({call.header for layer in lowered.layers for call in layer.calls}),
        "places": _places(lowered, plan),
        "functions": _functions(name, lowered, plan, inputs, outputs, constants),
        "constants": [struct for struct in structs if struct],
        "inputs": [_io(io, "input", name) for io in inputs],
        "outputs": [_io(io, "output", name) for io in outputs],
    }
    sources = [f"{name}.c", f"{name}_weights.c"]
    sources += [f"{KERNEL_FOLDER}/{file}" for file in kernels if file.endswith(".c")]
    values |= {
        "sources": sources,
        "include_folders": [".", KERNEL_FOLDER],
        "include_flags": f"-I. -I{KERNEL_FOLDER}",
        "arrays": constants.arrays,
        "weights_bytes": constants.bytes,
        "weight_headers": ["es_general.h"]
        if any(array.type_name == "es_general_channel" for array in constants.arrays)
        else [],
    }
    templates = {
        f"{name}.h": "model.h.j2",
        f"{name}.c": "model.c.j2",
        f"{name}_weights.h": "weights.h.j2",
        f"{name}_weights.c": "weights.c.j2",
        "main.c": "main.c.j2",
        "Makefile": "Makefile.j2",
        "CMakeLists.txt": "CMakeLists.txt.j2",
    }
    files = {file: _render(template, values) for file, template in templates.items()}
    return files | {f"{KERNEL_FOLDER}/{file}": text for file, text in kernels.items()}, constants.bytes


def _struct(layer: Layer, call: Call, constants: Constants) -> dict[str, str] | None:
    if call.parameters is None:
        return None
    return {
        "name": _struct_name(layer, call),
        "type_name": call.parameters.type_name,
        "comment": f"{layer.index} {layer.opcode} {layer.summary}",
        "value": initializer(call.parameters, lambda blob: constants.name_in(layer, blob)),
    }


def _struct_name(layer: Layer, call: Call) -> str:
    position = layer.calls.index(call)
    return f"{layer.opcode.lower()}_{layer.index}" + (f"_{position}" if position else "")


def _places(lowered: Lowered, plan: Plan) -> list[dict[str, Any]]:
    graph = lowered.graph
    places = [
        {"name": _place(index), "offset": offset, "what": _described(graph.tensors[index])}
        for index, offset in sorted(plan.offsets.items())
    ]
    places += [
        {"name": f"SCRATCH_{index}", "offset": offset, "what": f"scratch memory of layer {index}"}
        for index, offset in sorted(plan.scratch.items())
    ]
    return places


def _place(tensor: int) -> str:
    return f"TENSOR_{tensor}"


def _described(tensor: Tensor) -> str:
    name = tensor.name if len(tensor.name) <= LONGEST_NAME else f"{tensor.name[: LONGEST_NAME - 3]}..."
    return f"{tensor.dtype} {list(tensor.shape)} {name}".rstrip()


def _functions(
    name: str,
    lowered: Lowered,
    plan: Plan,
    inputs: Sequence[Io],
    outputs: Sequence[Io],
    constants: Constants,
) -> list[dict[str, Any]]:
    """The functions of the model's own file, in the header's order."""
    graph, model = lowered.graph, f"const {name}_model *model"
    functions = []
    for io in inputs:
        tensor = graph.inputs[io.index]
        if io.converts:
            layers = [lowered.layers[i] for i in sorted(lowered.entry) if _reads(lowered.layers[i], tensor)]
            signature = f"void {name}_set_input{io.suffix}({model}, const {C_TYPES[io.dtype]} *values)"
            functions.append(_function(signature, layers, plan, constants, {tensor: "values"}))
        else:
            signature = f"int8_t *{name}_input{io.suffix}({model})"
            functions.append(_pointer(signature, plan, tensor))
    middle = [
        layer
        for layer in lowered.layers
        if layer.index not in lowered.entry and layer.index not in lowered.exit
    ]
    functions.append(_function(f"void {name}_invoke({model})", middle, plan, constants, {}))
    for io in outputs:
        tensor = graph.outputs[io.index]
        if io.converts:
            layers = [lowered.layers[i] for i in sorted(lowered.exit) if _writes(lowered.layers[i], tensor)]
            signature = f"void {name}_get_output{io.suffix}({model}, {C_TYPES[io.dtype]} *values)"
            functions.append(_function(signature, layers, plan, constants, {tensor: "values"}))
        else:
            signature = f"const int8_t *{name}_output{io.suffix}({model})"
            functions.append(_pointer(signature, plan, tensor))
    return functions


def _reads(layer: Layer, tensor: int) -> bool:
    return any(tensor in call.inputs for call in layer.calls)


def _writes(layer: Layer, tensor: int) -> bool:
    return any(tensor in call.outputs for call in layer.calls)


def _function(
    signature: str, layers: Sequence[Layer], plan: Plan, constants: Constants, outside: Mapping[int, str]
) -> dict[str, Any]:
    return {
        "signature": signature,
        "uses_arena": bool(layers),
        "layers": [
            {
                "index": layer.index,
                "comment": f"{layer.index}  {layer.opcode}  {layer.summary}  {layer.name[:LONGEST_NAME]}",
                "calls": [_call(layer, call, plan, constants, outside) for call in layer.calls],
            }
            for layer in layers
        ],
        "value": "",
    }


def _pointer(signature: str, plan: Plan, tensor: int) -> dict[str, Any]:
    # A tensor that no layer reads still needs a valid address.
    value = f"arena + {_place(tensor)}" if tensor in plan.offsets else "arena"
    return {"signature": signature, "uses_arena": True, "layers": [], "value": value}


def _call(layer: Layer, call: Call, plan: Plan, constants: Constants, outside: Mapping[int, str]) -> str:
    arguments = [f"&{_struct_name(layer, call)}"] if call.parameters else []
    for item in (*call.inputs, *call.outputs):
        if isinstance(item, Blob):
            arguments.append(constants.name_in(layer, item))
        else:
            arguments.append(outside.get(item) or f"arena + {_place(item)}")
    if call.scratch_bytes is not None:
        arguments.append(f"arena + SCRATCH_{layer.index}" if layer.index in plan.scratch else "0")
    return f"{call.function}({', '.join(arguments)})"


def _io(io: Io, side: str, name: str) -> dict[str, Any]:
    shape = "x".join(map(str, io.shape)) or "scalar"
    return {
        "suffix": io.suffix,
        "converts": io.converts,
        "macro": f"{name}_{side}{io.suffix}".upper(),
        "title": f"{side.capitalize()} {io.index}: {io.name[:LONGEST_NAME]}, {io.dtype} {shape}.",
        "elements": io.elements,
        "shape": io.shape or (1,),
        "scale": float_literal(io.scale),
        "zero_point": io.zero_point,
        "c_type": C_TYPES[io.dtype],
    }


def _render(template: str, values: Mapping[str, Any]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(c_comment=c_comment)
    return environment.get_template(template).render(values)
