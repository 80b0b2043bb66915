"""Is what was asked of each kernel there in the .tflite? Looked up in the file, not in the float model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import tf_keras

from edgesqueeze.base.findings import Finding
from edgesqueeze.graph import Tensor, TfliteModel
from edgesqueeze.graph.weight_blocks import block_numbers
from edgesqueeze.squeeze.layers.grid import TOP_LEVEL, FloatArray, channel_maximum
from edgesqueeze.squeeze.layers.kernels import KernelKey, kernel_layers, kernel_of, key_of, tflite_layout
from edgesqueeze.squeeze.passes.state import Promise

SPARSITY_TOLERANCE = 0.01

BITS: Mapping[str, int] = MappingProxyType({"int4": 4, "int8": 8, "float16": 16, "float32": 32})
"""Element type of a stored kernel -> its width in bits."""

SAME_KERNEL = 0.006
"""How far weights may be off, where the channel's largest is 1: half a step of 127 and float16's rounding."""


def check_promises(
    model: Any, tflite: TfliteModel, promises: Mapping[KernelKey, Promise]
) -> Iterator[Finding]:
    """Findings for kernels that arrived otherwise than promised, with the reason where it is known.

    Args:
        model: the compressed tf_keras model of plain layers.
        tflite: what it was converted to.
        promises: what was promised of its kernels.
    """
    for layer in kernel_layers(model):
        promise = promises.get(key_of(layer))
        if promise is None:
            continue
        depthwise = isinstance(layer, tf_keras.layers.DepthwiseConv2D)
        kernel, axis = tflite_layout(layer, kernel_of(layer)), 3 if depthwise else 0
        tensor = find_kernel(tflite, kernel, axis)
        if tensor is None:
            message = "its kernel was not found in the .tflite, so what arrived of it is not known"
            yield Finding(code="kernel-not-found", subject=layer.name, message=message, severity="warning")
            continue
        if promise.zeros is not None:
            yield from _sparsity(layer.name, tensor, promise.zeros, promise.block)
        if promise.levels is not None:
            yield from _levels(layer.name, tensor, promise.levels)
        if promise.bits is not None:
            yield from _bits(layer.name, tensor, promise.bits)
        if promise.settled:
            yield from _settled(layer.name, tensor, _per_channel(kernel, axis))


def _sparsity(name: str, tensor: Tensor, wanted: float, block: tuple[int, int] | None) -> Iterator[Finding]:
    """Whether so many weights are zero; of blocks only those count that are zero as a whole."""
    assert tensor.data is not None
    zero = _real(tensor) == 0
    # One weight, or block, of a small kernel can be more than a point.
    tolerance = max(SPARSITY_TOLERANCE, 0.5 * (block[0] * block[1] if block else 1) / tensor.data.size + 1e-9)
    found = float(np.mean(zero if block is None else _zero_blocks(zero, block)))
    if found - wanted > tolerance:
        message = (
            f"{found:.1%} of its weights are zero, {wanted:.1%} was asked for: "
            "the others are too small beside the largest for an 8-bit integer, before any pruning"
        )
        yield Finding(code="sparser-than-asked", subject=name, message=message)
    elif wanted - found > tolerance:
        unit = f" in blocks of {block[0]} outputs x {block[1]} inputs" if block else ""
        message = f"its sparsity{unit} in the .tflite is {found:.1%}, {wanted:.1%} was asked for"
        yield Finding(code="sparsity-missed", subject=name, message=message, severity="warning")
    elif abs(found - wanted) > SPARSITY_TOLERANCE:
        message = (
            f"its sparsity is {found:.1%}: the nearest to {wanted:.1%} that {_count(tensor, block)} allow"
        )
        yield Finding(code="sparsity-granularity", subject=name, message=message)


def _zero_blocks(zero: npt.NDArray[np.bool_], block: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The weights whose whole block is zero, of ``zero`` in the .tflite's layout."""
    numbers = block_numbers(zero.shape, block)
    whole = np.bincount(numbers.reshape(-1), ~zero.reshape(-1)) == 0
    found: npt.NDArray[np.bool_] = whole[numbers]
    return found


def _count(tensor: Tensor, block: tuple[int, int] | None) -> str:
    assert tensor.data is not None
    blocks = 0 if block is None else int(block_numbers(tensor.shape, block).max()) + 1
    return f"{blocks} blocks" if blocks else f"{tensor.data.size} weights"


def _levels(name: str, tensor: Tensor, wanted: int) -> Iterator[Finding]:
    found = int(np.unique(tensor.data).size) if tensor.data is not None else 0
    if found > wanted:
        message = f"its kernel has {found} distinct values in the .tflite, {wanted} were asked for"
        yield Finding(code="clusters-missed", subject=name, message=message, severity="warning")


def _bits(name: str, tensor: Tensor, wanted: int) -> Iterator[Finding]:
    found = BITS.get(tensor.dtype)
    if found != wanted:
        message = f"its kernel is stored as {tensor.dtype} in the .tflite, {wanted} bits were asked for"
        yield Finding(code="bits-missed", subject=name, message=message, severity="warning")


def _settled(name: str, tensor: Tensor, normal: FloatArray) -> Iterator[Finding]:
    """Whether the integers are those of the settled kernel, given with each channel's largest at 1."""
    assert tensor.data is not None
    if tensor.dtype != "int8":
        return
    wanted = np.rint(normal * TOP_LEVEL).astype(np.int8)
    moved = int(np.count_nonzero(tensor.data.reshape(wanted.shape) != wanted))
    if moved:
        message = f"{moved} of its {wanted.size} integers in the .tflite are not those that it was settled to"
        yield Finding(code="settled-moved", subject=name, message=message, severity="warning")


def find_kernel(tflite: TfliteModel, kernel: FloatArray, axis: int = 0) -> Tensor | None:
    """The constant tensor that holds a kernel, found by its values: names change in conversion.

    Channels are compared by their shape, not their size: the converter multiplies a scaling of the input
    into the kernel after it.

    Args:
        tflite: the converted model.
        kernel: the kernel in TFLite's layout.
        axis: its output channels: 3 for a depthwise kernel, else 0.
    """
    wanted = tuple(size for size in kernel.shape if size != 1)
    sought = _per_channel(kernel, axis)
    for graph in tflite.graphs:
        for tensor in graph.tensors:
            if tensor.data is None or tuple(size for size in tensor.shape if size != 1) != wanted:
                continue
            values = _real(tensor).reshape(kernel.shape)
            if np.allclose(_per_channel(values, axis), sought, rtol=0, atol=SAME_KERNEL):
                return tensor
    return None


def _per_channel(kernel: FloatArray, axis: int) -> FloatArray:
    """A kernel with each channel's largest magnitude at 1."""
    shape = [1] * kernel.ndim
    shape[axis] = kernel.shape[axis]
    return kernel / channel_maximum(kernel, tuple(shape))


def _real(tensor: Tensor) -> npt.NDArray[np.float32]:
    """A constant as real numbers."""
    assert tensor.data is not None
    values = tensor.data.astype(np.float32)
    found = tensor.quantization
    if found is None or not np.issubdtype(tensor.data.dtype, np.integer):
        return values
    shape = [1] * values.ndim
    if found.per_channel:
        shape[found.axis] = found.scales.size
    return (values - found.zero_points.reshape(shape).astype(np.float32)) * found.scales.reshape(shape)
