"""Is what was asked of each kernel there in the .tflite? Looked up in the file, not in the float model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesqueeze.base.findings import Finding
from edgesqueeze.graph import Tensor, TfliteModel
from edgesqueeze.graph.int4 import wide
from edgesqueeze.graph.ranges import Range, same_range, stored_range
from edgesqueeze.graph.weight_blocks import block_numbers
from edgesqueeze.squeeze.layers.grid import TOP_LEVEL, FloatArray, channel_maximum
from edgesqueeze.squeeze.layers.kernels import KernelKey
from edgesqueeze.squeeze.layers.weights import Kernel, Part, model_kernels
from edgesqueeze.squeeze.passes.state import Promise

SPARSITY_TOLERANCE = 0.01

BITS: Mapping[str, int] = MappingProxyType({"int4": 4, "int8": 8, "float16": 16, "float32": 32})
"""Element type of a stored kernel -> its width in bits."""

INTEGERS = ("int4", "int8")
"""Element types of kernels whose integers a pass may have settled."""

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
    for kernel in model_kernels(model):
        promise = promises.get(kernel.key)
        if promise is None:
            continue
        found = find_parts(tflite, kernel)
        if not found:
            message = "its kernel was not found in the .tflite, so what arrived of it is not known"
            yield Finding(code="kernel-not-found", subject=kernel.name, message=message, severity="warning")
            continue
        tensors = [tensor for _, tensor in found]
        if promise.zeros is not None:
            yield from _sparsity(kernel.name, tensors, promise.zeros, promise.block)
        if promise.levels is not None:
            yield from _levels(kernel.name, tensors, promise.levels)
        if promise.bits is not None:
            yield from _bits(kernel.name, tensors[0], promise.bits)
        if promise.settled:
            yield from _settled(kernel.name, found)


def _sparsity(
    name: str, tensors: Sequence[Tensor], wanted: float, block: tuple[int, int] | None
) -> Iterator[Finding]:
    """Whether so many weights are zero; of blocks only those count that are zero as a whole."""
    zeros = np.concatenate([_zeros(tensor, block).ravel() for tensor in tensors])
    # One weight, or block, of a small kernel can be more than a point.
    tolerance = max(SPARSITY_TOLERANCE, 0.5 * (block[0] * block[1] if block else 1) / zeros.size + 1e-9)
    found = float(np.mean(zeros))
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
            f"its sparsity is {found:.1%}: the nearest to {wanted:.1%} that {_count(tensors, block)} allow"
        )
        yield Finding(code="sparsity-granularity", subject=name, message=message)


def _zeros(tensor: Tensor, block: tuple[int, int] | None) -> npt.NDArray[np.bool_]:
    """Which weights are zero; of blocks those whose whole block is, in the .tflite's layout."""
    zero: npt.NDArray[np.bool_] = real_values(tensor) == 0
    if block is None:
        return zero
    numbers = block_numbers(zero.shape, block)
    whole = np.bincount(numbers.reshape(-1), ~zero.reshape(-1)) == 0
    found: npt.NDArray[np.bool_] = whole[numbers]
    return found


def _count(tensors: Sequence[Tensor], block: tuple[int, int] | None) -> str:
    if block is None:
        return f"{sum(_stored(tensor).size for tensor in tensors)} weights"
    return f"{sum(int(block_numbers(tensor.shape, block).max()) + 1 for tensor in tensors)} blocks"


def _levels(name: str, tensors: Sequence[Tensor], wanted: int) -> Iterator[Finding]:
    """Whether all tensors of a kernel together have no more values than promised."""
    found = np.unique(np.concatenate([_stored(tensor).ravel() for tensor in tensors])).size
    if found > wanted:
        message = f"its kernel has {found} distinct values in the .tflite, {wanted} were asked for"
        yield Finding(code="clusters-missed", subject=name, message=message, severity="warning")


def _bits(name: str, tensor: Tensor, wanted: int) -> Iterator[Finding]:
    if BITS.get(tensor.dtype) != wanted:
        message = f"its kernel is stored as {tensor.dtype} in the .tflite, {wanted} bits were asked for"
        yield Finding(code="bits-missed", subject=name, message=message, severity="warning")


def _settled(name: str, found: Sequence[tuple[Part, Tensor]]) -> Iterator[Finding]:
    """Whether the integers are those of the settled kernel: the largest under each scale of int8 is 127."""
    if found[0][1].dtype not in INTEGERS:
        return
    moved = total = 0
    for part, tensor in found:
        whole = _one_scale(tensor)
        normal = _normal(part.values, part.axis, whole=whole)
        stored = _stored(tensor).reshape(normal.shape)
        largest = (
            TOP_LEVEL if tensor.dtype == "int8" else _top(stored.astype(np.float32), part.axis, whole=whole)
        )
        wanted = np.rint(normal * largest).astype(np.int8)
        moved += int(np.count_nonzero(stored != wanted))
        total += wanted.size
    if moved:
        message = f"{moved} of its {total} integers in the .tflite are not those that it was settled to"
        yield Finding(code="settled-moved", subject=name, message=message, severity="warning")


def check_ranges(tflite: TfliteModel, ranges: Mapping[str, Range]) -> Iterator[Finding]:
    """Findings for activations that span something else in the .tflite than promised.

    Args:
        tflite: the finished model.
        ranges: what was promised, by the names of tensors in the calibrated model.
    """
    for name, wanted in ranges.items():
        found = stored_range(tflite, name)
        if found is None or not same_range(found, wanted):
            stored = (
                "is not in the .tflite" if found is None else f"spans {found.low:.4g} to {found.high:.4g}"
            )
            message = f"it {stored}, and was to span {wanted.low:.4g} to {wanted.high:.4g}"
            yield Finding(code="range-missed", subject=name, message=message, severity="warning")


def find_parts(tflite: TfliteModel, kernel: Kernel) -> Sequence[tuple[Part, Tensor]]:
    """The tensors that hold a kernel, each with what it holds; empty if they are not all found.

    Args:
        tflite: the converted model.
        kernel: a kernel of the model that it was converted from.
    """
    for parts in kernel.stored():
        found = [(part, find_kernel(tflite, part.values, part.axis)) for part in parts]
        there = [(part, tensor) for part, tensor in found if tensor is not None]
        if len(there) == len(found):
            return there
    return ()


def find_kernel(tflite: TfliteModel, kernel: FloatArray, axis: int = 0) -> Tensor | None:
    """The constant tensor that holds a kernel, found by its values: names change in conversion.

    Channels are compared by their shape, not their size: the converter multiplies a scaling of the input
    into the kernel after it. Where all of them share a scale, that is what is compared.

    Args:
        tflite: the converted model.
        kernel: the kernel in TFLite's layout.
        axis: its output channels: 3 for a depthwise kernel, else 0.
    """
    wanted = tuple(size for size in kernel.shape if size != 1)
    for graph in tflite.graphs:
        for tensor in graph.tensors:
            if tensor.data is None or tuple(size for size in tensor.shape if size != 1) != wanted:
                continue
            whole = _one_scale(tensor)
            values = _normal(real_values(tensor).reshape(kernel.shape), axis, whole=whole)
            if np.allclose(values, _normal(kernel, axis, whole=whole), rtol=0, atol=SAME_KERNEL):
                return tensor
    return None


def _one_scale(tensor: Tensor) -> bool:
    """Whether a tensor holds integers that share a scale, as each gate of an LSTM does."""
    found = tensor.quantization
    return tensor.dtype in INTEGERS and found is not None and not found.per_channel


def _normal(kernel: FloatArray, axis: int, *, whole: bool) -> FloatArray:
    """A kernel with each channel's largest magnitude at 1, or that of the whole kernel."""
    return kernel / _top(kernel, axis, whole=whole)


def _top(kernel: FloatArray, axis: int, *, whole: bool) -> FloatArray:
    """Each channel's largest magnitude, or that of the whole kernel."""
    shape = [1] * kernel.ndim
    if not whole:
        shape[axis] = kernel.shape[axis]
    return channel_maximum(kernel, tuple(shape))


def _stored(tensor: Tensor) -> npt.NDArray[Any]:
    """The stored elements of a constant."""
    data = wide(tensor).data
    assert data is not None
    return data


def real_values(tensor: Tensor) -> npt.NDArray[np.float32]:
    """A constant as real numbers."""
    values = _stored(tensor).astype(np.float32)
    found = tensor.quantization
    if found is None or not np.issubdtype(_stored(tensor).dtype, np.integer):
        return values
    shape = [1] * values.ndim
    if found.per_channel:
        shape[found.axis] = found.scales.size
    return (values - found.zero_points.reshape(shape).astype(np.float32)) * found.scales.reshape(shape)
