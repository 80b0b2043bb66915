"""Options of custom operators that are known here. They are FlexBuffers, read without trust."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType

from flatbuffers import flexbuffers

LARGEST = 4096
"""Bytes of options that are looked at."""

DETECTION = "TFLite_Detection_PostProcess"

KNOWN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        DETECTION: (
            "detections_per_class",
            "h_scale",
            "max_classes_per_detection",
            "max_detections",
            "nms_iou_threshold",
            "nms_score_threshold",
            "num_classes",
            "use_regular_nms",
            "w_scale",
            "x_scale",
            "y_scale",
        )
    }
)
"""Name of a custom operator -> its options, all numbers."""

DAMAGED = (AssertionError, AttributeError, LookupError, OverflowError, TypeError, ValueError, struct.error)


def custom_options(name: str, raw: bytes) -> dict[str, float]:
    """Those options that are there and are numbers; none of a damaged file or of an unknown operator.

    Only numbers at known keys are looked at: nothing is followed further into the buffer.
    """
    found: dict[str, float] = {}
    if name not in KNOWN or not 0 < len(raw) <= LARGEST:
        return found
    try:
        fields = flexbuffers.GetRoot(bytearray(raw)).AsMap
    except DAMAGED:
        return found
    for key in KNOWN[name]:
        try:
            value = fields[key].Value
        except DAMAGED:
            continue
        if isinstance(value, int | float):
            found[key] = value
    return found
