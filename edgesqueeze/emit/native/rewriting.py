"""What graphs are rewritten with: new tensors, and operators that move bytes for others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesqueeze.graph import Graph, Operator, Quantization, Tensor


class Tensors:
    """A graph's tensors while operators are replaced; new ones come behind them.

    Args:
        graph: the whole.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors = list(graph.tensors)

    def like(self, tensor: Tensor, shape: tuple[int, ...]) -> int:
        """The index of a new computed tensor of another shape."""
        index = len(self.tensors)
        self.tensors.append(
            replace(tensor, index=index, shape=shape, signature=shape, data=None, variable=False)
        )
        return index

    def constant(self, like: Tensor, data: npt.NDArray[Any], quantization: Quantization | None) -> int:
        """The index of a new constant."""
        index = len(self.tensors)
        tensor = replace(like, index=index, shape=data.shape, signature=data.shape, data=data)
        self.tensors.append(replace(tensor, stored_bytes=data.nbytes, quantization=quantization))
        return index

    def axis(self, number: int) -> int:
        """The index of a new constant that names an axis."""
        like = Tensor(0, "axis", (), (), "int32", None, 0, None)
        return self.constant(like, np.array(number, np.int32), None)

    def with_operators(self, operators: tuple[Operator, ...]) -> Graph:
        """The graph with these operators; itself if no tensor is new."""
        if len(self.tensors) == len(self.graph.tensors):
            return self.graph
        graph = self.graph
        return Graph(graph.name, tuple(self.tensors), operators, graph.inputs, graph.outputs)


def moving(
    operator: Operator, opcode: str, inputs: tuple[int, ...], outputs: tuple[int, ...], **options: Any
) -> Operator:
    """An operator that moves bytes for another."""
    options |= {"fused_activation_function": "NONE"}
    return Operator(operator.index, opcode, "", 1, inputs, outputs, options)
