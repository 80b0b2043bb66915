"""A .tflite as plain, frozen records: tensors, operators, graphs.

The names follow the TFLite schema (``tensorflow/compiler/mlir/lite/schema/schema.fbs``): an operator is
called by its builtin operator name (``CONV_2D``), a dtype by its NumPy name (``int8``), an option by the
schema's field name (``stride_w``), and enumerations in options by their schema name (``SAME``, ``RELU6``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

NO_TENSOR = -1
"""The index that stands for an optional input which is left out."""


@dataclass(frozen=True, eq=False)
class Quantization:
    """How integers of a tensor stand for real numbers: ``real = scale * (integer - zero_point)``.

    Attributes:
        scales: float32, one for the tensor or one per slice along ``axis``.
        zero_points: int64, as many as ``scales``.
        axis: the quantized dimension; meaningless when there is one scale.
        stored_axis: what the file says instead of ``axis``, where that dimension does not exist.
    """

    scales: npt.NDArray[np.float32]
    zero_points: npt.NDArray[np.int64]
    axis: int
    stored_axis: int | None = None

    @property
    def per_channel(self) -> bool:
        """Whether there is more than one scale."""
        return self.scales.size > 1

    @property
    def scale(self) -> float:
        """The scale of a tensor that has only one."""
        return float(self.scales[0])

    @property
    def zero_point(self) -> int:
        """The zero point of a tensor that has only one."""
        return int(self.zero_points[0])


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor of a graph.

    Attributes:
        index: position in ``Graph.tensors``.
        name: the tensor's name in the file; may be empty.
        shape: the stored shape; a dynamic dimension is stored as 1.
        signature: the shape with -1 for dynamic dimensions; equals ``shape`` when there are none.
        dtype: NumPy name of the element type; ``int4``, ``string`` and the like where NumPy has none.
        data: the constant value, read-only, or None for a tensor that is computed. Types that NumPy
            lacks (int4, string) come as raw bytes in a uint8 vector.
        stored_bytes: bytes that the constant occupies in the file; 0 for a computed tensor.
        quantization: scale and zero point, or None.
        sparse: whether the constant is stored in the schema's sparse encoding.
        variable: whether the runtime keeps the tensor's value from one inference to the next.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    dtype: str
    data: npt.NDArray[Any] | None
    stored_bytes: int
    quantization: Quantization | None
    sparse: bool = False
    variable: bool = False

    @property
    def is_constant(self) -> bool:
        """Whether the file holds the tensor's value."""
        return self.data is not None

    @property
    def label(self) -> str:
        """What a person reads for the name: the first of those that the converter joined, else the index."""
        return self.name.split(";", 1)[0] or str(self.index)

    @property
    def elements(self) -> int:
        """Number of elements for a batch as stored."""
        return int(np.prod(self.shape, dtype=np.int64)) if self.shape else 1

    @property
    def nbytes(self) -> int:
        """Bytes of its value as it is computed; a type that NumPy lacks counts as one byte an element."""
        try:
            return self.elements * np.dtype(self.dtype).itemsize
        except TypeError:
            return self.elements


@dataclass(frozen=True, eq=False)
class Operator:
    """One operator of a graph, in execution order.

    Attributes:
        index: position in ``Graph.operators``.
        opcode: builtin operator name, or ``CUSTOM``.
        custom_name: name of a custom operator, else empty.
        version: operator version that the file asks for.
        inputs: tensor indices; ``NO_TENSOR`` for an optional input that is left out.
        outputs: tensor indices.
        options: the operator's builtin options by schema field name.
    """

    index: int
    opcode: str
    custom_name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """What to call it: the builtin name, or the custom operator's own name."""
        return self.custom_name if self.opcode == "CUSTOM" else self.opcode


@dataclass(frozen=True, eq=False)
class Graph:
    """One subgraph: tensors, and operators in execution order."""

    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        """The graph's inputs, in order."""
        return tuple(self.tensors[index] for index in self.inputs)

    @property
    def output_tensors(self) -> tuple[Tensor, ...]:
        """The graph's outputs, in order."""
        return tuple(self.tensors[index] for index in self.outputs)

    @cached_property
    def input_set(self) -> frozenset[int]:
        """Indices of the graph's inputs, to look one up among many."""
        return frozenset(self.inputs)

    @cached_property
    def output_set(self) -> frozenset[int]:
        """Indices of the graph's outputs, to look one up among many."""
        return frozenset(self.outputs)

    @cached_property
    def readers(self) -> Mapping[int, tuple[Operator, ...]]:
        """Tensor -> the operators that read it; without those that none reads."""
        found: dict[int, list[Operator]] = {}
        for operator in self.operators:
            for index in dict.fromkeys(operator.inputs):
                found.setdefault(index, []).append(operator)
        return {index: tuple(operators) for index, operators in found.items()}

    def tensor(self, index: int) -> Tensor | None:
        """The tensor at an operator's input or output slot, or None for ``NO_TENSOR``."""
        return None if index == NO_TENSOR else self.tensors[index]


@dataclass(frozen=True, eq=False)
class TfliteModel:
    """A whole .tflite file.

    Attributes:
        name: the file's stem, or ``model`` for bytes.
        content: the file's bytes.
        sha256: hex digest of ``content``.
        description: the file's own description.
        graphs: all subgraphs; the first is the one that runs.
        given_sha256: hex digest of the file before its open dimensions were fixed; empty if they were not.
    """

    name: str
    content: bytes
    sha256: str
    description: str
    graphs: tuple[Graph, ...]
    given_sha256: str = ""

    @property
    def file_sha256(self) -> str:
        """Hex digest of the file that the user gave."""
        return self.given_sha256 or self.sha256

    @property
    def main(self) -> Graph:
        """The subgraph that runs when the model is invoked."""
        return self.graphs[0]

    @property
    def operators(self) -> tuple[Operator, ...]:
        """Operators of all subgraphs."""
        return tuple(operator for graph in self.graphs for operator in graph.operators)
