"""The tables behind ``runtimes.py``, which says where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

TFLM_RESOLVER_METHODS: Mapping[str, str] = MappingProxyType(
    {
        "ABS": "AddAbs",
        "ADD": "AddAdd",
        "ADD_N": "AddAddN",
        "ARG_MAX": "AddArgMax",
        "ARG_MIN": "AddArgMin",
        "ASSIGN_VARIABLE": "AddAssignVariable",
        "AVERAGE_POOL_2D": "AddAveragePool2D",
        "BATCH_MATMUL": "AddBatchMatMul",
        "BATCH_TO_SPACE_ND": "AddBatchToSpaceNd",
        "BROADCAST_ARGS": "AddBroadcastArgs",
        "BROADCAST_TO": "AddBroadcastTo",
        "CALL_ONCE": "AddCallOnce",
        "CAST": "AddCast",
        "CEIL": "AddCeil",
        "CONCATENATION": "AddConcatenation",
        "CONV_2D": "AddConv2D",
        "COS": "AddCos",
        "CUMSUM": "AddCumSum",
        "DEPTHWISE_CONV_2D": "AddDepthwiseConv2D",
        "DEPTH_TO_SPACE": "AddDepthToSpace",
        "DEQUANTIZE": "AddDequantize",
        "DIV": "AddDiv",
        "DYNAMIC_UPDATE_SLICE": "AddDynamicUpdateSlice",
        "ELU": "AddElu",
        "EMBEDDING_LOOKUP": "AddEmbeddingLookup",
        "EQUAL": "AddEqual",
        "EXP": "AddExp",
        "EXPAND_DIMS": "AddExpandDims",
        "FILL": "AddFill",
        "FLOOR": "AddFloor",
        "FLOOR_DIV": "AddFloorDiv",
        "FLOOR_MOD": "AddFloorMod",
        "FULLY_CONNECTED": "AddFullyConnected",
        "GATHER": "AddGather",
        "GATHER_ND": "AddGatherNd",
        "GREATER": "AddGreater",
        "GREATER_EQUAL": "AddGreaterEqual",
        "HARD_SWISH": "AddHardSwish",
        "IF": "AddIf",
        "L2_NORMALIZATION": "AddL2Normalization",
        "L2_POOL_2D": "AddL2Pool2D",
        "LEAKY_RELU": "AddLeakyRelu",
        "LESS": "AddLess",
        "LESS_EQUAL": "AddLessEqual",
        "LOG": "AddLog",
        "LOGICAL_AND": "AddLogicalAnd",
        "LOGICAL_NOT": "AddLogicalNot",
        "LOGICAL_OR": "AddLogicalOr",
        "LOGISTIC": "AddLogistic",
        "LOG_SOFTMAX": "AddLogSoftmax",
        "MAXIMUM": "AddMaximum",
        "MAX_POOL_2D": "AddMaxPool2D",
        "MEAN": "AddMean",
        "MINIMUM": "AddMinimum",
        "MIRROR_PAD": "AddMirrorPad",
        "MUL": "AddMul",
        "NEG": "AddNeg",
        "NOT_EQUAL": "AddNotEqual",
        "PACK": "AddPack",
        "PAD": "AddPad",
        "PADV2": "AddPadV2",
        "PRELU": "AddPrelu",
        "QUANTIZE": "AddQuantize",
        "READ_VARIABLE": "AddReadVariable",
        "REDUCE_ALL": "AddReduceAll",
        "REDUCE_MAX": "AddReduceMax",
        "REDUCE_MIN": "AddReduceMin",
        "RELU": "AddRelu",
        "RELU6": "AddRelu6",
        "RESHAPE": "AddReshape",
        "RESIZE_BILINEAR": "AddResizeBilinear",
        "RESIZE_NEAREST_NEIGHBOR": "AddResizeNearestNeighbor",
        "REVERSE_V2": "AddReverseV2",
        "ROUND": "AddRound",
        "RSQRT": "AddRsqrt",
        "SELECT_V2": "AddSelectV2",
        "SHAPE": "AddShape",
        "SIN": "AddSin",
        "SLICE": "AddSlice",
        "SOFTMAX": "AddSoftmax",
        "SPACE_TO_BATCH_ND": "AddSpaceToBatchNd",
        "SPACE_TO_DEPTH": "AddSpaceToDepth",
        "SPLIT": "AddSplit",
        "SPLIT_V": "AddSplitV",
        "SQRT": "AddSqrt",
        "SQUARE": "AddSquare",
        "SQUARED_DIFFERENCE": "AddSquaredDifference",
        "SQUEEZE": "AddSqueeze",
        "STRIDED_SLICE": "AddStridedSlice",
        "SUB": "AddSub",
        "SUM": "AddSum",
        "SVDF": "AddSvdf",
        "TANH": "AddTanh",
        "TRANSPOSE": "AddTranspose",
        "TRANSPOSE_CONV": "AddTransposeConv",
        "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
        "UNPACK": "AddUnpack",
        "VAR_HANDLE": "AddVarHandle",
        "WHILE": "AddWhile",
        "ZEROS_LIKE": "AddZerosLike",
    }
)
"""Builtin operator -> the method of ``MicroMutableOpResolver`` that registers it."""

TFLM_CUSTOM_METHODS: Mapping[str, str] = MappingProxyType(
    {
        "CIRCULAR_BUFFER": "AddCircularBuffer",
        "SignalDelay": "AddDelay",
        "SignalEnergy": "AddEnergy",
        "SignalFftAutoScale": "AddFftAutoScale",
        "SignalFilterBank": "AddFilterBank",
        "SignalFilterBankLog": "AddFilterBankLog",
        "SignalFilterBankSpectralSubtraction": "AddFilterBankSpectralSubtraction",
        "SignalFilterBankSquareRoot": "AddFilterBankSquareRoot",
        "SignalFramer": "AddFramer",
        "SignalIrfft": "AddIrfft",
        "SignalOverlapAdd": "AddOverlapAdd",
        "SignalPCAN": "AddPCAN",
        "SignalRfft": "AddRfft",
        "SignalStacker": "AddStacker",
        "SignalWindow": "AddWindow",
        "TFLM_DECODE": "AddDecode",
        "TFLite_Detection_PostProcess": "AddDetectionPostprocess",
    }
)
"""Custom operator name -> the method of ``MicroMutableOpResolver`` that registers it."""

TFLM_NPU_METHODS: Mapping[str, str] = MappingProxyType({"ethos-u": "AddEthosU"})
"""Custom operators that hold a program for a neural processor: TFLM has them where the processor is."""

TFLM_NO_HYBRID = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"})
"""Operators of TFLM that refuse float32 input with integer or float16 weights."""

_TFLM_REFUSING: Mapping[tuple[str, ...], str] = {
    ("float16",): """
        QUANTIZE
    """,
    ("float16", "float32"): """
        DEQUANTIZE
    """,
    ("float16", "uint8"): """
        ABS ADD AVERAGE_POOL_2D BATCH_MATMUL CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXPAND_DIMS
        FULLY_CONNECTED LEAKY_RELU LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL PACK PAD RELU RELU6
        RESIZE_NEAREST_NEIGHBOR RSQRT SLICE SOFTMAX SPLIT SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH
        TRANSPOSE TRANSPOSE_CONV UNPACK
    """,
    ("float16", "int16", "uint8"): """
        ARG_MAX DEPTH_TO_SPACE DIV ELU GATHER HARD_SWISH L2_NORMALIZATION LOG_SOFTMAX MIRROR_PAD PRELU
        REDUCE_MAX REDUCE_MIN RESIZE_BILINEAR SPACE_TO_DEPTH
    """,
    ("float16", "int16", "int8", "uint8"): """
        EXP LOG NEG SQRT SQUARE
    """,
}

TFLM_REFUSED_TYPES: Mapping[str, frozenset[str]] = MappingProxyType(
    {name: frozenset(types) for types, names in _TFLM_REFUSING.items() for name in names.split()}
)
"""Builtin operator -> element types (of float16, float32, int16, int8, uint8) that TFLM refuses.

Operators that were not tried are left out.
"""

_LITERT = """
    ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE ATAN2 AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND
    BIDIRECTIONAL_SEQUENCE_LSTM BIDIRECTIONAL_SEQUENCE_RNN BITCAST BITWISE_XOR BROADCAST_ARGS BROADCAST_TO
    BUCKETIZE CALL_ONCE CAST CEIL COMPLEX_ABS CONCATENATION CONV_2D CONV_3D CONV_3D_TRANSPOSE COS CUMSUM
    DENSIFY DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DILATE DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP
    EMBEDDING_LOOKUP_SPARSE EQUAL EXP EXPAND_DIMS FAKE_QUANT FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED
    GATHER GATHER_ND GELU GREATER GREATER_EQUAL HARD_SWISH HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT
    HASHTABLE_LOOKUP HASHTABLE_SIZE IF IMAG L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL
    LOCAL_RESPONSE_NORMALIZATION LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX LSH_PROJECTION
    LSTM MATRIX_DIAG MATRIX_SET_DIAG MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL MULTINOMIAL NEG
    NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 NOT_EQUAL ONE_HOT PACK PAD PADV2 POW PRELU QUANTIZE
    RANDOM_STANDARD_NORMAL RANDOM_UNIFORM RANGE RANK READ_VARIABLE REAL REDUCE_ALL REDUCE_ANY REDUCE_MAX
    REDUCE_MIN REDUCE_PROD REDUCE_WINDOW RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR
    RESIZE_NEAREST_NEIGHBOR REVERSE_SEQUENCE REVERSE_V2 RFFT2D RIGHT_SHIFT RNN ROUND RSQRT SCATTER_ND
    SEGMENT_SUM SELECT SELECT_V2 SHAPE SIGN SIN SKIP_GRAM SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH
    SPARSE_TO_DENSE SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STABLEHLO_ADD STABLEHLO_AND
    STABLEHLO_CASE STABLEHLO_COMPOSITE STABLEHLO_GATHER STABLEHLO_MAXIMUM STABLEHLO_MINIMUM
    STABLEHLO_MULTIPLY STABLEHLO_PAD STABLEHLO_REDUCE_WINDOW STABLEHLO_RNG_BIT_GENERATOR STABLEHLO_SCATTER
    STABLEHLO_SHIFT_LEFT STRIDED_SLICE SUB SUM SVDF TANH TILE TOPK_V2 TRANSPOSE TRANSPOSE_CONV
    UNIDIRECTIONAL_SEQUENCE_LSTM UNIDIRECTIONAL_SEQUENCE_RNN UNIQUE UNPACK UNSORTED_SEGMENT_MAX
    UNSORTED_SEGMENT_MIN UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_SUM VAR_HANDLE WHERE WHILE ZEROS_LIKE
"""

LITERT_OPERATORS: frozenset[str] = frozenset(_LITERT.split())
"""Builtin operators that the CPU kernels of LiteRT execute."""
