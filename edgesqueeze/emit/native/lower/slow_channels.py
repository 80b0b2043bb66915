"""Output channels whose arithmetic the fast kernels do not have, while the others of the layer are fast.

Those have a scale of 1/2 or more, sums beyond 30 bits, or weights of -128 where a kernel set cannot hold
them. The fast kernel computes a layer in which they are constant, and a slow one then computes these alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.channels import Channels
from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.lower.general import HEADER, general_output
from edgesqueeze.emit.native.numerics import quantization_of
from edgesqueeze.emit.native.records import Blob, Call, Operation, Struct

Weights = npt.NDArray[np.int8]
Slow = npt.NDArray[np.bool_]


def slow_channels(folded: Channels, takes: Callable[[Weights], bool] | None = None) -> Slow:
    """Which output channels a fast kernel cannot compute.

    Args:
        folded: the layer's channels.
        takes: whether the kernel can hold some weights; None: it can hold all.
    """
    slow: Slow = ~folded.fast_channels
    if takes is not None and not takes(folded.weights):
        slow = slow | np.array([not takes(row) for row in folded.weights])
    return slow


def without(folded: Channels, slow: Slow) -> Channels:
    """The channels, with those that are slow constant."""
    if not slow.any():
        return folded
    zero_point = np.int64(folded.output_zero_point)
    return replace(
        folded,
        weights=np.where(slow[:, None], np.int8(0), folded.weights),
        constant=folded.constant | slow,
        value=np.where(slow, zero_point, folded.value),
    )


def slow_calls(
    operation: Operation, weights: Weights, shape: ConvShape, folded: Channels, slow: Slow
) -> tuple[Call, ...]:
    """The call that computes the slow channels; none if there are none.

    Args:
        operation: CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED.
        weights: int8 ``[out, kernel height, kernel width, input channels that an output channel sees]``.
        shape: sizes of the convolution.
        folded: the layer's channels.
        slow: which of them are slow.
    """
    if not slow.any():
        return ()
    places = np.flatnonzero(slow)
    depth = weights.shape[3]
    # Of a depthwise convolution an output channel sees the input channel of its own number.
    first = places if depth == 1 < shape.in_channels else np.zeros_like(places)
    members = {
        "weights": Blob(weights[slow].reshape(-1), "weights of some channels, in the model's order"),
        "requantization": general_output(operation, folded, slow),
        "places": Blob(
            np.stack([places, first], axis=1).astype(np.int16).reshape(-1),
            "output channels, and the first input channel that each sees",
        ),
        "count": len(places),
        **asdict(shape),
        "filter_channels": depth,
        "input_zero_point": quantization_of(operation.input(0))[1],
    }
    parameters = Struct("es_conv2d_channels", members)
    source, output = operation.input(0).index, operation.output().index
    return (Call("es_conv2d_channels_s8", HEADER, parameters, (source,), (output,)),)
