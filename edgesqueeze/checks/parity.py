"""The same .tflite on several runtimes: how far their outputs are apart, since which layer, and whether
that is rounding or a fault.

Integer kernels may round differently, and do: XNNPACK is one step (LSB) off TFLM in many convolutions, and
a deep network carries such steps on until its softmax turns them into dozens. A limit on the outputs would
either call this a fault or miss real ones. So when outputs differ, every operator is run alone on the
values that the reference computed. If each is within ``tolerance_lsb``, the difference is ``rounding``
that the network carried on. An operator that is further off is a fault, and parity is ``broken``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.checks.agreement import agreement
from edgesqueeze.checks.distance import (
    CARRIED_MEAN_LSB,
    FLOAT_OUTPUT_TOLERANCE,
    TOLERANCE_LSB,
    UNEXPLAINED_LSB,
    Figures,
    distance_of,
)
from edgesqueeze.checks.earned import Contradiction, contradiction
from edgesqueeze.checks.records import LayerDifference, Parity, RuntimeParity, Status
from edgesqueeze.checks.replay import CANNOT_RUN, Difference, alone, differing_pieces
from edgesqueeze.checks.tasks import task_of
from edgesqueeze.errors import EdgeSqueezeError, UnsupportedModelError
from edgesqueeze.graph import Graph, TfliteModel
from edgesqueeze.graph.affine import dequantize
from edgesqueeze.graph.state import state_of
from edgesqueeze.runners.registry import RUNNERS, Runner
from edgesqueeze.runners.samples import Outputs, Samples

NUDGES = (1 + 1e-6, 1 - 1e-6)
"""What inputs are multiplied with to see how far rounding alone moves a float model's outputs."""
NOISE_FACTOR = 3.0
"""So many times what that does may two runtimes differ, which round differently in every operator."""
EXACT = "tflm"
"""The runtime whose very bits an exact runtime must give, in the whole model or operator by operator."""
UNDEPLOYED = ("litert-reference",)
"""Kernels that are there to compare with: a fault of theirs is no fault of the model."""
REPLAYED_SAMPLES = 4
"""How many samples, those that differ most, are looked at layer by layer."""


@dataclass(frozen=True, eq=False)
class Reference:
    """The runtime that the others are compared with, and why not an earlier one of the table."""

    runner: Runner
    outputs: Outputs
    passed_over: tuple[RuntimeParity, ...]

    def of(self, rows: Sequence[int]) -> Reference:
        """The same on some of the samples; of a sequence, they must be the first."""
        return replace(self, outputs=[self.outputs[row] for row in rows])


def choose_reference(model: TfliteModel, samples: Samples, candidates: Sequence[Runner] = ()) -> Reference:
    """Run on the first candidate that can: TFLM, and for models outside its operators LiteRT's reference.

    One that contradicts another runtime, and is wrong, is passed over (``earned``).

    Raises:
        UnsupportedModelError: no runtime can run the model.
    """
    passed_over: list[RuntimeParity] = []
    chosen = tuple(candidates) or tuple(RUNNERS.values())
    for runner in chosen:
        row, outputs = _try(runner, model, samples)
        if outputs is None:
            passed_over.append(row)
            continue
        against = contradiction(model, samples, runner, outputs, chosen)
        if against is None:
            return Reference(runner, outputs, tuple(passed_over))
        wrong = row.model_copy(update={"status": "broken", "ok": False, "reason": against.reason})
        return Reference(against.right, against.right.run(model, samples), (*passed_over, wrong))
    raise UnsupportedModelError(
        f"no runtime on this machine can run {model.name}",
        got="; ".join(f"{row.title}: {row.reason}" for row in passed_over),
        hint="`edgesqueeze inspect` lists the model's operators",
    )


def compare_runtimes(
    model: TfliteModel,
    samples: Samples,
    runners: Sequence[Runner],
    *,
    required: bool = False,
    tolerance_lsb: float = TOLERANCE_LSB,
    reference: Reference | None = None,
) -> Parity:
    """Run the model on every runtime and compare with the reference.

    Args:
        model: the .tflite.
        samples: one entry per inference, at least one.
        runners: runtimes to compare; the reference is added to them.
        required: whether the runtimes were asked for by name: then one that cannot run the model is a
            failure, not a remark.
        tolerance_lsb: what one operator alone may be off, in steps of an 8-bit output.
        reference: of the same samples; found if not given.

    Raises:
        UnsupportedModelError: no runtime can run the model.
    """
    reference = reference or choose_reference(model, samples)
    rows = [RuntimeParity(runtime=reference.runner.name, title=reference.runner.title, status="reference")]
    known = {row.runtime: row for row in reference.passed_over}
    for runner in runners:
        if runner.name == reference.runner.name:
            continue
        row, outputs = (known[runner.name], None) if runner.name in known else _try(runner, model, samples)
        if outputs is not None:
            row = _compare(model, samples, reference, runner, outputs, tolerance_lsb)
            if row.status == "broken" and not required and runner.name in UNDEPLOYED:
                row = _excused(row, contradiction(model, samples, runner, outputs, [reference.runner]))
        elif required:
            row = row.model_copy(update={"ok": False})
        elif row.status == "broken" and runner.name in UNDEPLOYED:
            row = row.model_copy(update={"ok": True})
        rows.append(row)
    # What was not asked for is no failure, but who is not believed must be said.
    named = {row.runtime for row in rows}
    rows += [
        row.model_copy(update={"ok": True})
        for row in reference.passed_over
        if row.status == "broken" and row.runtime not in named
    ]
    return Parity(
        reference=reference.runner.name,
        samples=len(samples),
        tolerance_lsb=tolerance_lsb,
        ok=all(row.ok for row in rows),
        runtimes=tuple(rows),
    )


def _excused(row: RuntimeParity, against: Contradiction | None) -> RuntimeParity:
    """Kernels that no device runs, and that are proven wrong themselves, say nothing against the model."""
    if against is None:
        return row
    return row.model_copy(update={"ok": True, "reason": f"{against.reason}; no device runs these kernels"})


def said_by(error: EdgeSqueezeError) -> str:
    """An error in one line."""
    return f"{error.problem}: {error.got}" if error.got else error.problem


def _try(runner: Runner, model: TfliteModel, samples: Samples) -> tuple[RuntimeParity, Outputs | None]:
    reason = runner.available()
    status: Status = "unavailable"
    if reason is None:
        try:
            outputs = runner.run(model, samples)
        except CANNOT_RUN as error:
            reason, status = said_by(error), "unsupported"
        else:
            return RuntimeParity(runtime=runner.name, title=runner.title, status="identical"), outputs
    return RuntimeParity(runtime=runner.name, title=runner.title, status=status, reason=reason), None


def _compare(
    model: TfliteModel,
    samples: Samples,
    reference: Reference,
    runner: Runner,
    outputs: Outputs,
    tolerance: float,
) -> RuntimeParity:
    figures, per_sample, _ = distance_of(model.main, reference.outputs, outputs)
    top1 = _top1(model.main, reference.outputs, outputs)
    if not per_sample.any():
        return RuntimeParity(
            runtime=runner.name,
            title=runner.title,
            status="identical",
            top1_agreement=top1,
            **figures._asdict(),
        )
    worst = np.argsort(-per_sample, kind="stable")[:REPLAYED_SAMPLES]
    # With state, what a sample gives depends on those before it.
    looked_at = range(int(worst.max()) + 1) if state_of(model) else sorted(worst)
    few = [samples[i] for i in looked_at]
    pieces = differing_pieces(model, few, reference.runner.run, runner.run, tolerance)
    layers = None if pieces is None else [one.layer for one in pieces]
    # Where every operator gives the reference's bits, so must all of them together.
    exact = runner.exact and (reference.runner.name == EXACT or layers == [])
    status, reason = _judge(figures, layers, exact, tolerance)
    if runner.exact and not exact and pieces and not state_of(model):
        status, reason = _operator_by_operator(model, pieces, status, reason)
    if status == "broken" and not layers and not exact and figures.max_lsb is None:
        status, reason = _against_noise(model, samples, reference, figures, looked_at, reason)
    # An operator outside the tolerance is what the user must see, whatever its step size.
    ranked = sorted(layers or (), key=lambda layer: (layer.within_tolerance, -_size(layer)))
    return RuntimeParity(
        runtime=runner.name,
        title=runner.title,
        status=status,
        ok=status != "broken",
        reason=reason,
        first_divergence=layers[0] if layers else None,
        worst_layer=ranked[0] if ranked else None,
        top1_agreement=top1,
        **figures._asdict(),
    )


def _judge(
    figures: Figures, layers: list[LayerDifference] | None, exact: bool, tolerance: float
) -> tuple[Status, str]:
    if exact:
        return "broken", "it must give the reference's very bits"
    if layers and not all(layer.within_tolerance for layer in layers):
        return "broken", "an operator alone is off by more than rounding"
    if layers:
        if (figures.mean_lsb or 0) > CARRIED_MEAN_LSB:
            return "broken", "every operator alone is close, but the outputs are far apart"
        return "rounding", "every operator alone is within rounding"
    lsb, relative = figures.max_lsb or 0, figures.max_relative or 0
    limit = tolerance if layers is not None else max(UNEXPLAINED_LSB, tolerance)
    why = "no operator differs alone" if layers is not None else "its operators could not be run alone"
    if lsb <= limit and relative <= FLOAT_OUTPUT_TOLERANCE:
        return "rounding", "float rounding" if figures.max_lsb is None else why
    return "broken", f"the outputs differ, and {why}"


def _operator_by_operator(
    model: TfliteModel, pieces: Sequence[Difference], status: Status, reason: str
) -> tuple[Status, str]:
    """Of a runtime that promises bits that the reference does not have: does each operator keep it?

    Args:
        model: the whole model, which the runtime that has those bits lacks an operator of.
        pieces: the operators that differ from the reference's.
        status: what is said of the differences otherwise.
        reason: why.
    """
    runner = RUNNERS[EXACT]
    if runner.available() is not None:
        return status, reason
    alike = 0
    for piece in pieces:
        operator = model.main.operators[piece.layer.operator]
        single = alone(model, operator)
        samples = [[values[one] for one in single.main.inputs] for values in piece.inputs]
        try:
            outputs = runner.run(single, samples)
        except CANNOT_RUN:
            continue
        place = operator.outputs.index(piece.tensor)
        want = np.stack([np.asarray(row[place]).reshape(piece.have.shape[1:]) for row in outputs])
        if not np.array_equal(want, piece.have):
            what = f"{piece.layer.kind} (operator {piece.layer.operator})"
            return "broken", f"{what} alone must give the very bits of {runner.title}"
        alike += 1
    if alike == len(pieces):
        return "rounding", f"every operator that differs gives the very bits of {runner.title}"
    return status, reason


def _against_noise(
    model: TfliteModel,
    samples: Samples,
    reference: Reference,
    figures: Figures,
    rows: Sequence[int],
    reason: str,
) -> tuple[Status, str]:
    """A float model whose operators agree alone: does next to no change of its inputs do as much?

    Weights in int8 make a float network discontinuous: each operator quantizes its input, and a value at the
    edge of a step falls to either side.
    """
    own = reference.runner.run(model, [samples[row] for row in rows])
    noise = 0.0
    for factor in NUDGES:
        nudged = [[_nudged(value, factor) for value in samples[row]] for row in rows]
        moved = distance_of(model.main, own, reference.runner.run(model, nudged))
        noise = max(noise, moved.figures.max_relative or 0.0)
    if (figures.max_relative or 0.0) <= NOISE_FACTOR * noise:
        return "rounding", (
            f"no operator differs alone, and inputs times 1 + {NUDGES[0] - 1:.0e} move the reference's own "
            f"outputs by {noise:.1e}"
        )
    return (
        "broken",
        f"{reason}; inputs times 1 + {NUDGES[0] - 1:.0e} move the reference's by {noise:.1e} only",
    )


def _nudged(value: Array, factor: float) -> Array:
    return (value * value.dtype.type(factor)) if value.dtype.kind == "f" else value


def _top1(graph: Graph, expected: Outputs, actual: Outputs) -> float | None:
    for i, tensor in enumerate(graph.output_tensors):
        want = np.concatenate([dequantize(tensor, np.asarray(row[i])) for row in expected])
        have = np.concatenate([dequantize(tensor, np.asarray(row[i])) for row in actual])
        task = task_of(want, None, [t.shape[1:] for t in graph.input_tensors])
        if task not in ("values", "labels"):
            return agreement(want, have, task)
    return None


def _size(layer: LayerDifference) -> float:
    return layer.max_lsb if layer.max_lsb is not None else (layer.max_relative or 0.0)
