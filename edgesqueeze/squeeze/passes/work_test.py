import pytest
import tf_keras

from edgesqueeze.squeeze.passes.work import sample_macs

layers = tf_keras.layers


@pytest.mark.parametrize(
    ("shape", "layer", "macs"),
    [
        ((5,), layers.Dense(3), 15),
        ((4, 5), layers.Dense(3), 4 * 15),
        ((8, 8, 2), layers.Conv2D(4, 3, strides=2, padding="same"), 16 * 72),
        ((8, 8, 2), layers.DepthwiseConv2D(3, padding="same"), 64 * 18),
        ((4, 4, 2), layers.Conv2DTranspose(3, 2, strides=2), 16 * 24),
        ((4, 2), layers.Conv1DTranspose(3, 2, strides=2), 4 * 12),
        ((6, 2), layers.DepthwiseConv1D(2), 5 * 4),
        ((6, 2), layers.LSTM(3), 6 * (2 * 12 + 3 * 12)),
        ((6, 2), layers.Conv1D(3, 2), 5 * 12),
        ((5,), layers.BatchNormalization(), 0),
        ((6,), layers.Embedding(9, 4), 0),
    ],
)
def test_weights_count_once_for_each_place(shape, layer, macs):
    inputs = tf_keras.Input(shape)
    assert sample_macs(tf_keras.Model(inputs, layer(inputs))) == macs


def test_a_layer_that_is_applied_twice_counts_twice():
    one, other = tf_keras.Input((5,)), tf_keras.Input((5,))
    shared = layers.Dense(3)
    model = tf_keras.Model([one, other], layers.Add()([shared(one), shared(other)]))
    assert sample_macs(model) == 30
