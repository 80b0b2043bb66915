"""Models that are not graphs of layers: exported SavedModels, and classes of the user's own."""

from __future__ import annotations

from typing import Any

import keras

from runtime_tests.support.zoo.data import digits
from runtime_tests.support.zoo.images import DIGITS, cnn
from runtime_tests.support.zoo.made import Made, train


@keras.saving.register_keras_serializable("zoo")
class Subclassed(keras.Model):  # type: ignore[misc]
    """A classifier of digits whose graph is Python code."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.first = keras.layers.Conv2D(16, 3, activation="relu")
        self.second = keras.layers.Conv2D(24, 3, strides=2, activation="relu")
        self.flat = keras.layers.Flatten()
        self.last = keras.layers.Dense(10, activation="softmax")

    def call(self, inputs: Any) -> Any:
        """Class scores of images."""
        return self.last(self.flat(self.second(self.first(inputs))))


def exported() -> Made:
    """The convolutions as ``model.export()`` writes them."""
    made = cnn()
    return Made(made.model, made.data, "model", lambda model, path: model.export(path, verbose=False))


def subclassed() -> Made:
    """A model of a class of its own in a .keras file."""
    return Made(_trained(), digits())


def exported_subclassed() -> Made:
    """The same as ``model.export()`` writes it."""
    return Made(_trained(), digits(), "model", lambda model, path: model.export(path, verbose=False))


def _trained() -> Any:
    model = Subclassed()
    model.build((None, *DIGITS))
    return train(model, digits(), epochs=12)
