"""The portable kernels on the host, compiled with UBSan, against plain NumPy."""

import ctypes
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesqueeze.emit.native.channels import ACCUMULATOR_LIMIT, rebuild_multiplier
from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.numerics import multiply_by_quantized_multiplier
from edgesqueeze.emit.native.overlap import overlap_distance
from edgesqueeze.emit.native.pack import reference as pack_reference
from runtime_tests.support.c_kernels import (
    GUARD,
    Channels,
    Conv2d,
    FullyConnected,
    compile_kernels,
    geometry,
    int8s,
    pointer,
    requantize,
    scratch,
    windows,
)

WIDE, SHARED = 1, 2
SEEDS = st.integers(0, 1 << 30)


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    return compile_kernels(tmp_path_factory.mktemp("kernels"))


def layers(seed):
    """A random generator, and a layer's channels in one of the formats with their meaning in integers."""
    rng = np.random.default_rng(seed)

    def channels(count, taps):
        shift = int(np.log2(taps) / 2) + rng.integers(4, 9)
        form = rng.integers(0, 3)
        zero_point = int(rng.integers(-128, 128))
        bias = rng.integers(-5000, 5000, count)
        if form == SHARED:
            multipliers = np.full(count, rng.integers(1 << 30, 1 << 31))
            shifts = np.full(count, shift)
            records, ratio, base = bias.astype(np.int32), int(multipliers[0]) << 32, shift
        elif form == WIDE:
            multipliers = rng.integers(1 << 30, 1 << 31, count)
            shifts = rng.integers(shift, shift + 3, count)
            records = np.stack([bias, multipliers, shifts], axis=1).astype(np.int32)
            ratio, base = 0, 0
        else:
            ratio, base = int(rng.integers(1 << 62, 1 << 63)) * 2 + 1, shift
            mantissas, steps = rng.integers(1 << 23, 1 << 24, count), rng.integers(0, 3, count)
            multipliers = np.array([rebuild_multiplier(int(mantissa), ratio) for mantissa in mantissas])
            shifts = base + steps
            words = (mantissas & 0x7FFFFF) | steps << 23 | (bias & 0x3FFFFF) << 26
            records = (words[:, None] >> np.array([0, 16, 32]) & 0xFFFF).astype(np.uint16)
        packed = Channels(pointer(records), ratio >> 32, ratio & 0xFFFFFFFF, form, base, zero_point)
        return SimpleNamespace(
            packed=packed,
            records=records,
            bias=bias,
            multipliers=multipliers,
            shifts=-shifts,
            zero_point=zero_point,
        )

    return rng, channels


def run(kernel, layer, activations, elements, work):
    output = np.full(elements + 1, GUARD, np.int8)
    kernel(ctypes.byref(layer), pointer(activations), pointer(output), pointer(work))
    assert output[-1] == GUARD
    assert work[-1] == GUARD
    return output[:-1]


@st.composite
def shapes(draw, *, depthwise=False, square=False, dilated=True):
    kernel_height = 3 if square else draw(st.integers(1, 4))
    kernel_width = 3 if square else draw(st.integers(1, 4))
    stride = draw(st.integers(1, 2)), draw(st.integers(1, 2 if square else 3))
    dilation = (draw(st.integers(1, 2)), draw(st.integers(1, 2))) if dilated and not square else (1, 1)
    extent = (kernel_height - 1) * dilation[0] + 1, (kernel_width - 1) * dilation[1] + 1
    pad = draw(st.integers(0, extent[0] - 1)), draw(st.integers(0, extent[1] - 1))
    size = draw(st.integers(1, 9)), draw(st.integers(1, 12))
    after = draw(st.integers(0, extent[0] - 1)), draw(st.integers(0, extent[1] - 1))
    out = [
        max(1, (size[i] + pad[i] + after[i] - extent[i]) // stride[i] + 1)
        if size[i] + pad[i] + after[i] >= extent[i]
        else 1
        for i in range(2)
    ]
    channels_in = draw(st.integers(1, 10))
    channels_out = channels_in if depthwise else draw(st.integers(1, 10))
    return ConvShape(
        *size, channels_in, *out, channels_out, kernel_height, kernel_width, *stride, *dilation, *pad
    )


@settings(derandomize=True, deadline=None)
@given(shape=shapes(), seed=SEEDS)
def test_conv2d(kernels, shape, seed):
    rng, make = layers(seed)
    weights = int8s(rng, shape.out_channels, shape.kernel_height, shape.kernel_width, shape.in_channels)
    activations = int8s(rng, shape.in_height, shape.in_width, shape.in_channels)
    channels, zero_point = make(shape.out_channels, shape.taps), int(rng.integers(-128, 128))
    sums = np.einsum("yxijk,oijk->yxo", windows(shape, activations, zero_point), weights.astype(np.int64))
    expected = requantize(sums, channels)

    packed = pack_reference.conv2d(weights).array
    layer = Conv2d(pointer(packed), channels.packed, **geometry(shape), input_zero_point=zero_point)
    bytes_needed = pack_reference.conv2d_scratch(shape)
    assert kernels.es_conv2d_s8_scratch_bytes(ctypes.byref(layer)) == bytes_needed
    work = scratch(bytes_needed)
    result = run(kernels.es_conv2d_s8, layer, activations, expected.size, work)
    np.testing.assert_array_equal(result, expected.reshape(-1))

    distance = overlap_distance(shape, pack_reference.CONV_PIXELS, shape.in_channels, shape.out_channels)
    distance = -(-distance // 4) * 4  # activations are aligned
    memory = np.zeros(max(distance + activations.size, expected.size), np.int8)
    memory[distance : distance + activations.size] = activations.reshape(-1)
    kernels.es_conv2d_s8(ctypes.byref(layer), pointer(memory, distance), pointer(memory), pointer(work))
    np.testing.assert_array_equal(memory[: expected.size], expected.reshape(-1))


@settings(derandomize=True, deadline=None)
@given(
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    channels_in=st.integers(1, 20),
    channels_out=st.integers(1, 13),
    seed=SEEDS,
)
def test_conv2d_1x1(kernels, size, channels_in, channels_out, seed):
    rng, make = layers(seed)
    shape = ConvShape(*size, channels_in, *size, channels_out)
    weights = int8s(rng, channels_out, 1, 1, channels_in)
    activations = int8s(rng, *size, channels_in)
    channels = make(channels_out, channels_in)
    expected = requantize(
        np.einsum("yxk,ok->yxo", activations.astype(np.int64), weights[:, 0, 0].astype(np.int64)), channels
    )

    packed = pack_reference.conv2d(weights).array
    layer = Conv2d(pointer(packed), channels.packed, **geometry(shape))
    bytes_needed = pack_reference.conv2d_1x1_scratch(shape)
    assert kernels.es_conv2d_1x1_s8_scratch_bytes(ctypes.byref(layer)) == bytes_needed
    work = scratch(bytes_needed)
    result = run(kernels.es_conv2d_1x1_s8, layer, activations, expected.size, work)
    np.testing.assert_array_equal(result, expected.reshape(-1))
    if channels_out <= channels_in:
        memory = activations.reshape(-1).copy()
        run_in_place(kernels.es_conv2d_1x1_s8, layer, memory, work)
        np.testing.assert_array_equal(memory[: expected.size], expected.reshape(-1))


def run_in_place(kernel, layer, memory, work):
    kernel(ctypes.byref(layer), pointer(memory), pointer(memory), pointer(work))


@settings(derandomize=True, deadline=None)
@given(shape=shapes(depthwise=True), square=shapes(depthwise=True, square=True), seed=SEEDS)
def test_depthwise(kernels, shape, square, seed):
    check_depthwise(kernels, "es_depthwise_conv2d_s8", shape, pack_reference.depthwise_scratch(shape), seed)
    check_depthwise(
        kernels, "es_depthwise_conv2d_3x3_s8", square, pack_reference.depthwise_3x3_scratch(square), seed
    )


def check_depthwise(kernels, name, shape, bytes_needed, seed):
    rng, make = layers(seed)
    weights = int8s(rng, shape.kernel_height, shape.kernel_width, shape.out_channels)
    activations = int8s(rng, shape.in_height, shape.in_width, shape.in_channels)
    channels = make(shape.out_channels, shape.kernel_height * shape.kernel_width)
    zero_point = int(rng.integers(-128, 128))
    sums = np.einsum("yxijk,ijk->yxk", windows(shape, activations, zero_point), weights.astype(np.int64))
    expected = requantize(sums, channels)

    packed = pack_reference.depthwise(weights).array
    layer = Conv2d(pointer(packed), channels.packed, **geometry(shape), input_zero_point=zero_point)
    assert getattr(kernels, f"{name}_scratch_bytes")(ctypes.byref(layer)) == bytes_needed
    work = scratch(bytes_needed)
    result = run(getattr(kernels, name), layer, activations, expected.size, work)
    np.testing.assert_array_equal(result, expected.reshape(-1))
    if shape.stride_height == shape.stride_width == 1 and expected.shape == activations.shape:
        memory = activations.reshape(-1).copy()
        run_in_place(getattr(kernels, name), layer, memory, work)
        np.testing.assert_array_equal(memory, expected.reshape(-1))


@settings(derandomize=True, deadline=None)
@given(in_features=st.integers(1, 40), out_features=st.integers(1, 27), seed=SEEDS)
def test_fully_connected(kernels, in_features, out_features, seed):
    rng, make = layers(seed)
    weights, activations = int8s(rng, out_features, in_features), int8s(rng, in_features)
    channels = make(out_features, in_features)
    expected = requantize(weights.astype(np.int64) @ activations.astype(np.int64), channels)

    packed = pack_reference.fully_connected(weights).array
    layer = FullyConnected(pointer(packed), channels.packed, in_features, out_features)
    bytes_needed = pack_reference.fully_connected_scratch(in_features)
    assert kernels.es_fully_connected_s8_scratch_bytes(ctypes.byref(layer)) == bytes_needed
    result = run(kernels.es_fully_connected_s8, layer, activations, out_features, scratch(bytes_needed))
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("multiplier", [1 << 30, (1 << 30) + 1, 0x5A827999, (1 << 31) - 1])
@pytest.mark.parametrize("shift", [1, 2, 9, 16, 22])
def test_requantization_around_ties(kernels, multiplier, shift):
    # Accumulators on both sides of every output's border, and around the borders of the first rounding.
    borders = (np.arange(-300, 300) + 0.5) * 2.0 ** (31 + shift) / multiplier
    limit = ACCUMULATOR_LIMIT - 1
    near = borders[np.abs(borders) < limit - 10].astype(np.int64)[:, None] + np.arange(-6, 7)
    accumulators = np.concatenate([near.reshape(-1), np.arange(-3000, 3000), [-limit, limit]])
    for zero_point in (-128, -1, 0, 127):
        addend = (2 * zero_point + 1) << (shift - 1)
        channel = np.array([0, multiplier, addend, shift], np.int32)
        values = accumulators.astype(np.int32)
        scaled = multiply_by_quantized_multiplier(accumulators, multiplier, -shift) + zero_point
        for function in (kernels.requantize, kernels.scale):
            output = np.zeros(accumulators.size, np.int8)
            function(pointer(values), values.size, pointer(channel), pointer(output))
            np.testing.assert_array_equal(output, np.clip(scaled, -128, 127))


@settings(derandomize=True, deadline=None)
@given(count=st.integers(1, 20), data=st.data(), seed=SEEDS)
def test_unpack_channels(kernels, count, data, seed):
    _, make = layers(seed)
    channels = make(count, 9)
    first = data.draw(st.integers(0, count - 1))
    unpacked = np.full((count - first + 1, 4), GUARD, np.int32)
    kernels.es_unpack_channels(ctypes.byref(channels.packed), first, count - first, pointer(unpacked))
    addends = (2 * channels.zero_point + 1) << (-channels.shifts - 1)
    expected = np.stack([channels.bias, channels.multipliers, addends, -channels.shifts], axis=1)
    np.testing.assert_array_equal(unpacked[:-1], expected[first:])
    assert (unpacked[-1] == GUARD).all()
