"""Train a U-Net that finds cell nuclei; write nuclei.keras and nuclei.npz.

Nothing here knows of EdgeSqueeze: this stands for the model that you have already.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
from keras import layers
from nuclei import TILE, TRAIN_COLUMNS, first_microscope, tiles
from scipy import ndimage

BATCH = 16
CALIBRATION_TILES = 400


def build_model():
    """U-Net (Ronneberger, Fischer and Brox, 2015): 64x64 pixels of 0 to 1, and which are nuclei."""

    def conv(x, channels):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))

    picture = keras.Input((TILE, TILE, 1), name="picture")
    x, across = conv(picture, 8), []
    for channels in (16, 32):
        across.append(x)
        x = conv(conv(layers.MaxPooling2D()(x), channels), channels)
    across.append(x)
    x = conv(layers.MaxPooling2D()(x), 48)
    for channels, beside in zip((32, 16, 8), reversed(across), strict=True):
        x = conv(layers.Concatenate()([layers.UpSampling2D()(x), beside]), channels)
    return keras.Model(picture, layers.Conv2D(1, 1, activation="sigmoid", name="nucleus")(x), name="nuclei")


def loss(truth, found):
    """Cross entropy and Dice: the second does not mind that most pixels are dark."""
    entropy = keras.ops.mean(keras.losses.binary_crossentropy(truth, found))
    both = keras.ops.sum(truth * found)
    return entropy + 1 - (2 * both + 1) / (keras.ops.sum(truth) + keras.ops.sum(found) + 1)


def smaller(labels):
    """Where a nucleus is, each one pixel smaller than by hand, so that neighbours stay apart."""
    low = ndimage.grey_erosion(labels, footprint=np.ones((3, 3)))
    high = ndimage.grey_dilation(labels, footprint=np.ones((3, 3)))
    return (labels > 0) & (low == labels) & (high == labels)


def sample(picture, inside, chance):
    """A random part [64, 64, 1] of 0 to 255 and its target: turned, scaled, blurred, of other contrast."""
    side = int(TILE * chance.uniform(0.5, 1.6))
    y, x = (int(chance.integers(0, size - side + 1)) for size in picture.shape)
    part = picture[y : y + side, x : x + side].astype(np.float64)
    target = inside[y : y + side, x : x + side].astype(np.float64)
    part, target = (
        ndimage.zoom(values, TILE / side, order=1, grid_mode=True, mode="reflect")
        for values in (part, target)
    )
    turns, mirror = int(chance.integers(4)), chance.random() < 0.5
    part, target = (np.rot90(values[:, ::-1] if mirror else values, turns) for values in (part, target))
    if chance.random() < 0.5:
        part = ndimage.gaussian_filter(part, chance.uniform(0.3, 1.5))
    part = 255 * (np.clip(part, 0, 255) / 255) ** chance.uniform(0.5, 1.6)
    part = (
        part * chance.uniform(0.5, 1.2)
        + chance.uniform(-10, 40)
        + chance.normal(0, chance.uniform(0, 8), part.shape)
    )
    return np.clip(part, 0, 255)[..., np.newaxis], (target >= 0.5)[..., np.newaxis]


def batches(picture, inside, chance):
    while True:
        pairs = [sample(picture, inside, chance) for _ in range(BATCH)]
        yield (
            np.stack([part for part, _ in pairs]).astype(np.float32) / 255,
            np.stack([target for _, target in pairs]).astype(np.float32),
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path())
    options = parser.parse_args()

    keras.utils.set_random_seed(options.seed)
    picture, labels = first_microscope(options.data)
    known, inside = picture[:, :TRAIN_COLUMNS], smaller(labels[:, :TRAIN_COLUMNS])
    chance = np.random.default_rng(options.seed)
    model = build_model()
    decay = keras.optimizers.schedules.CosineDecay(3e-3, options.steps)
    model.compile(keras.optimizers.Adam(decay), loss)
    model.fit(batches(known, inside, chance), steps_per_epoch=options.steps, verbose=0)

    # What compress fine-tunes and calibrates on: pixels of 0 to 255, as they come from a picture.
    pairs = [sample(known, inside, chance) for _ in range(CALIBRATION_TILES)]
    test, truth = picture[:, TRAIN_COLUMNS:], smaller(labels[:, TRAIN_COLUMNS:])
    options.out.mkdir(parents=True, exist_ok=True)
    # Without the training's own loss, which another program would have to know.
    keras.Model(model.input, model.output, name="nuclei").save(options.out / "nuclei.keras")
    np.savez_compressed(
        options.out / "nuclei.npz",
        x_train=np.stack([part for part, _ in pairs]).astype(np.uint8),
        y_train=np.stack([target for _, target in pairs]).astype(np.uint8),
        x_test=tiles(test),
        y_test=tiles(truth.astype(np.uint8)),
    )
    print(f"trained on {known.shape[1]} columns, {model.count_params():,} parameters")


if __name__ == "__main__":
    main()
