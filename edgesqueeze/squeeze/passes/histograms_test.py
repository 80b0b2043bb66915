import numpy as np
import pytest

from edgesqueeze.squeeze.passes.histograms import Histogram


def seen(*samples, largest=None):
    found = Histogram(largest or max(float(np.abs(one).max()) for one in samples))
    for one in samples:
        found.add(np.asarray(one, np.float32))
    return found.points()


def test_whole_numbers_stay_apart_and_are_exact():
    points = seen(np.repeat(np.arange(-100, 256), 3), largest=255)
    np.testing.assert_array_equal(points.values, np.arange(-100, 256))
    np.testing.assert_array_equal(points.counts, 3)


def test_values_are_means_of_bins_whose_ends_differ_by_no_more_than_a_256th():
    values = np.random.default_rng(0).normal(size=50_000).astype(np.float32)
    points = seen(values)
    assert points.counts.sum() == len(values)
    assert points.values @ points.counts == pytest.approx(float(values.sum()), abs=1e-2)
    some = points.values != 0
    assert (points.widths[some] <= np.abs(points.values[some]) / 256 * 1.01).all()
    assert (np.diff(points.values) > 0).all()


def test_an_outlier_leaves_the_rest_its_detail():
    values = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    with_one = seen(np.append(values, np.float32(1e4)))
    without = seen(values)
    assert abs(len(with_one.values) - len(without.values)) <= 2


def test_a_larger_value_than_expected_is_counted():
    points = seen([1.0, 3.0, 1e9], largest=1.0)
    assert points.counts.sum() == 4 - 1
    assert points.values[-1] == 1e9


def test_by_weight_the_squares_of_every_sample_are_1():
    rng = np.random.default_rng(0)
    samples = [rng.normal(size=1000) * size for size in (0.01, 1.0, 3000.0)]
    points = seen(*samples)
    assert points.weights @ np.square(points.values) == pytest.approx(3, rel=1e-3)


def test_nothing_but_zeros_is_one_point():
    points = seen(np.zeros(5), largest=1.0)
    assert (points.values, points.counts, points.weights) == (0, 5, 0)
