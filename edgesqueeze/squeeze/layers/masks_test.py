import keras
import numpy as np
import pytest

from edgesqueeze.squeeze.layers.masks import Gate, Steps
from edgesqueeze.squeeze.layers.unroll import Unrolled, unrolled
from edgesqueeze.squeeze.opening.load import adopt_model

L = keras.layers
STEPS, FEATURES, UNITS = 7, 4, 6


def _padded(value=0.0):
    """Sequences that are padded behind, before and in the middle."""
    x = np.random.default_rng(0).normal(0, 1, (5, STEPS, FEATURES)).astype(np.float32)
    x[0, 5:] = x[1, :3] = x[2, 4] = value
    x[4, 2, 1:] = value  # not a masked step: one feature differs
    return x


def _written_out(output, x):
    """A Keras 3 model, and what becomes of it; both must say the same."""
    model = keras.Model(x, output)
    flat = unrolled(adopt_model(model).model)
    given = _padded()
    np.testing.assert_allclose(flat(given), model(given), atol=2e-6)
    return [type(layer) for layer in flat.layers]


@pytest.mark.parametrize("cell", [L.LSTM, L.GRU, L.SimpleRNN])
def test_what_keras_3_writes_down_of_a_masking_becomes_numbers(cell):
    x = keras.Input((STEPS, FEATURES))
    inner = cell(UNITS, return_sequences=True)(L.Masking()(x))
    kinds = _written_out(L.Bidirectional(cell(UNITS))(inner), x)
    assert kinds.count(Steps) == 1
    assert kinds.count(Unrolled) == 2
    assert not any(kind.__name__ == "OpLayer" for kind in kinds)


def test_a_mask_of_the_users_own_becomes_numbers():
    x = keras.Input((STEPS, FEATURES))
    counted = keras.ops.any(keras.ops.not_equal(x, 0.0), axis=-1)
    assert _written_out(L.LSTM(UNITS)(x, mask=counted), x).count(Steps) == 1


def test_a_mask_value_other_than_zero():
    x = keras.Input((STEPS, FEATURES))
    model = keras.Model(x, L.LSTM(UNITS)(L.Masking(-2.0)(x)))
    flat = unrolled(adopt_model(model).model)
    np.testing.assert_allclose(flat(_padded(-2.0)), model(_padded(-2.0)), atol=2e-6)
    assert [type(layer) for layer in flat.layers].count(Gate) == 1


@pytest.mark.parametrize("axis", [1, None])
def test_what_is_no_mask_of_steps_stays(axis):
    x = keras.Input((STEPS, FEATURES))
    some = keras.ops.any(keras.ops.not_equal(x, 0.0), axis=axis, keepdims=True)
    y = L.GRU(UNITS)(x * keras.ops.cast(some, "float32"))
    assert Steps not in _written_out(y, x)


def test_a_mask_that_others_read_too_stays():
    x = keras.Input((STEPS, FEATURES))
    counted = keras.ops.any(keras.ops.not_equal(x, 0.0), axis=-1)
    y = L.GRU(UNITS)(x, mask=counted)
    assert Steps not in _written_out(L.Concatenate()([y, keras.ops.cast(counted, "float32")]), x)
