"""Which kind of arithmetic each operator is, as far as its latency is concerned."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

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
                *("READ_VARIABLE", "ASSIGN_VARIABLE"),
            ),
            "move",
        ),
        # A handle is a number, and what CALL_ONCE starts has run before the first inference.
        **dict.fromkeys(("SHAPE", "RANK", "RANGE", "VAR_HANDLE", "CALL_ONCE"), "free"),
    }
)
"""By builtin operator name; what is not here is ``other``."""
