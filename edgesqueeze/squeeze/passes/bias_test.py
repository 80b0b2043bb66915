"""Correction of biases: the means of the file's outputs come back to those of the model."""

import numpy as np
import pytest
import tf_keras

from edgesqueeze.errors import RecipeError
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.recipe.sections import Bias
from edgesqueeze.runners import litert
from edgesqueeze.runners.samples import EvalData, data_samples, real_outputs
from edgesqueeze.squeeze.layers.kernels import keras_layout, kernel_of, tflite_layout
from edgesqueeze.squeeze.layers.weights import kernel_layers
from edgesqueeze.squeeze.passes.bias import run
from edgesqueeze.squeeze.passes.bits import in_four_bits
from edgesqueeze.squeeze.passes.convert import convert
from edgesqueeze.squeeze.passes.fold import fold
from edgesqueeze.squeeze.passes.precision import Precision
from edgesqueeze.squeeze.passes.state import Setting, State
from edgesqueeze.squeeze.passes.trainings import untrained
from runtime_tests.support.tiny_keras import images, passed, randomize, source_of

layers = tf_keras.layers


def chain():
    """Every class of layers that has an operator with a bias, and a dense layer without an activation."""
    image = layers.Input((8, 8, 3), name="image")
    x = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="first")(image)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu", name="middle")(x)
    x = layers.Conv2DTranspose(5, 3, name="up")(x)
    x = layers.ReLU()(layers.Conv2D(4, 1, use_bias=False, name="point")(x))
    x = layers.Reshape((4, 16))(x)
    x = layers.Conv1D(6, 3, activation="relu", name="line")(x)
    return tf_keras.Model(image, layers.Dense(5, name="last")(layers.Flatten()(x)), name="tiny")


def off(model, tflite, reference):
    """How far the means of the outputs are off, on the samples that calibrate."""
    x = images(100)
    found = real_outputs(tflite, litert.run_builtin(tflite, data_samples(tflite, EvalData((x,)))))[0]
    wanted = reference(x).numpy()
    return np.abs(found.mean(axis=0) - wanted.mean(axis=0)).max() / wanted.std()


@pytest.fixture(scope="module", params=[{}, {"bits": {"weights": 4}}], ids=["int8", "four bits"])
def corrected(request):
    """A model, the state and the file before the correction, and what it gave."""
    from edgesqueeze.recipe.filled import FilledRecipe
    from edgesqueeze.recipe.passes import PASSES

    folded, _ = fold(randomize(chain(), seed=2))
    source = source_of(folded, images(100))

    def converted(state):
        tflite, _ = convert(state.model, "int8", "float32", source, 100, 0)
        return in_four_bits(state.model, tflite, state)

    setting = Setting(folded, source, Precision("int8"), 0, 0, untrained, convert=converted)
    recipe = FilledRecipe.model_validate({**request.param, "quantize": {"mode": "int8", "io": "float32"}})
    state = State(folded)
    for row in PASSES:
        if row.options(recipe) is not None:
            state = row.run(state, row.options(recipe), setting).state
    outcome = run(state, Bias(), setting)
    return folded, converted(state), outcome, converted(outcome.state)


def test_the_means_come_back(corrected):
    folded, before, outcome, after = corrected
    assert not outcome.findings
    four = any(tensor.dtype == "int4" for tensor in before.main.tensors)
    assert off(folded, after, folded) < (0.1 if four else 0.5) * off(folded, before, folded)


def test_kernels_stay_and_every_layer_has_a_bias(corrected):
    folded, _, outcome, _ = corrected
    assert all(layer.use_bias for layer in kernel_layers(outcome.state.model))
    if outcome.state.reference is None:
        for one, other in zip(kernel_layers(folded), kernel_layers(outcome.state.model), strict=True):
            np.testing.assert_array_equal(kernel_of(one), kernel_of(other))


def test_layouts_are_each_others_inverse():
    for layer in kernel_layers(fold(randomize(chain()))[0]):
        kernel = kernel_of(layer)
        np.testing.assert_array_equal(keras_layout(layer, tflite_layout(layer, kernel)), kernel)


def test_what_is_not_corrected_is_named():
    image = layers.Input((8, 8, 3), name="image")
    twice = layers.Dense(3, name="twice")
    x = layers.Conv2D(4, 3, name="first")(twice(twice(image)))
    x = layers.LSTM(4, name="remembers")(layers.Reshape((6, 24))(x))
    model = randomize(tf_keras.Model(image, layers.Dense(2, name="last")(x), name="tiny"))
    made = passed(model, {"bias": {"exclude": ["first"]}})
    said = {one.subject: one.message for one in made.findings if one.code == "bias-skipped"}
    assert set(said) == {"first", "twice", "remembers"}
    assert "2 times" in said["twice"]
    with pytest.raises(RecipeError, match="bias goes with"):
        parse_recipe({"bias": {}, "quantize": {"mode": "dynamic"}})


@pytest.mark.parametrize("gate", [1.0, 0.2], ids=["added", "added and multiplied"])
def test_what_the_converter_puts_into_a_bias_is_not_taken_for_an_error(gate):
    """A hard sigmoid is cut off at 0 and 1: its half, and its slope, go into the layer in front."""
    image = layers.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="gate")(image)
    x = layers.ReLU(max_value=1.0)(layers.Rescaling(gate, 0.5)(x))
    model = randomize(tf_keras.Model(image, layers.Dense(3, name="last")(layers.Flatten()(x))), seed=2)
    source = source_of(model, images(100))

    def converted(state):
        return convert(state.model, "int8", "float32", source, 100, 0)[0]

    setting = Setting(model, source, Precision("int8"), 0, 0, untrained, convert=converted)
    outcome = run(State(model), Bias(), setting)
    assert off(model, converted(outcome.state), model) < 0.02
    assert [one.subject for one in outcome.findings] == ([] if gate == 1.0 else ["gate"])
