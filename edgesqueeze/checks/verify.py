"""Does a .tflite do what its original does, everywhere it runs? The whole check, as one record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.findings import Finding, errors_in
from edgesqueeze.base.given import path_of
from edgesqueeze.base.records import Record
from edgesqueeze.checks.agreement import Fidelity, fidelity
from edgesqueeze.checks.data import as_data, scaled, unused_labels
from edgesqueeze.checks.distance import TOLERANCE_LSB
from edgesqueeze.checks.original import Said, original_outputs, output_places
from edgesqueeze.checks.parity import Reference, choose_reference, compare_runtimes
from edgesqueeze.checks.records import Parity
from edgesqueeze.checks.replay import CANNOT_RUN, data_tensors
from edgesqueeze.checks.trouble import MIN_SAMPLES, find_trouble
from edgesqueeze.checks.user_metric import UserMetric, as_metric
from edgesqueeze.graph import TfliteModel, as_model
from edgesqueeze.graph.affine import numpy_dtype
from edgesqueeze.graph.axes import misplaced_axes
from edgesqueeze.graph.expose import with_outputs
from edgesqueeze.graph.npu import refuse_npu
from edgesqueeze.graph.shapes import open_inputs, shape_text
from edgesqueeze.graph.state import state_of
from edgesqueeze.recipe.sections import DataOptions
from edgesqueeze.runners.registry import RUNNERS, Runner, require_runner, with_state
from edgesqueeze.runners.samples import (
    EvalData,
    data_samples,
    named_places,
    random_data,
    real_inputs,
    real_outputs,
    spread,
)

MAX_SAMPLES = 1000
"""How many samples of the data are used unless told otherwise."""
PARITY_SAMPLES = 64
"""How many of them every runtime runs; the reference runs all."""
ACTIVATION_BYTES = 64 << 20
"""Activations are looked at on as many samples as fit in this."""
UNUSED = "--against MODEL tells which is which, or call them as the outputs"
NO_DATA = "no data given: agreement between runtimes on random inputs says nothing about accuracy"


class Verification(Record):
    """Everything that ``edgesqueeze verify`` finds out.

    Attributes:
        schema_version: version of the form of this document; it rises when a field changes its meaning.
        model: name of the .tflite file, without its suffix.
        sha256: SHA-256 of the .tflite file, in hexadecimal.
        data: whether the inputs were ``given``, or ``random``.
        samples: number of samples that were used.
        ok: whether parity holds on all runtimes, and no finding is an error.
        parity: how the model's outputs on several runtimes compare.
        fidelity: how the model, run on ``parity.reference``, compares with its original or the labels; None
            when neither was given.
        findings: signs of trouble, and what was not looked at and why.
    """

    schema_version: Literal[2] = 2
    model: str
    sha256: str
    data: Literal["given", "random"]
    samples: int
    ok: bool
    parity: Parity
    fidelity: Fidelity | None
    findings: tuple[Finding, ...]


def verify(
    model: str | Path | TfliteModel,
    *,
    data: str | Path | EvalData | None = None,
    against: str | Path | None = None,
    runtimes: Sequence[str] = (),
    options: DataOptions | None = None,
    metric: str | Callable[[Any, Any], float] | None = None,
    custom_objects: Sequence[str] = (),
    max_samples: int = MAX_SAMPLES,
    tolerance_lsb: float = TOLERANCE_LSB,
    carry_state: bool | None = None,
    seed: int = 0,
) -> Verification:
    """Run a .tflite on several runtimes and compare it with its original.

    Args:
        model: the .tflite, or its path.
        data: real data, or where they are: an ``.npz`` file, a folder of images by class or
            ``module:callable``; random inputs if not given.
        against: path of the original: a Keras model or a .tflite.
        runtimes: names from the table of runtimes; all that can run here if empty.
        options: how raw data become the model's input, as in the recipe that the model was made with; with
            ``lift_normalization`` the original takes them raw.
        metric: the user's own, ``MODULE:CALLABLE`` or a callable of labels and outputs; needs labels.
        custom_objects: ``MODULE:NAME`` of classes that a Keras original needs.
        max_samples: at most so many of the data, spread evenly; of a sequence the first.
        tolerance_lsb: how far one operator, run alone, may be off the reference, in steps of its output.
        carry_state: whether what the model keeps goes on from sample to sample, so that they are one
            sequence; if None, only where the model takes one step of a sequence per inference.
        seed: seed of the random inputs.

    Raises:
        UsageError: an unknown runtime, data that do not fit, a model that cannot be read.
        MissingToolError: a runtime that was named, or TensorFlow for a Keras original, is not installed.
        UnsupportedModelError: no runtime can run the model.
    """
    read = as_model(model)
    refuse_npu(read, "nothing on this computer can run it")
    runners = [require_runner(name) for name in dict.fromkeys(runtimes)] or _defaults()
    sequence = state_of(read).is_sequence(carry_state)
    raw = _data(read, data, max_samples, seed, sequence)
    used = raw if data is None or options is None else scaled(raw, read, options)
    own = as_metric(metric)
    said = Said([])
    if against is not None:
        # What was lifted out of the .tflite is still in the original.
        lifted = options is not None and options.lift_normalization
        said = _original(read, against, raw if lifted else used, custom_objects)
    used = _with_labels(used, said.names)
    what = _Inputs(read, used, data_samples(read, used), data is not None, carry_state, sequence)
    return _verified(what, runners, bool(runtimes), tolerance_lsb, said, own)


class _Inputs(NamedTuple):
    """A model and what it is run on."""

    model: TfliteModel
    data: EvalData
    samples: list[list[Array]]
    given: bool
    carry_state: bool | None
    sequence: bool


def _verified(
    what: _Inputs,
    runners: Sequence[Runner],
    required: bool,
    tolerance_lsb: float,
    said: Said,
    metric: UserMetric | None,
) -> Verification:
    model, data, samples = what.model, what.data, what.samples
    original = said.outputs or None
    candidates = [with_state(runner, what.carry_state) for runner in RUNNERS.values()]
    reference = choose_reference(model, samples, candidates)
    rows = spread(len(samples), PARITY_SAMPLES, sequence=what.sequence)
    parity = compare_runtimes(
        model,
        [samples[i] for i in rows],
        [with_state(runner, what.carry_state) for runner in runners],
        required=required,
        tolerance_lsb=tolerance_lsb,
        reference=reference.of(rows),
    )
    count = len(data.inputs[0])
    outputs = real_outputs(model, reference.outputs, count)
    trouble: tuple[Finding, ...] = (_no_data(model),)
    if what.given:
        trouble = _findings(model, data, samples, reference, outputs, original, what.sequence, said.names)
    return Verification(
        model=model.name,
        sha256=model.sha256,
        data="given" if what.given else "random",
        samples=count,
        ok=parity.ok and not errors_in(trouble),
        parity=parity,
        fidelity=_fidelity(model, said, outputs, data, metric),
        findings=(
            *_about_file(model),
            *_state(model, what.carry_state),
            *unused_labels(model, data, UNUSED),
            *trouble,
        ),
    )


def trouble_on(
    model: TfliteModel,
    data: EvalData,
    original: Sequence[Array] | None = None,
    names: Sequence[str] = (),
) -> tuple[Finding, ...]:
    """Run the model on real data and look for signs of trouble; see ``trouble.find_trouble``.

    Args:
        model: the .tflite.
        data: real data.
        original: the original's outputs on them, per output ``[n, ...]``, if at hand.
        names: what the original calls the outputs, in the order of the .tflite's.
    """
    samples = data_samples(model, data)
    reference = choose_reference(model, samples)
    outputs = real_outputs(model, reference.outputs, len(data.inputs[0]))
    sequence = state_of(model).is_sequence()
    found = _findings(model, data, samples, reference, outputs, original, sequence, names)
    return (*_state(model, None), *found)


def activations_on(model: TfliteModel, data: EvalData) -> dict[int, Array]:
    """What a model computes inside, on some of the samples.

    Args:
        model: the .tflite.
        data: real data.

    Returns:
        By tensor index, raw values ``[m, *shape]`` of computed tensors; empty where its runtime shows none.
    """
    samples = data_samples(model, data)
    runner = choose_reference(model, samples).runner
    return _activations(model, samples, runner, state_of(model).is_sequence())[0]


def _data(
    model: TfliteModel,
    given: str | Path | EvalData | None,
    limit: int,
    seed: int,
    sequence: bool,
) -> EvalData:
    if given is None:
        return random_data(model, PARITY_SAMPLES, seed)
    return as_data(given, model, limit).pick(limit, sequence=sequence)


def _with_labels(data: EvalData, outputs: Sequence[str]) -> EvalData:
    """Labels that are named as the original's outputs are, in the order of the .tflite's outputs."""
    labels = tuple(data.named.get(name) for name in outputs)
    if all(one is None for one in labels):
        return data
    return replace(data, labels=labels, named={})


def _fidelity(
    model: TfliteModel,
    said: Said,
    outputs: Sequence[Array],
    data: EvalData,
    metric: UserMetric | None,
) -> Fidelity | None:
    original = said.outputs or None
    if original is None and data.labels is None and metric is None:
        return None
    shapes = [tensor.shape[1:] for tensor in model.main.input_tensors]
    return fidelity(
        original,
        outputs,
        data.labels,
        shapes,
        names=said.names,
        metric=metric,
        places=named_places(model),
    )


def _original(model: TfliteModel, against: str | Path, data: EvalData, custom_objects: Sequence[str]) -> Said:
    """What the original says of the data, in the order of the .tflite's outputs."""
    path = path_of(against, "the path of the original, a Keras model or a .tflite")
    said = original_outputs(path, data, custom_objects)
    if path.suffix == ".tflite":
        return said
    places = output_places(model, said.outputs)
    names = tuple(said.names[place] for place in places) if said.names else ()
    return Said([said.outputs[place] for place in places], names)


def _defaults() -> list[Runner]:
    return [runner for runner in RUNNERS.values() if runner.by_default]


def _findings(
    model: TfliteModel,
    data: EvalData,
    samples: Sequence[Sequence[Array]],
    reference: Reference,
    outputs: Sequence[Array],
    original: Sequence[Array] | None,
    sequence: bool,
    names: Sequence[str] = (),
) -> tuple[Finding, ...]:
    activations, missing = _activations(model, samples, reference.runner, sequence)
    found = find_trouble(model, real_inputs(model, data), outputs, activations, original, data.labels, names)
    return (*found, *missing)


def _activations(
    model: TfliteModel, samples: Sequence[Sequence[Array]], runner: Runner, sequence: bool
) -> tuple[dict[int, Array], tuple[Finding, ...]]:
    """Raw values of all computed tensors, on some samples; or a finding that says why there are none."""
    graph = model.main
    tensors = data_tensors(graph)
    if not tensors:
        return {}, ()
    size = sum(
        graph.tensors[index].elements * numpy_dtype(graph.tensors[index]).itemsize for index in tensors
    )
    limit = max(MIN_SAMPLES, min(PARITY_SAMPLES, ACTIVATION_BYTES // max(size, 1)))
    rows = spread(len(samples), limit, sequence=sequence)
    try:
        values = runner.run(with_outputs(model, tensors), [samples[i] for i in rows])
    except CANNOT_RUN as error:
        return {}, (
            Finding(
                code="activations-not-seen",
                subject=model.name,
                message=f"{runner.title} does not show intermediate values of this model: {error.problem}",
            ),
        )
    columns = ([np.atleast_1d(row[i]) for row in values] for i in range(len(tensors)))
    return dict(zip(tensors, map(np.concatenate, columns), strict=True)), ()


def _about_file(model: TfliteModel) -> tuple[Finding, ...]:
    """What was changed or assumed to run the file at all."""
    found = []
    if misplaced_axes(model):
        message = (
            "LiteRT and tflite-runtime refuse the file, since vectors name a quantized dimension that they "
            "do not have; they ran it with dimension 0, which is what TFLite Micro takes for granted"
        )
        found.append(Finding(code="misplaced-axis", subject=model.name, message=message, severity="warning"))
    for tensor in open_inputs(model):
        message = (
            f"its shape {shape_text(tensor.signature)} is open: it was run with 1 there; "
            "--input-shape gives it one"
        )
        found.append(Finding(code="open-dimension", subject=tensor.name, message=message, severity="warning"))
    return tuple(found)


def _state(model: TfliteModel, carry_state: bool | None) -> tuple[Finding, ...]:
    """What was done about the model's state, if it has any."""
    state = state_of(model)
    if not state:
        return ()
    if state.is_sequence(carry_state):
        message = (
            f"it keeps state ({state.describe()}), and the samples were run in their order as one sequence; "
            "`verify --reset-state` makes them independent"
        )
        return (Finding(code="state-carried", subject=model.name, message=message),)
    message = (
        f"it keeps state ({state.describe()}), which was reset before each sample, since samples are "
        "independent; `verify --carry-state` runs them as one sequence"
    )
    return (Finding(code="state-reset", subject=model.name, message=message),)


def _no_data(model: TfliteModel) -> Finding:
    return Finding(code="no-data", subject=model.name, message=NO_DATA, severity="note")
