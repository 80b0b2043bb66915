"""Tiny Keras models and data for tests: 8x8 inputs, a few channels, every layer class that has a kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import tf_keras

from edgesqueeze.base.arrays import Array
from edgesqueeze.base.findings import Finding
from edgesqueeze.graph import Tensor, TfliteModel
from edgesqueeze.graph.weights import weight_uses
from edgesqueeze.recipe.filled import FilledRecipe
from edgesqueeze.recipe.passes import PASSES
from edgesqueeze.recipe.sections import DataOptions
from edgesqueeze.squeeze.data.load import input_specs
from edgesqueeze.squeeze.data.source import Source, array_source
from edgesqueeze.squeeze.layers.kernels import KernelKey, key_of
from edgesqueeze.squeeze.passes.bits import in_four_bits
from edgesqueeze.squeeze.passes.convert import convert
from edgesqueeze.squeeze.passes.fold import fold
from edgesqueeze.squeeze.passes.precision import Precision
from edgesqueeze.squeeze.passes.promises import check_promises, check_ranges
from edgesqueeze.squeeze.passes.state import Outcome, Promise, Setting, State, Trainer
from edgesqueeze.squeeze.passes.trainings import untrained

CLASSES = 4


def conv2d(library: Any = tf_keras) -> Any:
    """Two convolutions with batch norm and a dense layer."""
    layers, image = _image(library)
    x = _normed(layers, layers.Conv2D(8, 3, use_bias=False, name="first")(image))
    x = _normed(layers, layers.Conv2D(12, 3, strides=2, padding="same", name="middle")(x))
    return _classifier(library, image, x)


def depthwise(library: Any = tf_keras) -> Any:
    """A MobileNet block: depthwise and pointwise convolutions with batch norm."""
    layers, image = _image(library)
    x = _normed(layers, layers.Conv2D(10, 3, strides=2, name="first")(image))
    x = _normed(layers, layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="middle")(x))
    x = _normed(layers, layers.Conv2D(12, 1, use_bias=False, name="point")(x))
    return _classifier(library, image, x)


def separable(library: Any = tf_keras) -> Any:
    """Separable convolutions with batch norm; each becomes two layers when folded."""
    layers, image = _image(library)
    x = _normed(layers, layers.SeparableConv2D(12, 3, use_bias=False, name="first")(image))
    x = _normed(layers, layers.SeparableConv2D(12, 3, padding="same", name="middle")(x))
    return _classifier(library, image, x)


def dense(library: Any = tf_keras) -> Any:
    """A perceptron with batch norm."""
    layers, image = _image(library)
    x = layers.Flatten()(image)
    x = _normed(layers, layers.Dense(16, use_bias=False, name="first")(x))
    x = _normed(layers, layers.Dense(12, name="middle")(x))
    return library.Model(image, layers.Dense(CLASSES, activation="softmax", name="last")(x), name="tiny")


def conv1d(library: Any = tf_keras) -> Any:
    """Convolutions over a sequence."""
    layers, image = _image(library)
    x = layers.Reshape((16, 12))(image)
    x = _normed(layers, layers.Conv1D(8, 3, padding="same", name="first")(x))
    x = _normed(layers, layers.Conv1D(12, 3, strides=2, name="middle")(x))
    x = layers.GlobalAveragePooling1D()(x)
    return library.Model(image, layers.Dense(CLASSES, activation="softmax", name="last")(x), name="tiny")


def transpose(library: Any = tf_keras) -> Any:
    """A convolution down and a transposed one up."""
    layers, image = _image(library)
    x = _normed(layers, layers.Conv2D(8, 3, strides=2, padding="same", name="first")(image))
    x = _normed(layers, layers.Conv2DTranspose(12, 3, strides=2, padding="same", name="middle")(x))
    return _classifier(library, image, x)


def sequence(library: Any = tf_keras) -> Any:
    """A causal separable convolution over a sequence, a depthwise and a transposed one."""
    layers, image = _image(library)
    x = layers.Reshape((16, 12))(image)
    x = _normed(layers, layers.SeparableConv1D(12, 3, padding="causal", use_bias=False, name="first")(x))
    x = _normed(layers, layers.DepthwiseConv1D(3, padding="same", depth_multiplier=2, name="middle")(x))
    x = _normed(layers, layers.Conv1DTranspose(8, 3, strides=2, padding="same", name="up")(x))
    x = layers.GlobalAveragePooling1D()(x)
    return library.Model(image, layers.Dense(CLASSES, activation="softmax", name="last")(x), name="tiny")


NETS = {net.__name__: net for net in (conv2d, depthwise, separable, dense, conv1d, transpose, sequence)}


def randomize(model: Any, seed: int = 0) -> Any:
    """Give a model the weights that a trained one may have, batch norms with uneven channels included."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            size = layer.get_weights()[0].shape
            gamma = np.exp(rng.normal(0, 1, size)) * rng.choice([-1, 1], size)
            values = [gamma] * layer.scale + [rng.normal(0, 1, size)] * layer.center
            layer.set_weights([*values, rng.normal(0, 1, size), rng.uniform(0.2, 3, size)])
        elif layer.weights:
            layer.set_weights(
                [
                    rng.normal(0, 1 / np.sqrt(max(value.size / value.shape[-1], 1)), value.shape)
                    for value in layer.get_weights()
                ]
            )
    return model


def images(count: int = 48, seed: int = 0) -> Array:
    """Random inputs for these models."""
    return np.random.default_rng(seed).normal(0, 1, (count, 8, 8, 3)).astype(np.float32)


def weights_of(model: Any) -> list[Array]:
    """Copies of a model's weights, of either library."""
    return [np.array(value) for value in model.get_weights()]


def source_of(model: Any, *columns: Array, labels: list[Array] | None = None) -> Source:
    """Arrays as a stream of samples for a model."""
    rows = np.arange(len(columns[0]))
    return array_source(columns, labels, rows, input_specs(model), DataOptions())


class Passed(NamedTuple):
    """What the passes and conversion made of a model.

    Attributes:
        model: the compressed model of plain layers.
        promises: what was promised of its kernels.
        tflite: what it was converted to.
        findings: all of them, those about broken promises included.
    """

    model: Any
    promises: Mapping[KernelKey, Promise]
    tflite: TfliteModel
    findings: list[Finding]


def squeeze(model: Any, raw: dict[str, Any]) -> tuple[TfliteModel, list[Finding]]:
    """What ``passed`` gives of the file and the findings, without those about promises."""
    made = passed(model, raw, check=False)
    return made.tflite, made.findings


def passed(
    model: Any,
    raw: dict[str, Any],
    *,
    train: Trainer | None = None,
    check: bool = True,
    inputs: Array | None = None,
) -> Passed:
    """Fold, apply the passes and convert; ``raw`` is a recipe without ``finetune``.

    Unless it says otherwise, the first and the last layer take part.

    Args:
        model: a tf_keras model.
        raw: the recipe.
        train: what trains a student; without it none is trained.
        check: whether the findings are to say what became of the promises.
        inputs: the samples, of which as many calibrate as the recipe says; twelve normal ones if unset.
    """
    for section in ("prune", "cluster", "bits"):
        if section in raw:
            raw = {**raw, section: {"first_and_last": "include", **raw[section]}}
    quantize = {"mode": "int8", "io": "int8", **raw.get("quantize", {})}
    recipe = FilledRecipe.model_validate({**raw, "quantize": quantize})
    folded, found = fold(model)
    findings = list(found)
    data = [np.random.default_rng(1).normal(size=(12, *one.shape[1:])) for one in folded.inputs]
    source = source_of(folded, *(data if inputs is None else [inputs]))
    steps = 0 if train is None else 1
    mode, io = recipe.quantize.mode, recipe.quantize.io
    shown = 12 if inputs is None else recipe.quantize.calibration_samples

    def converted(state: State) -> TfliteModel:
        made, _ = convert(state.model, mode, io, source, shown, 0, state.ranges)
        return in_four_bits(state.model, made, state)

    setting = Setting(
        folded,
        source,
        Precision(mode),
        0,
        steps,
        train or untrained,
        shown,
        convert=converted,
    )
    state = State(folded)
    for row in PASSES:
        options = row.options(recipe)
        if options is not None:
            outcome: Outcome = row.run(state, options, setting)
            state, findings = outcome.state, [*findings, *outcome.findings]
    tflite, found = convert(state.model, mode, io, source, shown, 0, state.ranges)
    tflite = in_four_bits(state.model, tflite, state)
    broken = (
        [*check_promises(state.model, tflite, state.promises), *check_ranges(tflite, state.ranges)]
        if check
        else ()
    )
    return Passed(state.model, state.promises, tflite, [*findings, *found, *broken])


def set_kernel(layer: Any, value: Array) -> None:
    """Give a layer a new kernel."""
    getattr(layer, key_of(layer).variable).assign(value)


def stored_kernels(tflite: TfliteModel) -> list[Tensor]:
    """The kernels in a .tflite, in the order of the layers."""
    return [use.tensor for use in weight_uses(tflite.main) if use.role == "weights"]


def sparsity(tensor: Tensor) -> float:
    """Share of a kernel's stored integers that are zero."""
    assert tensor.data is not None
    return float(np.mean(tensor.data == 0))


def distinct(tensor: Tensor) -> int:
    """Number of different values in a whole kernel as stored."""
    assert tensor.data is not None
    return int(np.unique(tensor.data).size)


def assert_sparse(tensor: Tensor, wanted: float) -> None:
    """Within one point, or as near as the number of weights allows."""
    assert abs(sparsity(tensor) - wanted) <= max(0.01, 0.5 / tensor.elements + 1e-9), (
        f"{tensor.name} {tensor.shape}: {sparsity(tensor):.3f}, not {wanted}"
    )


def _image(library: Any) -> tuple[Any, Any]:
    assert library in (keras, tf_keras)
    return library.layers, library.Input((8, 8, 3), name="image")


def _normed(layers: Any, x: Any) -> Any:
    return layers.ReLU()(layers.BatchNormalization()(x))


def _classifier(library: Any, image: Any, x: Any) -> Any:
    x = library.layers.GlobalAveragePooling2D()(x)
    last = library.layers.Dense(CLASSES, activation="softmax", name="last")
    return library.Model(image, last(x), name="tiny")
