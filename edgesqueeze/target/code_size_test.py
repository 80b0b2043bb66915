from __future__ import annotations

import numpy as np
import pytest

from edgesqueeze.target.code_size import (
    CONVOLUTIONS,
    LINES,
    MEASURED,
    MEASURED_CORES,
    STAND_IN_ERROR_PERCENT,
    STAND_INS,
    estimate_code_size,
)
from edgesqueeze.target.records import CORES
from edgesqueeze.target.runtimes import TFLM_RESOLVER_METHODS


def rows(core: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    column = MEASURED_CORES.index(core)
    features = []
    for kinds, _ in MEASURED.values():
        distinct = set(kinds.split())
        features.append([1, len(distinct & CONVOLUTIONS), len(distinct - CONVOLUTIONS)])
    sizes = [figures[column] for _, figures in MEASURED.values()]
    return np.array(features, float), np.array(sizes, float), [kinds for kinds, _ in MEASURED.values()]


@pytest.mark.parametrize("core", MEASURED_CORES)
def test_lines_are_the_least_squares_fit(core: str) -> None:
    features, sizes, _ = rows(core)
    solution, *_ = np.linalg.lstsq(features, sizes, rcond=None)
    assert np.allclose(solution, LINES[core][:3], atol=1)


@pytest.mark.parametrize("core", MEASURED_CORES)
def test_stated_error_holds_for_operators_left_out(core: str) -> None:
    features, sizes, kinds = rows(core)
    worst = 0.0
    for index, own in enumerate(kinds):
        others = [row for row, other in enumerate(kinds) if other != own]
        solution, *_ = np.linalg.lstsq(features[others], sizes[others], rcond=None)
        worst = max(worst, abs(features[index] @ solution - sizes[index]) / sizes[index])
    assert LINES[core].error_percent - 1 < 100 * worst <= LINES[core].error_percent


@pytest.mark.parametrize("core", MEASURED_CORES)
@pytest.mark.parametrize("model", MEASURED)
def test_measured_size_is_within_the_error(core: str, model: str) -> None:
    kinds, figures = MEASURED[model]
    size = estimate_code_size(core, kinds.split())
    assert size is not None
    measured = figures[MEASURED_CORES.index(core)]
    assert abs(size.code_bytes - measured) <= measured * LINES[core].error_percent / 100
    assert size.code_bytes < size.high_bytes


def test_every_microcontroller_core_has_an_estimate() -> None:
    for name, core in CORES.items():
        assert (estimate_code_size(name, {"ADD"}) is not None) == core.microcontroller


def test_stand_ins_say_so() -> None:
    for core in STAND_INS:
        size = estimate_code_size(core, {"CONV_2D"})
        assert size is not None
        assert f"{core} was not measured, {STAND_IN_ERROR_PERCENT} % assumed" in size.method


def test_the_figures_are_those_that_were_measured() -> None:
    """A slip in a single digit would hardly show in the fit."""
    sums = [sum(figures[column] for _, figures in MEASURED.values()) for column in range(4)]
    assert sums == [357520, 400064, 384580, 328980]


def test_by_hand() -> None:
    size = estimate_code_size("cortex-m4", ["CONV_2D", "ADD", "RESHAPE"])
    assert size is not None
    assert size.code_bytes == 33634 + 7106 + 2 * 1394
    assert size.high_bytes == size.code_bytes * 112 // 100
    assert size.method == (
        "estimated for TFLM with CMSIS-NN from eight models on cortex-m4, off by at most 12 % there"
    )
    nothing = estimate_code_size("cortex-m55", [])
    assert nothing is not None
    assert (nothing.code_bytes, nothing.high_bytes) == (23644, 23644 * 111 // 100)


@pytest.mark.parametrize(
    ("core", "measured"),
    [
        ("cortex-m0", "cortex-m3"),
        ("cortex-m0plus", "cortex-m3"),
        ("cortex-m33", "cortex-m4"),
        ("cortex-m85", "cortex-m55"),
    ],
)
def test_a_core_that_was_not_measured_has_the_code_of_another_and_a_larger_error(
    core: str, measured: str
) -> None:
    kinds = ["CONV_2D", "DEPTHWISE_CONV_2D", "SOFTMAX"]
    size, same = estimate_code_size(core, kinds), estimate_code_size(measured, kinds)
    assert size is not None and same is not None
    assert size.code_bytes == same.code_bytes
    assert size.high_bytes == size.code_bytes * 125 // 100 > same.high_bytes
    assert size.method.startswith("estimated for TFLM with CMSIS-NN from eight models on " + measured)


def test_kinds_count_once() -> None:
    assert estimate_code_size("cortex-m4", ["ADD", "ADD"]) == estimate_code_size("cortex-m4", ["ADD"])


def test_names_are_operators() -> None:
    names = {name for kinds, _ in MEASURED.values() for name in kinds.split()} | CONVOLUTIONS
    assert names <= set(TFLM_RESOLVER_METHODS)
