"""What a builder of a small model gives back: the trained model with its data, and how to train one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgesqueeze.base.arrays import Array

Arrays = Array | Mapping[str, Array]
"""One array, or several by name of input or output; ``[n, ...]`` each."""


@dataclass(frozen=True)
class Split:
    """Data for training and for judging.

    Attributes:
        x_train: inputs to train and calibrate on.
        y_train: what the model should say of them; None where nobody says.
        x_test: inputs to judge on.
        y_test: what the model should say of them; None where nobody says.
    """

    x_train: Arrays
    y_train: Arrays | None
    x_test: Arrays
    y_test: Arrays | None

    def arrays(self) -> dict[str, Array]:
        """As the keys of an ``.npz``; of several inputs or outputs ``x_train/NAME``."""
        found: dict[str, Array] = {}
        for key in ("x_train", "y_train", "x_test", "y_test"):
            value = getattr(self, key)
            if isinstance(value, Mapping):
                found |= {f"{key}/{name}": one for name, one in value.items()}
            elif value is not None:
                found[key] = value
        return found

    def with_labels(self, train: Arrays | None, test: Arrays | None) -> Split:
        """The same inputs with other labels."""
        return replace(self, y_train=train, y_test=test)


@dataclass(frozen=True)
class Made:
    """A trained model.

    Attributes:
        model: the model, of Keras 3 or tf_keras.
        data: data that it is to be compressed with.
        file: name of the file, or of the folder, that it is saved as.
        save: saves the model at a path; the model's own ``save`` if None.
    """

    model: Any
    data: Split
    file: str = "model.keras"
    save: Callable[[Any, str], None] | None = None


def split(x: Arrays, y: Arrays | None, test: int) -> Split:
    """The last ``test`` samples to judge on, all others to train on."""

    def part(values: Arrays | None, rows: slice) -> Arrays | None:
        if isinstance(values, Mapping):
            return {name: one[rows] for name, one in values.items()}
        return None if values is None else values[rows]

    train, judged = slice(0, -test), slice(-test, None)
    first, last = part(x, train), part(x, judged)
    assert first is not None
    assert last is not None
    return Split(first, part(y, train), last, part(y, judged))


def train(
    model: Any,
    data: Split,
    loss: Any = "sparse_categorical_crossentropy",
    *,
    epochs: int = 10,
    rate: float = 3e-3,
    batch: int = 64,
    weights: Any = None,
) -> Any:
    """Fit a model to its data, quietly; the learning rate falls to nothing in the end.

    Returns:
        The same model.
    """
    library = _library(model)
    count = len(next(iter(data.x_train.values())) if isinstance(data.x_train, Mapping) else data.x_train)
    schedule = library.optimizers.schedules.CosineDecay(rate, epochs * -(-count // batch))
    model.compile(
        optimizer=library.optimizers.Adam(schedule),
        loss=loss,
        loss_weights=weights,
        jit_compile=False,
    )
    model.fit(data.x_train, data.y_train, batch_size=batch, epochs=epochs, verbose=0)
    return model


def _library(model: Any) -> Any:
    """Keras 3 or tf_keras, whichever the model is of."""
    import keras
    import tf_keras

    return keras if isinstance(model, keras.Model) else tf_keras


def one_hot(ids: Array, classes: int) -> Array:
    """Class ids as rows of 0 and 1."""
    return np.eye(classes, dtype=np.float32)[ids]
