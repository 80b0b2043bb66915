"""Train a small Keras model on handwritten digits; write digits.keras and digits.npz.

Nothing here knows of EdgeSqueeze: this stands for the model that you have already.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits


def split_digits():
    """Images [n, 8, 8, 1] from 0 to 1 and their classes: every third digit is kept for testing."""
    stored = load_digits()
    images = (stored.images / 16.0).astype(np.float32)[..., np.newaxis]
    test = np.arange(len(images)) % 3 == 0
    return (images[~test], stored.target[~test]), (images[test], stored.target[test])


def build_model():
    image = keras.Input((8, 8, 1), name="image")
    x = layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem")(image)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.SeparableConv2D(32, 3, padding="same", use_bias=False, name="separable")(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(32, 3, padding="same", use_bias=False, name="features")(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Flatten()(layers.MaxPooling2D()(x))
    return keras.Model(image, layers.Dense(10, activation="softmax", name="digit")(x), name="digits")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path())
    options = parser.parse_args()

    keras.utils.set_random_seed(0)
    (x_train, y_train), (x_test, y_test) = split_digits()
    model = build_model()
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=64, epochs=options.epochs, verbose=0)
    accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
    print(f"accuracy on {len(x_test)} test digits: {accuracy:.2%}")

    options.out.mkdir(parents=True, exist_ok=True)
    model.save(options.out / "digits.keras")
    np.savez(options.out / "digits.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


if __name__ == "__main__":
    main()
