"""The folded parameters give TFLite's results for every accumulator that a layer can reach."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesqueeze.emit.native.channels import (
    ACCUMULATOR_LIMIT,
    Channels,
    accumulator_range,
    fold,
    pack,
    rebuild_multiplier,
)
from edgesqueeze.emit.native.numerics import multiply_by_quantized_multiplier, quantize_multiplier


def unpacked(packed, count):
    """What es_unpack_channels makes of the records: bias, multiplier and shift of every channel."""
    members = packed.members
    records = members["records"].array
    ratio = members["ratio_high"] << 32 | members["ratio_low"]
    if members["format"] == "ES_CHANNELS_SHARED":
        return [(int(bias), members["ratio_high"], members["base_shift"]) for bias in records]
    if members["format"] == "ES_CHANNELS_WIDE":
        return [tuple(int(value) for value in row) for row in records.reshape(count, 3)]
    rows = []
    for row in records.reshape(count, 3).tolist():
        word = row[0] | row[1] << 16 | row[2] << 32
        bias = word >> 26
        bias -= (bias & 1 << 21) << 1
        shift = members["base_shift"] + (word >> 23 & 7)
        rows.append((bias, rebuild_multiplier(word & 0x7FFFFF | 0x800000, ratio), shift))
    return rows


def fast_requantize(accumulator, multiplier, shift, zero_point):
    """The arithmetic of the kernels, as es_types.h states it."""
    accumulator = np.asarray(accumulator, np.int64)
    high = (accumulator * multiplier + (1 << 30)) >> 31
    addend = (zero_point << shift) + (1 << (shift - 1))
    assert np.all(abs(high + addend) < 1 << 31)
    return np.clip((high + (accumulator >> 31) + addend) >> shift, -128, 127)


def tflite_requantize(accumulator, real, zero_point):
    scaled = multiply_by_quantized_multiplier(accumulator, *quantize_multiplier(real))
    return np.clip(scaled + zero_point, -128, 127)


def layer(seed, count=7, taps=18, *, spread=1.0, per_channel=True, bias_size=1e5, ratio=3e-3):
    rng = np.random.default_rng(seed)
    scales = (np.exp(rng.uniform(-spread, spread, count if per_channel else 1)) / 50).astype(np.float32)
    input_scale = float(np.float32(rng.uniform(0.01, 0.1)))
    output_scale = float(np.float32(input_scale * scales.max() / ratio))
    weights = rng.integers(-127, 128, (count, taps)).astype(np.int8)
    bias = rng.normal(0, bias_size, count).astype(np.int32)
    real = [input_scale * float(scale) / output_scale for scale in np.broadcast_to(scales, (count,))]
    values = {
        "scales": scales,
        "real_multipliers": real,
        "input_scale": input_scale,
        "input_zero_point": int(rng.integers(-128, 128)),
        "output_scale": output_scale,
        "output_zero_point": int(rng.integers(-128, 128)),
    }
    return weights, bias, values


def assert_equal_to_tflite(weights, bias, values):
    """Compare all results at the ends, around every step between two results, and at random places."""
    folded = fold(weights, bias, **values)
    assert folded.fast
    packed = pack(folded)
    zero_point, rng = values["output_zero_point"], np.random.default_rng(1)
    start = bias.astype(np.int64) - values["input_zero_point"] * weights.astype(np.int64).sum(axis=1)
    low, high = accumulator_range(weights, start)
    for index, (own_bias, multiplier, shift) in enumerate(unpacked(packed, len(weights))):
        real = values["real_multipliers"][index]
        steps = ((np.arange(-128, 128) - zero_point + 0.5) / real).astype(np.int64)
        around = np.concatenate([steps + delta for delta in range(-3, 4)])
        around = np.concatenate([around, rng.integers(low[index], high[index] + 1, 200)])
        reached = np.clip(around, low[index], high[index])
        expected = tflite_requantize(reached, real, zero_point)
        sums = np.zeros_like(reached) if folded.constant[index] else reached - start[index]
        got = fast_requantize(own_bias + sums, multiplier, shift, zero_point)
        np.testing.assert_array_equal(got, expected, err_msg=f"channel {index}")
    return packed


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.integers(0, 10**6), st.floats(0, 2), st.booleans(), st.floats(1e-5, 0.2), st.floats(0, 1e6))
def test_packed_channels_give_tflites_results(seed, spread, per_channel, ratio, bias_size):
    assert_equal_to_tflite(
        *layer(seed, spread=spread, per_channel=per_channel, ratio=ratio, bias_size=bias_size)
    )


def test_smallest_form_is_taken():
    assert assert_equal_to_tflite(*layer(0)).members["format"] == "ES_CHANNELS_NARROW"
    assert assert_equal_to_tflite(*layer(0, per_channel=False)).members["format"] == "ES_CHANNELS_SHARED"
    wide = assert_equal_to_tflite(*layer(0, spread=5, ratio=1e-2))
    assert wide.members["format"] == "ES_CHANNELS_WIDE"


def test_nearly_every_layer_fits_the_narrow_form():
    formats = [pack(fold(w, b, **v)).members["format"] for w, b, v in map(layer, range(300))]
    assert formats.count("ES_CHANNELS_NARROW") >= 297


def test_channels_that_cannot_change_lose_their_weights():
    weights, bias, values = layer(3)
    values["scales"][2] *= 1e-9  # such channels come from filters that training has switched off
    values["real_multipliers"][2] *= 1e-9
    bias[2] = 2**30
    assert_equal_to_tflite(weights, bias, values)
    folded = fold(weights, bias, **values)
    assert folded.constant[2]
    assert not folded.weights[2].any()
    assert not folded.constant.all()
    assert folded.weights[~folded.constant].any(axis=1).all()


@pytest.mark.parametrize("ratio", [0.5, 0.9, 3.0])
def test_scales_of_a_half_and_more_are_not_for_the_fast_kernels(ratio):
    weights, bias, values = layer(5, spread=0.0, ratio=ratio)
    assert not fold(weights, bias, **values).fast


def test_ties_are_rounded_away_from_zero_after_the_first_step():
    # multiplier 2^30, shift 3: accumulators of 8 * (n + 1/2) are ties in the second step.
    accumulators = np.arange(-4096, 4096)
    got = fast_requantize(accumulators, 1 << 30, 3, 0)
    np.testing.assert_array_equal(got, tflite_requantize(accumulators, 2.0**-4, 0))
    assert fast_requantize(-1, 1 << 30, 1, 0) == tflite_requantize(-1, 0.25, 0)


def test_range_of_the_accumulator_is_exact():
    low, high = accumulator_range(np.int8([[3, -2, 0], [0, 0, 0], [-127, 127, 1]]), np.int64([5, -7, 0]))
    assert low.tolist() == [5 - 3 * 128 - 2 * 127, -7, -127 * 127 - 128 * 128]
    assert high.tolist() == [5 + 3 * 127 + 2 * 128, -7, 127 * 128 + 128 * 127]


def packed_by_hand(multiplier, shift, bias=(10, -20), constant=(False, False), **changes):
    """Two channels of given parameters; the scales do not lead to the multipliers unless they are given."""
    count = len(bias)
    channels = Channels(
        **{
            "weights": np.zeros((count, 2), np.int8),
            "bias": np.int64(bias),
            "multiplier": np.int64(multiplier),
            "shift": np.int64(shift),
            "constant": np.array(constant),
            "value": np.int64([3] * count),
            "scales": np.float32([0.5] * count),
            "input_scale": 0.5,
            "output_scale": 0.5,
            "output_zero_point": 1,
            **changes,
        }
    )
    return pack(channels)


def test_the_wide_form_holds_bias_multiplier_and_shift():
    packed = packed_by_hand([(1 << 30) + 5, (1 << 30) + 9], [-3, -4])
    assert packed.members["format"] == "ES_CHANNELS_WIDE"
    assert unpacked(packed, 2) == [(10, (1 << 30) + 5, 3), (-20, (1 << 30) + 9, 4)]
    assert (packed.members["ratio_high"], packed.members["ratio_low"]) == (0, 0)
    assert packed.members["base_shift"] == 0
    assert packed.members["output_zero_point"] == 1


def test_the_shared_form_holds_one_multiplier():
    packed = packed_by_hand([(1 << 30) + 5] * 2, [-3, -3])
    assert packed.members["format"] == "ES_CHANNELS_SHARED"
    assert unpacked(packed, 2) == [(10, (1 << 30) + 5, 3), (-20, (1 << 30) + 5, 3)]
    assert packed.members["ratio_low"] == 0


@pytest.mark.parametrize("moving", [0, 1])
def test_constant_channels_get_a_bias_that_gives_their_value(moving):
    """Whatever the form: with shared, narrow and wide parameters, and where no channel moves at all."""
    for multiplier, shift in (
        ([(1 << 30) + 5] * 3, [-3] * 3),
        ([(1 << 30) + 5, (1 << 30) + 5, (1 << 30) + 9], [-3, -3, -4]),
        ([1 << 30] * 3, [-1, -1, -2]),
    ):
        constant = (True, not moving, False)
        values = {"value": np.int64([-128, 127, 0]), "bias": (0, 7, 10), "scales": np.float32([0.5] * 3)}
        packed = packed_by_hand(multiplier, shift, constant=constant, **values)
        rows = unpacked(packed, 3)
        for index in np.flatnonzero(constant):
            bias, own_multiplier, own_shift = rows[index]
            assert fast_requantize(bias, own_multiplier, own_shift, 1) == values["value"][index]
        assert rows[2] == (10, multiplier[2], -shift[2])
    packed = packed_by_hand([1 << 30, 3], [-1, -9], constant=(True, True))
    assert packed.members["format"] == "ES_CHANNELS_SHARED"
    assert packed.members["ratio_high"] == 1 << 30
    assert packed.members["base_shift"] == 1
    for bias, multiplier, shift in unpacked(packed, 2):
        assert fast_requantize(bias, multiplier, shift, 1) == 3


def test_shifts_of_the_narrow_form_may_be_seven_apart():
    for apart, form in ((7, "ES_CHANNELS_NARROW"), (8, "ES_CHANNELS_WIDE")):
        packed = packed_by_hand([1 << 30] * 2, [-1, -1 - apart])
        assert packed.members["format"] == form
        assert unpacked(packed, 2) == [(10, 1 << 30, 1), (-20, 1 << 30, 1 + apart)]


@pytest.mark.parametrize(("bias", "fits"), [((1 << 21) - 1, True), (1 << 21, False), (-(1 << 21), True)])
def test_biases_of_the_narrow_form_have_22_bits(bias, fits):
    packed = packed_by_hand([1 << 30] * 2, [-1, -2], bias=(bias, 0))
    assert (packed.members["format"] == "ES_CHANNELS_NARROW") == fits
    assert unpacked(packed, 2)[0] == (bias, 1 << 30, 1)


@pytest.mark.parametrize(
    ("shift", "bias", "fast"),
    [
        (-1, 0, True),
        (0, 0, False),
        (-22, 0, True),
        (-23, 0, False),
        (-1, ACCUMULATOR_LIMIT - 1, True),
        (-1, ACCUMULATOR_LIMIT, False),
        (-1, 1 - ACCUMULATOR_LIMIT, True),
        (-1, -ACCUMULATOR_LIMIT, False),
    ],
)
def test_what_the_fast_kernels_can_do(shift, bias, fast):
    values = {
        "weights": np.zeros((2, 2), np.int8),
        "multiplier": np.int64([1 << 30] * 2),
        "value": np.int64([0, 0]),
        "scales": np.float32([0.5]),
        "input_scale": 0.5,
        "output_scale": 0.5,
        "output_zero_point": 0,
        "shift": np.int64([shift, -3]),
        "bias": np.int64([bias, 0]),
    }
    assert Channels(**values, constant=np.array([False, False])).fast is fast
    # A channel that never changes has no arithmetic.
    assert Channels(**values, constant=np.array([True, False])).fast


def test_a_missing_bias_is_zero_and_the_input_zero_point_is_folded_in():
    weights, _, values = layer(3)
    folded = fold(weights, None, **values)
    expected = -values["input_zero_point"] * weights.astype(int).sum(axis=1)
    assert folded.bias.tolist() == expected.tolist()
