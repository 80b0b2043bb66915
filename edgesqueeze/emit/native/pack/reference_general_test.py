"""The general portable kernels on the host, compiled with UBSan, against plain NumPy."""

import ctypes
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesqueeze.emit.native.pack.reference_test import shapes
from runtime_tests.support.c_kernels import (
    GUARD,
    Conv2dGeneral,
    DepthwiseGeneral,
    FullyConnectedGeneral,
    GeneralOutput,
    compile_kernels,
    geometry,
    int8s,
    pointer,
    requantize,
    windows,
)

SEEDS = st.integers(0, 1 << 30)


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    return compile_kernels(tmp_path_factory.mktemp("kernels"))


def general_output(rng, count):
    """Channels with any scale, as the kernels get them."""
    multipliers = rng.integers(1 << 30, 1 << 31, count)
    multipliers[rng.integers(0, 8, count) == 0] = 0
    shifts = rng.choice([-31, -30, -9, -5, -2, -1, 0, 1, 2, 20, 30], count)
    bias = rng.integers(-5000, 5000, count)
    records = np.stack([bias, multipliers, shifts], axis=1).astype(np.int32)
    low, high = np.sort(rng.integers(-128, 128, 2)).tolist()
    zero_point = int(rng.integers(-128, 128))
    meaning = SimpleNamespace(bias=bias, multipliers=multipliers, shifts=shifts, zero_point=zero_point)
    return GeneralOutput(pointer(records), zero_point, low, high), meaning, records


@settings(derandomize=True, deadline=None)
@given(shape=shapes(), groups=st.integers(1, 3), seed=SEEDS)
def test_conv2d_general(kernels, shape, groups, seed):
    rng = np.random.default_rng(seed)
    filters, taps = shape.out_channels * groups, (shape.kernel_height, shape.kernel_width)
    grouped = SimpleNamespace(**geometry(shape))
    grouped.in_channels, grouped.out_channels = shape.in_channels * groups, filters
    weights = int8s(rng, filters, *taps, shape.in_channels)
    activations = int8s(rng, shape.in_height, shape.in_width, grouped.in_channels)
    output, meaning, _records = general_output(rng, filters)
    zero_point = int(rng.integers(-128, 128))
    seen = windows(grouped, activations, zero_point) - zero_point
    sums = np.einsum(
        "yxijgk,goijk->yxgo",
        seen.reshape(*seen.shape[:4], groups, shape.in_channels),
        weights.astype(np.int64).reshape(groups, shape.out_channels, *taps, shape.in_channels),
    )
    expected = requantize(sums.reshape(*sums.shape[:2], filters), meaning, output.minimum, output.maximum)
    layer = Conv2dGeneral(
        pointer(weights),
        output,
        **vars(grouped),
        filter_channels=shape.in_channels,
        input_zero_point=zero_point,
    )
    check_general(kernels.es_conv2d_general_s8, layer, activations, expected)


def check_general(kernel, layer, activations, expected):
    result = np.full(expected.size + 1, GUARD, np.int8)
    kernel(ctypes.byref(layer), pointer(activations), pointer(result))
    assert result[-1] == GUARD
    np.testing.assert_array_equal(result[:-1], expected.reshape(-1))


@settings(derandomize=True, deadline=None)
@given(shape=shapes(depthwise=True), depth_multiplier=st.integers(1, 3), seed=SEEDS)
def test_depthwise_general(kernels, shape, depth_multiplier, seed):
    rng = np.random.default_rng(seed)
    filters = shape.in_channels * depth_multiplier
    weights = int8s(rng, shape.kernel_height, shape.kernel_width, filters)
    activations = int8s(rng, shape.in_height, shape.in_width, shape.in_channels)
    output, meaning, _records = general_output(rng, filters)
    zero_point = int(rng.integers(-128, 128))
    seen = np.repeat(windows(shape, activations, zero_point) - zero_point, depth_multiplier, axis=4)
    sums = np.einsum("yxijk,ijk->yxk", seen, weights.astype(np.int64))
    expected = requantize(sums, meaning, output.minimum, output.maximum)
    layer = DepthwiseGeneral(
        pointer(weights),
        output,
        **(geometry(shape) | {"out_channels": filters}),
        input_zero_point=zero_point,
    )
    check_general(kernels.es_depthwise_conv2d_general_s8, layer, activations, expected)


@settings(derandomize=True, deadline=None)
@given(in_features=st.integers(1, 40), out_features=st.integers(1, 9), seed=SEEDS)
def test_fully_connected_general(kernels, in_features, out_features, seed):
    rng = np.random.default_rng(seed)
    weights, activations = int8s(rng, out_features, in_features), int8s(rng, in_features)
    output, meaning, _records = general_output(rng, out_features)
    zero_point = int(rng.integers(-128, 128))
    sums = weights.astype(np.int64) @ (activations.astype(np.int64) - zero_point)
    expected = requantize(sums, meaning, output.minimum, output.maximum)
    layer = FullyConnectedGeneral(
        pointer(weights), output, in_features, out_features, input_zero_point=zero_point
    )
    check_general(kernels.es_fully_connected_general_s8, layer, activations, expected)
