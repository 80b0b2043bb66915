"""How much flash TensorFlow Lite Micro itself takes, estimated from the kinds of operators in a model.

Measured: TensorFlow Lite Micro (tflite-micro 90b983c2) with CMSIS-NN (99f736a6), built by GCC 12.2.1 with
the runtime's own optimization settings, linked with only the operators that the model needs; model and
test harness subtracted. Eight int8 models on four cores; two pairs of models have the same operators and
the same size. A straight line through them, with one slope for convolutions and one for all other kinds
of operators, is the estimate. Its error is stated as the largest that came out when each set of operators
was left out in turn and predicted from the others. ``code_size_test.py`` repeats the fit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"})
"""Operators whose kernels come in many variants and take the most code."""

MEASURED_CORES = ("cortex-m3", "cortex-m4", "cortex-m7", "cortex-m55")
MEASURED: Mapping[str, tuple[str, tuple[int, int, int, int]]] = MappingProxyType(
    {
        "anomaly_detection": (
            "DEQUANTIZE FULLY_CONNECTED PACK QUANTIZE RESHAPE SHAPE STRIDED_SLICE",
            (38756, 42764, 39916, 35544),
        ),
        "audio_example1": (
            "CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED MAX_POOL_2D RESHAPE SOFTMAX",
            (47428, 53556, 51840, 44164),
        ),
        "image_classification": (
            "ADD AVERAGE_POOL_2D CONV_2D FULLY_CONNECTED RESHAPE SOFTMAX",
            (44976, 51136, 49704, 41476),
        ),
        "keyword_spotting": (
            "AVERAGE_POOL_2D CONV_2D DEPTHWISE_CONV_2D DEQUANTIZE FULLY_CONNECTED QUANTIZE RESHAPE SOFTMAX",
            (49564, 55828, 53984, 47204),
        ),
        "rock_paper_scissors": (
            "CONV_2D DEQUANTIZE FULLY_CONNECTED MAX_POOL_2D QUANTIZE RESHAPE SOFTMAX",
            (44176, 48736, 46728, 39476),
        ),
        "tflite_micro_magic_wand": (
            "CONV_2D DEQUANTIZE FULLY_CONNECTED MAX_POOL_2D QUANTIZE RESHAPE SOFTMAX",
            (44176, 48736, 46728, 39476),
        ),
        "tflite_micro_speech": (
            "CONV_2D FULLY_CONNECTED RESHAPE SOFTMAX",
            (38880, 43480, 41696, 34436),
        ),
        "visual_wake_words": (
            "AVERAGE_POOL_2D CONV_2D DEPTHWISE_CONV_2D DEQUANTIZE FULLY_CONNECTED QUANTIZE RESHAPE SOFTMAX",
            (49564, 55828, 53984, 47204),
        ),
    }
)
"""Code bytes by model: its kinds of operators, then one figure for each of ``MEASURED_CORES``."""


class Line(NamedTuple):
    """Coefficients for one core, in bytes, and the error in percent of the truth."""

    base: int
    convolution: int
    other: int
    error_percent: int


LINES: Mapping[str, Line] = MappingProxyType(
    {
        "cortex-m3": Line(29960, 5942, 1359, 10),
        "cortex-m4": Line(33634, 7106, 1394, 12),
        "cortex-m7": Line(32130, 7407, 1244, 14),
        "cortex-m55": Line(23644, 6776, 1676, 11),
    }
)
STAND_INS: Mapping[str, str] = MappingProxyType(
    {
        "cortex-m0": "cortex-m3",
        "cortex-m0plus": "cortex-m3",
        "cortex-m33": "cortex-m4",
        "cortex-m85": "cortex-m55",
    }
)
"""Cores that were not measured, and the core with the most similar code."""

STAND_IN_ERROR_PERCENT = 25
"""Taken for stand-ins: about twice the error on the measured cores."""


class CodeSize(NamedTuple):
    """An estimate.

    Attributes:
        code_bytes: estimated size of the code, in bytes.
        high_bytes: estimated size and its largest error together, in bytes.
        method: how the estimate came about, for the report.
    """

    code_bytes: int
    high_bytes: int
    method: str


def estimate_code_size(core: str, kinds: Collection[str]) -> CodeSize | None:
    """Flash that TensorFlow Lite Micro with CMSIS-NN takes, without the model; None for other cores.

    Args:
        core: as in ``target.records.CORES``.
        kinds: the kinds of operators in the model.
    """
    measured = STAND_INS.get(core, core)
    line = LINES.get(measured)
    if line is None:
        return None
    distinct = set(kinds)
    convolutions = len(distinct & CONVOLUTIONS)
    estimate = line.base + convolutions * line.convolution + (len(distinct) - convolutions) * line.other
    error = line.error_percent if core in LINES else STAND_IN_ERROR_PERCENT
    where = f"eight models on {measured}"
    method = f"estimated for TFLM with CMSIS-NN from {where}, off by at most {error} % there"
    if core != measured:
        method = f"estimated for TFLM with CMSIS-NN from {where}; {core} was not measured, {error} % assumed"
    return CodeSize(estimate, estimate * (100 + error) // 100, method)
