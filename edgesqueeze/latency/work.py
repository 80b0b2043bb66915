"""What every operator of a .tflite has to do, in the figures that its latency depends on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.macs import operator_macs
from edgesqueeze.graph.records import Graph, Operator, Tensor
from edgesqueeze.graph.weights import slots_of

Kind = Literal[
    "conv",
    "depthwise",
    "fully_connected",
    "transpose_conv",
    "recurrent",
    "elementwise",
    "activation",
    "softmax",
    "pool",
    "reduce",
    "convert",
    "move",
    "free",
    "other",
]
Arithmetic = Literal["float32", "int8", "int16", "hybrid"]


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
        arithmetic: the type that is computed in; ``hybrid`` is int8 weights with float32 activations.
        shapes: the window and the shapes, in words.
        rows: see above.
        depth: see above.
        columns: see above.
        taps: positions of the window.
        stride: of the window, the larger one.
        macs: multiply-accumulate operations.
        inputs: elements of all inputs that are computed.
        outputs: elements of all outputs.
        element_bytes: of one element of the output.
        weight_bytes: constants that it reads.
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


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "CONV_2D": "conv",
        "CONV_3D": "conv",
        "DEPTHWISE_CONV_2D": "depthwise",
        "FULLY_CONNECTED": "fully_connected",
        "BATCH_MATMUL": "fully_connected",
        "TRANSPOSE_CONV": "transpose_conv",
        "CONV_3D_TRANSPOSE": "transpose_conv",
        **dict.fromkeys(
            (
                "LSTM",
                "UNIDIRECTIONAL_SEQUENCE_LSTM",
                "BIDIRECTIONAL_SEQUENCE_LSTM",
                "RNN",
                "UNIDIRECTIONAL_SEQUENCE_RNN",
                "BIDIRECTIONAL_SEQUENCE_RNN",
                "SVDF",
            ),
            "recurrent",
        ),
        **dict.fromkeys(
            (
                *("ADD", "SUB", "MUL", "DIV", "MINIMUM", "MAXIMUM", "SQUARED_DIFFERENCE", "PRELU"),
                *(
                    "ADD_N",
                    "POW",
                    "FLOOR_DIV",
                    "FLOOR_MOD",
                    "SELECT",
                    "SELECT_V2",
                    "LOGICAL_AND",
                    "LOGICAL_OR",
                ),
                *("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"),
            ),
            "elementwise",
        ),
        **dict.fromkeys(
            (
                *("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "LEAKY_RELU", "HARD_SWISH", "LOGISTIC"),
                *("TANH", "ELU", "GELU", "EXP", "LOG", "SQRT", "RSQRT", "SQUARE", "ABS", "NEG", "SIN", "COS"),
                *("FLOOR", "CEIL", "ROUND", "LOGICAL_NOT", "SIGN"),
            ),
            "activation",
        ),
        "SOFTMAX": "softmax",
        "LOG_SOFTMAX": "softmax",
        "L2_NORMALIZATION": "softmax",
        "AVERAGE_POOL_2D": "pool",
        "MAX_POOL_2D": "pool",
        "L2_POOL_2D": "pool",
        **dict.fromkeys(
            (
                *("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL"),
                *("ARG_MAX", "ARG_MIN", "CUMSUM"),
            ),
            "reduce",
        ),
        "QUANTIZE": "convert",
        "DEQUANTIZE": "convert",
        "CAST": "convert",
        **dict.fromkeys(
            (
                *(
                    "PAD",
                    "PADV2",
                    "MIRROR_PAD",
                    "CONCATENATION",
                    "TRANSPOSE",
                    "SLICE",
                    "STRIDED_SLICE",
                    "SPLIT",
                ),
                *("SPLIT_V", "PACK", "UNPACK", "TILE", "GATHER", "GATHER_ND", "REVERSE_V2", "SPACE_TO_DEPTH"),
                *(
                    "DEPTH_TO_SPACE",
                    "SPACE_TO_BATCH_ND",
                    "BATCH_TO_SPACE_ND",
                    "BROADCAST_TO",
                    "EMBEDDING_LOOKUP",
                ),
                *("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "DYNAMIC_UPDATE_SLICE", "SCATTER_ND"),
                *("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "FILL", "ZEROS_LIKE"),
            ),
            "move",
        ),
        **dict.fromkeys(("SHAPE", "RANK", "RANGE"), "free"),
    }
)
"""By builtin operator name; what is not here is ``other``."""


def work_of(model: TfliteModel) -> tuple[Work, ...]:
    """The work of every operator of the main graph, in execution order.

    Raises:
        TfliteError: an operator lacks an input, or one has another rank than its kind takes.
    """
    return tuple(_work(model.main, operator) for operator in model.main.operators)


def _work(graph: Graph, operator: Operator) -> Work:
    macs = operator_macs(graph, operator)
    inputs = [tensor for index in operator.inputs if (tensor := graph.tensor(index)) is not None]
    outputs = [graph.tensors[index] for index in operator.outputs]
    computed = [tensor for tensor in inputs if not tensor.is_constant]
    kind = KINDS.get(operator.opcode, "other")
    if not computed and operator.opcode in KINDS:
        kind = "free"  # constants are computed when the model is loaded
    rows, depth, columns, taps, stride = _matrix(graph, operator, kind, macs)
    return Work(
        index=operator.index,
        opcode=operator.kind,
        name=outputs[0].name if outputs else "",
        kind=kind,
        arithmetic=_arithmetic(inputs, outputs, kind),
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
        weight_bytes=sum(tensor.stored_bytes for tensor in inputs),
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


def _arithmetic(inputs: list[Tensor], outputs: list[Tensor], kind: Kind) -> Arithmetic:
    dtypes = {tensor.dtype for tensor in (*inputs, *outputs) if not tensor.is_constant}
    if dtypes <= {"float32", "float16", "float64", "bfloat16"} or not dtypes:
        weights = {tensor.dtype for tensor in inputs if tensor.is_constant and tensor.elements > 1}
        return "hybrid" if kind not in ("move", "free") and weights & {"int8", "uint8", "int4"} else "float32"
    return "int16" if "int16" in dtypes else "int8"


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
