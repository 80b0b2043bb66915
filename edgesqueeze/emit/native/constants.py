"""The constant data of all layers, each piece with a name in C; what has equal bytes is stored once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from edgesqueeze.emit.native.literals import C_TYPES
from edgesqueeze.emit.native.records import Blob, Layer, State


@dataclass(frozen=True)
class Array:
    """One array of constant data.

    Attributes:
        name: the array's name in C.
        type_name: the C type of an element.
        blob: the values and their alignment.
        comment: the first layer that reads it, and what it is.
    """

    name: str
    type_name: str
    blob: Blob
    comment: str


@dataclass(frozen=True)
class Constants:
    """All constant data of a model.

    Attributes:
        arrays: all arrays, in the order in which they are stored.
        names: constant data of calls -> the name of the array that holds it.
        bytes: size of all arrays in flash, in bytes.
    """

    arrays: tuple[Array, ...]
    names: Mapping[Blob, str]
    bytes: int


def collect(layers: Sequence[Layer], prefix: str, states: Sequence[State] = ()) -> Constants:
    """Name the constant data of all layers.

    Args:
        layers: layers of the generated code, in order.
        prefix: what the names start with; the layer's number and one among the layer's arrays follow.
        states: tensors that outlive an inference; what they hold at first is stored where its bytes differ.
    """
    arrays: list[Array] = []
    names: dict[Blob, str] = {}
    stored: dict[tuple[str, str, int, bytes], str] = {}
    taken: Counter[int] = Counter()
    for layer, blob in _in_order(layers):
        dtype = blob.array.dtype.name
        key = (dtype, blob.struct, blob.alignment, blob.array.tobytes())
        if key not in stored:
            stored[key] = f"{prefix}_{layer.index}_{taken[layer.index]}"
            taken[layer.index] += 1
            comment = f"{layer.index} {layer.opcode}: {blob.what}"
            arrays.append(Array(stored[key], blob.struct or C_TYPES[dtype], blob, comment))
        names[blob] = stored[key]
    for state in states:
        if not state.uniform:
            names[state.first] = f"{prefix}_state_{state.tensor}"
            arrays.append(Array(names[state.first], C_TYPES["int8"], state.first, state.first.what))
    return Constants(tuple(arrays), MappingProxyType(names), sum(array.blob.bytes for array in arrays))


def _in_order(layers: Sequence[Layer]) -> Iterator[tuple[Layer, Blob]]:
    """Constant data with its layer: first what parameters point to, then operands that are constants."""
    for layer in layers:
        for call in layer.calls:
            for blob in call.parameters.blobs if call.parameters else ():
                yield layer, blob
    for layer in layers:
        for call in layer.calls:
            for item in call.inputs:
                if isinstance(item, Blob):
                    yield layer, item
