"""What the graphs of ``litert.csv`` are built of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from edgesqueeze.graph.builder import GraphBuilder

V2_BLOCKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, repeats, and stride of the first."""


class Settings(NamedTuple):
    """What a graph's text says after the name.

    Attributes:
        alpha: width multiplier.
        shape: of the input: height, width, channels.
        classes: how many.
        dense: whether the head is global pooling and a dense layer.
    """

    alpha: float
    shape: tuple[int, int, int]
    classes: int
    dense: bool


def divisible(channels: float) -> int:
    """Channels rounded to a multiple of eight, no more than a tenth below, as all MobileNets round them."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


class Net:
    """A graph builder with zeros as weights, and the operators that it lacks.

    Attributes:
        graph: the builder.
        dtype: type of activations.

    Args:
        name: of the graph.
        dtype: type of activations.
    """

    def __init__(self, name: str, dtype: str) -> None:
        self.graph = GraphBuilder(name=name)
        self.dtype = dtype

    def conv(self, x: int, channels: int, kernel: int = 1, stride: int = 1, activation: str = "NONE") -> int:
        """CONV_2D with zeros as weights."""
        weights = np.zeros((channels, kernel, kernel, self.graph.shapes[x][-1]), self.dtype)
        return self.graph.conv2d(x, channels, kernel, stride, activation=activation, weights=weights)

    def depthwise(self, x: int, kernel: int, stride: int, activation: str) -> int:
        """DEPTHWISE_CONV_2D with zeros as weights."""
        weights = np.zeros((1, kernel, kernel, self.graph.shapes[x][-1]), self.dtype)
        return self.graph.depthwise_conv2d(x, kernel, stride, activation=activation, weights=weights)

    def inverted_residual(self, x: int, expansion: int, channels: int, stride: int, kernel: int = 3) -> int:
        """Expand, filter each channel, project, and add the input where shapes allow it."""
        start, depth = x, self.graph.shapes[x][-1]
        if expansion > 1:
            x = self.conv(x, depth * expansion, activation="RELU6")
        x = self.conv(self.depthwise(x, kernel, stride, "RELU6"), channels)
        return self.graph.add(start, x) if stride == 1 and depth == channels else x

    def swish(self, x: int) -> int:
        """HARD_SWISH."""
        return self.graph.unary("HARD_SWISH", x)

    def scalar(self, opcode: str, x: int) -> int:
        """ADD or MUL with one constant."""
        scale = 0.01 if self.dtype == "int8" else None
        constant = self.graph.tensor((), self.dtype, scale, data=np.ones((), self.dtype))
        return self.binary(opcode, x, constant)

    def binary(self, opcode: str, x: int, y: int) -> int:
        """An element-wise operator of two tensors, in the shape of the first."""
        z = self.graph.activation(self.graph.shapes[x], self.dtype)
        self.graph.op(opcode, [x, y], [z], fusedActivationFunction="NONE")
        return z

    def dense_head(self, x: int, classes: int) -> int:
        """Global pooling, one fully connected layer, and SOFTMAX."""
        x = self.graph.mean(x)
        weights = np.zeros((classes, self.graph.shapes[x][-1]), self.dtype)
        return self.graph.softmax(self.graph.fully_connected(x, classes, weights=weights))
