import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesqueeze.latency.nnls import nnls


def best_of_all_supports(matrix, target):
    """The answer by trying every set of columns."""
    best = np.zeros(matrix.shape[1])
    for size in range(1, matrix.shape[1] + 1):
        for columns in itertools.combinations(range(matrix.shape[1]), size):
            found = np.linalg.lstsq(matrix[:, columns], target, rcond=None)[0]
            candidate = np.zeros(matrix.shape[1])
            candidate[list(columns)] = found
            if (found >= 0).all() and loss(matrix, target, candidate) < loss(matrix, target, best):
                best = candidate
    return best


def loss(matrix, target, x):
    return float(np.sum((matrix @ x - target) ** 2))


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(3, 12))
def test_no_set_of_columns_is_better(seed, columns, rows):
    rng = np.random.default_rng(seed)
    matrix, target = rng.normal(size=(rows, columns)), rng.normal(size=rows)
    matrix *= 10.0 ** rng.integers(-6, 6, columns)
    found = nnls(matrix, target)
    assert (found >= 0).all()
    assert loss(matrix, target, found) <= loss(matrix, target, best_of_all_supports(matrix, target)) + 1e-9


def test_exact_costs_are_found_again():
    rng = np.random.default_rng(1)
    matrix, costs = rng.uniform(0, 1, (40, 6)), np.array([3.0, 0.0, 1e-3, 2.0, 0.0, 7.0])
    assert nnls(matrix, matrix @ costs) == pytest.approx(costs, abs=1e-9)


def test_an_empty_column_costs_nothing():
    assert nnls(np.array([[1.0, 0.0], [2.0, 0.0]]), np.array([2.0, 4.0])) == pytest.approx([2.0, 0.0])
