"""Make intermediate tensors of a .tflite readable by turning them into graph outputs.

Interpreters reuse the memory of intermediate tensors, and some expose outputs only. Only the list of
outputs is replaced: a new list is appended to the file and the graph is pointed at it, so every other byte
(weights, options, quantization) stays what it was.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import replace

from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.errors import TfliteError, UsageError
from edgesqueeze.graph.records import TfliteModel

# Position of SubGraph.outputs in the table's vtable: third field, two bytes each, after two size fields.
OUTPUTS_SLOT = 4 + 2 * 2


def with_outputs(model: TfliteModel, tensor_indices: Sequence[int]) -> TfliteModel:
    """The same model with other tensors as the outputs of its main graph.

    Args:
        model: stays as it is.
        tensor_indices: the new outputs, in this order; constants are not allowed, since interpreters
            differ in whether they copy them out.

    Raises:
        UsageError: an index that the graph does not have, a repeated one, a constant, or none at all.
        TfliteError: the file's graph has no list of outputs.
    """
    _check(model, tensor_indices)
    content = bytearray(model.content)
    content += bytes(-len(content) % 4)
    field = _outputs_field(model.content)
    struct.pack_into("<I", content, field, len(content) - field)
    content += struct.pack(f"<I{len(tensor_indices)}i", len(tensor_indices), *tensor_indices)
    main = replace(model.main, outputs=tuple(tensor_indices))
    return replace(
        model,
        content=bytes(content),
        sha256=hashlib.sha256(content).hexdigest(),
        graphs=(main, *model.graphs[1:]),
    )


def _check(model: TfliteModel, tensor_indices: Sequence[int]) -> None:
    tensors = model.main.tensors
    if not tensor_indices or len(set(tensor_indices)) != len(tensor_indices):
        raise UsageError(
            f"cannot use {list(tensor_indices)} as outputs of {model.name}",
            expected="at least one tensor index, each once",
            hint="name each tensor once, by its index",
        )
    for index in tensor_indices:
        if not 0 <= index < len(tensors):
            raise UsageError(
                f"{model.name} has no tensor {index}",
                expected=f"0 to {len(tensors) - 1}",
                hint="`edgesqueeze inspect --json` lists tensors by their names",
            )
        if tensors[index].is_constant:
            raise UsageError(
                f"tensor {index} ({tensors[index].name}) of {model.name} is a constant",
                expected="a tensor that an operator computes",
                hint="read its value from the file instead",
            )


def _outputs_field(content: bytes) -> int:
    """Position in the file of the offset that leads to the main graph's outputs."""
    table = schema.Model.GetRootAsModel(content, 0).Subgraphs(0)._tab
    relative = table.Offset(OUTPUTS_SLOT)
    if not relative:
        raise TfliteError("the model's graph has no list of outputs", hint="export the model again")
    return int(table.Pos + relative)
