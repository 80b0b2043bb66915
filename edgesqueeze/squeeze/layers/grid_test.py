import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesqueeze.squeeze.layers.grid import (
    NEGLIGIBLE,
    TOP_LEVEL,
    channel_maximum,
    fit_scale,
    levels_from_centroids,
    lift_survivors,
    lloyd,
    project,
    rebuild,
)

SHAPES = [((3, 3, 4, 5), (1, 1, 1, 5)), ((12, 6), (1, 6)), ((3, 3, 4, 2), (1, 1, 4, 2)), ((7, 1), (1, 1))]

settings.register_profile("grid", max_examples=60, deadline=None, derandomize=True)
settings.load_profile("grid")


@st.composite
def kernels(draw, zeros=True):
    """A kernel whose channels differ by many orders of magnitude, and its channel shape."""
    shape, channels = draw(st.sampled_from(SHAPES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kernel = rng.standard_t(3, shape) * np.exp(rng.uniform(-40, 40, channels))
    if draw(st.booleans()):
        kernel = np.abs(kernel) * draw(st.sampled_from([-1, 1]))
    if zeros and draw(st.booleans()):
        kernel = kernel * (rng.uniform(size=shape) < draw(st.floats(0, 1)))
        kernel = kernel * (rng.uniform(size=channels) < 0.8)
    return kernel.astype(np.float32), channels


@st.composite
def level_sets(draw):
    """Levels with both ends at full magnitude, zero and at most 14 others."""
    inner = draw(st.lists(st.integers(-126, 126), max_size=13))
    return np.unique([-TOP_LEVEL, 0, TOP_LEVEL, *inner]).astype(np.int8)


def quantized(kernel, channels):
    """What TFLite stores: symmetric int8, narrow range, one scale per channel, in float32."""
    axes = tuple(axis for axis, size in enumerate(channels) if size == 1)
    largest = np.abs(kernel).max(axis=axes, keepdims=True)
    scale = np.where(largest > 0, largest / np.float32(TOP_LEVEL), np.float32(1))
    return np.rint(kernel / scale).astype(np.int64)


def channel_tops(values, channels):
    axes = tuple(axis for axis, size in enumerate(channels) if size == 1)
    return np.abs(values.astype(np.int64)).max(axis=axes)


@given(kernels(), level_sets(), st.booleans())
def test_project_uses_the_levels_only_and_fills_every_channel(case, levels, keep_zeros):
    kernel, channels = case
    chosen, scale = project(kernel, levels, channels, keep_zeros=keep_zeros)
    assert np.isin(chosen, levels).all()
    assert scale.shape == channels
    assert (scale > 0).all()
    filled = channel_tops(kernel != 0, channels) > 0
    assert (channel_tops(chosen, channels)[filled] == TOP_LEVEL).all()
    assert (chosen[kernel == 0] == 0).all() or not keep_zeros
    if keep_zeros:
        np.testing.assert_array_equal(chosen == 0, kernel == 0)


@given(kernels(), level_sets(), st.booleans())
def test_what_project_gives_arrives_as_the_same_integers(case, levels, keep_zeros):
    kernel, channels = case
    chosen, scale = project(kernel, levels, channels, keep_zeros=keep_zeros)
    np.testing.assert_array_equal(quantized(rebuild(chosen, scale), channels), chosen)


@given(kernels(), level_sets())
def test_any_positive_scale_keeps_the_integers(case, levels):
    kernel, channels = case
    chosen, scale = project(kernel, levels, channels, keep_zeros=False)
    trained = scale * np.random.default_rng(0).uniform(1e-3, 3, channels).astype(np.float32)
    np.testing.assert_array_equal(quantized(rebuild(chosen, trained), channels), chosen)


@given(kernels())
def test_the_fitted_scale_is_the_best_one(case):
    kernel, channels = case
    levels = np.array([-127, -60, 0, 60, 127], np.int8)
    chosen, scale = project(kernel, levels, channels, keep_zeros=False)
    axes = tuple(axis for axis, size in enumerate(channels) if size == 1)

    def error(factor):
        unit = chosen.astype(np.float64) / TOP_LEVEL
        return ((kernel - unit * scale.astype(np.float64) * factor) ** 2).sum(axis=axes)

    for factor in (0.99, 1.01):
        assert (error(1.0) <= error(factor) * (1 + 1e-9)).all()


@given(kernels())
def test_survivors_that_count_do_not_round_to_zero_and_hardly_move(case):
    kernel, channels = case
    lifted = lift_survivors(kernel, channels)
    step = channel_maximum(kernel, channels) / np.float32(TOP_LEVEL)
    negligible = np.abs(kernel) < step * NEGLIGIBLE
    np.testing.assert_array_equal(quantized(lifted, channels) == 0, negligible)
    assert (lifted[negligible] == 0).all()
    assert (np.abs(lifted.astype(np.float64) - kernel) <= 0.501 * step.astype(np.float64)).all()
    assert (np.sign(lifted) == np.sign(kernel))[~negligible].all()


@given(kernels(), st.integers(1, 20))
def test_lloyd_never_makes_the_error_larger(case, count):
    kernel = case[0] / channel_maximum(*case)
    start = np.random.default_rng(count).uniform(-1, 1, count).astype(np.float32)

    def error(centroids):
        return (np.abs(kernel.reshape(-1, 1) - centroids.astype(np.float64)).min(axis=1) ** 2).sum()

    found = lloyd(kernel, start)
    assert found.shape == start.shape
    assert (np.diff(found) >= 0).all()
    assert error(found) <= error(start) * (1 + 1e-6) + 1e-12


def test_lloyd_finds_separated_groups():
    values = np.array([-5.1, -4.9, 0.9, 1.1, 1.0, 7.0], np.float32)
    np.testing.assert_allclose(lloyd(values, np.array([-1, 0, 2], np.float32)), [-5, 1, 7], atol=1e-6)


def test_lloyd_without_values_leaves_the_centroids():
    np.testing.assert_array_equal(
        lloyd(np.zeros(0, np.float32), np.array([1, -1], np.float32)), np.array([-1, 1], np.float32)
    )


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=40))
def test_levels_are_no_more_than_centroids_and_reach_full_magnitude(values):
    centroids = np.array(values, np.float32)
    levels = levels_from_centroids(centroids)
    assert levels.dtype == np.int8
    assert levels.size <= centroids.size
    assert (np.diff(levels.astype(int)) > 0).all()
    assert np.abs(levels.astype(int)).max() in (0, TOP_LEVEL)
    if (levels > 0).any():
        assert levels.max() == TOP_LEVEL
    if (levels < 0).any():
        assert levels.min() == -TOP_LEVEL
    if (centroids == 0).all():
        assert levels.tolist() == [0]


@pytest.mark.parametrize(("shape", "channels"), SHAPES)
def test_a_channel_of_zeros_stays_a_channel_of_zeros(shape, channels):
    kernel = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    kernel[..., 0] = 0
    levels = np.array([-127, -40, 0, 40, 127], np.int8)
    for keep_zeros in (False, True):
        chosen, scale = project(kernel, levels, channels, keep_zeros=keep_zeros)
        assert not chosen[..., 0].any()
        assert np.isfinite(rebuild(chosen, scale)).all()
    assert (fit_scale(kernel, np.zeros(shape, np.int8), channels) == 1).all()
