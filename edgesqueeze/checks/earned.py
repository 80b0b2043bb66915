"""Whether a runtime may be the truth: it earns that by agreeing with a second one, or with exact arithmetic.

LiteRT's reference kernel of int8 SUM, for one, gives -1 whatever its input is. So the runtime that is about
to be the reference runs a few samples beside another one. Where an operator alone differs by more than
rounding, one of the two is wrong: exact arithmetic says which, and where there is no rule for the operator,
a third runtime does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.checks.distance import difference_of, distance_of
from edgesqueeze.checks.exact import exact_output
from edgesqueeze.checks.replay import CANNOT_RUN, Difference, differing_pieces
from edgesqueeze.graph import Graph, TfliteModel
from edgesqueeze.runners.registry import Runner
from edgesqueeze.runners.samples import Samples

WITNESSES = ("litert-builtin", "tflm", "litert-reference", "tflite-runtime", "litert")
"""Who is asked, in this order: first those that are quick and keep close to the portable kernels."""
WITNESSED_SAMPLES = 4


class Contradiction(NamedTuple):
    """Two runtimes that cannot both be right.

    Attributes:
        right: the one that is believed.
        reason: which operator of the other is wrong, and why we believe it.
    """

    right: Runner
    reason: str


def contradiction(
    model: TfliteModel, samples: Samples, runner: Runner, outputs: Samples, others: Sequence[Runner]
) -> Contradiction | None:
    """Why a runtime may not be the reference, or None if nothing speaks against it.

    Args:
        model: the .tflite.
        samples: what it runs on; the first few are looked at.
        runner: the runtime that is about to be the reference.
        outputs: its outputs on the samples.
        others: who may be asked.
    """
    few = samples[:WITNESSED_SAMPLES]
    asked = _witnesses(runner, others)
    for place, witness in enumerate(asked):
        try:
            seen = witness.run(model, few)
        except CANNOT_RUN:
            continue
        if distance_of(model.main, outputs[: len(few)], seen).is_one_rounding:
            return None
        found = differing_pieces(model, few, runner.run, witness.run)
        wrong = (
            None if found is None else next((one for one in found if not one.layer.within_tolerance), None)
        )
        return None if wrong is None else _settled(model, few, wrong, runner, witness, asked[place + 1 :])
    return None


def _witnesses(runner: Runner, others: Sequence[Runner]) -> list[Runner]:
    named = {one.name: one for one in others if one.name != runner.name}
    return [named[name] for name in WITNESSES if name in named and named[name].available() is None]


def _settled(
    model: TfliteModel,
    few: Samples,
    wrong: Difference,
    runner: Runner,
    witness: Runner,
    rest: Sequence[Runner],
) -> Contradiction | None:
    """Whom to believe about one operator: exact arithmetic, else a third runtime; None: the first."""
    graph = model.main
    what = f"{wrong.layer.kind} (operator {wrong.layer.operator})"
    expected = _exact(graph, wrong)
    if expected is not None:
        if _distance(graph, wrong, expected, wrong.have) < _distance(graph, wrong, expected, wrong.want):
            return Contradiction(
                witness,
                f"{what} is wrong: exact arithmetic gives what {witness.title} gives, not {_shown(wrong)}",
            )
        return None
    for third in rest:
        try:
            found = differing_pieces(model, few, runner.run, third.run)
        except CANNOT_RUN:
            continue
        if found is None:
            continue
        same = [one for one in found if one.tensor == wrong.tensor and not one.layer.within_tolerance]
        if same and _distance(graph, wrong, wrong.have, same[0].have) < _distance(
            graph, wrong, wrong.want, same[0].have
        ):
            return Contradiction(
                witness, f"{what} is wrong: {witness.title} and {third.title} agree on something else"
            )
        return None
    return None


def _exact(graph: Graph, wrong: Difference) -> Array | None:
    operator = graph.operators[wrong.layer.operator]
    rows = []
    for values in wrong.inputs:
        row = exact_output(graph, operator, values)
        if row is None:
            return None
        rows.append(row)
    return np.stack(rows)


def _distance(graph: Graph, wrong: Difference, one: Array, other: Array) -> float:
    difference, _ = difference_of(graph.tensors[wrong.tensor], one.reshape(other.shape), other)
    return float(difference.max())


def _shown(wrong: Difference) -> str:
    """Where the two are furthest apart."""
    place = int(np.abs(wrong.want.astype(np.float64) - wrong.have.astype(np.float64)).argmax())
    return f"{wrong.want.reshape(-1)[place]:g} instead of {wrong.have.reshape(-1)[place]:g}"
