"""Networks for rows of numbers: sensors, regression, several outputs, embeddings; and a bad one."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from runtime_tests.support.zoo.data import clock, features, ratings, sensors
from runtime_tests.support.zoo.made import Made, split, train


def regression() -> Made:
    """A real number from eight."""
    layers, data = keras.layers, features()
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(1),
        ]
    )
    return Made(train(model, data, "mse", epochs=25), data)


def normalized_sensors() -> Made:
    """Sensors of very different ranges, with the Normalization inside the model."""
    layers, data = keras.layers, sensors()
    normalization = layers.Normalization()
    normalization.adapt(data.x_train)
    model = keras.Sequential(
        [keras.Input((4,)), normalization, layers.Dense(32, activation="relu"), layers.Dense(1)]
    )
    return Made(train(model, data, "mse", epochs=40, rate=1e-2), data)


def constant_output() -> Made:
    """Right as float, and ruined by one integer scale for a clock and a small number."""
    layers, data = keras.layers, clock()
    normalization = layers.Normalization()
    normalization.adapt(data.x_train)
    model = keras.Sequential(
        [
            keras.Input((2,)),
            normalization,
            layers.Dense(8, activation="relu"),
            layers.Dense(2, activation="softmax"),
        ]
    )
    return Made(train(model, data, epochs=15, rate=1e-2), data)


def several_outputs() -> Made:
    """A class and a real number from one body."""
    layers, data = keras.layers, features()

    def wanted(values: Any) -> dict[str, Any]:
        return {"amount": values, "kind": np.digitize(values[:, 0], (-0.7, 0.9)).astype(np.int64)}

    data = data.with_labels(wanted(data.y_train), wanted(data.y_test))
    row = keras.Input((8,), name="row")
    x = layers.Dense(64, activation="relu")(layers.Dense(64, activation="relu")(row))
    amount = layers.Dense(1, name="amount")(x)
    kind = layers.Dense(3, activation="softmax", name="kind")(x)
    model = keras.Model(row, {"amount": amount, "kind": kind})
    losses = {"amount": "mse", "kind": "sparse_categorical_crossentropy"}
    return Made(train(model, data, losses, epochs=30), data)


def recommender() -> Made:
    """Embeddings of users and of items, and their product."""
    layers, data = keras.layers, ratings()
    user, item = keras.Input((1,), dtype="int32", name="user"), keras.Input((1,), dtype="int32", name="item")
    left = layers.Flatten()(layers.Embedding(40, 8)(user))
    right = layers.Flatten()(layers.Embedding(30, 8)(item))
    model = keras.Model([user, item], layers.Dot(axes=1)([left, right]))
    return Made(train(model, data, "mse", epochs=40, rate=2e-2), data)


def wide_and_deep() -> Made:
    """Two inputs of different kinds: numbers, and an id."""
    layers = keras.layers
    rng = np.random.default_rng(12)
    rows, ids = rng.normal(0, 1, (3000, 4)).astype(np.float32), rng.integers(0, 10, (3000, 1))
    y = (rows[:, 0] + rows[:, 1] * (ids[:, 0] % 2) + 0.5 * (ids[:, 0] > 4) > 0.3).astype(np.float32)
    data = split({"row": rows, "id": ids.astype(np.int32)}, y[:, np.newaxis], 600)
    row, number = keras.Input((4,), name="row"), keras.Input((1,), dtype="int32", name="id")
    x = layers.Concatenate()([row, layers.Flatten()(layers.Embedding(10, 4)(number))])
    x = layers.Dense(32, activation="relu")(layers.Dense(32, activation="relu")(x))
    model = keras.Model([row, number], layers.Dense(1, activation="sigmoid")(x))
    return Made(train(model, data, "binary_crossentropy", epochs=20, rate=1e-2), data)
