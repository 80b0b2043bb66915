"""Rounding to levels: what is found is never worse than the nearest levels, and as good as it can be."""

import itertools

import numpy as np
import pytest

from edgesqueeze.squeeze.passes.lattice import Problem, solve, solve_with_scales

FIFTEEN = np.arange(-7, 8) / 7


def problem(rows=4, inputs=6, seed=0, levels=FIFTEEN, own=False, **options):
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(rows, inputs, inputs) if own else (inputs, inputs))
    mixed[..., 1, :] += mixed[..., 0, :]
    weights = rng.normal(size=(rows, inputs))
    return Problem(weights, mixed @ np.swapaxes(mixed, -1, -2) / inputs, levels, **options).damped()


def tops(one):
    return np.abs(one.weights).max(axis=1)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_it_is_better_than_the_nearest_levels(own, seed):
    one = problem(8, 24, seed, own=own)
    plain = one.error(one.nearest(one.weights, tops(one)))
    found = one.error(solve(one, tops(one)))
    assert (found <= plain).all()
    assert found.sum() < 0.7 * plain.sum()


@pytest.mark.parametrize("own", [False, True])
def test_it_comes_near_the_best_of_all(own):
    one = problem(5, 4, levels=np.arange(-2, 3) / 2, own=own)
    scales = tops(one)
    choices = np.array(list(itertools.product(one.levels, repeat=4)))
    best = np.min([one.error(np.tile(choice, (5, 1)) * scales[:, None]) for choice in choices], axis=0)
    found = one.error(solve(one, scales))
    assert (found >= best - 1e-12).all()
    assert found.sum() < 1.1 * best.sum()


def test_levels_zeros_and_fixed_weights_are_kept():
    rng = np.random.default_rng(3)
    zero = rng.random((6, 20)) < 0.4
    one = problem(6, 20, seed=1)
    top = np.abs(one.weights) == tops(one)[:, None]
    zero &= ~top
    fixed = np.where(top, np.sign(one.weights), np.nan)
    one = Problem(np.where(zero, 0, one.weights), one.covariance, one.levels, zero, fixed)
    scales = tops(one)
    found = solve(one, scales) / scales[:, None]
    np.testing.assert_array_equal(found == 0, zero)
    np.testing.assert_allclose(found * 7, np.rint(found * 7), atol=1e-9)
    np.testing.assert_array_equal(found[top], fixed[top])


def test_uneven_levels():
    levels = np.array([-1.0, -0.3, 0.0, 0.1, 0.7])
    one = problem(6, 20, levels=levels)
    found = solve(one, tops(one)) / tops(one)[:, None]
    assert np.isin(np.round(found, 9), levels).all()


@pytest.mark.parametrize("shared", [False, True])
def test_scales_are_fitted(shared):
    one = problem(6, 20)
    scales = np.full(6, tops(one).max()) if shared else tops(one)
    found, fitted = solve_with_scales(one, scales, shared=shared)
    assert one.error(found).sum() < one.error(solve(one, scales)).sum()
    assert (np.unique(fitted).size == 1) == shared
    np.testing.assert_allclose(found / fitted[:, None] * 7, np.rint(found / fitted[:, None] * 7), atol=1e-9)


def test_inputs_that_are_always_zero():
    one = problem(3, 5)
    silent = one.covariance.copy()
    silent[2], silent[:, 2] = 0, 0
    one = Problem(one.weights, silent, FIFTEEN).damped()
    assert np.isfinite(solve(one, tops(one))).all()
