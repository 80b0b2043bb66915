"""Networks of the kinds that MLPerf Tiny has, for Fashion-MNIST, built and trained here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from common import kept_model
from fashion_model import Fashion, fitted

EPOCHS = 10
BATCH = 64
RATE = 2e-3


def resnet_8() -> Any:
    """Three residual blocks of 16, 32 and 64 channels."""
    import keras
    from keras import layers

    def normed(x: Any, width: int, window: int, stride: int = 1) -> Any:
        x = layers.Conv2D(width, window, strides=stride, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    image = keras.Input((28, 28, 1), name="image")
    x = layers.ReLU()(normed(layers.Rescaling(1 / 255)(image), 16, 3))
    for width, stride in ((16, 1), (32, 2), (64, 2)):
        y = normed(layers.ReLU()(normed(x, width, 3, stride)), width, 3)
        short = x if stride == 1 else normed(x, width, 1, stride)
        x = layers.ReLU()(layers.Add()([short, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="garment")(x), name="resnet_8")


def ds_cnn() -> Any:
    """A convolution and four depthwise-separable blocks of 64 channels."""
    import keras
    from keras import layers

    def active(x: Any) -> Any:
        return layers.ReLU()(layers.BatchNormalization()(x))

    image = keras.Input((28, 28, 1), name="image")
    x = layers.Rescaling(1 / 255)(image)
    x = active(layers.Conv2D(64, (10, 4), strides=2, padding="same", use_bias=False)(x))
    for _ in range(4):
        x = active(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x))
        x = active(layers.Conv2D(64, 1, use_bias=False)(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="garment")(x), name="ds_cnn")


def mobilenet_025() -> Any:
    """MobileNet v1 with a quarter of its channels and ReLU6; two strides fewer, as the images are small."""
    import keras
    from keras import layers

    def active(x: Any) -> Any:
        return layers.ReLU(6.0)(layers.BatchNormalization()(x))

    image = keras.Input((28, 28, 1), name="image")
    x = layers.Rescaling(1 / 255)(image)
    x = active(layers.Conv2D(8, 3, padding="same", use_bias=False)(x))
    widths = (16, 32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 256, 256)
    for number, width in enumerate(widths):
        stride = 2 if number in (1, 3, 5) else 1
        x = active(layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(x))
        x = active(layers.Conv2D(width, 1, use_bias=False)(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="garment")(x), name="mobilenet_025")


NETWORKS: Mapping[str, Callable[[], Any]] = MappingProxyType(
    {"resnet-8": resnet_8, "ds-cnn": ds_cnn, "mobilenet-0.25": mobilenet_025}
)


def trained(name: str, seed: int, data: Fashion) -> Path:
    """The path of a trained network; it is trained with labels if it is not there yet."""
    recipe = inspect.getsource(NETWORKS[name]) + inspect.getsource(fitted)
    return kept_model(
        f"{name}-{seed}",
        f"{recipe} {EPOCHS} {BATCH} {RATE}",
        seed,
        lambda: fitted(NETWORKS[name](), data, EPOCHS, BATCH, RATE, name),
    )
