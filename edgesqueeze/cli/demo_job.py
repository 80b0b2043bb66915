"""The main job from end to end on handwritten digits: train, compress, emit firmware sources, verify.

The data are scikit-learn's: 1797 grey images of 8x8 pixels, in its wheel, so nothing is downloaded.
"""

from __future__ import annotations

import importlib.util
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.npz import load_npz
from edgesqueeze.base.output import staged
from edgesqueeze.base.quiet import quiet
from edgesqueeze.base.records import Record
from edgesqueeze.checks.verify import Verification, verify
from edgesqueeze.errors import MissingToolError
from edgesqueeze.graph import read_tflite
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.report.report import Report
from edgesqueeze.runners.samples import EvalData

Progress = Callable[[str, int, int], None]

OUT = "edgesqueeze-demo"
TARGET = "nucleo-l4r5zi"
SPARSITY = 0.6
CLUSTERS = 16
TRAIN_EPOCHS = 15
EPOCHS = 40
"""Fine-tuning takes many passes, because one pass over the data is only 19 steps."""
BATCH_SIZE = 64
TEST_SHARE = 1 / 3
SEED = 0
# Module -> the package that has it.
NEEDED = {
    "sklearn": "scikit-learn",
    "tensorflow": "tensorflow",
    "keras": "keras",
    "tf_keras": "tf-keras",
    "tensorflow_model_optimization": "tensorflow-model-optimization",
}
INSTALL = "pip install 'edgesqueeze[demo]'"


class Demonstration(Record):
    """What ``demo`` did, as ``demo --json`` prints it.

    Attributes:
        schema_version: version of the form of this document; it rises when a field changes its meaning.
        ok: whether the model fits the target and all runtimes agree.
        out: path of the folder that the files are in.
        train_samples: number of digits that the model was trained on.
        test_samples: number of other digits, by which the result is judged.
        seconds: time that each step took, in seconds, by the step's name.
        commands: the command line of each step after the training.
        report: the report of ``edgesqueeze compress``.
        verification: the result of ``edgesqueeze verify``.
    """

    schema_version: Literal[1] = 1
    ok: bool
    out: str
    train_samples: int
    test_samples: int
    seconds: dict[str, float]
    commands: tuple[str, ...]
    report: Report
    verification: Verification


@dataclass(frozen=True, eq=False)
class Digits:
    """Images ``[n, 8, 8, 1]`` of values from 0 to 1 with their classes, for training and for testing."""

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array


@dataclass(frozen=True)
class Paths:
    """Where the demo's files are.

    Attributes:
        model: file of the trained model.
        data: file of the digits.
        compressed: the folder that ``compress`` writes.
    """

    model: Path
    data: Path
    compressed: Path


def paths_in(out: Path) -> Paths:
    """The files of a demo in a folder."""
    return Paths(out / "digits.keras", out / "digits.npz", out / "compressed")


def compress_command(paths: Paths, epochs: int) -> str:
    """The command line of the compression."""
    parts = ("--target", TARGET, "--data", paths.data, "--out", paths.compressed)
    numbers = ("--sparsity", SPARSITY, "--clusters", CLUSTERS, "--epochs", epochs)
    return _command("compress", paths.model, *parts, *numbers)


def verify_command(paths: Paths) -> str:
    """The command line of the verification."""
    return _command(
        "verify", paths.compressed / "model.tflite", "--against", paths.model, "--data", paths.data
    )


def require_packages() -> None:
    """Check that everything that the demo uses is installed, without importing it.

    Raises:
        MissingToolError: something is not.
    """
    missing = [package for name, package in NEEDED.items() if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingToolError(
            f"the demo needs packages that are not installed: {', '.join(missing)}",
            expected="TensorFlow to compress, scikit-learn for its digits",
            hint=INSTALL,
        )


def load_digits() -> Digits:
    """Scikit-learn's digits, mixed and split by a fixed seed."""
    from sklearn.datasets import load_digits as load

    bunch = load()
    order = np.random.default_rng(SEED).permutation(len(bunch.target))
    images = (bunch.images[order] / 16.0).astype(np.float32)[..., np.newaxis]
    classes = bunch.target[order].astype(np.int64)
    first = round(len(order) * TEST_SHARE)
    return Digits(images[first:], classes[first:], images[:first], classes[:first])


def build_model() -> Any:
    """A Keras 3 model of the kind that people have: batch norm and a depthwise-separable block."""
    import keras
    from keras import layers

    image = keras.Input((8, 8, 1), name="image")
    x = layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem")(image)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Conv2D(32, 1, use_bias=False, name="pointwise")(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(48, 3, use_bias=False, name="features")(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Flatten()(x)
    digit = layers.Dense(10, activation="softmax", name="digit")(x)
    return keras.Model(image, digit, name="digits")


def train(digits: Digits, epochs: int) -> Any:
    """Train a new model; the same digits give the same weights."""
    # First, because it keeps TensorFlow's greetings off the terminal.
    import edgesqueeze.squeeze  # noqa: F401

    import keras  # isort: skip

    keras.utils.set_random_seed(SEED)
    model = build_model()
    rate = keras.optimizers.schedules.CosineDecay(5e-3, max(1, epochs * len(digits.x_train) // BATCH_SIZE))
    model.compile(keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(digits.x_train, digits.y_train, BATCH_SIZE, epochs, verbose=0)
    return model


def prepare(paths: Paths, epochs: int | None = None) -> Digits:
    """Step 1: train a model, and save it and its data as a user's own would be.

    Args:
        paths: where they go.
        epochs: passes over the data; ``TRAIN_EPOCHS`` if not given.

    Raises:
        MissingToolError: a package is not installed.
        OutputError: the files cannot be written, which is found out before the training.
    """
    require_packages()
    digits = load_digits()
    with staged(paths.model.parent) as stage, quiet():
        model = train(digits, TRAIN_EPOCHS if epochs is None else epochs)
        model.save(stage / paths.model.name)
        np.savez(
            stage / paths.data.name,
            x_train=digits.x_train,
            y_train=digits.y_train,
            x_test=digits.x_test,
            y_test=digits.y_test,
        )
    return digits


def squeeze(paths: Paths, epochs: int = EPOCHS, progress: Progress | None = None) -> Report:
    """Step 2: what ``compress_command`` does."""
    from edgesqueeze.pipeline import compress

    wanted = {
        "prune": {"sparsity": SPARSITY},
        "cluster": {"clusters": CLUSTERS},
        "finetune": {"epochs": epochs},
    }
    return compress(
        paths.model,
        target=TARGET,
        data=paths.data,
        out=paths.compressed,
        recipe=parse_recipe(wanted),
        progress=progress,
    ).report


def check(paths: Paths) -> Verification:
    """Step 3: what ``verify_command`` does."""
    model = read_tflite(paths.compressed / "model.tflite")
    test = load_npz(paths.data).test
    assert test is not None
    data = EvalData(test.inputs, test.labels, ("image",))
    return verify(model, data=data, against=paths.model)


def _command(*words: object) -> str:
    return shlex.join(["edgesqueeze", *(str(word) for word in words)])
