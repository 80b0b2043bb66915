"""How far two sets of outputs are apart, and how far rounding alone can bring them.

Every limit on a difference is here: those on what one operator may be off, and those on the outputs of a
whole model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edgesqueeze.base.arrays import Array
from edgesqueeze.graph import Graph, Tensor
from edgesqueeze.graph.affine import quantized_twin

TOLERANCE_LSB = 2.0
"""What one operator alone may be off: one rounding differs by 1, operators of several steps by more."""
INT16_FACTOR = 16
"""A 16-bit tensor's steps are 256 times finer; its operators may be off by so many times more of them."""
STEP_FACTOR = 2
"""One step of an LSTM is two products of matrices, five activations and three products: it may be off by so
many times more than another operator. Measured are 3 steps of its 8-bit output at most."""
FLOAT_TOLERANCE = 1e-4
"""What one float operator may be off, over the largest value: sums depend on their order."""
HYBRID_TOLERANCE = 0.05
"""The same for float operators with int8 weights: each runtime quantizes their input in its own way."""
FLOAT_NOISE = 1e-6
"""Below this share of the largest value, float operators count as equal."""
CARRIED_MEAN_LSB = 16.0
"""Rounding that a network carries on stays below this on average; measured are 4 at most."""
UNEXPLAINED_LSB = 10.0
"""What integer outputs may be off where operators cannot be run alone."""
FLOAT_OUTPUT_TOLERANCE = 1e-3
"""What float outputs may be off, over the largest value; a wrong kernel is off by much of the range."""


class Figures(NamedTuple):
    """How far outputs are apart, over all samples and all outputs.

    Attributes:
        max_lsb: largest difference in steps of an integer output's scale; None without an integer output.
        mean_lsb: mean of the absolute differences in steps; None without an integer output.
        max_relative: for float outputs, the largest difference over the expected outputs' largest value;
            None without a float output.
        differing_share: share of output values that differ, 0 to 1.
    """

    max_lsb: float | None
    mean_lsb: float | None
    max_relative: float | None
    differing_share: float

    @property
    def size(self) -> tuple[float, float, float]:
        """For comparing: of two distances, the larger one sorts last."""
        return self.max_lsb or 0.0, self.max_relative or 0.0, self.mean_lsb or 0.0


class Distance(NamedTuple):
    """Two sets of outputs of the same samples, compared.

    Attributes:
        figures: how far they are apart.
        per_sample: ``[n]``, by how much each sample differs, in no particular unit.
        is_one_rounding: whether every output is within what a single operator may be off.
    """

    figures: Figures
    per_sample: npt.NDArray[np.float64]
    is_one_rounding: bool


def distance_of(
    graph: Graph, expected: Sequence[Sequence[Array]], actual: Sequence[Sequence[Array]]
) -> Distance:
    """Compare outputs.

    Args:
        graph: whose outputs they are.
        expected: per sample, one array per graph output.
        actual: the same of another runtime, with as many values and of the same types.
    """
    steps: list[npt.NDArray[np.float64]] = []
    relative: list[npt.NDArray[np.float64]] = []
    per_sample = np.zeros(len(expected))
    is_one_rounding = True
    for i, tensor in enumerate(graph.output_tensors):
        want, have = (
            np.stack([np.asarray(row[i]).reshape(-1) for row in rows]) for rows in (expected, actual)
        )
        twin = quantized_twin(graph, tensor)
        difference, is_lsb = difference_of(twin, want, have)
        if not difference.size:
            continue
        limit = lsb_limit(twin) if is_lsb else FLOAT_OUTPUT_TOLERANCE
        is_one_rounding = is_one_rounding and bool(difference.max() <= limit)
        (steps if is_lsb else relative).append(difference)
        per_sample += difference.max(axis=1)
    return Distance(_figures(steps, relative), per_sample, is_one_rounding)


def lsb_limit(tensor: Tensor, tolerance_lsb: float = TOLERANCE_LSB) -> float:
    """What one operator may be off in steps of its output.

    Args:
        tensor: the output.
        tolerance_lsb: the limit for 8-bit outputs, in steps.
    """
    return tolerance_lsb * (INT16_FACTOR if tensor.dtype == "int16" else 1)


def difference_of(tensor: Tensor, want: Array, have: Array) -> tuple[npt.NDArray[np.float64], bool]:
    """Absolute differences, and whether they count steps (LSB) or are relative to the largest value.

    Args:
        tensor: what the values are of; for a float output that was just dequantized, the integer tensor.
        want: the reference's values.
        have: the other runtime's.
    """
    with np.errstate(invalid="ignore"):
        difference = np.abs(want.astype(np.float64) - have.astype(np.float64))
    difference[(want == have) | ((want != want) & (have != have))] = 0
    difference[np.isnan(difference)] = np.inf
    if not np.issubdtype(want.dtype, np.floating):
        return difference, True
    if tensor.dtype != "float32" and tensor.quantization is not None:
        return (difference / tensor.quantization.scale).round(3), True
    largest = float(np.abs(want[np.isfinite(want)]).max(initial=0.0)) or 1.0
    return difference / largest, False


def _figures(steps: Sequence[Array], relative: Sequence[Array]) -> Figures:
    lsb = np.concatenate([part.ravel() for part in steps]) if steps else None
    every = (
        np.concatenate([part.ravel() for part in (*steps, *relative)]) if steps or relative else np.zeros(1)
    )
    return Figures(
        max_lsb=None if lsb is None else float(lsb.max()),
        mean_lsb=None if lsb is None else float(lsb.mean()),
        max_relative=max(float(part.max()) for part in relative) if relative else None,
        differing_share=float(np.mean(every > 0)),
    )
