"""Networks for sequences: recurrent ones in every use, convolutions over time, attention."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tf_keras

from runtime_tests.support.zoo.data import CHANNELS, STEPS, VOCABULARY, films, running_sums, sentences, waves
from runtime_tests.support.zoo.made import Made, Split, split, train

WAVE = (STEPS, CHANNELS)
UNITS = 16


def recurrent(make: Any, *, library: Any = keras, masked: bool = False, file: str = "model.keras") -> Made:
    """A classifier of waves.

    Args:
        make: from the library's layers, the recurrent layer or layers, which end with one vector.
        library: Keras 3 or tf_keras.
        masked: whether the sequences have different lengths, with zeros behind.
        file: what it is saved as.
    """
    layers, data = library.layers, waves(masked=masked)
    wave = library.Input(WAVE)
    x = layers.Masking()(wave) if masked else wave
    for layer in make(layers):
        x = layer(x)
    model = library.Model(wave, layers.Dense(4, activation="softmax")(x))
    return Made(train(model, data, epochs=15, rate=1e-2), data, file)


def lstm_conv() -> Made:
    """Convolution, batch normalization, pooling, LSTM; in an HDF5 file of Keras 3."""
    return recurrent(
        lambda layers: [
            layers.Conv1D(16, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling1D(),
            layers.LSTM(32),
        ],
        file="model.h5",
    )


def gru() -> Made:
    """A GRU."""
    return recurrent(lambda layers: [layers.GRU(UNITS)])


def simple_rnn() -> Made:
    """A SimpleRNN."""
    return recurrent(lambda layers: [layers.SimpleRNN(UNITS)])


def stacked_lstm() -> Made:
    """Two LSTMs, one on the sequence of the other."""
    return recurrent(lambda layers: [layers.LSTM(12, return_sequences=True), layers.LSTM(12)])


def bidirectional_lstm() -> Made:
    """An LSTM in both directions."""
    return recurrent(lambda layers: [layers.Bidirectional(layers.LSTM(12))])


def bidirectional_gru() -> Made:
    """A GRU in both directions, summed up."""
    return recurrent(lambda layers: [layers.Bidirectional(layers.GRU(12), merge_mode="sum")])


def masked_lstm() -> Made:
    """An LSTM over sequences of different lengths."""
    return recurrent(lambda layers: [layers.LSTM(UNITS)], masked=True)


def masked_gru() -> Made:
    """A GRU over sequences of different lengths."""
    return recurrent(lambda layers: [layers.GRU(UNITS)], masked=True)


def old_lstm() -> Made:
    """An LSTM of tf_keras."""
    return recurrent(lambda layers: [layers.LSTM(UNITS)], library=tf_keras, file="model.h5")


def embedded_lstm() -> Made:
    """Tokens, embedded, with a mask for the zeros behind them."""
    layers, data = keras.layers, sentences()
    model = keras.Sequential(
        [
            keras.Input((data.x_test.shape[1],), dtype="int32"),  # type: ignore[union-attr]
            layers.Embedding(VOCABULARY, 8, mask_zero=True),
            layers.LSTM(UNITS),
            layers.Dense(3, activation="softmax"),
        ]
    )
    return Made(train(model, data, epochs=12, rate=5e-3), data)


def embedded_mean() -> Made:
    """Tokens, embedded and averaged."""
    layers, data = keras.layers, sentences()
    model = keras.Sequential(
        [
            keras.Input((data.x_test.shape[1],), dtype="int32"),  # type: ignore[union-attr]
            layers.Embedding(VOCABULARY, 8),
            layers.GlobalAveragePooling1D(),
            layers.Dense(16, activation="relu"),
            layers.Dense(3, activation="softmax"),
        ]
    )
    return Made(train(model, data, epochs=12, rate=1e-2), data)


def each_step() -> Made:
    """A class for each step, from an LSTM that gives its sequence."""
    layers, data = keras.layers, running_sums()
    sequence = keras.Input((STEPS, 1))
    x = layers.LSTM(UNITS, return_sequences=True)(sequence)
    model = keras.Model(sequence, layers.TimeDistributed(layers.Dense(2, activation="softmax"))(x))
    return Made(train(model, data, epochs=15, rate=1e-2), data)


def films_cnn() -> Made:
    """A network of convolutions for each frame, an LSTM over the frames."""
    layers, data = keras.layers, films()
    film = keras.Input((4, 8, 8, 1))
    x = layers.TimeDistributed(layers.Conv2D(8, 3, activation="relu"))(film)
    x = layers.TimeDistributed(layers.BatchNormalization())(x)
    x = layers.TimeDistributed(layers.Flatten())(x)
    x = layers.LSTM(UNITS)(layers.TimeDistributed(layers.Dense(16, activation="relu"))(x))
    model = keras.Model(film, layers.Dense(4, activation="softmax")(x))
    return Made(train(model, data, epochs=8, rate=5e-3), data)


def returned_state() -> Made:
    """An LSTM whose output and states are all used; another that begins with them."""
    layers, data = keras.layers, waves()
    wave = keras.Input(WAVE)
    _, hidden, cell = layers.LSTM(12, return_state=True)(wave)
    decoded = layers.LSTM(12)(wave, initial_state=[hidden, cell])
    x = layers.Concatenate()([decoded, hidden, cell])
    model = keras.Model(wave, layers.Dense(4, activation="softmax")(x))
    return Made(train(model, data, epochs=15, rate=1e-2), data)


def one_step_gru() -> Made:
    """One step of a GRU, with its state as an input and as an output, for streams."""
    layers, data, units = keras.layers, running_sums(1600), 8
    shared = layers.GRU(units, return_sequences=True, return_state=True)
    head = layers.Dense(2, activation="softmax", name="chosen")
    sequence = keras.Input((STEPS, 1))
    states, _ = shared(sequence)
    whole = train(keras.Model(sequence, head(states)), data, epochs=40, rate=2e-2)
    step, state = keras.Input((1, 1), name="step"), keras.Input((units,), name="state")
    out, following = shared(step, initial_state=state)
    following = layers.Identity(name="following")(following)
    model = keras.Model([step, state], [head(layers.Flatten()(out)), following])

    sums = np.concatenate([data.x_train, data.x_test])
    labels = np.concatenate([data.y_train, data.y_test])
    states = np.asarray(keras.Model(sequence, whole.layers[1].output[0]).predict(sums, verbose=0))
    before = np.concatenate([np.zeros_like(states[:, :1]), states[:, :-1]], axis=1)
    order = np.random.default_rng(0).permutation(sums.size)[:3000]
    inputs = {"step": sums.reshape(-1, 1, 1)[order], "state": before.reshape(-1, units)[order]}
    wanted = {"chosen": labels.reshape(-1)[order], "following": states.reshape(-1, units)[order]}
    return Made(model, split(inputs, wanted, 600))


def stateful_lstm() -> Made:
    """An LSTM that remembers from call to call: its samples are pieces of one sequence."""
    layers = keras.layers
    rng = np.random.default_rng(11)
    pieces, steps = 1400, 4
    x = rng.normal(0, 1, (pieces, steps, 1)).astype(np.float32)
    # The mean so far, with older values forgotten little by little: the past of many pieces counts.
    level, means = 0.0, []
    for value in x.reshape(-1):
        level = 0.9 * level + 0.35 * float(value)
        means.append(level)
    y = (np.array(means).reshape(pieces, steps)[:, -1] > 0).astype(np.int64)
    data = split(x, y, 600)
    inner = keras.Sequential(
        [keras.Input((steps * 10, 1)), layers.LSTM(UNITS, return_sequences=True), layers.Dense(2)]
    )
    flat, wanted = x[:800].reshape(-1, steps * 10, 1), (np.array(means[: 800 * steps]) > 0).astype(int)
    long = Split(flat, wanted.reshape(-1, steps * 10), flat, wanted.reshape(-1, steps * 10))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    train(inner, long, loss, epochs=80, rate=1e-2, batch=16)
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(1, steps, 1)),
            layers.LSTM(UNITS, stateful=True),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.set_weights(inner.get_weights())
    return Made(model, data)


def dilated_tcn() -> Made:
    """Causal convolutions with growing steps, and shortcuts."""
    layers, data = keras.layers, waves()
    wave = keras.Input(WAVE)
    x = layers.Conv1D(16, 1)(wave)
    for rate in (1, 2, 4, 8):
        y = layers.Conv1D(16, 3, padding="causal", dilation_rate=rate, use_bias=False)(x)
        y = layers.SpatialDropout1D(0.05)(layers.ReLU()(layers.BatchNormalization()(y)))
        x = layers.Add()([x, layers.Conv1D(16, 1)(y)])
    x = layers.GlobalAveragePooling1D()(layers.ReLU()(x))
    model = keras.Model(wave, layers.Dense(4, activation="softmax")(x))
    return Made(train(model, data, epochs=12, rate=1e-2), data)


def transformer() -> Made:
    """Attention with several heads, layer normalization and learned positions."""
    layers, data = keras.layers, waves()
    wave = keras.Input(WAVE)
    x = layers.Conv1D(16, 3, padding="same", activation="relu")(wave)
    positions = keras.ops.arange(STEPS)
    x = x + layers.Embedding(STEPS, 16)(positions)
    y = layers.LayerNormalization()(x)
    x = x + layers.MultiHeadAttention(2, 8)(y, y)
    y = layers.Dense(32, activation="relu")(layers.LayerNormalization()(x))
    x = layers.Flatten()(x + layers.Dense(16)(y))
    model = keras.Model(wave, layers.Dense(4, activation="softmax")(x))
    return Made(train(model, data, epochs=60, rate=2e-3), data)
