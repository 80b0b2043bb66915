"""What the documents of ``edgesqueeze bench`` have in common, however the time was found.

``timing.emulation``, ``latency.prediction`` and ``devices.records`` have the documents.
"""

from __future__ import annotations

from typing import Literal

from edgesqueeze.base.records import Range, Record


class TimingHead(Record):
    """How long a model takes on a device.

    Attributes:
        schema_version: version of the form of this document; it rises when a field changes its meaning.
        model: name of the .tflite file.
        sha256: SHA-256 of the .tflite file, in hexadecimal digits.
        target: name of the target profile.
        runtime: name of the runtime that runs the model.
        method: how the time was found: ``emulated``, ``predicted`` or ``measured``.
        latency_ms: time of one inference, in milliseconds.
    """

    schema_version: Literal[1] = 1
    model: str
    sha256: str
    target: str
    runtime: str
    method: str
    latency_ms: Range


class LayerHead(Record):
    """One operator of the model.

    Attributes:
        index: position of the operator in the graph, counted from 0.
        opcode: builtin operator name, as the .tflite schema has it.
        name: name of the output tensor in the model.
        summary: shapes of the operator's tensors, in words.
        macs: multiply-accumulate operations of one inference.
        weights_bytes: size of the constant data that the operator reads, in bytes.
        share: share of the whole latency, 0 to 1.
    """

    index: int
    opcode: str
    name: str
    summary: str
    macs: int
    weights_bytes: int
    share: float


class MemoryHead(Record):
    """Memory that a model takes.

    Attributes:
        flash_code_bytes: size of the instructions in flash, in bytes; null where it is not known.
        flash_model_bytes: size of the model's constant data, in bytes.
        ram_bytes: size of the RAM in use, in bytes; null where it is not known.
    """

    flash_code_bytes: int | None
    flash_model_bytes: int
    ram_bytes: int | None
