"""What element-wise operators would give if their range had no ends: how much was really cut off.

That many values sit at an end of the range says nothing where they are all the same, as behind a batch
normalization where the background of an image is constant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesqueeze.base.arrays import Array
from edgesqueeze.graph import Graph, Operator
from edgesqueeze.graph.affine import dequantize, is_quantized

FUNCTIONS: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {"ADD": np.add, "SUB": np.subtract, "MUL": np.multiply}
)


def unclipped(
    graph: Graph, operator: Operator, activations: Mapping[int, Array]
) -> npt.NDArray[np.float32] | None:
    """The real results of an operator from its operands, before they are rounded and cut off.

    Args:
        graph: the operator's graph.
        operator: any operator.
        activations: by tensor index, raw values ``[m, *shape]`` of computed tensors.

    Returns:
        ``[m, *shape]`` of its output; None where it is no sum, difference or product, where an activation
        function cuts values off itself, or where an operand is not known.
    """
    function = FUNCTIONS.get(operator.opcode)
    if function is None or operator.options.get("fused_activation_function", "NONE") != "NONE":
        return None
    operands = [_real(graph, index, activations) for index in operator.inputs]
    if len(operands) != 2 or any(one is None for one in operands):
        return None
    rank = 1 + len(graph.tensors[operator.outputs[0]].shape)
    one, other = (_aligned(values, rank) for values in operands if values is not None)
    if 1 != len(one) != len(other) != 1:
        return None
    result: npt.NDArray[np.float32] = np.asarray(function(one, other), np.float32)
    return result


def _real(graph: Graph, index: int, activations: Mapping[int, Array]) -> npt.NDArray[np.float32] | None:
    """An operand as real numbers ``[m, *shape]``, with ``m`` 1 for a constant."""
    tensor = graph.tensor(index)
    if tensor is None or not is_quantized(tensor):
        return None
    raw = tensor.data if tensor.data is not None else activations.get(index)
    if raw is None or tensor.elements == 0 or raw.size % tensor.elements:
        return None
    # Samples may have been joined along the tensor's own first dimension.
    return np.asarray(dequantize(tensor, raw), np.float32).reshape(-1, *tensor.shape)


def _aligned(values: npt.NDArray[np.float32], rank: int) -> npt.NDArray[np.float32]:
    """With the samples first, and ones for the dimensions that broadcasting adds."""
    return values.reshape(len(values), *[1] * (rank - values.ndim), *values.shape[1:])
