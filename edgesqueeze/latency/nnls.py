"""Least squares with coefficients that are not negative: a cost cannot give time back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def nnls(matrix: Floats, target: Floats) -> Floats:
    """Minimize ``|matrix @ x - target|`` over ``x >= 0``, by the active-set method.

    Source: Lawson and Hanson, Solving Least Squares Problems (1974), chapter 23.

    Args:
        matrix: (rows, columns).
        target: (rows,).

    Returns:
        (columns,); a column of zeros gets 0.
    """
    sizes = np.linalg.norm(matrix, axis=0)
    used = sizes > 0
    scaled = matrix[:, used] / sizes[used]  # columns of one size: the choice below compares them
    x = np.zeros(scaled.shape[1])
    active = np.zeros(x.size, bool)
    for _ in range(10 * x.size):
        gradient = np.where(active, -np.inf, scaled.T @ (target - scaled @ x))
        if active.all() or gradient.max() <= 1e-10:
            break
        active[np.argmax(gradient)] = True
        x = _descend(scaled, target, x, active)
    result = np.zeros(matrix.shape[1])
    result[used] = x / sizes[used]
    return result


def _descend(matrix: Floats, target: Floats, x: Floats, active: npt.NDArray[np.bool_]) -> Floats:
    """The solution with these columns, without those that would become negative; changes ``active``."""
    while True:
        wanted = np.zeros(x.size)
        wanted[active] = np.linalg.lstsq(matrix[:, active], target, rcond=None)[0]
        negative = active & (wanted <= 0)
        if not negative.any():
            return wanted
        share = float(np.min(x[negative] / (x[negative] - wanted[negative])))
        x = x + share * (wanted - x)
        active &= x > 1e-14
