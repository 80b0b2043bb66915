"""Fits cycles per instruction of TFLM, and cycles of its float kernels, to published latencies."""

from __future__ import annotations

import csv
import functools
import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from blind import is_blind, name_of
from published import cortex_m_graphs
from tflm_counts import Coefficients, fit_core, interpreter

from edgesqueeze.graph.read import parse_tflite
from edgesqueeze.latency.nnls import nnls
from edgesqueeze.latency.tflm_features import RATES, float_features_of
from edgesqueeze.latency.tflm_model import Model, counted_core, cycles, inference, layer_of
from edgesqueeze.latency.work import Work, work_of
from edgesqueeze.target.latency import Rate
from edgesqueeze.target.load import load_target
from edgesqueeze.target.records import Cpu

PUBLISHED = Path(__file__).parent / "published" / "cortex_m.csv"
BOARD = "nucleo-l4r5zi"
"""The board that all rates are fitted on."""

PICO_LAYERS = Path(__file__).parent / "published" / "pico_layers.csv"
"""Operators of the row of ``cortex_m.csv`` whose ``use`` is ``layers``."""

BUILDS = {
    "speed": "speed",
    "size (-Os)": "size",
    "size (-Os), Arduino": "size",
    "speed, without FPU": "none",
}
SPREAD = 0.3
"""How far the rates are taken to differ from each other, as a share, before anything was measured. It keeps
those of which few latencies tell near the others."""

ERROR = 0.08
"""How far a latency is taken to be off what exact rates would give, as a share."""

UNTOLD = ("fully_connected", "outputs")
"""A loop of float32 kernels that the board's models do not tell from products."""

COUNTED_AS = {
    "TinyMLPerf_AE": "anomaly_detection",
    "TinyMLPerf_DS_CNN": "keyword_spotting",
    "TinyMLPerf_ResNet": "image_classification",
    "MLPerf Tiny AD (FC autoencoder)": "anomaly_detection",
    "MLPerf Tiny KWS (DS-CNN)": "keyword_spotting",
    "MLPerf Tiny IC (ResNet-8)": "image_classification",
    "MLPerf Tiny VWW (MobileNet v1 0.25)": "visual_wake_words",
    "ad01_int8": "anomaly_detection",
    "kws_ref_model": "keyword_spotting",
    "pretrainedResnet_quant": "image_classification",
    "person_detect": "person_detection",
}
"""Published models that are among the counted ones. Whoever leaves out one leaves out the other."""


@dataclass(frozen=True)
class Row:
    """A published latency.

    Attributes:
        id, device, core, runtime, build, model, graph, arithmetic, use: columns of ``cortex_m.csv``.
        version: round of MLPerf Tiny, or empty.
        clock_mhz, milliseconds: what was measured.
    """

    id: str
    device: str
    core: str
    clock_mhz: float
    runtime: str
    runtime_version: str
    build: str
    model: str
    graph: str
    arithmetic: str
    milliseconds: float
    use: str
    version: str

    @property
    def cycles(self) -> float:
        """Of one inference."""
        return self.milliseconds * self.clock_mhz * 1000

    @property
    def works(self) -> tuple[Work, ...]:
        """The work of the rebuilt model."""
        return graph_works(self.graph, self.arithmetic)

    @property
    def is_dense(self) -> bool:
        """Whether all its products are of fully connected layers."""
        return all(work.kind == "fully_connected" for work in self.works if work.macs)

    @property
    def name(self) -> str:
        """The model's name, the same in all sources."""
        return COUNTED_AS.get(self.model, self.model)

    @property
    def siblings(self) -> frozenset[str]:
        """The names of all models of its family, its own too: rows of FC_ and of CNN_, or one network with
        inputs of several data sets."""
        family = _family(self.name)
        return frozenset(row.name for row in rows() if _family(row.name) == family)


def _family(name: str) -> str:
    if one := re.match(r"FC 1 x 10|FC 10 x 10|FC 10\+50", name):
        return one[0]
    return name.partition("_")[0] if name.startswith(("FC_", "CNN_")) else name


@functools.cache
def rows() -> tuple[Row, ...]:
    """The rows of ``cortex_m.csv`` that may shape the fit."""
    return tuple(row for row in _read() if not is_blind(name_of(row.device, row.model, row.arithmetic, 1)))


@functools.cache
def blind_rows() -> tuple[Row, ...]:
    """Those that are kept out of every fit (``blind``)."""
    return tuple(row for row in _read() if is_blind(name_of(row.device, row.model, row.arithmetic, 1)))


def _read() -> tuple[Row, ...]:
    with PUBLISHED.open(newline="", encoding="utf-8") as file:
        return tuple(_row(row) for row in csv.DictReader(file))


@functools.cache
def graph_works(graph: str, arithmetic: str) -> tuple[Work, ...]:
    """The work of a graph of ``cortex_m_graphs``."""
    return work_of(parse_tflite(cortex_m_graphs.build(graph, arithmetic)))


@functools.cache
def board_cpu() -> Cpu:
    """The processor of the board that rates are fitted on."""
    return load_target(BOARD).cpu


def fitted_rows(build: str, arithmetic: str) -> tuple[Row, ...]:
    """The rows that rates or float cycles are fitted to, of one build (a value of ``BUILDS``)."""
    return tuple(
        row
        for row in rows()
        if row.use == "fit" and row.arithmetic == arithmetic and BUILDS[row.build] == build
    )


@functools.cache
def counting_model(core: str, left_out: frozenset[str] = frozenset()) -> Model:
    """The instructions alone, without some models; no rates yet."""
    core_only = {core: fit_core(core.removeprefix("cortex-"), left_out)}
    return Model(core_only, {core: {}}, interpreter(), {}, {}, {}, {})


@functools.cache
def instructions(row: Row, cpu: Cpu, left_out: frozenset[str] = frozenset()) -> Mapping[Rate, float]:
    """Instructions of a published int8 model by rate, with coefficients that know nothing of some models."""
    model = counting_model(counted_core(cpu), left_out & frozenset(COUNTED_AS.values()))
    return inference(model, tuple(layer_of(model, work, cpu) for work in row.works))


@functools.cache
def fit_rates(build: str, left_out: frozenset[str] = frozenset()) -> Mapping[Rate, float]:
    """Cycles per instruction of a build on the board, without some models.

    Nonnegative least squares of the relative errors, drawn to the median ratio of cycles to instructions (a
    ridge) as far as ``SPREAD`` and ``ERROR`` say.
    """
    known = [row for row in fitted_rows(build, "int8") if row.name not in left_out]
    counted = [(instructions(row, board_cpu(), left_out), row.cycles) for row in known]
    middle = statistics.median(total / sum(one.values()) for one, total in counted)
    matrix = np.array([[one[rate] / total for rate in RATES] for one, total in counted])
    ridge = np.eye(len(RATES)) * ERROR / SPREAD / middle
    goal = np.concatenate([np.ones(len(matrix)), np.full(len(RATES), ERROR / SPREAD)])
    solution = nnls(np.vstack([matrix, ridge]), goal)
    return {rate: float(value) for rate, value in zip(RATES, solution, strict=True)}


def predicted(row: Row, build: str, left_out: frozenset[str] = frozenset()) -> float:
    """Cycles of a published model on the board, from everything but some models."""
    if row.arithmetic == "int8":
        return cycles(instructions(row, board_cpu(), left_out), fit_rates(build, left_out))
    fitted = fit_float(build, left_out)
    return sum(
        fitted.get(family, {}).get(loop, 0.0) * turns
        for (family, loop), turns in float_loops(row.works).items()
    )


def can_predict(row: Row, build: str, left_out: frozenset[str] = frozenset()) -> bool:
    """Whether a model of its kind, dense or not, is left on the board without its family and some models."""
    left_out = left_out | row.siblings
    return any(
        one.is_dense == row.is_dense and one.name not in left_out
        for one in fitted_rows(build, row.arithmetic)
    )


def log_errors(
    builds: Sequence[str], arithmetic: str, left_out: frozenset[str] = frozenset()
) -> dict[str, float]:
    """Logarithms of measured over predicted cycles on the board, by model, each family left out in turn.

    Errors of one model in several builds are no independent ones: they are averaged. A model is skipped
    where none of its kind is left to tell of it.

    Args:
        builds: values of ``BUILDS``.
        arithmetic: ``int8`` or ``float32``.
        left_out: models that are left out of all of it.
    """
    errors: dict[str, list[float]] = {}
    for name in builds:
        known = [row for row in fitted_rows(name, arithmetic) if row.name not in left_out]
        for row in known:
            if can_predict(row, name, left_out):
                said = predicted(row, name, left_out | row.siblings)
                errors.setdefault(row.name, []).append(math.log(row.cycles / said))
    return {name: statistics.mean(found) for name, found in errors.items()}


@functools.cache
def fit_float(build: str, left_out: frozenset[str] = frozenset()) -> Coefficients:
    """Cycles of float32 kernels by family and loop, without some models."""
    known = [row for row in fitted_rows(build, "float32") if row.name not in left_out]
    totals = [(float_loops(row.works), row.cycles) for row in known]
    names = sorted({key for loops, _ in totals for key in loops} - {UNTOLD})
    matrix = np.array([[loops.get(name, 0.0) / total for name in names] for loops, total in totals])
    solution = nnls(matrix, np.ones(len(matrix)))
    fitted: Coefficients = {}
    for (family, loop), value in zip(names, solution, strict=True):
        fitted.setdefault(family, {})[loop] = float(value)
    # Where no model with a depthwise convolution is left: as a convolution with one input channel.
    conv = fitted.get("conv")
    if conv:
        fitted.setdefault("depthwise", {"macs": conv["macs"] + conv["windows"]})
    return fitted


def float_loops(works: Sequence[Work]) -> dict[tuple[str, str], float]:
    """Turns of the loops of float32 kernels, by family and loop."""
    sums: dict[tuple[str, str], float] = {}
    for work in works:
        family, loops = float_features_of(work)
        for loop, turns in loops.items():
            sums[family, loop] = sums.get((family, loop), 0.0) + turns
    return sums


def layer_milliseconds(row: Row) -> list[float]:
    """Published milliseconds of every operator of a row, in execution order."""
    with PICO_LAYERS.open(newline="", encoding="utf-8") as file:
        return [float(one["latency_ms"]) for one in csv.DictReader(file) if one["id"] == row.id]


def _row(row: Mapping[str, str]) -> Row:
    version = row["source"].split("tiny_results_")[1].split()[0] if "tiny_results_" in row["source"] else ""
    return Row(
        row["id"],
        row["device"],
        row["core"],
        float(row["clock_mhz"]),
        row["runtime"],
        row["runtime_version"],
        row["build"],
        row["model"],
        row["graph"],
        row["arithmetic"],
        float(row["latency_ms"]),
        row["use"],
        version,
    )
