"""What building TensorFlow Lite Micro for size does to the cycles of its int8 kernels, by core.

How instructions grow was counted, model by model, and is fitted by group of kernels. How many cycles they
take is fitted to the latencies of the board that was measured in both builds; on other cores, cycles per
instruction are taken to change as they do there.
"""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tflm_counts import works
from tflm_published import (
    ERROR,
    SPREAD,
    Row,
    board_cpu,
    counting_model,
    fit_rates,
    fitted_rows,
)

from edgesqueeze.latency.nnls import nnls
from edgesqueeze.latency.tflm_features import RATES, features_of
from edgesqueeze.latency.tflm_model import SIZE_GROUPS, counted_core, inference, layer_of, size_group
from edgesqueeze.target.latency import Rate
from edgesqueeze.target.load import load_target
from edgesqueeze.target.records import Cpu
from runtime_tests.support.mltk_models import MODELS

COUNTS = Path(__file__).parent / "peers" / "tflm_cmsis_nn.csv"
COUNTED = {"m3": "pico", "m4": "nucleo-l4r5zi", "m7": "stm32f746g-disco", "m55": "corstone-300"}
"""Counted core -> a target whose code it runs."""


class Growth(NamedTuple):
    """Instructions of one model at -Os over those at -O3.

    Attributes:
        ratio: of the whole inference, as counted.
        shares: shares of the instructions at -O3, by group of kernels.
    """

    ratio: float
    shares: Mapping[str, float]


def size_build(core: str) -> dict[str, Any]:
    """What -Os does on a core of ``COUNTED``.

    Returns:
        ``growth``: factors on instructions by group of kernels; ``error``: the 90th percentile of the
        absolute logarithmic error of a model's instructions that the fit leaves out.
    """
    errors = [
        abs(math.log(_said(growth_of(core, name), growths(core)[name]) / growths(core)[name].ratio))
        for name in MODELS
    ]
    return {"growth": dict(growth_of(core)), "error": float(np.quantile(errors, 0.9))}


@functools.cache
def size_rates() -> Mapping[Rate, float]:
    """Cycles per instruction at -Os over those at -O3, on the board.

    Least squares of the relative errors, drawn to one ratio for all, as rates are.
    """
    speed = fit_rates("speed")
    grown = [(size_instructions(row, board_cpu()), row.cycles) for row in fitted_rows("size", "int8")]
    matrix = np.array([[one[rate] * speed[rate] / cycles for rate in RATES] for one, cycles in grown])
    middle = float(np.median(1 / matrix.sum(axis=1)))
    ridge = np.eye(len(RATES)) * ERROR / SPREAD / middle
    goal = np.concatenate([np.ones(len(matrix)), np.full(len(RATES), ERROR / SPREAD)])
    solution = nnls(np.vstack([matrix, ridge]), goal)
    return {rate: float(value) for rate, value in zip(RATES, solution, strict=True)}


def size_instructions(row: Row, cpu: Cpu) -> Mapping[Rate, float]:
    """Instructions of a published int8 model at -Os, by rate."""
    core = counted_core(cpu)
    model, growth = counting_model(core), growth_of(core.removeprefix("cortex-"))
    totals = {rate: inference(model, ())[rate] * growth["rest"] for rate in RATES}
    for work in row.works:
        factor = growth[size_group(features_of(work).family)]
        for rate, number in layer_of(model, work, cpu).instructions.items():
            totals[rate] += factor * number
    return totals


def size_cycles(row: Row, cpu: Cpu) -> float:
    """Cycles of a published int8 model at -Os, as the board would take them."""
    speed, ratio = fit_rates("speed"), size_rates()
    return sum(number * speed[rate] * ratio[rate] for rate, number in size_instructions(row, cpu).items())


@functools.cache
def growths(core: str) -> Mapping[str, Growth]:
    """By model: what -Os makes of its instructions on a counted core."""
    with COUNTS.open(newline="", encoding="utf-8") as file:
        counted = {
            (row["model"], row["opt"]): float(row["instructions"])
            for row in csv.DictReader(file)
            if (row["core"], row["kernels"]) == (core, "cmsis-nn")
        }
    return {name: Growth(counted[name, "Os"] / counted[name, "O3"], _shares(core, name)) for name in MODELS}


def _shares(core: str, name: str) -> Mapping[str, float]:
    cpu, model = load_target(COUNTED[core]).cpu, counting_model(f"cortex-{core}")
    parts = dict.fromkeys(SIZE_GROUPS, 0.0)
    for work in works(name):
        group = size_group(features_of(work).family)
        parts[group] += sum(layer_of(model, work, cpu).instructions.values())
    whole = sum(parts.values())
    return {group: number / whole for group, number in parts.items()}


def _said(growth: Mapping[str, float], one: Growth) -> float:
    return sum(growth[group] * share for group, share in one.shares.items())


@functools.cache
def growth_of(core: str, left_out: str = "") -> Mapping[str, float]:
    """Factors on instructions by group: least squares of the relative errors, drawn to the median."""
    known = [one for name, one in growths(core).items() if name != left_out]
    middle = float(np.median([one.ratio for one in known]))
    matrix = np.array([[one.shares[group] / one.ratio for group in SIZE_GROUPS] for one in known])
    ridge = np.eye(len(SIZE_GROUPS)) * ERROR / SPREAD / middle
    goal = np.concatenate([np.ones(len(matrix)), np.full(len(SIZE_GROUPS), ERROR / SPREAD)])
    solution = nnls(np.vstack([matrix, ridge]), goal)
    return {group: float(value) for group, value in zip(SIZE_GROUPS, solution, strict=True)}
