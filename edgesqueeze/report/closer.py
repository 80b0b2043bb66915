"""A closer look at a result, for a page: what it is held against, its layers one by one, and samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.checks.agreement import normalized_error
from edgesqueeze.checks.choices import OutputChoices
from edgesqueeze.checks.verify import activations_on
from edgesqueeze.errors import EdgeSqueezeError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.affine import dequantize
from edgesqueeze.graph.macs import operator_macs
from edgesqueeze.recipe.passes import PASSES
from edgesqueeze.report.details import Details, LayerError, Plain
from edgesqueeze.report.result import Compressed
from edgesqueeze.runners.firmware_sources import firmware_sources
from edgesqueeze.runners.samples import EvalData
from edgesqueeze.squeeze.apply import Squeezed
from edgesqueeze.squeeze.data.check import readable_samples
from edgesqueeze.squeeze.data.pictures import pictures_of
from edgesqueeze.squeeze.passes.convert import convert
from edgesqueeze.squeeze.prepare import Prepared
from edgesqueeze.target.fit import check_fit
from edgesqueeze.target.records import Target
from edgesqueeze.timing.bench import bench

T = TypeVar("T")

SAMPLES = 8
"""Test samples that the errors of operators rest on: of the largest models all inner values fit in memory."""


def look_closer(result: Compressed, prepared: Prepared, squeezed: Squeezed, target: Target) -> Compressed:
    """The result with what a page shows beyond the report of every result.

    Args:
        result: what ``judge`` gave.
        prepared: what the model was made from.
        squeezed: the model.
        target: the profile.
    """
    first = prepared.originals.first.pick(SAMPLES)
    wanted = {one.sample for output in result.report.choices for one in output.changed}
    left_out: list[str] = []
    unseen: dict[int, str] = {}
    with readable_samples():
        pictures = _tried(lambda: pictures_of(prepared.data.test, wanted), unseen, "pictures", left_out)
        details = Details(
            plain=_tried(lambda: _plain(prepared, squeezed, target), None, "the plain model", left_out),
            layer_errors=_tried(
                lambda: _layer_errors(prepared, squeezed, result.tflite, first), (), "errors", left_out
            ),
            samples=len(first.inputs[0]),
            left_out=tuple(left_out),
        )
    choices = tuple(_with_pictures(output, pictures) for output in result.report.choices)
    report = result.report.model_copy(update={"details": details, "choices": choices})
    return replace(result, report=report)


def _tried(look: Callable[[], T], otherwise: T, what: str, left_out: list[str]) -> T:
    """What a look finds; one that fails must not lose the result that is there already."""
    try:
        return look()
    except EdgeSqueezeError as error:
        left_out.append(f"{what}: {error.problem}")
    except Exception as error:  # whatever it is: hours of training hang on it
        left_out.append(f"{what}: internal error: {type(error).__name__}: {error}")
    return otherwise


def _with_pictures(output: OutputChoices, pictures: Mapping[int, str]) -> OutputChoices:
    changed = tuple(
        one.model_copy(update={"picture": pictures.get(one.sample, "")}) for one in output.changed
    )
    return output.model_copy(update={"changed": changed})


def _plain(prepared: Prepared, squeezed: Squeezed, target: Target) -> Plain | None:
    recipe = squeezed.recipe
    if all(row.options(recipe) is None for row in PASSES):
        return None
    quantize, train = recipe.quantize, prepared.data.train
    model, _ = convert(
        prepared.folded, quantize.mode, quantize.io, train, quantize.calibration_samples, recipe.seed
    )
    fit = check_fit(target, firmware_sources(model, target).needs)
    latency, method = None, ""
    try:
        timing = bench(model, target, runtime=target.runtime.name)
        latency, method = timing.latency_ms, timing.method
    except EdgeSqueezeError as error:
        method = error.problem
    return Plain(
        tflite_bytes=len(model.content),
        macs=sum(operator_macs(model.main, one) for one in model.main.operators),
        flash_bytes=fit.flash.needed_bytes,
        ram_bytes=fit.ram.needed_bytes,
        latency_ms=latency,
        latency_method=method,
    )


def _layer_errors(
    prepared: Prepared, squeezed: Squeezed, tflite: TfliteModel, data: EvalData
) -> tuple[LayerError, ...]:
    """The .tflite beside the float model that it was converted from."""
    exact, _ = convert(squeezed.model, "none", "float32", prepared.data.train, 1, squeezed.recipe.seed)
    truth = {exact.main.tensors[index].name: one for index, one in activations_on(exact, data).items()}
    seen = activations_on(tflite, data)
    found = []
    for operator in tflite.main.operators:
        index = operator.outputs[0] if operator.outputs else -1
        tensor = tflite.main.tensors[index] if index in seen else None
        if tensor is None or (expected := truth.get(tensor.name)) is None:
            continue
        error = _error(expected, dequantize(tensor, seen[index]))
        if error is not None:
            found.append(LayerError(operator=operator.index, tensor=tensor.name, error=error))
    return tuple(found)


def _error(expected: Array, values: Array) -> float | None:
    """None where the two do not correspond, or the expected values are all the same."""
    if expected.shape != values.shape or not np.issubdtype(expected.dtype, np.floating):
        return None
    return normalized_error(expected, values)
