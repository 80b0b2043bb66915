"""Ranges of activations by other methods than the extremes of all samples, and the best of them by error.

The model is calibrated once as always, which says what tensors have a range, and which share one. Then the
calibration samples run through it once more, and a histogram of each tensor is kept. ``best`` looks at a few
more samples, from which no range was found: what each method's range costs each tensor on them, and what the
chosen ranges, and those of each method alone, cost the outputs. Ranges travel with the model into the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from edgesqueeze.base.findings import Finding
from edgesqueeze.errors import RecipeError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.graph.ranges import Range, nudged, same_range, stored_range
from edgesqueeze.recipe.filled import FilledQuantize
from edgesqueeze.recipe.sections import CalibrationMethod
from edgesqueeze.runners import litert
from edgesqueeze.runners.samples import EvalData, Samples, data_samples, real_outputs
from edgesqueeze.squeeze.layers.biases import with_biases
from edgesqueeze.squeeze.layers.streams import is_stateful
from edgesqueeze.squeeze.passes.convert import calibrated
from edgesqueeze.squeeze.passes.groups import Group, grouped, spanning
from edgesqueeze.squeeze.passes.histograms import Histogram, Points
from edgesqueeze.squeeze.passes.narrowing import METHODS, squared_error
from edgesqueeze.squeeze.passes.state import Outcome, Setting, State

HELD_OUT = 64
"""Samples by which ``best`` judges, at most."""
SHARE = 5
"""Where no others are left, a fifth of the calibration samples judge; no range but ``minmax`` sees these."""
FEWEST = 10
"""Of fewer other samples none judge."""
INSIDE = frozenset({"UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN", "WHILE", "IF"})
"""Operators whose outputs have a range together with what they remember, or with tensors inside of them."""


class _Choice(NamedTuple):
    """The range of some tensors, and the method that it is of."""

    group: Group
    method: CalibrationMethod
    range: Range


@dataclass(frozen=True, eq=False)
class _Seen:
    """What a model computes on samples.

    Attributes:
        groups: what may have another range, by number.
        points: for each of them, the values on the samples from which ranges are found.
        judged: the same on those that judge; empty where none do.
        samples: those that judge.
        outputs: what the float model gives on them, one array ``[n, ...]`` per output.
    """

    groups: Mapping[int, Group]
    points: Mapping[int, Points]
    judged: Mapping[int, Points]
    samples: tuple[np.ndarray[Any, Any], ...]
    outputs: Sequence[np.ndarray[Any, Any]]


def run(state: State, options: FilledQuantize, setting: Setting) -> Outcome:
    """Choose ranges, and give them to conversion.

    Raises:
        RecipeError: the model keeps a state from sample to sample.
        UnsupportedModelError: the model cannot be converted.
    """
    assert setting.convert is not None
    method = options.calibration
    check_no_state(state.model, method)
    state = replace(state, model=with_biases(state.model))
    seen = _look(state, setting, judge=method == "best")
    found = {number: _choices(seen, number, options.percentile) for number in seen.groups}
    if method == "best":
        chosen, findings = _best(state, seen, found, setting)
    else:
        chosen, findings = [one[method] for one in found.values()], []
    kept, ranges = _accepted(state, [one for one in chosen if one.method != "minmax"], setting)
    return Outcome(
        replace(state, ranges=MappingProxyType({**state.ranges, **ranges})),
        (*findings, *_said(chosen, kept)),
    )


def check_no_state(model: Any, method: str) -> None:
    """Refuse a model whose state would have to be followed from sample to sample.

    Raises:
        RecipeError: the model keeps a state.
    """
    if is_stateful(model):
        raise RecipeError(
            f"calibration = {method!r} cannot look into a model that keeps a state from sample to sample",
            expected="a model without stateful layers",
            got=", ".join(one.name for one in model.layers if getattr(one, "stateful", False)) or model.name,
            hint='leave calibration at "minmax"',
        )


def _look(state: State, setting: Setting, *, judge: bool) -> _Seen:
    """The values of all tensors that may have another range."""
    count, seed = setting.calibration_samples, setting.seed
    tflite = calibrated(state.model, setting.samples, count, seed)
    groups, of_tensor = grouped(tflite, state.ranges)
    fixed = {
        of_tensor[index]
        for operator in tflite.main.operators
        if operator.opcode in INSIDE
        for index in operator.outputs
        if index in of_tensor
    }
    free = {
        number: group
        for number, group in enumerate(groups)
        if group.learned and number not in fixed and np.isfinite(group.first).all()
    }
    columns = _columns(setting, count + HELD_OUT * judge)
    names = tuple(state.model.input_names)
    rows = data_samples(tflite, EvalData(columns, names=names))
    first = _first_to_judge(len(rows), count) if judge else len(rows)
    tensors = [one for one in spanning(tflite) if of_tensor[one] in free]
    places = [of_tensor[one] for one in tensors]
    held = tuple(column[first:] for column in columns)
    return _Seen(
        free,
        _values(tflite, rows[:first], tensors, places, free),
        _values(tflite, rows[first:], tensors, places, free),
        held,
        real_outputs(tflite, litert.run_builtin(tflite, rows[first:])) if judge else (),
    )


def _columns(setting: Setting, count: int) -> tuple[np.ndarray[Any, Any], ...]:
    """The first of the samples that conversion calibrates on, and those that come after them."""
    batches = setting.samples.stream(1, setting.seed).take(count)
    rows = [inputs for inputs, _ in batches.as_numpy_iterator()]
    return tuple(np.concatenate(column) for column in zip(*rows, strict=True))


def _first_to_judge(there: int, count: int) -> int:
    """The number of the first sample that judges."""
    return count if there - count >= FEWEST else there - max(1, min(there, count) // SHARE)


def _values(
    tflite: TfliteModel,
    rows: Samples,
    tensors: Sequence[int],
    places: Sequence[int],
    groups: Mapping[int, Group],
) -> Mapping[int, Points]:
    """The values of tensors on samples, by the number of their group."""
    found = {number: Histogram(max(-one.first.low, one.first.high)) for number, one in groups.items()}
    for values in litert.run_inside(tflite, rows, tensors) if len(rows) else ():
        for number, value in zip(places, values, strict=True):
            found[number].add(value)
    return {number: one.points() for number, one in found.items()}


def _choices(seen: _Seen, number: int, share: float) -> dict[CalibrationMethod, _Choice]:
    """The range of each method for one group."""
    group = seen.groups[number]
    found = {name: method(seen.points[number], share) for name, method in METHODS.items()}
    found["minmax"] = group.first
    return {
        name: _Choice(group, name, one if one.high > one.low else group.first) for name, one in found.items()
    }


def _best(
    state: State, seen: _Seen, found: Mapping[int, Mapping[CalibrationMethod, _Choice]], setting: Setting
) -> tuple[list[_Choice], list[Finding]]:
    """For each tensor the method with the least error on it, unless the outputs are better off otherwise."""
    least = [_least(ways.values(), seen.judged[number]) for number, ways in found.items()]
    mixtures = {"minmax": [one["minmax"] for one in found.values()], "best": least}
    mixtures |= {name: [one[name] for one in found.values()] for name in METHODS if name != "minmax"}
    errors = {name: _output_error(state, seen, one, setting) for name, one in mixtures.items()}
    winner = min(errors, key=lambda name: errors[name])
    of_each = ", ".join(f"{name} {error:.3g}" for name, error in errors.items() if name != "best")
    said = "the method of least error for each tensor" if winner == "best" else f"{winner} for all tensors"
    message = (
        f"{said}, by what the outputs are off on {len(seen.samples[0])} samples that no range was found "
        f"from: {errors['best']:.3g} of their square with the best method for each tensor; {of_each}"
    )
    return mixtures[winner], [Finding(code="calibration-judged", subject=winner, message=message)]


def _least(choices: Iterable[_Choice], judged: Points) -> _Choice:
    """The choice with the least error on other samples; of the same errors the one of the widest range."""
    widest = sorted(choices, key=lambda one: one.range.low - one.range.high)
    return min(widest, key=lambda one: squared_error(judged, one.range))


def _output_error(state: State, seen: _Seen, choices: Sequence[_Choice], setting: Setting) -> float:
    """By how much the file's outputs are off: squared error over square, the mean of samples and outputs."""
    assert setting.convert is not None
    made = setting.convert(replace(state, ranges={**state.ranges, **_ranges(choices)}))
    rows = data_samples(made, EvalData(seen.samples, names=tuple(state.model.input_names)))
    parts = []
    for wanted, found in zip(seen.outputs, real_outputs(made, litert.run_builtin(made, rows)), strict=True):
        flat = [np.asarray(one, np.float64).reshape(len(rows), -1) for one in (wanted, found)]
        size = np.square(flat[0]).sum(axis=1)
        off = np.square(flat[0] - flat[1]).sum(axis=1)
        parts.append(float(np.mean(off / np.where(size > 0, size, 1.0))))
    return float(np.mean(parts))


def _ranges(choices: Sequence[_Choice]) -> dict[str, Range]:
    """What conversion is given: nothing for the extremes, which it finds itself."""
    return {name: nudged(one.range) for one in choices if one.method != "minmax" for name in one.group.names}


def _accepted(
    state: State, choices: Sequence[_Choice], setting: Setting
) -> tuple[list[_Choice], dict[str, Range]]:
    """The ranges that the converter takes as they are, and their names in the file."""
    if not choices:
        return [], {}
    assert setting.convert is not None
    wanted = _ranges(choices)
    made = setting.convert(replace(state, ranges={**state.ranges, **wanted}))
    stored = {name: stored_range(made, name) for name in wanted}
    kept = [
        one
        for one in choices
        if (there := [stored[name] for name in one.group.names if stored[name] is not None])
        and all(same_range(other, nudged(one.range)) for other in there if other is not None)
    ]
    names = {name for one in kept for name in one.group.names if stored[name] is not None}
    return kept, {name: wanted[name] for name in sorted(names)}


def _said(chosen: Sequence[_Choice], kept: Sequence[_Choice]) -> Iterator[Finding]:
    """Which tensors have the range of which method."""
    taken = {one.group.names[0] for one in kept}
    by_method: dict[str, list[str]] = {}
    for one in chosen:
        name = one.group.names[0]
        by_method.setdefault(one.method if name in taken else "minmax", []).append(name.split(";")[0])
    for method, names in sorted(by_method.items()):
        message = f"the range of {len(names)} tensors: {', '.join(names)}"
        yield Finding(code="calibration-chosen", subject=method, message=message)
