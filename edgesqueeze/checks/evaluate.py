"""The original and the .tflite side by side on the same samples, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.findings import Finding
from edgesqueeze.checks.original import output_places
from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.state import state_of
from edgesqueeze.runners import litert
from edgesqueeze.runners.samples import EvalData, data_samples, real_outputs


@dataclass(frozen=True, eq=False)
class Originals:
    """What the original says about the test samples: it is asked once, however many results it judges.

    Attributes:
        outputs: per output of the original, real numbers ``[n, ...]``.
        labels: per output of the original, ``[n, ...]``; None without labels.
        first: inputs of the first batch, for a closer look.
        names: names of the outputs.
    """

    outputs: tuple[Array, ...]
    labels: tuple[Array, ...] | None
    first: EvalData
    names: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Outputs of both models on the same samples, in the order of the .tflite's outputs.

    Attributes:
        original: per output, real numbers ``[n, ...]``.
        compressed: the same of the .tflite.
        labels: per output, ``[n, ...]``; None without labels.
        places: which of the original's outputs each one is.
        names: what the original calls them.
        findings: that other kernels than an application's had to run the .tflite, and why.
    """

    original: list[Array]
    compressed: list[Array]
    labels: tuple[Array, ...] | None
    places: tuple[int, ...]
    names: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def evaluate(originals: Originals, tflite: TfliteModel, batches: Iterable[Sequence[Array]]) -> Evaluation:
    """Run the .tflite on LiteRT, beside what the original said.

    Args:
        originals: the original's outputs.
        tflite: the compressed model.
        batches: the inputs that ``originals`` is about, in their order, per batch one array ``[b, ...]`` for
            each input; what goes beyond the samples of ``originals`` is left out.
    """
    left = len(originals.outputs[0])
    run: Callable[..., list[list[Array]]] = litert.run
    findings: tuple[Finding, ...] = ()
    parts: list[list[Array]] = []
    # Every call of a runner starts afresh, and one sequence must not.
    for inputs in _joined(batches) if state_of(tflite).is_sequence() else batches:
        batch = EvalData(tuple(values[:left] for values in inputs), names=originals.first.names)
        samples = data_samples(tflite, batch)
        try:
            rows = run(tflite, samples)
        except UnsupportedModelError as error:
            if findings:
                raise
            run, findings = litert.run_builtin, (_without_xnnpack(tflite, error),)
            rows = run(tflite, samples)
        parts.append(real_outputs(tflite, rows, len(batch.inputs[0])))
        left -= len(batch.inputs[0])
        if left <= 0:
            break
    places = output_places(tflite, originals.outputs)
    labels = None if originals.labels is None else tuple(originals.labels[place] for place in places)
    compressed = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    names = tuple(originals.names[place] for place in places) if originals.names else ()
    ordered = [originals.outputs[place] for place in places]
    return Evaluation(ordered, compressed, labels, tuple(places), names, findings)


def _without_xnnpack(tflite: TfliteModel, error: UnsupportedModelError) -> Finding:
    message = (
        f"{error.problem}; it was judged on LiteRT's own kernels, and an application must switch XNNPACK off "
        "for it too"
    )
    return Finding(code="xnnpack-refuses", subject=tflite.name, message=message, severity="warning")


def _joined(batches: Iterable[Sequence[Array]]) -> list[list[Array]]:
    """All batches as one."""
    return [[np.concatenate(parts) for parts in zip(*batches, strict=True)]]
