"""What building TensorFlow Lite Micro for size does to the cycles of its int8 kernels, by core.

On the board that rates are fitted on, both builds were published. On other cores the instructions of both
were counted, and what is left between instructions and cycles is taken to be what it is on the board.
"""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tflm_counts import works
from tflm_published import ERROR, SPREAD, counting_model, fit_rates

from edgesqueeze.latency.nnls import nnls
from edgesqueeze.latency.tflm_features import RATES
from edgesqueeze.latency.tflm_model import inference, layer_of
from edgesqueeze.target.latency import Rate
from edgesqueeze.target.load import load_target
from runtime_tests.support.mltk_models import MODELS

COUNTS = Path(__file__).parent / "peers" / "tflm_cmsis_nn.csv"
COUNTED = {"m3": "pico", "m4": "nucleo-l4r5zi", "m7": "stm32f746g-disco", "m55": "corstone-300"}
"""Counted core -> a target whose code it runs."""


class Growth(NamedTuple):
    """Instructions of one model at -Os over those at -O3.

    Attributes:
        ratio: of the whole inference, as counted.
        shares: shares of the instructions at -O3, by rate.
    """

    ratio: float
    shares: Mapping[Rate, float]


def size_build(core: str) -> dict[str, object]:
    """Factors on the cycles of -O3 for a core of ``COUNTED``, and how far off they are.

    Returns:
        ``factors`` by rate, and ``error``: the 90th percentile of the absolute logarithmic error of a model's
        instructions that the fit leaves out.
    """
    mine, boards = _fit(core), _fit("m4")
    speed, size = fit_rates("speed"), fit_rates("size")
    factors = {rate: size[rate] / speed[rate] * mine[rate] / boards[rate] for rate in RATES}
    errors = [
        abs(math.log(_said(_fit(core, left_out), growths(core)[left_out]) / growths(core)[left_out].ratio))
        for left_out in MODELS
    ]
    return {"factors": factors, "error": float(np.quantile(errors, 0.9))}


@functools.cache
def growths(core: str) -> Mapping[str, Growth]:
    """By model: what -Os makes of its instructions on a counted core."""
    with COUNTS.open(newline="", encoding="utf-8") as file:
        counted = {
            (row["model"], row["opt"]): float(row["instructions"])
            for row in csv.DictReader(file)
            if (row["core"], row["kernels"]) == (core, "cmsis-nn")
        }
    cpu, model = load_target(COUNTED[core]).cpu, counting_model(f"cortex-{core}")
    found = {}
    for name in MODELS:
        parts = inference(model, tuple(layer_of(model, work, cpu) for work in works(name)))
        whole = sum(parts.values())
        shares = {rate: number / whole for rate, number in parts.items()}
        found[name] = Growth(counted[name, "Os"] / counted[name, "O3"], shares)
    return found


def _said(factors: Mapping[Rate, float], one: Growth) -> float:
    return sum(factors[rate] * share for rate, share in one.shares.items())


@functools.cache
def _fit(core: str, left_out: str = "") -> Mapping[Rate, float]:
    """Factors on instructions: least squares of the relative errors, drawn to the median as rates are."""
    known = [one for name, one in growths(core).items() if name != left_out]
    middle = float(np.median([one.ratio for one in known]))
    matrix = np.array([[one.shares[rate] / one.ratio for rate in RATES] for one in known])
    ridge = np.eye(len(RATES)) * ERROR / SPREAD / middle
    goal = np.concatenate([np.ones(len(matrix)), np.full(len(RATES), ERROR / SPREAD)])
    solution = nnls(np.vstack([matrix, ridge]), goal)
    return {rate: float(value) for rate, value in zip(RATES, solution, strict=True)}
