"""Small int8 models that keep state in resource variables, as streaming keyword spotters do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.builder_parts import FileBuilder

FEATURES = 8


class Streams:
    """A graph in which rows are kept from one inference to the next.

    Args:
        graph: the graph; its subgraph 1 sets all variables.
    """

    def __init__(self, graph: GraphBuilder) -> None:
        self.graph = graph
        self.first = graph.subgraph("first")
        graph.op("CALL_ONCE", [], [], initSubgraphIndex=1)

    def variable(self, name: str, start: npt.NDArray[np.int8] | None) -> int:
        """A handle; ``start`` is what the variable holds at first, None: nothing."""
        if start is not None:
            self.first.op("ASSIGN_VARIABLE", [handle(self.first, name), self.first.constant(start)], [])
        return handle(self.graph, name)

    def read(self, variable: int, like: int, shape: Sequence[int]) -> int:
        """The variable's value, quantized as another tensor is."""
        value = self.graph.like(like, shape)
        self.graph.op("READ_VARIABLE", [variable], [value])
        return value

    def assign(self, variable: int, value: int) -> None:
        """Set the variable."""
        self.graph.op("ASSIGN_VARIABLE", [variable, value], [])

    def rows(self, x: int, kept: int, name: str, *, first: int | None = None) -> int:
        """Rows of earlier inferences, ``kept`` of them, and behind them those of ``x``.

        Args:
            x: ``[1, rows, 1, channels]``.
            kept: how many rows are kept.
            name: the variable's name.
            first: what the rows hold at first; values that differ if None.
        """
        *_, channels = self.graph.shapes[x]
        shape = (1, kept, 1, channels)
        values = np.arange(kept * channels) % 100 - 50 if first is None else np.full(kept * channels, first)
        variable = self.variable(name, values.astype(np.int8).reshape(shape))
        whole = self.graph.concatenate([self.read(variable, x, shape), x], axis=1)
        self.assign(variable, self.tail(whole, kept))
        return whole

    def tail(self, x: int, kept: int) -> int:
        """The last rows."""
        _, _, width, channels = self.graph.shapes[x]
        y = self.graph.like(x, (1, kept, width, channels))
        numbers = ([0, -kept, 0, 0], [0, 0, 0, channels], [1, 1, 1, 1])
        inputs = [self.graph.constant(np.array(one, np.int32)) for one in numbers]
        masks: dict[str, Any] = {"beginMask": 13, "endMask": 15, "ellipsisMask": 0}
        masks |= {"newAxisMask": 0, "shrinkAxisMask": 0}
        self.graph.op("STRIDED_SLICE", [x, *inputs], [y], **masks)
        return y


def handle(graph: FileBuilder, name: str) -> int:
    """A handle of a resource variable."""
    index = graph.tensor((), "resource")
    graph.op("VAR_HANDLE", [], [index], container=b"", sharedName=name.encode())
    return index


def streaming_cnn(seed: int = 0, rows: int = 3) -> bytes:
    """Mel rows in, 3 scores out: convolutions over rows of this and of earlier inferences."""
    graph = GraphBuilder(seed, name="streaming_cnn")
    streams = Streams(graph)
    x = graph.reshape(graph.input((1, rows, FEATURES)), (1, rows, 1, FEATURES))
    x = graph.conv2d(streams.rows(x, 2, "first/rows"), 12, (rows + 2, 1), padding="VALID", activation="RELU")
    for number, kept in enumerate((4, 7, 11)):
        x = streams.rows(x, kept, f"block_{number}/rows", first=None if number else -128)
        x = graph.depthwise_conv2d(x, (kept + 1, 1), padding="VALID")
        x = graph.conv2d(x, 12 + 4 * number, 1, activation="RELU")
    whole = streams.rows(x, 4, "last/rows")
    flat = graph.reshape(whole, (1, 5 * graph.shapes[whole][-1]))
    return graph.build([graph.fully_connected(flat, 3)])


def streaming_gate(seed: int = 0, *, given: bool = False) -> bytes:
    """A hidden vector that each inference computes anew of itself and its input: no rows, one assignment.

    Args:
        seed: of the weights.
        given: let the new hidden vector be an output too.
    """
    graph = GraphBuilder(seed, name="streaming_gate")
    streams = Streams(graph)
    x = graph.input((1, 6))
    variable = streams.variable("hidden", np.arange(-8, 8, dtype=np.int8).reshape(1, 16))
    like = graph.activation((1, 16), "int8", 1.0)
    old = streams.read(variable, like, (1, 16))
    both = graph.concatenate([graph.fully_connected(x, 16), graph.fully_connected(old, 16)])
    new = graph.like(like, (1, 16))
    graph.op("TANH", [graph.fully_connected(both, 16)], [new])
    streams.assign(variable, new)
    score = graph.fully_connected(new, 2)
    return graph.build([score, new] if given else [score])
