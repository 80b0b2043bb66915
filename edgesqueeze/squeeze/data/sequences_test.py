import numpy as np
import pytest
import tf_keras

from edgesqueeze.squeeze.data.sequences import part_sequence, side_by_side, streams_for
from runtime_tests.support.tiny_keras import source_of


def _source(count):
    x = tf_keras.Input((2,), name="x")
    rows = np.arange(count, dtype=np.float32)[:, None] + np.zeros((count, 2), np.float32)
    return source_of(tf_keras.Model(x, tf_keras.layers.Dense(1)(x)), rows)


def _seen(source):
    return np.stack([inputs[0][:, 0].numpy() for inputs, _ in source.stream(64, 7)])


def test_each_part_is_in_its_order():
    source = side_by_side(_source(50), 4)
    assert source.count == 48
    np.testing.assert_array_equal(_seen(source), np.arange(48).reshape(4, 12).T)


def test_the_end_of_the_sequence_is_held_out():
    learned, spared = part_sequence(_source(100), 4, 0.1)
    np.testing.assert_array_equal(np.sort(_seen(learned).ravel()), np.arange(88))
    np.testing.assert_array_equal(_seen(spared), np.arange(90, 98).reshape(4, 2).T)


@pytest.mark.parametrize(
    ("samples", "batch", "streams"), [(800, 64, 16), (800, 8, 8), (70, 64, 4), (5, 64, 1)]
)
def test_how_many_sequences_there_are_side_by_side(samples, batch, streams):
    assert streams_for(samples, batch) == streams
