"""Ids in real data, and the tables of a .tflite that they choose rows of.

A runtime refuses an id that a table does not have; native C, which checks nothing, reads beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.errors import DataError
from edgesqueeze.graph import Graph, TfliteModel

PASSES = frozenset({"CAST", "RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
"""Operators that leave ids as they are."""
PLACES = {"GATHER": (0, 1), "EMBEDDING_LOOKUP": (1, 0)}
"""Operator -> which of its inputs is the table, and which has the ids."""


def check_ids(model: TfliteModel, columns: Sequence[Array]) -> None:
    """Check what inputs of plain numbers choose.

    Args:
        model: the .tflite.
        columns: per input of the main graph the samples, ``[n, ...]``.

    Raises:
        DataError: a table does not have one of the ids.
    """
    graph = model.main
    for index, column in zip(graph.inputs, columns, strict=True):
        if graph.tensors[index].quantization is not None or not column.size:
            continue
        for rows in set(_tables(graph, index)):
            low, high = np.min(column), np.max(column)
            if not (low >= 0 and high < rows):
                raise DataError(
                    f"the data have ids for {graph.tensors[index].label!r} that the model does not have",
                    expected=f"0 to {rows - 1}",
                    got=f"{low:g} to {high:g}",
                    hint="number them as in training; what is unknown has an id of its own there",
                )


def _tables(graph: Graph, index: int) -> Iterator[int]:
    """How many rows the tables have that a tensor chooses rows of."""
    for operator in graph.readers.get(index, ()):
        table, ids = PLACES.get(operator.opcode, (0, -1))
        if ids >= 0 and operator.inputs[ids] == index and graph.tensors[operator.inputs[table]].is_constant:
            axis = int(operator.options.get("axis", 0) or 0)
            yield graph.tensors[operator.inputs[table]].shape[axis]
        elif operator.opcode in PASSES and operator.inputs[0] == index:
            yield from _tables(graph, operator.outputs[0])
