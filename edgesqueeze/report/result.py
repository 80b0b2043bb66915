"""What a compression gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgesqueeze.graph import TfliteModel
from edgesqueeze.report.report import Report


@dataclass(frozen=True, eq=False)
class Compressed:
    """What ``compress`` made.

    Attributes:
        report: what was done and found.
        tflite: the .tflite.
        model: the compressed float model as a flat tf_keras model.
        sources: firmware sources by path in the output folder; empty unless the target is a microcontroller.
    """

    report: Report
    tflite: TfliteModel
    model: Any
    sources: Mapping[str, str]
