"""Fits cycles of TFLM's float32 kernels on a Cortex-M0+, which computes floating point in software."""

from __future__ import annotations

import functools

import numpy as np
from tflm_counts import Coefficients
from tflm_published import Row, fit_float, float_loops, rows

from edgesqueeze.latency.nnls import nnls

CORE = "cortex-m0plus"
MEASURED = (("fully_connected", "macs"), ("fully_connected", "outputs"), ("softmax", "touched"))
"""Families and loops of the networks that were measured."""


def soft_rows() -> tuple[Row, ...]:
    """Published latencies of float32 models on the core."""
    return tuple(row for row in rows() if (row.core, row.arithmetic) == (CORE, "float32"))


@functools.cache
def fit_soft(left_out: frozenset[str] = frozenset()) -> Coefficients:
    """Cycles by family and loop, without some models.

    Fully connected layers and softmax were measured. All other kernels are taken to be slower than on the
    Cortex-M4 without its FPU by as much as products of fully connected layers are.
    """
    known = [row for row in soft_rows() if row.name not in left_out]
    matrix = np.array([[soft_loops(row).get(key, 0.0) / row.cycles for key in MEASURED] for row in known])
    found: Coefficients = {}
    for (family, loop), value in zip(MEASURED, nnls(matrix, np.ones(len(known))), strict=True):
        found.setdefault(family, {})[loop] = float(value)
    board = fit_float("none")
    slower = found["fully_connected"]["macs"] / board["fully_connected"]["macs"]
    for family, loops in board.items():
        found.setdefault(family, {loop: value * slower for loop, value in loops.items()})
    return found


def soft_cycles(row: Row, left_out: frozenset[str] = frozenset()) -> float:
    """Cycles of a float32 model on the core, from everything but some models."""
    fitted = fit_soft(left_out)
    return sum(
        fitted.get(family, {}).get(loop, 0.0) * turns for (family, loop), turns in soft_loops(row).items()
    )


def soft_loops(row: Row) -> dict[tuple[str, str], float]:
    """Turns of the loops of a model's kernels, by family and loop."""
    return float_loops(row.works)
