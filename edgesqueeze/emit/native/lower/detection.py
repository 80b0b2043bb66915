"""TFLite_Detection_PostProcess, which makes boxes of a detector's outputs, as a kernel call."""

from __future__ import annotations

import math
from collections.abc import Mapping

from edgesqueeze.emit.native.lower.real import require_float32
from edgesqueeze.emit.native.operands import computed, constant, require_shape
from edgesqueeze.emit.native.records import (
    Blob,
    Call,
    Operation,
    Placement,
    Struct,
    UnsupportedOperationError,
    Value,
)

HEADER = "es_detection.h"
MOST_DETECTIONS = 1000
MOST_BOXES = 1 << 20
PER_CLASS = 100
"""Boxes of one class where the options do not say how many."""


def lower_detection_postprocess(operation: Operation) -> tuple[Call | Placement, ...]:
    """Decoding of boxes by anchors, and removal of those that overlap better ones.

    Raises:
        UnsupportedOperationError: not float32, computed anchors, shapes or options that do not agree, or more
            than one class for each box.
    """
    codes, scores, anchors = (operation.input(position) for position in range(3))
    outputs = [operation.output(position) for position in range(4)]
    require_float32(codes, scores, anchors, *outputs)
    options: Mapping[str, float] = operation.operator.options
    if int(options.get("max_classes_per_detection", 1)) != 1:
        raise UnsupportedOperationError("several classes for each box, expected one")
    boxes, columns, classes = codes.shape[1], scores.shape[-1], int(options["num_classes"])
    detections = int(options["max_detections"])
    require_shape(codes, (1, boxes, 4))
    require_shape(scores, (1, boxes, columns))
    require_shape(anchors, (boxes, 4))
    first = columns - classes
    if not (1 <= detections <= MOST_DETECTIONS and boxes <= MOST_BOXES and classes >= 1 and first in (0, 1)):
        raise UnsupportedOperationError(
            f"{detections} detections of {classes} classes, with {columns} scores for each of {boxes} boxes"
        )
    for output, size in zip(outputs, (4 * detections, detections, detections, 1), strict=True):
        if output.elements != size:
            raise UnsupportedOperationError(f"{output.label} has {output.elements} elements, expected {size}")
    regular = bool(options.get("use_regular_nms", False))
    members: dict[str, Value] = {
        "anchors": Blob(constant(anchors).reshape(-1), "anchors: y, x, height, width"),
        "scale": Struct("es_detection_scale", _scales(options)),
        "score_threshold": float(options["nms_score_threshold"]),
        "overlap_threshold": _overlap(options),
        "boxes": boxes,
        "columns": columns,
        "first": first,
        "classes": classes,
        "detections": detections,
        "per_class": min(int(options.get("detections_per_class", PER_CLASS)), detections) if regular else 0,
    }
    if regular and members["per_class"] == 0:
        raise UnsupportedOperationError("no detections of a class, expected some")
    call = Call(
        "es_detection_postprocess_f32",
        HEADER,
        Struct("es_detection", members),
        (computed(codes), computed(scores)),
        tuple(output.index for output in outputs),
        scratch_bytes=21 * boxes + 4 * detections,
    )
    return (call,)


def _scales(options: Mapping[str, float]) -> dict[str, Value]:
    scales = {name: float(options[f"{name[0]}_scale"]) for name in ("y", "x", "height", "width")}
    if not all(math.isfinite(one) and one > 0 for one in scales.values()):
        raise UnsupportedOperationError(f"scales {list(scales.values())}, expected positive numbers")
    return dict(scales)


def _overlap(options: Mapping[str, float]) -> float:
    threshold = float(options["nms_iou_threshold"])
    if not 0 < threshold <= 1:
        raise UnsupportedOperationError(f"overlaps up to {threshold}, expected more than 0 and at most 1")
    return threshold
