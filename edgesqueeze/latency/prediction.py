"""The document of a predicted latency."""

from __future__ import annotations

from typing import Literal

from edgesqueeze.base.records import Range, Record
from edgesqueeze.latency.builds import Build
from edgesqueeze.latency.document import LayerHead, MemoryHead, TimingHead
from edgesqueeze.latency.work import Arithmetic


class PredictedLayer(LayerHead):
    """One operator of the model.

    Attributes:
        summary: window and shapes of the operator, in words.
        arithmetic: type that the operator computes in; ``hybrid`` is int8 weights with float32 activations.
        latency_ms: time of the operator in one inference, in milliseconds; its bounds are wider than those of
            the whole.
    """

    arithmetic: Arithmetic
    latency_ms: Range


class PredictedMemory(MemoryHead):
    """Memory of the model, as far as the .tflite itself says it. What is not predicted is null.

    Attributes:
        flash_code_bytes: estimated size of TensorFlow Lite Micro's code on the core, in bytes; null for other
            runtimes.
        flash_model_bytes: size of the .tflite file, in bytes.
        ram_bytes: null: an arena is found by running the model; ``inspect --target`` does.
        weights_bytes: size of the model's constants, in bytes.
        activations_bytes: largest sum of an operator's inputs and outputs, in bytes: no runtime needs less.
    """

    flash_code_bytes: int | None = None
    ram_bytes: int | None = None
    weights_bytes: int
    activations_bytes: int


class MeasuredFactor(Record):
    """What a measurement on a device made of a prediction.

    Attributes:
        device: device that measured the model, as it was typed.
        factor: measured over predicted latency; all layers are multiplied with it.
        predicted_ms: expected time of one inference before anything was measured, in milliseconds, with 90 %
            bounds.
    """

    device: str
    factor: float
    predicted_ms: Range


class Prediction(TimingHead):
    """How long a model is expected to take on a target.

    Attributes:
        method: how the latency was found: ``predicted``.
        latency_ms: expected time of one inference, in milliseconds, with 90 % bounds.
        core: name of the core that the prediction is for.
        clock_mhz: clock of the core, in megahertz.
        build: how the runtime is compiled: ``O3``, ``Os``, ``arduino`` or ``nofpu``; null where it comes
            compiled.
        runtime_version: version, build and kernels of the runtime that the figures are for.
        threads: number of threads that run the model.
        confidence: share of measured latencies that are expected between ``low`` and ``high``, 0 to 1.
        macs: multiply-accumulate operations of one inference.
        layers: figures of each operator, in execution order.
        memory: memory of the model, as far as the .tflite itself says it.
        correction: what a measurement on a device made of the prediction; null if it was not corrected.
        basis: what the prediction rests on and how far off it has been, one sentence each.
    """

    method: Literal["predicted"] = "predicted"
    core: str
    clock_mhz: float
    build: Build | None = None
    runtime_version: str
    threads: int
    confidence: float
    macs: int
    layers: tuple[PredictedLayer, ...]
    memory: PredictedMemory
    correction: MeasuredFactor | None = None
    basis: tuple[str, ...]
