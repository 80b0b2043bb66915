"""What every operator of a .tflite has to do, in the figures that its latency depends on."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.macs import operator_macs
from edgesqueeze.graph.records import Graph, Operator, Tensor
from edgesqueeze.graph.weights import slots_of
from edgesqueeze.latency.kinds import KINDS, Kind

Arithmetic = Literal["float32", "int8", "int16", "int32", "hybrid"]
FLOATS = frozenset({"float32", "float16", "float64", "bfloat16"})
BYTES = frozenset({"int8", "uint8", "int4"})
LOOKUPS = frozenset({"GATHER", "GATHER_ND", "EMBEDDING_LOOKUP"})
"""They read of their constants what they put out, and nothing else."""


@dataclass(frozen=True)
class Work:
    """The work of one operator, for the batch that the file states.

    A product of matrices has ``rows`` x ``depth`` times ``depth`` x ``columns``: in a convolution rows are
    output pixels, depth is a window of all input channels of a group, columns are output channels. A
    depthwise convolution and a pooling have a depth of one window of one channel, a reduction has one of
    all the elements that become one. Everything else has ``rows`` outputs with a depth of one.

    Attributes:
        index: position in the graph.
        opcode: builtin operator name.
        name: the output tensor's name.
        kind: which kind of arithmetic; ``free`` is done when the model is loaded, or not at all.
        arithmetic: the type that is computed in; ``hybrid`` is int8 weights with float32 activations,
            ``int32`` any integers that are not quantized, such as indices and shapes.
        shapes: the window and the shapes, in words.
        rows: rows of the left matrix: outputs of one column.
        depth: columns of the left matrix and rows of the right one: products of one output.
        columns: columns of the right matrix.
        taps: number of positions of the window.
        stride: stride of the window, the larger of the two, in elements.
        macs: multiply-accumulate operations of one inference.
        inputs: number of elements of all inputs that are computed.
        outputs: number of elements of all outputs.
        element_bytes: size of one element of the output, in bytes.
        weight_bytes: size of the constants that the operator reads, in bytes.
    """

    index: int
    opcode: str
    name: str
    kind: Kind
    arithmetic: Arithmetic
    shapes: str
    rows: int
    depth: int
    columns: int
    taps: int
    stride: int
    macs: int
    inputs: int
    outputs: int
    element_bytes: int
    weight_bytes: int


def work_of(model: TfliteModel) -> tuple[Work, ...]:
    """The work of every operator of the main graph, in execution order.

    Raises:
        TfliteError: an operator lacks an input, or one has another rank than its kind takes.
    """
    folded: set[int] = set()
    works = []
    for operator in model.main.operators:
        works.append(_work(model.main, operator, folded))
        if _is_folded(model.main, operator, folded):
            folded.update(operator.outputs)
    return tuple(works)


def _is_folded(graph: Graph, operator: Operator, folded: Collection[int]) -> bool:
    """Whether constants alone go in, so that the runtime computes it when the model is loaded."""
    inputs = [graph.tensors[i] for i in operator.inputs if i >= 0]
    # Without inputs it gives what is set elsewhere: a variable.
    return bool(inputs) and operator.opcode in KINDS and all(_is_constant(one, folded) for one in inputs)


def _is_constant(tensor: Tensor, folded: Collection[int]) -> bool:
    return tensor.is_constant or tensor.index in folded


def _work(graph: Graph, operator: Operator, folded: Collection[int]) -> Work:
    macs = operator_macs(graph, operator)
    inputs = [tensor for index in operator.inputs if (tensor := graph.tensor(index)) is not None]
    outputs = [graph.tensors[index] for index in operator.outputs]
    computed = [tensor for tensor in inputs if not _is_constant(tensor, folded)]
    constants = [tensor for tensor in inputs if _is_constant(tensor, folded)]
    kind = "free" if _is_folded(graph, operator, folded) else KINDS.get(operator.opcode, "other")
    rows, depth, columns, taps, stride = _matrix(graph, operator, kind, macs)
    return Work(
        index=operator.index,
        opcode=operator.kind,
        name=outputs[0].name if outputs else "",
        kind=kind,
        arithmetic=_arithmetic([*computed, *outputs], constants, kind),
        shapes=_shapes(graph, operator, computed, outputs, taps),
        rows=rows,
        depth=depth,
        columns=columns,
        taps=taps,
        stride=stride,
        macs=macs,
        inputs=sum(tensor.elements for tensor in computed),
        outputs=sum(tensor.elements for tensor in outputs),
        element_bytes=_element_bytes(outputs[0].dtype) if outputs else 1,
        weight_bytes=_weight_bytes(operator, constants, outputs),
    )


def _matrix(graph: Graph, operator: Operator, kind: Kind, macs: int) -> tuple[int, int, int, int, int]:
    """Rows, depth, columns, taps, stride."""
    elements = sum(graph.tensors[index].elements for index in operator.outputs)
    rule = _MATRICES.get(kind)
    if rule is None or not elements:
        return elements, 1, 1, 1, 1
    return rule(graph, operator, elements, macs)


def _windowed(graph: Graph, operator: Operator, elements: int, macs: int) -> tuple[int, int, int, int, int]:
    weights, columns = graph.tensor(operator.inputs[1]), _channels(graph, operator)
    assert weights is not None  # its multiply-accumulates were counted
    taps = math.prod(weights.shape[1:-1] if operator.opcode != "CONV_3D" else weights.shape[:3])
    return elements // columns, macs // elements, columns, taps, _stride(operator)


def _transposed(graph: Graph, operator: Operator, elements: int, macs: int) -> tuple[int, int, int, int, int]:
    weights, columns = graph.tensor(operator.inputs[1]), _channels(graph, operator)
    assert weights is not None
    taps = math.prod(weights.shape[1:3])
    return elements // columns, max(macs // elements, 1), columns, taps, _stride(operator)


def _dense(graph: Graph, operator: Operator, elements: int, macs: int) -> tuple[int, int, int, int, int]:
    columns = _channels(graph, operator)
    return elements // columns, macs // elements, columns, 1, 1


def _recurrent(graph: Graph, operator: Operator, elements: int, macs: int) -> tuple[int, int, int, int, int]:
    return 1, max(macs // elements, 1), elements, 1, 1


def _pooled(graph: Graph, operator: Operator, elements: int, macs: int) -> tuple[int, int, int, int, int]:
    taps = max(
        1, int(operator.options.get("filter_height", 1)) * int(operator.options.get("filter_width", 1))
    )
    columns = _channels(graph, operator)
    return elements // columns, taps, columns, taps, _stride(operator)


def _reduced(graph: Graph, operator: Operator, elements: int, macs: int) -> tuple[int, int, int, int, int]:
    source = graph.tensor(operator.inputs[0]) if operator.inputs else None
    return 1, max(1, source.elements // elements) if source else 1, elements, 1, 1


_MATRICES: Mapping[Kind, Callable[[Graph, Operator, int, int], tuple[int, int, int, int, int]]] = (
    MappingProxyType(
        {
            "conv": _windowed,
            "depthwise": _windowed,
            "transpose_conv": _transposed,
            "fully_connected": _dense,
            "recurrent": _recurrent,
            "pool": _pooled,
            "reduce": _reduced,
        }
    )
)


def _channels(graph: Graph, operator: Operator) -> int:
    shape = graph.tensors[operator.outputs[0]].shape
    return shape[-1] if shape and shape[-1] else 1


def _stride(operator: Operator) -> int:
    return max(1, int(operator.options.get("stride_h", 1)), int(operator.options.get("stride_w", 1)))


def _arithmetic(computed: list[Tensor], constants: list[Tensor], kind: Kind) -> Arithmetic:
    """What a kernel computes in: indices and shapes beside the values do not count."""
    dtypes = {tensor.dtype for tensor in computed}
    if "int16" in dtypes:
        return "int16"
    if dtypes & BYTES:
        return "int8"
    if dtypes and not dtypes & FLOATS:
        return "int32"
    weights = {tensor.dtype for tensor in constants if tensor.elements > 1}
    return "hybrid" if kind not in ("move", "free") and weights & BYTES else "float32"


def _weight_bytes(operator: Operator, constants: list[Tensor], outputs: list[Tensor]) -> int:
    stored = sum(
        tensor.stored_bytes or tensor.elements * _element_bytes(tensor.dtype) for tensor in constants
    )
    if operator.opcode not in LOOKUPS:
        return stored
    return min(stored, sum(tensor.elements * _element_bytes(tensor.dtype) for tensor in outputs))


def _element_bytes(dtype: str) -> int:
    return {"float64": 8, "int64": 8, "float16": 2, "int16": 2, "int8": 1, "uint8": 1, "bool": 1}.get(
        dtype, 4
    )


def _shapes(
    graph: Graph, operator: Operator, computed: list[Tensor], outputs: list[Tensor], taps: int
) -> str:
    sources = ", ".join(map(_shape, computed)) or "constants"
    text = f"{sources}->{_shape(outputs[0])}" if outputs else sources
    slots = slots_of(operator)
    weights = graph.tensor(operator.inputs[slots.weights[0]]) if slots and taps > 1 else None
    if weights is not None and len(weights.shape) == 4:
        return f"{weights.shape[1]}x{weights.shape[2]}: {text}"
    if operator.opcode.endswith("POOL_2D"):
        options = operator.options
        return f"{options.get('filter_height', 1)}x{options.get('filter_width', 1)}: {text}"
    return text


def _shape(tensor: Tensor) -> str:
    """A shape without its batch of one."""
    shape = tensor.shape[1:] if len(tensor.shape) > 1 and tensor.shape[0] == 1 else tensor.shape
    return "x".join(map(str, shape)) or "1"
