"""The bytes of a model that a firmware with TensorFlow Lite Micro carries, proved by running them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgesqueeze.errors import EdgeSqueezeError
from edgesqueeze.graph import TfliteModel, as_model, parse_tflite
from edgesqueeze.graph.lean import lean
from edgesqueeze.graph.npu import npu_of
from edgesqueeze.runners import tflm
from edgesqueeze.runners.samples import random_samples

SAMPLES = 4
"""Random inferences that are compared; what is dropped decides whether a model runs, not with which input."""


class TflmArray(NamedTuple):
    """What a firmware's TFLM reads.

    Attributes:
        content: a .tflite, smaller than the model's file where that could be proved.
        kept: why it is the file itself; empty where it is smaller.
    """

    content: bytes
    kept: str = ""


def tflm_array(model: str | Path | TfliteModel) -> TflmArray:
    """The model without what TFLM does not read, if TFLM computes the same with it on this host.

    Args:
        model: any .tflite that TFLM can run, or its path.

    Raises:
        UsageError: an argument of the wrong kind.
        TfliteError: the model is not one.
    """
    model = as_model(model)
    if npu_of(model):
        return TflmArray(model.content, "it was compiled for a neural processor")
    content = lean(model)
    if content == model.content:
        return TflmArray(content, "TensorFlow Lite Micro reads all of it")
    try:
        same = _same_outputs(model, parse_tflite(content, model.name))
    except EdgeSqueezeError as error:
        return TflmArray(model.content, f"a smaller one could not be tried: {error.problem}")
    if not same:
        return TflmArray(model.content, "a smaller one computes something else")
    return TflmArray(content)


def _same_outputs(model: TfliteModel, smaller: TfliteModel) -> bool:
    samples = random_samples(model, SAMPLES)
    pairs = zip(tflm.run(model, samples), tflm.run(smaller, samples), strict=True)
    return all(
        np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
        for row, again in pairs
        for one, other in zip(row, again, strict=True)
    )
