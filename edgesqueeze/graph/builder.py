"""Make .tflite files operator by operator, without TensorFlow: for microbenchmarks and tests.

    graph = GraphBuilder(seed=1)
    x = graph.input((1, 8, 8, 1))
    x = graph.conv2d(x, channels=4)
    x = graph.fully_connected(graph.reshape(x, (1, 256)), units=3)
    content = graph.build([graph.softmax(x)])

Layers take and return tensor indices, and their type follows their input: int8 (weights int8 per channel,
bias int32), int16 (weights int8, bias int64, zero points 0) or float32. Weights are random and depend on
the seed alone. Output scales are chosen so that values spread over the range and seldom clip.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesqueeze.graph.builder_parts import QUANTIZED, FileBuilder, Shape, middle, quantization


class GraphBuilder(FileBuilder):
    """The operators that are needed most; ``op`` takes any other."""

    def conv2d(
        self,
        x: int,
        channels: int,
        kernel: int | tuple[int, int] = 3,
        stride: int = 1,
        padding: str = "SAME",
        activation: str = "NONE",
        *,
        dilation: int = 1,
        name: str = "",
        weights: npt.NDArray[Any] | None = None,
    ) -> int:
        """CONV_2D with a bias; ``weights`` (int8 or float32, OHWI) replace the random ones."""
        size = (kernel, kernel) if isinstance(kernel, int) else kernel
        batch, height, width, depth = self.shapes[x]
        shape = (channels, *size, depth)
        area = [_window(n, k, stride, dilation, padding) for n, k in zip((height, width), size, strict=True)]
        return self._weighted(
            "CONV_2D",
            x,
            shape,
            (batch, *area, channels),
            math.prod(shape[1:]),
            0,
            name,
            weights,
            padding=padding,
            strideW=stride,
            strideH=stride,
            dilationWFactor=dilation,
            dilationHFactor=dilation,
            fusedActivationFunction=activation,
        )

    def depthwise_conv2d(
        self,
        x: int,
        kernel: int | tuple[int, int] = 3,
        stride: int = 1,
        padding: str = "SAME",
        activation: str = "NONE",
        *,
        multiplier: int = 1,
        dilation: int = 1,
        name: str = "",
        weights: npt.NDArray[Any] | None = None,
    ) -> int:
        """DEPTHWISE_CONV_2D with a bias; ``weights`` in the shape (1, height, width, channels)."""
        size = (kernel, kernel) if isinstance(kernel, int) else kernel
        batch, height, width, depth = self.shapes[x]
        shape = (1, *size, depth * multiplier)
        area = [_window(n, k, stride, dilation, padding) for n, k in zip((height, width), size, strict=True)]
        return self._weighted(
            "DEPTHWISE_CONV_2D",
            x,
            shape,
            (batch, *area, depth * multiplier),
            math.prod(size),
            3,
            name,
            weights,
            padding=padding,
            strideW=stride,
            strideH=stride,
            depthMultiplier=multiplier,
            dilationWFactor=dilation,
            dilationHFactor=dilation,
            fusedActivationFunction=activation,
        )

    def fully_connected(
        self,
        x: int,
        units: int,
        activation: str = "NONE",
        *,
        name: str = "",
        weights: npt.NDArray[Any] | None = None,
        per_channel: bool = False,
    ) -> int:
        """FULLY_CONNECTED with a bias, on the last dimension; ``weights`` in the shape (units, depth)."""
        *lead, depth = self.shapes[x]
        return self._weighted(
            "FULLY_CONNECTED",
            x,
            (units, depth),
            (*lead, units),
            depth,
            0 if per_channel else None,
            name,
            weights,
            fusedActivationFunction=activation,
        )

    def softmax(self, x: int, name: str = "") -> int:
        """SOFTMAX over the last dimension, with the output scale that TFLite prescribes."""
        dtype = self.dtypes[x]
        scale, zero = {"int8": (1 / 256, -128), "int16": (1 / 32768, 0)}.get(dtype, (None, 0))
        y = self.tensor(self.shapes[x], dtype, scale, zero, name=name)
        self.op("SOFTMAX", [x], [y], beta=1.0)
        return y

    def reshape(self, x: int, shape: Sequence[int], name: str = "") -> int:
        """RESHAPE to a fixed shape."""
        y = self.like(x, shape, name)
        self.op("RESHAPE", [x, self.constant(np.array(shape, np.int32))], [y], newShape=list(shape))
        return y

    def add(self, x: int, y: int, activation: str = "NONE", name: str = "") -> int:
        """ADD of two tensors of one shape."""
        z = self.activation(self.shapes[x], self.dtypes[x], 10.0, name)
        self.op("ADD", [x, y], [z], fusedActivationFunction=activation, potScaleInt16=False)
        return z

    def average_pool(self, x: int, size: int, padding: str = "VALID", name: str = "") -> int:
        """AVERAGE_POOL_2D with stride equal to size."""
        return self._pool("AVERAGE_POOL_2D", x, size, padding, name)

    def max_pool(self, x: int, size: int, padding: str = "VALID", name: str = "") -> int:
        """MAX_POOL_2D with stride equal to size."""
        return self._pool("MAX_POOL_2D", x, size, padding, name)

    def mean(self, x: int, axes: Sequence[int] = (1, 2), *, keep_dims: bool = False, name: str = "") -> int:
        """MEAN over some dimensions."""
        shape = [1 if i in axes else n for i, n in enumerate(self.shapes[x]) if keep_dims or i not in axes]
        y = self.activation(shape, self.dtypes[x], 3.0, name)
        self.op("MEAN", [x, self.constant(np.array(axes, np.int32))], [y], keepDims=keep_dims)
        return y

    def concatenate(self, parts: Sequence[int], axis: int = -1, name: str = "") -> int:
        """CONCATENATION; the output takes the first part's quantization."""
        shape = list(self.shapes[parts[0]])
        shape[axis] = sum(self.shapes[part][axis] for part in parts)
        y = self.like(parts[0], shape, name)
        self.op("CONCATENATION", parts, [y], axis=axis, fusedActivationFunction="NONE")
        return y

    def unary(self, opcode: str, x: int, real_range: float = 6.0, name: str = "") -> int:
        """An element-wise operator without options: RELU, LOGISTIC, TANH, ..."""
        y = self.activation(self.shapes[x], self.dtypes[x], real_range, name)
        if opcode == "LOGISTIC" and self.dtypes[x] == "int8":
            y = self.tensor(self.shapes[x], "int8", 1 / 256, -128, name=name)
        self.op(opcode, [x], [y])
        return y

    def quantize(self, x: int, dtype: str = "int8", real_range: float = 6.4, name: str = "") -> int:
        """QUANTIZE from float32, or from one integer type to another."""
        y = self.activation(self.shapes[x], dtype, real_range, name)
        if self.dtypes[x] in QUANTIZED and dtype in QUANTIZED:
            shift = middle(dtype) - middle(self.dtypes[x])
            zero = int(self.tensors[x].quantization.zeroPoint[0]) + shift
            self.tensors[y].quantization = quantization(self.scale_of(x), zero, 0)
        self.op("QUANTIZE", [x], [y])
        return y

    def dequantize(self, x: int, name: str = "") -> int:
        """DEQUANTIZE to float32."""
        y = self.tensor(self.shapes[x], "float32", name=name)
        self.op("DEQUANTIZE", [x], [y])
        return y

    # What several operators share.

    def _weighted(
        self,
        opcode: str,
        x: int,
        shape: Shape,
        out_shape: Shape,
        taps: int,
        axis: int | None,
        name: str,
        weights: npt.NDArray[Any] | None,
        **options: Any,
    ) -> int:
        dtype = self.dtypes[x]
        label = name or f"{opcode.lower()}_{len(self.operators)}"
        channels = out_shape[-1]
        if dtype not in QUANTIZED:
            values = self.rng.normal(0, taps**-0.5, shape) if weights is None else weights
            kernel = self.constant(values.astype(np.float32), f"{label}/kernel")
            bias = self.constant(self.rng.normal(0, 0.1, channels).astype(np.float32), f"{label}/bias")
            y = self.tensor(out_shape, dtype, name=label)
        else:
            integers = self.rng.integers(-127, 128, shape) if weights is None else weights
            count = 1 if axis is None else channels
            # Real weights of standard deviation 1/sqrt(taps) keep activations in about the same range.
            scales = self.rng.uniform(0.7, 1.3, count) / (73 * taps**0.5)
            kernel = self.tensor(
                shape,
                "int8",
                scales,
                [0] * count,
                axis=axis or 0,
                data=integers.astype(np.int8),
                name=f"{label}/kernel",
            )
            bias_scales = np.float32(self.scale_of(x)) * scales.astype(np.float32)
            offsets = (self.rng.normal(0, 0.2, channels) / bias_scales).round()
            wide = "int64" if dtype == "int16" else "int32"
            bias = self.tensor(
                (channels,), wide, bias_scales, [0] * count, data=offsets.astype(wide), name=f"{label}/bias"
            )
            y = self.activation(out_shape, dtype, name=label)
        self.op(opcode, [x, kernel, bias], [y], version=1 if dtype == "float32" else 4, **options)
        return y

    def _pool(self, opcode: str, x: int, size: int, padding: str, name: str) -> int:
        batch, height, width, depth = self.shapes[x]
        area = [_window(n, size, size, 1, padding) for n in (height, width)]
        y = self.like(x, (batch, *area, depth), name)
        self.op(
            opcode,
            [x],
            [y],
            padding=padding,
            strideW=size,
            strideH=size,
            filterWidth=size,
            filterHeight=size,
            fusedActivationFunction="NONE",
        )
        return y

    def like(self, x: int, shape: Sequence[int], name: str = "") -> int:
        """A tensor of another shape with the dtype and quantization of ``x``."""
        y = self.tensor(shape, self.dtypes[x], name=name)
        self.tensors[y].quantization = self.tensors[x].quantization
        return y


def _window(size: int, kernel: int, stride: int, dilation: int, padding: str) -> int:
    """Output length of a sliding window."""
    if padding == "SAME":
        return -(-size // stride)
    return (size - (kernel - 1) * dilation - 1) // stride + 1
