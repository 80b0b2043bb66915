"""Weights on a grid of levels, such that the squared error of what they are multiplied with is least.

The error of a row of weights is ``(q - w) H (q - w)`` with the covariance ``H`` of the inputs, so that the
weights of a row are not independent: what rounding one of them spoils, others make up for. The levels are
first chosen one after the other, each error being passed on to the weights that come (Frantar et al., 2023,
arXiv:2210.17323), then each anew with all others as they are until none changes (Behdin et al., 2023,
arXiv:2309.01885), which never makes the error larger. Both minimize what adaptive rounding does (Nagel et
al., 2020, arXiv:2004.10568), without its gradient descent. NumPy only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

DAMPING = 0.01
"""Part of the mean variance of the inputs that is added to each: few samples know little."""
SWEEPS = 20
"""How often each weight is chosen anew, at most."""
REFITS = 3
"""How often the scales are fitted to the levels, and the levels to the scales."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows of weights that are to be put on levels.

    Attributes:
        weights: what they would be without rounding, ``[rows, inputs]``.
        covariance: of the inputs, ``[inputs, inputs]``, or one for each row, ``[rows, inputs, inputs]``.
        levels: the allowed levels, ascending, ``[levels]``; the largest magnitude is 1.
        zero: weights that are 0 and stay it, ``[rows, inputs]``; None: any may be zero. Others then may not.
        fixed: the level of each weight that has to have it, ``[rows, inputs]``; not a number: it is free.
    """

    weights: Doubles
    covariance: Doubles
    levels: Doubles
    zero: Bools | None = None
    fixed: Doubles | None = None

    def damped(self) -> Problem:
        """With some variance added to each input."""
        diagonal = np.diagonal(self.covariance, axis1=-2, axis2=-1)
        added = DAMPING * diagonal.mean(axis=-1)
        # What is 0 for all samples has no error at all; it needs a value all the same.
        added = np.where(added > 0, added, 1.0)
        extra = added[..., None, None] * np.eye(diagonal.shape[-1])
        return replace(self, covariance=self.covariance + extra)

    def error(self, found: Doubles) -> Doubles:
        """The squared error of each row, ``[rows]``."""
        off = found - self.weights
        errors: Doubles = np.einsum("ri,ri->r", off, self.tilted(off))
        return errors

    def tilted(self, rows: Doubles) -> Doubles:
        """Rows times the covariance."""
        if self.covariance.ndim == 2:
            return rows @ self.covariance
        found: Doubles = np.einsum("ri,rij->rj", rows, self.covariance)
        return found

    def nearest(self, values: Doubles, scales: Doubles, column: int | None = None) -> Doubles:
        """The allowed level nearest to each value, times the scale.

        Args:
            values: ``[rows]`` for one column, else ``[rows, inputs]``.
            scales: that of each row, ``[rows]``.
            column: which input; None: all.
        """
        where = (slice(None), slice(None) if column is None else column)
        scale = scales[:, None] if column is None else scales
        if self.zero is None:
            found = _nearest(values / scale, self.levels)
        else:
            found = np.where(self.zero[where], 0.0, _nearest(values / scale, self.levels[self.levels != 0]))
        if self.fixed is not None:
            found = np.where(np.isnan(self.fixed[where]), found, self.fixed[where])
        return found * scale


def _nearest(values: Doubles, levels: Doubles) -> Doubles:
    return levels[np.searchsorted((levels[1:] + levels[:-1]) / 2, values)]


def solve(problem: Problem, scales: Doubles) -> Doubles:
    """Weights on the levels, with the scale of each row given.

    Args:
        problem: the rows; damped, so that the covariance can be inverted.
        scales: what the level 1 stands for, ``[rows]``.

    Returns:
        ``[rows, inputs]``; no row has a larger error than with each weight at the level nearest to it.
    """
    plain = problem.nearest(problem.weights, scales)
    started = (plain, _passed_on(problem, scales))
    found = [_descended(problem, scales, one) for one in started]
    errors = [problem.error(one) for one in found]
    return np.where((errors[1] < errors[0])[:, None], found[1], found[0])


def solve_with_scales(problem: Problem, scales: Doubles, *, shared: bool) -> tuple[Doubles, Doubles]:
    """Weights on the levels, and scales that fit them better than those given.

    Args:
        problem: the rows; damped.
        scales: where to begin, ``[rows]``.
        shared: whether all rows have one scale.

    Returns:
        The weights, ``[rows, inputs]``, and the scales, ``[rows]``.
    """
    best = solve(problem, scales)
    for _ in range(REFITS):
        levels = best / scales[:, None]
        tilted = problem.tilted(levels)
        dots = np.einsum("ri,ri->r", tilted, problem.weights)
        norms = np.einsum("ri,ri->r", tilted, levels)
        if shared:
            dots, norms = np.full_like(dots, dots.sum()), np.full_like(norms, norms.sum())
        fitted = np.where((norms > 0) & (dots > 0), dots / np.where(norms > 0, norms, 1), scales)
        tried = solve(problem, fitted)
        better = problem.error(tried) < problem.error(best)
        if shared:
            better = np.full_like(better, problem.error(tried).sum() < problem.error(best).sum())
        if not better.any():
            break
        best, scales = np.where(better[:, None], tried, best), np.where(better, fitted, scales)
    return best, scales


def _passed_on(problem: Problem, scales: Doubles) -> Doubles:
    """Levels chosen one after the other, the error of each passed on to those that come."""
    diagonal = np.diagonal(problem.covariance, axis1=-2, axis2=-1)
    order = np.argsort(-diagonal.reshape(-1, diagonal.shape[-1]).mean(axis=0), kind="stable")
    ordered = problem.covariance[..., order[:, None], order]
    upper = np.swapaxes(np.linalg.cholesky(np.linalg.inv(ordered)), -1, -2)
    left = problem.weights[:, order].copy()
    found = np.empty_like(problem.weights)
    for place, column in enumerate(order):
        chosen = problem.nearest(left[:, place], scales, int(column))
        found[:, column] = chosen
        row = upper[..., place, :]
        share = (left[:, place] - chosen) / row[..., place]
        left[:, place + 1 :] -= share[:, None] * row[..., place + 1 :]
    return found


def _descended(problem: Problem, scales: Doubles, start: Doubles) -> Doubles:
    """Each level chosen anew with the others as they are, until none changes."""
    found = start.copy()
    slopes = problem.tilted(found - problem.weights)
    for _ in range(SWEEPS):
        changed = False
        for column in range(found.shape[1]):
            row = problem.covariance[..., column, :]
            wanted = found[:, column] - slopes[:, column] / row[..., column]
            chosen = problem.nearest(wanted, scales, column)
            moved = chosen - found[:, column]
            if moved.any():
                changed = True
                found[:, column] = chosen
                slopes += moved[:, None] * row
        if not changed:
            break
    return found
