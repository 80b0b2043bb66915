"""Multiply-accumulates of an operator, from shapes alone.

What counts is the arithmetic with weights: element-wise products, activations, pooling and additions of a
bias do not. Zero weights count too: no runtime here skips them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from edgesqueeze.errors import TfliteError
from edgesqueeze.graph.records import Graph, Operator, Tensor
from edgesqueeze.graph.weights import slots_of


def operator_macs(graph: Graph, operator: Operator) -> int:
    """Multiply-accumulates of one operator for the batch as stored; 0 for kinds that have none.

    Raises:
        TfliteError: the operator lacks an input, or one has another rank than its kind takes.
    """
    rule = RULES.get(operator.opcode)
    return rule(graph, operator) if rule else 0


def _conv(graph: Graph, operator: Operator) -> int:
    # OHWI. In a grouped convolution the weights' depth is that of one group.
    weights = _input(graph, operator, 1, rank=4)
    return _size(_output(graph, operator)) * math.prod(weights.shape[1:])


def _depthwise(graph: Graph, operator: Operator) -> int:
    weights = _input(graph, operator, 1, rank=4)
    return _size(_output(graph, operator)) * math.prod(weights.shape[1:3])


def _transpose_conv(graph: Graph, operator: Operator) -> int:
    # Each input element is spread over a window of all output channels.
    weights = _input(graph, operator, 1, rank=4)
    return _size(_input(graph, operator, 2)) * math.prod(weights.shape[:3])


def _conv_3d(graph: Graph, operator: Operator) -> int:
    weights = _input(graph, operator, 1, rank=5)
    return _size(_output(graph, operator)) * math.prod(weights.shape[:4])


def _transpose_conv_3d(graph: Graph, operator: Operator) -> int:
    weights = _input(graph, operator, 1, rank=5)
    return _size(_input(graph, operator, 2)) * math.prod(weights.shape[:4])


def _fully_connected(graph: Graph, operator: Operator) -> int:
    weights = _input(graph, operator, 1, rank=2)
    return _size(_output(graph, operator)) * weights.shape[1]


def _batch_matmul(graph: Graph, operator: Operator) -> int:
    left = _input(graph, operator, 0)
    if len(left.shape) < 2:
        raise _malformed(operator, 0, f"a rank of {len(left.shape)}")
    depth = left.shape[-2] if operator.options.get("adj_x") else left.shape[-1]
    return _size(_output(graph, operator)) * depth


def _recurrent(graph: Graph, operator: Operator) -> int:
    """All matrices once per time step; the peepholes of an LSTM are element-wise and do not count."""
    slots = slots_of(operator)
    assert slots is not None
    data = _input(graph, operator, 0)
    steps = _size(data) // max(data.shape[-1], 1) if data.shape else 1
    matrices = [graph.tensor(operator.inputs[slot]) for slot in slots.weights if slot < len(operator.inputs)]
    return steps * sum(_size(matrix) for matrix in matrices if matrix is not None)


RULES: Mapping[str, Callable[[Graph, Operator], int]] = MappingProxyType(
    {
        "CONV_2D": _conv,
        "DEPTHWISE_CONV_2D": _depthwise,
        "TRANSPOSE_CONV": _transpose_conv,
        "CONV_3D": _conv_3d,
        "CONV_3D_TRANSPOSE": _transpose_conv_3d,
        "FULLY_CONNECTED": _fully_connected,
        "BATCH_MATMUL": _batch_matmul,
        "LSTM": _recurrent,
        "UNIDIRECTIONAL_SEQUENCE_LSTM": _recurrent,
        "BIDIRECTIONAL_SEQUENCE_LSTM": _recurrent,
        "RNN": _recurrent,
        "UNIDIRECTIONAL_SEQUENCE_RNN": _recurrent,
        "BIDIRECTIONAL_SEQUENCE_RNN": _recurrent,
        "SVDF": _recurrent,
    }
)
"""By builtin operator name; kinds that are not here have no multiply-accumulates."""


def _size(tensor: Tensor) -> int:
    # Python's integers: a damaged file's shape must not overflow.
    return math.prod(tensor.shape)


def _input(graph: Graph, operator: Operator, slot: int, rank: int | None = None) -> Tensor:
    tensor = graph.tensor(operator.inputs[slot]) if slot < len(operator.inputs) else None
    if tensor is None:
        raise _malformed(operator, slot, "nothing")
    if rank is not None and len(tensor.shape) != rank:
        raise _malformed(operator, slot, f"a rank of {len(tensor.shape)} instead of {rank}")
    return tensor


def _output(graph: Graph, operator: Operator) -> Tensor:
    if not operator.outputs:
        raise TfliteError(
            f"operator {operator.index} ({operator.kind}) has no output",
            hint="convert the model again; the file is incomplete",
        )
    return graph.tensors[operator.outputs[0]]


def _malformed(operator: Operator, slot: int, got: str) -> TfliteError:
    return TfliteError(
        f"operator {operator.index} ({operator.kind}) has {got} at input {slot}",
        expected="what the TFLite schema says of this kind of operator",
        hint="export the model again",
    )
