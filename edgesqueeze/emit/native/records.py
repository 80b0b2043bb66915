"""What the generator of native C passes from stage to stage.

``lower`` turns every operator of a graph into calls of kernels, ``plan`` gives every tensor a place in the
arena, ``render`` writes the C.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.packing.document import LayerPacking
from edgesqueeze.emit.native.rows.document import LayerChain
from edgesqueeze.emit.places import Place
from edgesqueeze.graph import Graph, Operator, Tensor


@dataclass(frozen=True, eq=False)
class Blob:
    """Constant data in flash.

    Attributes:
        array: the values; one-dimensional, integers or float32, little-endian. Of an array of structs
            two-dimensional: a row is a struct.
        what: what it is, for a comment in C: ``weights, 2 output channels by 4 inputs``.
        alignment: what its address must be a multiple of, in bytes.
        struct: name of the C struct type of ``es_general.h`` that a row is; empty for plain numbers.
        rows: of packed weights the weights themselves, int8 ``[out, taps]``; else None.
    """

    array: npt.NDArray[Any]
    what: str
    alignment: int = 4
    struct: str = ""
    rows: npt.NDArray[np.int8] | None = None

    @property
    def bytes(self) -> int:
        """Size in flash."""
        return int(self.array.nbytes)


Value = Union[int, float, str, Blob, "Struct", tuple[int, ...], tuple["Struct", ...], None]
"""A member's value: a number, the name of a C constant, a pointer to constant data (None: NULL), a nested
struct, an array of integers, or a pointer to structs of one type."""


@dataclass(frozen=True, eq=False)
class Struct:
    """A constant of a C struct type, by the names of its members."""

    type_name: str
    members: Mapping[str, Value]

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """All constant data that it points to, in order, also in nested structs."""
        found: list[Blob] = []
        for value in self.members.values():
            if isinstance(value, Blob):
                found.append(value)
            elif isinstance(value, Struct):
                found += value.blobs
            elif isinstance(value, tuple):
                found += [blob for item in value if isinstance(item, Struct) for blob in item.blobs]
        return tuple(found)


@dataclass(frozen=True, eq=False)
class Call:
    """One call of one kernel: ``function(&parameters, input..., output..., scratch)``.

    Attributes:
        function: name of the kernel, which is also the name of its file.
        header: the header that declares it: ``es_conv.h``.
        parameters: what its first argument points to; None: the kernel takes no parameters.
        inputs: tensor indices whose addresses follow, or constant data.
        outputs: tensor indices whose addresses come next.
        scratch_bytes: size of the scratch memory that is its last argument, in bytes; None: it takes no such
            argument.
        overlap: how an output may share memory with inputs. Input position -> distance in bytes: it is safe
            if the input lies at least that far behind the output's start (0: in place). An input that is not
            named must not overlap the output.
        in_place: positions of inputs that the output may be the very memory of, at the same address only.
        helpers: names of other functions that the parameters point to.
        images: how often it runs, each time on the next of as many equal parts of all its tensors; constants
            stay. ``overlap`` and ``in_place`` are those of one part.
    """

    function: str
    header: str
    parameters: Struct | None
    inputs: tuple[int | Blob, ...]
    outputs: tuple[int, ...]
    scratch_bytes: int | None = None
    overlap: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    in_place: tuple[int, ...] = ()
    helpers: tuple[str, ...] = ()
    images: int = 1

    @property
    def constants(self) -> tuple[Blob, ...]:
        """All constant data that the kernel reads."""
        inputs = tuple(item for item in self.inputs if isinstance(item, Blob))
        return inputs + (self.parameters.blobs if self.parameters else ())


@dataclass(frozen=True)
class Placement:
    """A tensor that is a part of another tensor's memory: reshape, concatenation, split.

    Attributes:
        tensor: the tensor that needs no memory of its own.
        whole: the tensor in whose memory it lies.
        offset: bytes from the start of ``whole``.
    """

    tensor: int
    whole: int
    offset: int


@dataclass(frozen=True, eq=False)
class State:
    """A tensor that outlives an inference.

    Attributes:
        tensor: index of the tensor in the graph that is lowered.
        first: the bytes that it holds before the first inference.
    """

    tensor: int
    first: Blob

    @property
    def uniform(self) -> bool:
        """Whether all bytes are equal at first."""
        return bool(np.all(self.first.array == self.first.array[0]))


@dataclass(frozen=True, eq=False)
class Operation:
    """What a lowering gets to see of one operator.

    Attributes:
        graph: the whole graph.
        operator: the operator.
        kernel_set: ``reference``, ``dsp`` or ``mve``.
    """

    graph: Graph
    operator: Operator
    kernel_set: str

    def input(self, position: int) -> Tensor:
        """The input tensor at a position that must not be left out."""
        return self.graph.tensors[self.operator.inputs[position]]

    def optional_input(self, position: int) -> Tensor | None:
        """The input tensor at a position, or None when it is left out."""
        inputs = self.operator.inputs
        return self.graph.tensor(inputs[position]) if position < len(inputs) else None

    def output(self, position: int = 0) -> Tensor:
        """The output tensor at a position."""
        return self.graph.tensors[self.operator.outputs[position]]

    def option(self, name: str) -> Any:
        """A builtin option by the schema's field name."""
        return self.operator.options[name]


class UnsupportedOperationError(Exception):
    """A lowering cannot express the operator; the text says why. Collected over the graph by ``lower``."""


@dataclass(frozen=True)
class Refusal:
    """One thing in a model that native C does not take.

    Attributes:
        reason: why not.
        kind: the kind of the operator that is refused; empty where no operator is to blame but an input, an
            output or a subgraph.
        operator: the operator's position in the main graph; None where no operator is to blame.
    """

    reason: str
    kind: str = ""
    operator: int | None = None

    def __str__(self) -> str:
        return f"{self.kind} (operator {self.operator}): {self.reason}" if self.kind else self.reason


@dataclass(frozen=True)
class Refused:
    """A model that native C does not take, with everything that speaks against it."""

    refusals: tuple[Refusal, ...]


Lowering = Callable[[Operation], "tuple[Call | Placement, ...]"]
"""Turns one operator into kernel calls, or into a place inside another tensor."""


@dataclass(frozen=True, eq=False)
class Layer:
    """What became of one operator of the graph.

    Attributes:
        index: position among the layers of the generated code.
        opcode: builtin operator name.
        name: the output tensor's name in the model.
        summary: shapes in words: ``3x3: 32x32x16->16x16x32``.
        macs: multiply-accumulate operations.
        calls: kernel calls in order; several when a fused activation needs a pass of its own.
    """

    index: int
    opcode: str
    name: str
    summary: str
    macs: int
    calls: tuple[Call, ...]


@dataclass(frozen=True)
class Io:
    """One input or output of the generated code.

    Attributes:
        index: position among the model's inputs or outputs.
        name: the tensor's name in the model.
        shape: the tensor's shape in the model, batch dimension included.
        dtype: ``int8``, ``int16``, ``uint8``, ``int32`` or ``float32``: what the caller gives or gets.
        elements: number of values.
        scale: real number that one step of the integers stands for.
        zero_point: the integer that stands for zero.
        converts: whether the generated code converts between this dtype and what the arena holds. Then it is
            read with ``NAME_set_input`` and written with ``NAME_get_output``; otherwise it lies in the arena
            as it is, at the pointer that ``NAME_input`` and ``NAME_output`` return.
        suffix: end of the functions' names: empty for a single input or output, else ``_0`` and so on.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    elements: int
    scale: float
    zero_point: int
    converts: bool
    suffix: str


@dataclass(frozen=True)
class LayerSummary:
    """One layer of the generated code, for reports.

    Attributes:
        index: number of the layer, which the profile hook gets.
        opcode: builtin operator name.
        name: the output tensor's name in the model.
        summary: shapes in words.
        macs: multiply-accumulate operations.
        kernels: names of the C functions that it calls.
        weights_bytes: constant data that it reads, in bytes.
        ram_bytes: bytes of the arena that are in use while it runs: what it reads and writes, its scratch
            memory, and what later layers still need.
        packing: how its weights are stored; None for layers whose weights are never packed.
        chain: the layers that it runs by turns with; None: it runs alone.
    """

    index: int
    opcode: str
    name: str
    summary: str
    macs: int
    kernels: tuple[str, ...]
    weights_bytes: int = 0
    ram_bytes: int = 0
    packing: LayerPacking | None = None
    chain: LayerChain | None = None


@dataclass(frozen=True)
class NativeSource:
    """The generated folder and what it promises.

    Attributes:
        name: the model's name in C; every public name starts with it.
        kernel_set: ``reference``, ``dsp`` or ``mve``.
        files: path inside the folder -> text.
        sources: names of the ``files`` that are compiled into the library, in order.
        include_folders: folders inside it that compilers must search for headers; ``.`` is the top.
        arena_bytes: RAM for activations and scratch memory, in bytes.
        weights_bytes: constant data of the layers in flash, in bytes.
        inputs: the model's inputs.
        outputs: the model's outputs.
        layers: the layers in execution order.
        state_bytes: those bytes of the arena that outlive an inference; 0 where every inference is as the
            first.
        places: what lies where in the arena, and when.
    """

    name: str
    kernel_set: str
    files: Mapping[str, str]
    sources: tuple[str, ...]
    include_folders: tuple[str, ...]
    arena_bytes: int
    weights_bytes: int
    inputs: tuple[Io, ...]
    outputs: tuple[Io, ...]
    layers: tuple[LayerSummary, ...]
    state_bytes: int = 0
    places: tuple[Place, ...] = ()

    @property
    def chains(self) -> tuple[LayerChain, ...]:
        """The layers that run by turns."""
        return tuple(dict.fromkeys(layer.chain for layer in self.layers if layer.chain is not None))


def as_bytes(array: npt.NDArray[Any]) -> npt.NDArray[np.int8]:
    """An array's bytes as a vector of int8."""
    return np.ascontiguousarray(array).reshape(-1).view(np.int8)
