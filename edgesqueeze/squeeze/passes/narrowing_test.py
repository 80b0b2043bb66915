"""What the methods make of values: normal ones, ones with outliers, ones that integers hold exactly."""

import numpy as np
import pytest

from edgesqueeze.graph.ranges import Range
from edgesqueeze.squeeze.passes.histograms import Histogram
from edgesqueeze.squeeze.passes.narrowing import METHODS, divergence, squared_error

NARROWING = ("percentile", "mse", "entropy")


def points_of(*samples):
    found = Histogram(max(float(np.abs(one).max()) for one in samples))
    for one in samples:
        found.add(np.asarray(one, np.float32))
    return found.points()


def normal(count=200, size=500, seed=0):
    return list(np.random.default_rng(seed).normal(size=(count, size)))


def test_minmax_is_all_of_it():
    samples = normal()
    assert METHODS["minmax"](points_of(*samples), 1.0) == pytest.approx(
        (np.min(samples), np.max(samples)), rel=4e-3
    )
    assert METHODS["minmax"](points_of([2.0, 3.0]), 1.0) == (0.0, 3.0)


@pytest.mark.parametrize("share", [0.9, 0.99, 0.999])
def test_percentile_keeps_its_share(share):
    values = np.concatenate(normal())
    found = METHODS["percentile"](points_of(values), share)
    wanted = np.quantile(values, [(1 - share) / 2, (1 + share) / 2])
    np.testing.assert_allclose(found, wanted, rtol=0.01)
    assert METHODS["percentile"](points_of(values), 1.0) == METHODS["minmax"](points_of(values), 1.0)


@pytest.mark.parametrize("name", NARROWING)
@pytest.mark.parametrize("both", [False, True], ids=["one side", "both sides"])
def test_one_outlier_of_a_thousandfold_does_not_decide(name, both):
    samples = normal()
    samples[7][3] = 3000.0
    if both:
        samples[8][4] = -3000.0
    low, high = METHODS[name](points_of(*samples), 0.9999)
    assert -6 < low < -2
    assert 2 < high < 6


@pytest.mark.parametrize("name", NARROWING)
def test_a_tensor_that_never_goes_below_zero_has_a_range_from_zero(name):
    samples = [np.maximum(one, 0) for one in normal()]
    samples[7][3] = 3000.0
    low, high = METHODS[name](points_of(*samples), 0.9999)
    assert low == 0
    assert 2 < high < 6


def test_the_least_error_is_no_larger_than_that_of_any_other_range():
    points = points_of(*np.random.default_rng(0).laplace(size=(200, 500)))
    found = METHODS["mse"](points, 1.0)
    least = squared_error(points, found)
    low, high = METHODS["minmax"](points, 1.0)
    for one in np.linspace(0.1, 1, 40):
        for other in np.linspace(0.1, 1, 40):
            assert least <= 1.02 * squared_error(points, Range(low * one, high * other))


def test_the_squared_error_is_that_of_the_integers():
    samples = normal(20)
    wanted = Range(-2.0, 3.1)
    step = 5.1 / 255
    rounded = np.clip(np.rint(samples / np.float64(step)), -100, 155) * step
    exact = np.sum(np.square(samples - rounded).sum(axis=1) / np.square(samples).sum(axis=1))
    assert squared_error(points_of(*samples), wanted) == pytest.approx(exact, rel=0.02)


def test_what_integers_hold_exactly_is_left_alone():
    pixels = np.random.default_rng(0).integers(0, 256, (50, 784)).astype(np.float32)
    assert METHODS["mse"](points_of(*pixels), 1.0) == (0.0, 255.0)
    assert squared_error(points_of(*pixels), Range(0.0, 255.0)) == pytest.approx(0, abs=1e-9)


def test_divergence_grows_with_what_is_cut_off_and_with_the_step():
    points = points_of(*normal())
    right = divergence(points, Range(-4.0, 4.0))
    assert right < divergence(points, Range(-1.0, 1.0))
    assert right < divergence(points, Range(-400.0, 400.0))
    assert divergence(points_of([3.0, 4.0]), Range(0.0, 1.0)) == float("inf")
