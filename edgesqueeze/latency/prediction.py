"""The record behind ``edgesqueeze bench`` where a latency is predicted."""

from __future__ import annotations

from typing import Literal

from edgesqueeze.base.records import Range, Record


class PredictedLayer(Record):
    """One operator of the model.

    Attributes:
        index: position in the graph.
        opcode: builtin operator name.
        name: the output tensor's name in the model.
        summary: the window and the shapes, in words.
        macs: multiply-accumulate operations.
        weights_bytes: constant data that it reads.
        latency_ms: of the operator; its bounds are wider than those of the whole.
        share: of the whole latency, 0 to 1.
    """

    index: int
    opcode: str
    name: str
    summary: str
    macs: int
    weights_bytes: int
    latency_ms: Range
    share: float


class PredictedMemory(Record):
    """Memory of the model, as far as the .tflite itself says it. What is not predicted is None.

    Attributes:
        flash_code_bytes: an estimate of TensorFlow Lite Micro's code on the core, as ``fit`` has it.
        flash_model_bytes: the file.
        ram_bytes: None: arenas are found by running the model; see ``inspect --target``.
        weights_bytes: its constants.
        activations_bytes: the largest sum of an operator's inputs and outputs: no runtime needs less.
    """

    flash_code_bytes: int | None = None
    flash_model_bytes: int
    ram_bytes: int | None = None
    weights_bytes: int
    activations_bytes: int


class Prediction(Record):
    """How long a model is expected to take on a target.

    Attributes:
        schema_version: of this record as JSON.
        model: the .tflite's name.
        sha256: of the .tflite.
        target: name of the profile.
        core: the core that it is for.
        clock_mhz: of the core.
        runtime: what runs the model.
        runtime_version: which version, build and kernels the figures are for.
        threads: how many threads run it.
        method: ``predicted``.
        confidence: share of measured latencies that are between ``low`` and ``high``.
        latency_ms: of one inference.
        macs: multiply-accumulate operations of one inference.
        layers: the same by operator.
        memory: see there.
        basis: what the prediction rests on and how far off it has been, one sentence each.
    """

    schema_version: Literal[1] = 1
    model: str
    sha256: str
    target: str
    core: str
    clock_mhz: float
    runtime: str
    runtime_version: str
    threads: int
    method: Literal["predicted"] = "predicted"
    confidence: float
    latency_ms: Range
    macs: int
    layers: tuple[PredictedLayer, ...]
    memory: PredictedMemory
    basis: tuple[str, ...]
