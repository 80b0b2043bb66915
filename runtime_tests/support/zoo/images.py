"""Networks for images: classifiers of every fashion, segmentation, detection, several inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tf_keras

from runtime_tests.support.zoo.data import digit_pairs, digits, films, scenes
from runtime_tests.support.zoo.made import Made, one_hot, split, train

Block = Callable[[Any], Any]
DIGITS = (8, 8, 1)
SCENE = (16, 16, 1)


def cnn(library: Any = keras, file: str = "model.keras") -> Made:
    """Convolutions with batch normalization, by default in Keras 3."""
    layers = library.layers

    def body(x: Any) -> Any:
        x = layers.Conv2D(16, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.MaxPooling2D()(x)
        return layers.Conv2D(24, 3, padding="same", activation="relu")(x)

    return classifier(body, library=library, file=file)


def classifier(
    body: Block,
    *,
    library: Any = keras,
    file: str = "model.keras",
    epochs: int = 12,
) -> Made:
    """A classifier of handwritten digits around some layers, trained."""
    layers, data = library.layers, digits()
    image = library.Input(DIGITS)
    x = body(image)
    x = x if len(x.shape) == 2 else layers.Flatten()(x)
    model = library.Model(image, layers.Dense(10, activation="softmax")(x))
    return Made(train(model, data, epochs=epochs), data, file)


def with_blocks(block: Block, *, filters: int = 16) -> Made:
    """The classifier with two convolutions, and a block after each."""

    def body(x: Any) -> Any:
        x = block(keras.layers.Conv2D(filters, 3, padding="same")(x))
        x = keras.layers.MaxPooling2D()(x)
        return block(keras.layers.Conv2D(filters, 3, padding="same")(x))

    return classifier(body)


def mlp() -> Made:
    """Dense layers with dropout."""
    layers = keras.layers

    def body(x: Any) -> Any:
        x = layers.Dense(64, activation="relu")(layers.Flatten()(x))
        return layers.Dense(32, activation="tanh")(layers.Dropout(0.2)(x))

    return classifier(body)


def depthwise_separable() -> Made:
    """Depthwise convolutions, and separable ones."""
    layers = keras.layers

    def body(x: Any) -> Any:
        x = layers.Conv2D(16, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.SeparableConv2D(32, 3, strides=2, padding="same", activation="relu")(x)
        return layers.GlobalAveragePooling2D()(layers.Conv2D(32, 1, activation="relu")(x))

    return classifier(body, epochs=25)


def inverted_residual() -> Made:
    """Bottlenecks with a shortcut, as in MobileNetV2, in a model inside the model."""
    layers = keras.layers

    def bottleneck(x: Any) -> Any:
        y = layers.Conv2D(32, 1, use_bias=False)(x)
        y = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9)(y))
        y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(y)
        y = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9)(y))
        y = layers.BatchNormalization(momentum=0.9)(layers.Conv2D(x.shape[-1], 1, use_bias=False)(y))
        return layers.Add()([x, y])

    def body(x: Any) -> Any:
        inside = keras.Input((8, 8, 16))
        inner = keras.Model(inside, bottleneck(bottleneck(inside)), name="backbone")
        x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
        return layers.GlobalAveragePooling2D()(layers.Conv2D(48, 3, strides=2, activation="relu")(inner(x)))

    return classifier(body)


def squeeze_and_excite() -> Made:
    """Channels that are weighed by a small network of their means."""
    layers = keras.layers

    def block(x: Any) -> Any:
        x = layers.Activation("relu")(x)
        y = layers.GlobalAveragePooling2D(keepdims=True)(x)
        y = layers.Conv2D(4, 1, activation="relu")(y)
        return layers.Multiply()([x, layers.Conv2D(x.shape[-1], 1, activation="sigmoid")(y)])

    return with_blocks(block)


def odd_batch_norm() -> Made:
    """Batch normalization first, behind an activation, a pooling, a sum, a flattening, and twice."""
    layers = keras.layers

    def norm(x: Any) -> Any:
        return layers.BatchNormalization(momentum=0.9)(x)

    def body(x: Any) -> Any:
        x = norm(layers.Conv2D(16, 3, padding="same", activation="relu")(norm(x)))
        y = norm(norm(layers.Conv2D(16, 1)(x)))
        x = layers.ReLU()(norm(layers.Add()([x, y])))
        return norm(layers.Flatten()(norm(layers.MaxPooling2D()(x))))

    return classifier(body)


def pools() -> Made:
    """Average pooling, padding, cropping, upsampling, concatenation and a permutation."""
    layers = keras.layers

    def body(x: Any) -> Any:
        x = layers.Conv2D(12, 3, activation="relu")(layers.ZeroPadding2D(1)(x))
        small = layers.UpSampling2D(2)(layers.AveragePooling2D(2)(x))
        x = layers.Concatenate()([x, small, layers.MaxPooling2D(3, strides=1, padding="same")(x)])
        x = layers.Conv2D(16, 3, strides=2, activation="relu")(layers.Permute((2, 1, 3))(x))
        return layers.Cropping2D(((0, 0), (0, 0)))(x)

    return classifier(body)


def augmentation() -> Made:
    """Layers that change images in training only, and a rescaling, for images from 0 to 255."""
    layers, data = keras.layers, digits()
    scaled = split(
        255 * np.concatenate([data.x_train, data.x_test]),
        np.concatenate([data.y_train, data.y_test]),
        len(data.x_test),
    )
    image = keras.Input(DIGITS)
    x = layers.Rescaling(1 / 255)(image)
    x = layers.RandomRotation(0.02)(layers.RandomTranslation(0.05, 0.05)(x))
    x = layers.GaussianNoise(0.02)(layers.RandomZoom(0.05)(x))
    x = layers.Conv2D(24, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(24, 3, strides=2, activation="relu")(layers.SpatialDropout2D(0.1)(x))
    model = keras.Model(image, layers.Dense(10, activation="softmax")(layers.Flatten()(x)))
    return Made(train(model, scaled, epochs=15), scaled)


def mixed_float16() -> Made:
    """A model that computes in float16 and keeps float32 weights."""
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        return cnn()
    finally:
        keras.mixed_precision.set_global_policy("float32")


def argmax_inside() -> Made:
    """A model that gives class ids."""
    made = cnn()
    chosen = keras.ops.argmax(made.model.output, axis=-1)
    return Made(keras.Model(made.model.input, chosen), made.data)


def with_lambda() -> Made:
    """A classifier with a Lambda layer, which is code in the file."""
    return with_blocks(lambda x: keras.layers.Lambda(lambda y: y * y * 0.5)(x))


def conv3d() -> Made:
    """Convolutions over time and space."""
    layers, data = keras.layers, films()
    film = keras.Input((4, 8, 8, 1))
    x = layers.Conv3D(8, 3, activation="relu")(film)
    x = layers.Conv3D(12, (2, 3, 3), activation="relu")(x)
    model = keras.Model(film, layers.Dense(4, activation="softmax")(layers.Flatten()(x)))
    return Made(train(model, data, epochs=6), data)


def unet() -> Made:
    """Segmentation, with shortcuts from the way down to the way up."""
    layers, drawn = keras.layers, scenes(2600, 2)
    data = split(drawn.images, drawn.pixels, 600)

    def twice(x: Any, filters: int) -> Any:
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
        return x

    image = keras.Input(SCENE)
    first = twice(image, 8)
    second = twice(layers.MaxPooling2D()(first), 16)
    x = twice(layers.MaxPooling2D()(second), 24)
    x = layers.Conv2DTranspose(16, 2, strides=2, padding="same")(x)
    x = twice(layers.Concatenate()([x, second]), 16)
    x = layers.Concatenate()([layers.UpSampling2D(interpolation="bilinear")(x), first])
    model = keras.Model(image, layers.Conv2D(4, 1, activation="softmax")(twice(x, 8)))
    return Made(train(model, data, epochs=16, rate=1e-2), data)


def mask() -> Made:
    """A mask of one score a pixel, made by transposed convolutions."""
    layers, drawn = keras.layers, scenes(2600, 2)
    y = (drawn.pixels > 0)[..., np.newaxis].astype(np.float32)
    data = split(drawn.images, y, 600)
    image = keras.Input(SCENE)
    x = layers.Conv2D(12, 3, strides=2, padding="same", activation="relu")(image)
    x = layers.Conv2D(24, 3, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu")(x)
    model = keras.Model(image, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))
    return Made(train(model, data, "binary_crossentropy", epochs=8, rate=1e-2), data)


def detection() -> Made:
    """One head for a box, and one for scores."""
    layers, drawn = keras.layers, scenes(4000, 1)
    labels = {"box": drawn.boxes, "score": one_hot(drawn.classes, 3)}
    data = split(drawn.images, labels, 600)
    image = keras.Input(SCENE, name="image")
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(image)
    x = layers.Conv2D(24, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Dense(64, activation="relu")(layers.Flatten()(x))
    box = layers.Dense(4, activation="sigmoid", name="box")(x)
    score = layers.Dense(3, activation="softmax", name="score")(x)
    model = keras.Model(image, {"box": box, "score": score})
    losses = {"box": "mse", "score": "categorical_crossentropy"}
    return Made(train(model, data, losses, epochs=12, weights={"box": 20.0, "score": 1.0}), data)


def anchors() -> Made:
    """Scores and boxes for each place of a grid, as detectors without a last step have them."""
    layers, drawn = keras.layers, scenes(3000, 1)
    places = np.minimum((drawn.boxes[:, :2] * 4).astype(int), 3)
    scores = np.zeros((len(places), 16, 4), np.float32)
    scores[..., 3] = 1
    cells = np.arange(len(places)), places[:, 0] * 4 + places[:, 1]
    scores[cells] = one_hot(drawn.classes, 4)
    boxes = np.repeat(drawn.boxes[:, np.newaxis], 16, axis=1)
    data = split(drawn.images, {"boxes": boxes, "scores": scores}, 600)
    image = keras.Input(SCENE)
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(image)
    x = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    box = layers.Reshape((16, 4), name="boxes")(layers.Conv2D(4, 3, padding="same")(x))
    score = layers.Conv2D(4, 3, padding="same")(x)
    score = layers.Softmax(name="scores")(layers.Reshape((16, 4))(score))
    model = keras.Model(image, [box, score])
    losses = {"boxes": "mse", "scores": "categorical_crossentropy"}
    return Made(train(model, data, losses, epochs=10, weights={"boxes": 10.0, "scores": 1.0}), data)


def multi_label() -> Made:
    """Which shapes are in the image: several may be."""
    layers, drawn = keras.layers, scenes(4000, 3)
    data = split(drawn.images, drawn.present, 600)
    image = keras.Input(SCENE)
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(image)
    x = layers.Conv2D(24, 3, activation="relu")(x)
    x = layers.GlobalMaxPooling2D()(layers.Conv2D(32, 3, activation="relu")(x))
    model = keras.Model(image, layers.Dense(3, activation="sigmoid")(x))
    return Made(train(model, data, "binary_crossentropy", epochs=10), data)


def siamese() -> Made:
    """Two images through one network; whether they are of one class."""
    layers, data = keras.layers, digit_pairs()
    inner = keras.Sequential(
        [
            keras.Input(DIGITS),
            layers.Conv2D(24, 3, activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(32),
        ],
        name="encoder",
    )
    left, right = keras.Input(DIGITS, name="left"), keras.Input(DIGITS, name="right")
    apart = keras.ops.square(inner(left) - inner(right))
    x = layers.Dense(32, activation="relu")(apart)
    model = keras.Model([left, right], layers.Dense(1, activation="sigmoid")(x))
    return Made(train(model, data, "binary_crossentropy", epochs=10), data)


def autoencoder() -> Made:
    """Digits from a narrow code; no labels."""
    layers, data = keras.layers, digits()
    image = keras.Input(DIGITS)
    x = layers.Dense(64, activation="relu")(layers.Flatten()(image))
    code = layers.Dense(12)(x)
    x = layers.Dense(64, activation="relu")(code)
    model = keras.Model(image, layers.Reshape(DIGITS)(layers.Dense(64, activation="sigmoid")(x)))
    train(model, data.with_labels(data.x_train, data.x_test), "mse", epochs=25)
    return Made(model, data.with_labels(None, None))


def old_file() -> Made:
    """The convolutions in an HDF5 file of tf_keras."""
    return cnn(tf_keras, "model.h5")


def old_folder() -> Made:
    """The convolutions in a SavedModel of tf_keras."""
    made = cnn(tf_keras, "model")
    return Made(made.model, made.data, "model", lambda model, path: model.save(path, save_format="tf"))


def prelu() -> Made:
    """A slope for each channel."""
    return with_blocks(lambda x: keras.layers.PReLU(shared_axes=[1, 2])(x))


def gelu() -> Made:
    """GELU."""
    return with_blocks(lambda x: keras.layers.Activation("gelu")(x))


def swish() -> Made:
    """Swish, and its hard form."""
    return with_blocks(lambda x: keras.layers.Activation("hard_silu")(keras.layers.Activation("silu")(x)))


def layer_normalization() -> Made:
    """Layer normalization over the channels."""
    return with_blocks(lambda x: keras.layers.ReLU()(keras.layers.LayerNormalization()(x)))


def group_normalization() -> Made:
    """Group normalization."""
    return with_blocks(lambda x: keras.layers.ReLU()(keras.layers.GroupNormalization(4)(x)))
