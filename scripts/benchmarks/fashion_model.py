"""Fashion-MNIST from the Debian package, and the network that the benchmarks train on it."""

from __future__ import annotations

import gzip
import inspect
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from common import kept_model, out
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Array = npt.NDArray[Any]

FOLDER = Path("/usr/share/datasets/fashion-mnist")
PACKAGE = "dataset-fashion-mnist"
EPOCHS = 8
BATCH = 64
RATE = 4e-3
SEED = 0


def quiet_imports() -> None:
    """Import TensorFlow and Keras without their greetings."""
    import edgesqueeze.squeeze  # noqa: F401


@dataclass(frozen=True, eq=False)
class Fashion:
    """Grey images ``[n, 28, 28, 1]`` of clothes, bytes from 0 to 255, and their classes from 0 to 9."""

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array


def load_fashion() -> Fashion:
    """Read the data set.

    Raises:
        SystemExit: it is not installed.
    """
    if not (FOLDER / "train-images-idx3-ubyte.gz").is_file():
        raise SystemExit(f"error: no Fashion-MNIST in {FOLDER}\n    run: sudo apt-get install {PACKAGE}")
    return Fashion(
        _images("train-images-idx3-ubyte.gz"),
        _labels("train-labels-idx1-ubyte.gz"),
        _images("t10k-images-idx3-ubyte.gz"),
        _labels("t10k-labels-idx1-ubyte.gz"),
    )


def _images(name: str) -> Array:
    # An idx file: a magic number, the sizes as big-endian 32-bit integers, then bytes.
    raw = gzip.decompress((FOLDER / name).read_bytes())
    count, height, width = np.frombuffer(raw, ">u4", 3, offset=4)
    return np.frombuffer(raw, np.uint8, offset=16).reshape(count, height, width, 1)


def _labels(name: str) -> Array:
    return np.frombuffer(gzip.decompress((FOLDER / name).read_bytes()), np.uint8, offset=8).astype(np.int64)


def build_model() -> Any:
    """A depthwise-separable network in Keras 3: batch norms, and 26,794 weights with theirs."""
    import keras
    from keras import layers

    image = keras.Input((28, 28, 1), name="image")
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Conv2D(24, 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for number, (width, stride) in enumerate(((32, 1), (48, 2), (64, 1), (96, 2), (96, 1)), 1):
        x = layers.DepthwiseConv2D(
            3, strides=stride, padding="same", use_bias=False, name=f"depthwise_{number}"
        )(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Conv2D(width, 1, use_bias=False, name=f"pointwise_{number}")(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="garment")(x), name="fashion")


def trained_model(data: Fashion) -> Path:
    """The path of the trained network; it is trained with labels if it is not there yet."""
    recipe = inspect.getsource(build_model) + inspect.getsource(fitted)
    return kept_model(
        "fashion",
        f"{recipe} {EPOCHS} {BATCH} {RATE} {SEED}",
        SEED,
        lambda: fitted(build_model(), data, EPOCHS, BATCH, RATE, "the float model"),
    )


def fitted(model: Any, data: Fashion, epochs: int, batch: int, rate: float, title: str) -> Any:
    """The model after training with labels, with a rate that falls to 0 along a cosine."""
    import keras

    steps = epochs * -(-len(data.x_train) // batch)
    falling = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(keras.optimizers.Adam(falling), loss="sparse_categorical_crossentropy")
    with progress() as bar:
        task = bar.add_task(f"training {title}", total=epochs)
        step = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: bar.advance(task))
        model.fit(data.x_train, data.y_train, batch, epochs, verbose=0, callbacks=[step])
    return model


class Squeezed(NamedTuple):
    """A network that was compressed with images only.

    Attributes:
        result: what ``edgesqueeze.compress`` gave.
        accuracy: of the .tflite on LiteRT, on all test images.
        seconds: how long ``compress`` took.
    """

    result: Any
    accuracy: float
    seconds: float


def squeezed(path: Path, data: Fashion, target: str, recipe: Any, name: str) -> Squeezed:
    """Compress a network with images only, and judge the .tflite with labels."""
    import edgesqueeze
    from edgesqueeze.runners import litert
    from edgesqueeze.runners.samples import EvalData, data_samples

    begin = time.perf_counter()
    with progress() as bar:
        task = bar.add_task(name, total=None)
        result = edgesqueeze.compress(
            path,
            target=target,
            data=((data.x_train, None), (data.x_test, None)),
            recipe=recipe,
            progress=lambda stage, done, total: bar.update(
                task, description=f"{name}: {stage}", completed=done, total=total or None
            ),
        )
    seconds = time.perf_counter() - begin
    outputs = litert.run(result.tflite, data_samples(result.tflite, EvalData((data.x_test,), None)))
    scores = np.concatenate([values[0] for values in outputs])
    return Squeezed(result, float(np.mean(scores.argmax(axis=1) == data.y_test)), seconds)


def progress() -> Progress:
    """A bar that goes away when done; nothing in a pipe."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=out, transient=True, disable=not out.is_terminal)


def float_accuracy(path: Path, data: Fashion) -> float:
    """Accuracy of the float model on all test images, by Keras itself."""
    import keras

    scores = keras.saving.load_model(path, compile=False).predict(data.x_test, batch_size=256, verbose=0)
    return float(np.mean(scores.argmax(axis=1) == data.y_test))
