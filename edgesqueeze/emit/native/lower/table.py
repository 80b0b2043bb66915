"""Every operator that native C has, and the function that turns it into calls of kernels."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgesqueeze.emit.native.images import image_by_image
from edgesqueeze.emit.native.lower import (
    activation,
    add,
    batch_matmul,
    blocks,
    border,
    cast,
    conv,
    detection,
    div,
    elementwise,
    int16_conv,
    int16_values,
    int32,
    log_softmax,
    lstm,
    pool,
    real,
    real_tables,
    rearrange,
    resize,
    shape,
    squared_difference,
    state,
    svdf,
    transpose_conv,
)
from edgesqueeze.emit.native.records import Lowering
from edgesqueeze.emit.native.variables import HANDLING
from edgesqueeze.graph.custom import DETECTION

LOWERINGS: Mapping[str, Lowering] = MappingProxyType(
    {
        # With weights.
        "CONV_2D": image_by_image(conv.lower_conv2d),
        "DEPTHWISE_CONV_2D": image_by_image(conv.lower_depthwise_conv2d),
        "FULLY_CONNECTED": conv.lower_fully_connected,
        "SVDF": svdf.lower_svdf,
        "TRANSPOSE_CONV": image_by_image(transpose_conv.lower_transpose_conv),
        "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm.lower_unidirectional_sequence_lstm,
        # Of two inputs.
        "ADD": add.lower_add,
        "BATCH_MATMUL": batch_matmul.lower_batch_matmul,
        "DIV": div.lower_div,
        "MAXIMUM": elementwise.lower_maximum,
        "MINIMUM": elementwise.lower_minimum,
        "MUL": elementwise.lower_mul,
        "PRELU": elementwise.lower_prelu,
        "SQUARED_DIFFERENCE": squared_difference.lower_squared_difference,
        "SUB": add.lower_sub,
        # Of one input.
        "ABS": activation.lower_abs,
        "CAST": cast.lower_cast,
        "ELU": activation.lower_elu,
        "EXP": real_tables.lower_exp,
        "GELU": real_tables.lower_gelu,
        "HARD_SWISH": activation.lower_hard_swish,
        "LEAKY_RELU": activation.lower_leaky_relu,
        "LOG": real_tables.lower_log,
        "LOGISTIC": activation.lower_logistic,
        "LOG_SOFTMAX": log_softmax.lower_log_softmax,
        "QUANTIZE": activation.lower_quantize,
        "RELU": activation.lower_relu,
        "RELU6": activation.lower_relu6,
        "RSQRT": real_tables.lower_rsqrt,
        "SOFTMAX": activation.lower_softmax,
        "SQRT": real_tables.lower_sqrt,
        "TANH": activation.lower_tanh,
        # Over windows and axes.
        "ARG_MAX": pool.lower_arg_max,
        "ARG_MIN": pool.lower_arg_min,
        "AVERAGE_POOL_2D": image_by_image(pool.lower_average_pool),
        "MAX_POOL_2D": image_by_image(pool.lower_max_pool),
        "MEAN": pool.lower_mean,
        "REDUCE_MAX": pool.lower_reduce_max,
        "REDUCE_MIN": pool.lower_reduce_min,
        "RESIZE_BILINEAR": image_by_image(resize.lower_resize_bilinear),
        "RESIZE_NEAREST_NEIGHBOR": image_by_image(resize.lower_resize_nearest_neighbor),
        "SUM": pool.lower_sum,
        # That only move bytes.
        "BATCH_TO_SPACE_ND": blocks.lower_batch_to_space_nd,
        "CONCATENATION": shape.lower_concatenation,
        "DEPTH_TO_SPACE": rearrange.lower_depth_to_space,
        "EXPAND_DIMS": shape.lower_alias,
        "GATHER": rearrange.lower_gather,
        "MIRROR_PAD": rearrange.lower_mirror_pad,
        "PACK": shape.lower_concatenation,
        "PAD": shape.lower_pad,
        "PADV2": shape.lower_pad,
        "RESHAPE": shape.lower_alias,
        "SLICE": shape.lower_slice,
        "SPACE_TO_BATCH_ND": blocks.lower_space_to_batch_nd,
        "SPACE_TO_DEPTH": rearrange.lower_space_to_depth,
        "SPLIT": shape.lower_split,
        "SPLIT_V": shape.lower_split,
        "SQUEEZE": shape.lower_alias,
        "STRIDED_SLICE": shape.lower_strided_slice,
        "TILE": rearrange.lower_tile,
        "TRANSPOSE": shape.lower_transpose,
        "UNPACK": shape.lower_split,
        # Of what outlives an inference; variables.py names the tensors.
        "ASSIGN_VARIABLE": state.lower_assign_variable,
        "READ_VARIABLE": state.lower_read_variable,
    }
)
"""Builtin operator -> its lowering, inside a graph."""

MOVING: Mapping[str, Lowering] = MappingProxyType(
    {
        "BATCH_TO_SPACE_ND": blocks.lower_batch_to_space_nd,
        "CAST": cast.lower_cast,
        "CONCATENATION": shape.lower_concatenation,
        "DEPTH_TO_SPACE": rearrange.lower_depth_to_space,
        "EXPAND_DIMS": shape.lower_alias,
        "GATHER": rearrange.lower_gather,
        "MIRROR_PAD": rearrange.lower_mirror_pad,
        "PACK": shape.lower_concatenation,
        "PAD": shape.lower_pad,
        "RESHAPE": shape.lower_alias,
        "SLICE": shape.lower_slice,
        "SPACE_TO_BATCH_ND": blocks.lower_space_to_batch_nd,
        "SPACE_TO_DEPTH": rearrange.lower_space_to_depth,
        "SPLIT": shape.lower_split,
        "SPLIT_V": shape.lower_split,
        "SQUEEZE": shape.lower_alias,
        "STRIDED_SLICE": shape.lower_strided_slice,
        "TILE": rearrange.lower_tile,
        "TRANSPOSE": shape.lower_transpose,
        "UNPACK": shape.lower_split,
    }
)
"""Operators that move values of any type."""

PLAIN: Mapping[str, Lowering] = MappingProxyType(
    {
        **MOVING,
        **dict.fromkeys(int32.PAIRS, int32.lower_pair_int32),
        "ARG_MAX": pool.lower_arg_max,
        "ARG_MIN": pool.lower_arg_min,
        "QUANTIZE": border.lower_quantize_bytes,
    }
)
"""The same for operators that read or write int32, uint8 or bool: places, indices, bytes."""

REAL: Mapping[str, Lowering] = MappingProxyType(
    {
        **MOVING,
        **dict.fromkeys(real.FUNCTIONS, real.lower_real_function),
        **dict.fromkeys(real.PAIRS, real.lower_real_pair),
        "BATCH_MATMUL": batch_matmul.lower_batch_matmul_real,
        "DEQUANTIZE": border.lower_dequantize_output,
        "LOG_SOFTMAX": real.lower_real_softmax,
        "QUANTIZE": border.lower_quantize_input,
        "SOFTMAX": real.lower_real_softmax,
        DETECTION: detection.lower_detection_postprocess,
    }
)
"""The same for operators inside a graph that read or write float32."""

INT16: Mapping[str, Lowering] = MappingProxyType(
    {
        **MOVING,
        "ADD": int16_values.lower_add_int16,
        "ASSIGN_VARIABLE": state.lower_assign_variable,
        "AVERAGE_POOL_2D": image_by_image(int16_values.lower_average_pool_int16),
        "BATCH_MATMUL": batch_matmul.lower_batch_matmul_int16,
        "CONV_2D": image_by_image(int16_conv.lower_conv2d_int16),
        "DEPTHWISE_CONV_2D": image_by_image(int16_conv.lower_depthwise_conv2d_int16),
        "FULLY_CONNECTED": int16_conv.lower_fully_connected_int16,
        "LEAKY_RELU": int16_values.lower_leaky_relu_int16,
        "LOGISTIC": int16_values.lower_logistic_int16,
        "MAXIMUM": int16_values.lower_extremum_int16,
        "MAX_POOL_2D": image_by_image(int16_values.lower_max_pool_int16),
        "MEAN": pool.lower_mean,
        "MINIMUM": int16_values.lower_extremum_int16,
        "MUL": int16_values.lower_mul_int16,
        "QUANTIZE": int16_values.lower_quantize_int16,
        "READ_VARIABLE": state.lower_read_variable,
        "REDUCE_MAX": pool.lower_reduce_max,
        "RELU": int16_values.lower_relu_int16,
        "RELU6": int16_values.lower_relu6_int16,
        "RESIZE_NEAREST_NEIGHBOR": image_by_image(resize.lower_resize_nearest_neighbor),
        "SOFTMAX": int16_values.lower_softmax_int16,
        "SUB": int16_values.lower_sub_int16,
        "SUM": pool.lower_sum,
        "TANH": int16_values.lower_tanh_int16,
        "TRANSPOSE_CONV": image_by_image(int16_conv.lower_transpose_conv_int16),
    }
)
"""The same for operators on int16 activations, with int8 weights."""

ENTRY: Mapping[str, Lowering] = MappingProxyType({"QUANTIZE": border.lower_quantize_input})
"""The same for operators that turn what the caller gives into int8."""

EXIT: Mapping[str, Lowering] = MappingProxyType(
    {
        "ARG_MAX": pool.lower_arg_max,
        "ARG_MIN": pool.lower_arg_min,
        "DEQUANTIZE": border.lower_dequantize_output,
        "QUANTIZE": border.lower_dequantize_output,
    }
)
"""The same for operators that turn int8 into what the caller gets."""

OPERATORS = tuple(sorted({*LOWERINGS, *ENTRY, *EXIT, *HANDLING}))
"""Every builtin operator that native C has, in alphabetical order."""
