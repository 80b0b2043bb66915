"""Write a .tflite anew with every vector that occurs more than once stored once.

Per-channel quantization gives each weight and each bias as many 64-bit zero points as it has channels, all
zero. In a small model they are a fifth of the file. FlatBuffers let tables share a vector, and every reader
follows the offsets that it finds, so nothing but the size changes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.base.zips import ZipError
from edgesqueeze.graph.appended import appended_files, with_appended
from edgesqueeze.graph.read import FILE_IDENTIFIER, parse_tflite
from edgesqueeze.graph.records import Graph, Tensor

BUFFER_ALIGNMENT = 16
"""The schema's ``force_align`` of constants; runtimes read them in place."""

LONG_NAME = 200
"""Characters of a tensor's name that are kept; runtimes use names of inputs and outputs only."""


def share_vectors(content: bytes) -> bytes:
    """Store equal vectors of a .tflite once.

    Args:
        content: a valid .tflite below 2 GB.

    Returns:
        A .tflite with the same tensors, operators and constants; ``content`` itself if it was smaller. Names
        of inner tensors are cut behind ``LONG_NAME`` characters. Ranges of quantized tensors go: older
        converters wrote them, and runtimes do not read them.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for graph in model.subgraphs:
        _shorten_names(graph)
        _drop_ranges(graph)
    packed = repacked(model, content)
    return packed if len(packed) < len(content) and _same(content, packed) else content


def renamed(content: bytes, names: Mapping[tuple[int, int], str]) -> bytes:
    """A .tflite in which some tensors have other names.

    Args:
        content: a valid .tflite below 2 GB.
        names: new names by graph and tensor.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for (graph, tensor), name in names.items():
        model.subgraphs[graph].tensors[tensor].name = name.encode()
    return repacked(model, content)


def repacked(model: schema.ModelT, before: bytes) -> bytes:
    """A changed model of the object API as a file, with what stood behind the file that it came from.

    Args:
        model: any model.
        before: the file that it was read from; an archive behind it that is damaged is left out.
    """
    with contextlib.suppress(ZipError):
        return with_appended(pack(model, len(before)), appended_files(before))
    return pack(model, len(before))


def pack(model: schema.ModelT, size: int) -> bytes:
    """A model of the object API as a file, with equal vectors stored once and constants aligned.

    Args:
        model: any model.
        size: about how many bytes it takes.
    """
    builder = _SharingBuilder(size)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def _shorten_names(graph: Any) -> None:
    """Cut names that the converter joined of many, as those of UNPACK with an output for every time step."""
    borders = {*graph.inputs, *graph.outputs}
    for index, tensor in enumerate(graph.tensors):
        if index not in borders and tensor.name is not None:
            tensor.name = _short(tensor.name.decode("utf-8", "surrogateescape"), index)


def _drop_ranges(graph: Any) -> None:
    for tensor in graph.tensors:
        found = tensor.quantization
        if found is not None and found.scale is not None and len(found.scale):
            found.min = found.max = None


def _short(name: str, index: int) -> str:
    return name if len(name) <= LONG_NAME else f"{name.split(';')[0][:LONG_NAME]};{index}"


class _SharingBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """A builder that finds a vector or string which it has written before."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: npt.NDArray[Any]) -> int:  # noqa: N802 - overridden
        """Write a vector, or return the place of an equal one."""
        return self._once(x.dtype.str, x.tobytes(), lambda: self._vector(x))

    def CreateString(self, s: Any, *rest: Any) -> int:  # noqa: N802 - overridden
        """Write a string, or return the place of an equal one."""
        raw = s if isinstance(s, bytes) else str(s).encode()
        return self._once("string", raw, lambda: super(_SharingBuilder, self).CreateString(s, *rest))

    def _once(self, kind: str, raw: bytes, write: Any) -> int:
        if (kind, raw) not in self._written:
            self._written[kind, raw] = write()
        return self._written[kind, raw]

    def _vector(self, x: npt.NDArray[Any]) -> int:
        if x.dtype != np.uint8:
            return int(super().CreateNumpyVector(x))
        # Python's builder knows nothing of force_align.
        self.StartVector(1, x.size, BUFFER_ALIGNMENT)
        self.head = self.Head() - x.size
        self.Bytes[self.Head() : self.Head() + x.size] = x.tobytes()
        return int(self.EndVector())


def _same(before: bytes, after: bytes) -> bool:
    """Whether two files hold the same graphs, constants included."""
    one, other = parse_tflite(before), parse_tflite(after)
    return [graph_content(graph, _tensor) for graph in one.graphs] == [
        graph_content(graph, _tensor) for graph in other.graphs
    ]


def graph_content(graph: Graph, tensor: Callable[[Tensor], Any]) -> tuple[Any, ...]:
    """What two graphs are compared by.

    Args:
        graph: a graph.
        tensor: what of a tensor must be the same.
    """
    operators = [
        (one.kind, one.version, one.inputs, one.outputs, dict(one.options)) for one in graph.operators
    ]
    return graph.inputs, graph.outputs, operators, [tensor(one) for one in graph.tensors]


def _tensor(tensor: Tensor) -> tuple[Any, ...]:
    found = tensor.quantization
    scale = None if found is None else (found.scales.tobytes(), found.zero_points.tobytes(), found.axis)
    value = None if tensor.data is None else tensor.data.tobytes()
    return _short(tensor.name, tensor.index), tensor.shape, tensor.signature, tensor.dtype, value, scale
