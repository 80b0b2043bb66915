"""What training sees of int8: the values, and the gradients that move ranges."""

import numpy as np
import pytest
import tensorflow as tf

from edgesqueeze.graph.ranges import Range, nudged
from edgesqueeze.squeeze.layers.grid import Grid
from edgesqueeze.squeeze.passes.precision import Stored
from edgesqueeze.squeeze.passes.quantizers import HalvesAway, QuantizedActivation, QuantizedKernel


def quantizer(low, high, *, learned=True):
    return QuantizedActivation(Range(low, high), "range", learned=learned)


def test_a_range_is_moved_until_zero_is_one_of_its_values():
    found = nudged(Range(-1.0, 1.55))
    assert found == (pytest.approx(-1.0), pytest.approx(1.55))
    found = nudged(Range(-1.004, 1.546))
    assert found == (pytest.approx(-1.0), pytest.approx(1.55))
    assert nudged(Range(0.0, 6.0)) == (0.0, 6.0)


def test_values_are_rounded_to_those_of_the_integers_and_cut_off():
    values = tf.constant([-2.0, -0.014, 0.0, 0.006, 3.0])
    np.testing.assert_allclose(quantizer(-1.0, 1.55)(values), [-1.0, -0.01, 0.0, 0.01, 1.55], atol=1e-6)


@pytest.mark.parametrize("low", [0.0, -1.0])
def test_the_gradient_of_a_range_is_that_of_learned_steps(low):
    layer = quantizer(low, low + 2.55)
    values = tf.constant([[-1.7, -0.3, 0.1237, 0.877, 3.0, 1.0049]] * 8)
    weights = tf.constant([[0.3, -1.0, 2.0, 0.7, -1.3, 0.9]] * 8)
    with tf.GradientTape() as tape:
        tape.watch(values)
        loss = tf.reduce_sum(weights * layer(values))
    passed, change = tape.gradient(loss, [values, layer.change])
    inside = (values > low) & (values < low + 2.55)
    np.testing.assert_allclose(passed, tf.where(inside, weights, 0.0))
    # In steps of 0.01: how far rounding moved a value inside, 255 above, nothing below.
    counts = (values - low) / 0.01
    step = tf.where(inside, tf.round(counts) - counts, tf.where(values > low, 255.0, 0.0))
    width = float(tf.reduce_sum(weights * step) / 255)
    ends = float(tf.reduce_sum(tf.where(inside, 0.0, weights)))
    wanted = [0.0 if low == 0 else (ends - width) * 2.55, width * 2.55]
    np.testing.assert_allclose(change, wanted, atol=1e-2)


def test_a_range_that_begins_at_zero_does_so_always_and_never_closes():
    layer = quantizer(0.0, 4.0)
    layer.change.assign([0.5, -3.0])
    assert layer.range().low == 0
    assert 0 < layer.range().high < 0.01
    layer = quantizer(-1.0, 4.0)
    layer.change.assign([3.0, 0.1])
    assert layer.range() == (0.0, pytest.approx(4.5))


def test_halves_go_away_from_the_integer_zero():
    layer = quantizer(0.0, 255.0)
    values = tf.constant([10.5, 127.5, 128.5, 200.5, 10.48, 200.52])
    found = layer(HalvesAway(layer, "halves")(values))
    np.testing.assert_array_equal(found, [10, 127, 129, 201, 10, 201])


@pytest.mark.parametrize("mask", [False, True])
def test_a_kernel_has_the_integers_that_it_will_be_stored_as(mask):
    value = np.random.default_rng(0).normal(size=(3, 3, 4, 5)).astype(np.float32)
    value[..., 0] = 0
    value[0, 0, 0, 1] = 1e-6
    if mask:
        value[1] = 0
    stored = Stored("int8", Grid(value.shape, (1, 1, 1, 5)))
    made = QuantizedKernel(value, stored, mask=mask)
    largest = np.abs(value).max(axis=(0, 1, 2))
    integers = made.value() / np.where(largest > 0, largest, 1) * 127
    np.testing.assert_allclose(integers, np.rint(integers), atol=1e-3)
    assert set(np.abs(np.rint(integers)).max(axis=(0, 1, 2))) == {0, 127}
    assert np.abs(made.value() - value).max() < largest.max() / 127 * (1 if mask else 0.51)
    if mask:
        np.testing.assert_array_equal(made.value() == 0, value == 0)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(made(tf.zeros(())))
    # Rounding passes the gradient on; zeros that stay have none.
    gradient = tape.gradient(loss, made.kernel)
    kept = (value != 0) if mask else np.ones_like(value, bool)
    np.testing.assert_allclose(gradient / made._initial_scale, kept, atol=1e-5)
