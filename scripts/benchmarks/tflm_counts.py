"""Fits instructions of TFLM's kernels to what was counted in the emulator."""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgesqueeze.graph.read import read_tflite
from edgesqueeze.latency.nnls import nnls
from edgesqueeze.latency.tflm_features import features_of
from edgesqueeze.latency.tflm_model import UNCOUNTED
from edgesqueeze.latency.work import Work, work_of
from runtime_tests.support.mltk_models import MODELS, mltk_model

LAYERS = Path(__file__).parent / "peers" / "peer_layers.csv"
CORES = ("m3", "m4", "m7", "m55")
MIN_ERROR = 0.03
SINGLE_ERROR = round(math.log(1.5), 4)
"""Taken for families that were counted in one model alone, so that none can be left out."""

SIBLINGS = {"depthwise_multiplied": "depthwise"}
"""What a family is predicted with where its own operators are all left out."""

TOO_SMALL = frozenset({"move"})
"""Families of which only operators of a few elements were counted: they say nothing of larger ones."""

Coefficients = dict[str, dict[str, float]]


class Count(NamedTuple):
    """The counted instructions of one operator.

    Attributes:
        model: name of the model that it is in.
        family: family of the operator, as ``tflm_features`` has them.
        loops: how often each of its loops runs, as ``tflm_features`` has them.
        instructions: counted instructions of one inference.
    """

    model: str
    family: str
    loops: Mapping[str, float]
    instructions: float


@functools.cache
def works(model: str) -> tuple[Work, ...]:
    """The work of one of ``MODELS``."""
    return work_of(read_tflite(mltk_model(model)))


@functools.cache
def counts(core: str) -> tuple[Count, ...]:
    """Every operator that was counted on one of ``CORES``, without the interpreter's part."""
    return tuple(
        Count(row["model"], *features_of(works(row["model"])[int(row["index"])]), float(row["instructions"]))
        for row in _rows()
        if row["core"] == core and int(row["index"]) >= 0
    )


@functools.cache
def interpreter() -> tuple[float, float]:
    """Instructions of the interpreter for every operator, and once for each inference: least squares."""
    rows = [row for row in _rows() if int(row["index"]) < 0]
    matrix = np.array([(len(works(row["model"])), 1.0) for row in rows])
    solution = np.linalg.lstsq(matrix, np.array([float(row["instructions"]) for row in rows]), rcond=None)[0]
    return float(solution[0]), float(solution[1])


@functools.cache
def fit_core(core: str, left_out: frozenset[str] = frozenset()) -> Coefficients:
    """Instructions for each turn of each loop by family, all of them without some models."""
    return fit_families([one for one in counts(core) if one.model not in left_out])


def fit_families(points: Sequence[Count]) -> Coefficients:
    """The same from any counts: nonnegative least squares of the relative errors."""
    return {
        family: fit([(one.loops, one.instructions) for one in points if one.family == family])
        for family in sorted({one.family for one in points} - TOO_SMALL)
    }


def fit(points: Collection[tuple[Mapping[str, float], float]]) -> dict[str, float]:
    """Nonnegative coefficients of loops that come nearest to figures, in relative terms."""
    names = list(next(iter(points))[0])
    matrix = np.array([[loops[name] / figure for name in names] for loops, figure in points])
    solution = nnls(matrix, np.ones(len(matrix)))
    return {name: float(value) for name, value in zip(names, solution, strict=True) if value}


def total(coefficients: Mapping[str, Mapping[str, float]], family: str, loops: Mapping[str, float]) -> float:
    """What coefficients make of an operator; its sibling's, or a guess, where a family has none."""
    known = (
        coefficients.get(family) or coefficients.get(SIBLINGS.get(family, "")) or UNCOUNTED.get(family, {})
    )
    return sum(known.get(loop, 0.0) * turns for loop, turns in loops.items())


def family_errors(core: str) -> dict[str, float]:
    """90th percentile of the absolute logarithmic error of operators in models that the fit leaves out."""
    errors: dict[str, list[float]] = {}
    for model in MODELS:
        coefficients = fit_core(core, frozenset({model}))
        for one in counts(core):
            if one.model == model and (said := total(coefficients, one.family, one.loops)):
                errors.setdefault(one.family, []).append(abs(math.log(said / one.instructions)))
    return {
        family: round(max(MIN_ERROR, float(np.quantile(errors[family], 0.9))), 4)
        if len({one.model for one in counts(core) if one.family == family}) > 1
        else SINGLE_ERROR
        for family in sorted(errors)
    }


@functools.cache
def _rows() -> tuple[dict[str, str], ...]:
    with LAYERS.open(newline="", encoding="utf-8") as file:
        return tuple(csv.DictReader(file))
