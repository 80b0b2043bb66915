"""Every kernel of a layer, and how TFLite stores it: a convolution has one, a cell of a recurrent layer two.

Keras keeps the gates of a cell side by side in one kernel. TFLite's operator for an LSTM has a tensor with
one scale for each of them; a cell that is written out step by step (see unroll.py) has one tensor for the
gates that take the same activation, and a loop has the kernel as it is, both with a scale for each column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import tf_keras

from edgesqueeze.squeeze.layers.grid import FloatArray, Grid
from edgesqueeze.squeeze.layers.kernels import (
    DEPTHWISE,
    KERNELS,
    KernelKey,
    channel_shape,
    key_of,
    tflite_layout,
)
from edgesqueeze.squeeze.layers.recurrent import has_operator, named_cells

layers = tf_keras.layers
CELL_KERNELS = ("kernel", "recurrent_kernel")


class Gates(NamedTuple):
    """How a cell's kernels are divided.

    Attributes:
        names: the gates in the order of their columns.
        stored: the ways in which conversion stores them: for each tensor, which gates it holds.
    """

    names: tuple[str, ...]
    stored: tuple[tuple[tuple[int, ...], ...], ...]


GATES: Mapping[type, Gates] = MappingProxyType(
    {
        layers.LSTMCell: Gates(
            ("input", "forget", "cell", "output"),
            (((0,), (1,), (2,), (3,)), ((0, 1, 3), (2,)), ((0, 1, 2, 3),)),
        ),
        layers.GRUCell: Gates(("update", "reset", "candidate"), (((0, 1), (2,)), ((0, 1, 2),))),
        layers.SimpleRNNCell: Gates(("all",), (((0,),),)),
    }
)


class Part(NamedTuple):
    """What one tensor of a .tflite holds of a kernel.

    Attributes:
        name: which part; empty for all of it.
        values: the weights in TFLite's layout.
        axis: the axis of the output channels.
    """

    name: str
    values: FloatArray
    axis: int


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel of a layer.

    Attributes:
        key: which it is.
        owner: the layer or cell that has the variable.
        attribute: the variable's name there.
        operator: whether TFLite has one operator for the layer, with a tensor for each gate.
        smallest: weights in the smallest of the constants that conversion stores as integers together, or
            leaves float together.
    """

    key: KernelKey
    owner: Any
    attribute: str
    operator: bool = False
    smallest: int = 0

    @property
    def value(self) -> FloatArray:
        """The weights, float32."""
        return np.asarray(getattr(self.owner, self.attribute).numpy(), np.float32)

    @property
    def name(self) -> str:
        """What a person is told: the layer, and which of its kernels where it has several."""
        return self.key.layer if type(self.owner) in KERNELS else "/".join(self.key)

    def grid(self, *, operator: bool) -> Grid:
        """Which of its weights share a scale in the .tflite.

        Args:
            operator: whether a layer that TFLite has an operator for becomes that operator.
        """
        shape = self.value.shape
        if self.cell is None:
            return Grid(shape, channel_shape(self.owner))
        rows, columns = shape
        if not (self.operator and operator):
            return Grid(shape, (1, columns))
        gates = len(self.cell.names)
        return Grid((rows, gates, columns // gates), (1, gates, 1))

    @property
    def cell(self) -> Gates | None:
        """How its columns are divided; None for a kernel without gates."""
        return GATES.get(type(self.owner))

    def stored(self) -> Iterator[Sequence[Part]]:
        """The ways in which a .tflite may hold it, each as all its tensors."""
        if self.cell is None:
            axis = 3 if isinstance(self.owner, DEPTHWISE) else 0
            yield (Part("", tflite_layout(self.owner, self.value), axis),)
            return
        names, gates = self.cell.names, np.split(self.value.T, len(self.cell.names))
        for way in self.cell.stored:
            yield [
                Part(_part_name(names, held), np.concatenate([gates[one] for one in held]), 0) for held in way
            ]


def _part_name(names: Sequence[str], held: Sequence[int]) -> str:
    if len(held) == len(names):
        return ""
    return names[held[0]] if len(held) == 1 else "gates"


def kernels_of(layer: Any) -> tuple[Kernel, ...]:
    """The kernels of a layer that can be pruned and clustered; none for a class that is not known.

    Args:
        layer: a built layer of a flat tf_keras model.
    """
    if type(layer) in KERNELS:
        return (_only(layer, key_of(layer)),)
    if type(layer) is layers.TimeDistributed and type(layer.layer) in KERNELS:
        return (_only(layer.layer, KernelKey(layer.name, "/".join(key_of(layer.layer)))),)
    operator = has_operator(layer)
    return tuple(
        Kernel(KernelKey(layer.name, path + attribute), cell, attribute, operator, smallest)
        for path, cell in named_cells(layer)
        for attribute, smallest in _sizes(cell, operator)
    )


def _only(owner: Any, key: KernelKey) -> Kernel:
    attribute = key_of(owner).variable
    return Kernel(key, owner, attribute, smallest=getattr(owner, attribute).shape.num_elements())


def _sizes(cell: Any, operator: bool) -> Iterator[tuple[str, int]]:
    """A cell's kernels, each with the least number of weights that decides how it is stored."""
    sizes = [getattr(cell, one).shape.num_elements() for one in CELL_KERNELS]
    if operator:
        # All constants of one operator are stored alike.
        sizes = [min(sizes) // len(GATES[type(cell)].names)] * len(sizes)
    yield from zip(CELL_KERNELS, sizes, strict=True)


def kernel_layers(model: Any) -> Iterator[Any]:
    """The layers of a flat tf_keras model that have kernels, in the model's order."""
    yield from (layer for layer in model.layers if kernels_of(layer))


def model_kernels(model: Any) -> Iterator[Kernel]:
    """The kernels of a flat tf_keras model, in the order of its layers."""
    for layer in model.layers:
        yield from kernels_of(layer)
