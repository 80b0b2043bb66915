"""A model that ends early: its first operators alone, as a model of its own.

Two vectors of the file change: that of the operators is cut short where it stands, and that of the outputs is
replaced. Every other byte stays what it was.
"""

from __future__ import annotations

import struct

from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.errors import UsageError
from edgesqueeze.graph.expose import with_outputs
from edgesqueeze.graph.read import parse_tflite
from edgesqueeze.graph.records import TfliteModel

# Position of SubGraph.operators in the table's vtable: fourth field, two bytes each, after two size fields.
OPERATORS_SLOT = 4 + 2 * 3


def prefix_of(model: TfliteModel, count: int) -> TfliteModel:
    """The first operators of a model's main graph, with what others would read of them as outputs.

    Args:
        model: stays as it is.
        count: number of operators to keep, from 1 to all of them.

    Raises:
        UsageError: another number.
    """
    graph = model.main
    if not 1 <= count <= len(graph.operators):
        raise UsageError(
            f"{model.name} cannot be cut after {count} operators",
            expected=f"1 to {len(graph.operators)}",
            got=str(count),
            hint="`edgesqueeze inspect` lists the operators",
        )
    read = {index for operator in graph.operators[count:] for index in operator.inputs} | set(graph.outputs)
    written = dict.fromkeys(index for operator in graph.operators[:count] for index in operator.outputs)
    # An operator whose output nothing reads still has to have one.
    outputs = [index for index in written if index in read] or list(graph.operators[count - 1].outputs)
    cut = with_outputs(model, outputs)
    content = bytearray(cut.content)
    struct.pack_into("<I", content, _operators(cut.content), count)
    return parse_tflite(bytes(content), model.name)


def _operators(content: bytes) -> int:
    """Position in the file of the number of the main graph's operators."""
    table = schema.Model.GetRootAsModel(content, 0).Subgraphs(0)._tab
    field = table.Pos + table.Offset(OPERATORS_SLOT)
    return int(field + struct.unpack_from("<I", content, field)[0])
