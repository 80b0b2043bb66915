"""Cross-layer equalization: the function stays, and integers lose less."""

import numpy as np
import pytest
import tf_keras

from edgesqueeze.errors import RecipeError
from edgesqueeze.recipe.filled import FilledEqualize
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.squeeze.layers.kernels import kernel_of
from edgesqueeze.squeeze.layers.weights import kernel_layers
from edgesqueeze.squeeze.passes.equalize import run
from edgesqueeze.squeeze.passes.fold import fold
from edgesqueeze.squeeze.passes.precision import Precision
from edgesqueeze.squeeze.passes.state import Setting, State
from edgesqueeze.squeeze.passes.trainings import untrained
from runtime_tests.support.tiny_keras import NETS, images, randomize, source_of, squeeze

layers = tf_keras.layers


def equalized(model, **options):
    """The folded model, what equalization makes of it, and the findings."""
    folded, _ = fold(model)
    setting = Setting(folded, source_of(folded, images(64)), Precision("int8"), 0, 0, untrained)
    made = run(State(folded), FilledEqualize(**options), setting)
    return folded, made.state.model, made.findings


def chain(activation="relu", **clip):
    """Convolution, depthwise, convolution and a dense layer, without batch norm."""
    image = layers.Input((8, 8, 3), name="image")
    x = layers.Conv2D(8, 3, padding="same", name="first")(image)
    x = layers.ReLU(**clip)(x) if activation == "relu" else layers.Activation(activation)(x)
    x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, activation="relu", name="middle")(x)
    x = layers.MaxPooling2D()(layers.ReLU()(layers.Conv2D(6, 1, name="point")(x)))
    return tf_keras.Model(image, layers.Dense(5, name="last")(layers.Flatten()(x)), name="tiny")


def block():
    """A residual block with a gate, a concatenation, and a transposed convolution behind it."""
    image = layers.Input((8, 8, 3), name="image")
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="first")(image)
    y = layers.Conv2D(6, 3, padding="same", name="second")(x)
    gate = layers.Dense(6, "sigmoid", name="gate")(layers.GlobalAveragePooling2D()(y))
    y = layers.Multiply()([y, layers.Reshape((1, 1, 6))(gate)])
    x = layers.PReLU(shared_axes=(1, 2))(layers.Add()([x, y]))
    x = layers.Concatenate()([x, layers.Conv2D(4, 1, activation="relu", name="beside")(x)])
    x = layers.Conv2DTranspose(5, 3, strides=2, name="up")(x)
    return tf_keras.Model(image, layers.Conv2D(2, 1, name="last")(layers.LeakyReLU()(x)), name="tiny")


def unbalanced(model, pairs, ratio=30.0):
    """The same function with channels of very different size between the layers of each pair."""
    rng = np.random.default_rng(5)
    for before, after in pairs:
        first, second = model.get_layer(before), model.get_layer(after)
        kernel, bias = first.get_weights()
        factors = np.exp(rng.uniform(-1, 1, bias.size) * np.log(ratio))
        shape = kernel.shape[2:] if isinstance(first, layers.DepthwiseConv2D) else (-1,)
        first.set_weights([kernel * factors.reshape(shape), bias * factors])
        kernel, bias = second.get_weights()
        second.set_weights([kernel / factors[:, None], bias])
    return model


def off(model, reference):
    """The largest difference of the outputs, relative to the largest."""
    x = images(20, seed=3)
    wanted = reference(x).numpy()
    return float(np.abs(model(x).numpy() - wanted).max() / np.abs(wanted).max())


@pytest.mark.parametrize("make", [*NETS.values(), block, chain])
def test_the_function_stays_the_same_to_the_rounding_of_float32(make):
    before, after, findings = equalized(randomize(make()))
    assert off(after, before) < 5e-6
    changed = {
        one.name
        for one, other in zip(kernel_layers(before), kernel_layers(after), strict=True)
        if not np.allclose(kernel_of(one), kernel_of(other))
    }
    stay = {one.subject for one in findings}
    assert changed
    assert "last" in stay
    assert stay >= ({"gate", "last"} if make is block else {"last"})


def test_what_is_added_is_divided_alike():
    before, after, findings = equalized(randomize(block()))
    first, second = (
        before.get_layer(name).bias.numpy() / after.get_layer(name).bias.numpy()
        for name in ("first", "second")
    )
    np.testing.assert_allclose(first, second, rtol=1e-4)
    assert np.ptp(first) > 0.1
    assert {one.subject for one in findings} == {"gate", "last"}


def test_integers_lose_less():
    model = unbalanced(randomize(chain()), [("first", "middle"), ("middle", "point")])
    before, after, _ = equalized(model)
    assert _integer_error(after, before) < 0.2 * _integer_error(before, before)


def _integer_error(model, reference):
    """Root of the mean squared error of int8, relative to the outputs' deviation."""
    from edgesqueeze.runners import litert
    from edgesqueeze.runners.samples import EvalData, data_samples
    from edgesqueeze.squeeze.passes.convert import convert

    x = images(64)
    tflite, _ = convert(model, "int8", "float32", source_of(model, x), 64, 0)
    rows = litert.run(tflite, data_samples(tflite, EvalData((x,))))
    wanted = reference(x).numpy()
    return float(
        np.sqrt(np.mean(np.square(np.concatenate([row[0] for row in rows]) - wanted))) / wanted.std()
    )


def test_a_clip_that_does_nothing_goes_and_one_that_acts_stays():
    idle = randomize(chain(max_value=6.0))
    first = idle.get_layer("first")
    first.set_weights([0.5 * one for one in first.get_weights()])
    before, after, findings = equalized(idle)
    assert {one.code for one in findings} == {"clips-removed", "equalize-skipped"}
    assert not any(getattr(one, "max_value", None) for one in after.layers)
    assert off(after, before) < 5e-6

    busy = randomize(chain(max_value=6.0))
    first = busy.get_layer("first")
    first.set_weights([5 * one for one in first.get_weights()])
    before, after, findings = equalized(busy)
    said = {one.subject: one.message for one in findings if one.code == "equalize-skipped"}
    assert set(said) == {"first", "last"}
    assert "clips them" in said["first"]
    assert any(getattr(one, "max_value", None) == 6 for one in after.layers)
    assert off(after, before) < 5e-6

    before, after, findings = equalized(busy, clipped=1.0)
    assert not any(getattr(one, "max_value", None) for one in after.layers)
    assert off(after, before) > 1e-3


@pytest.mark.parametrize("name", ["relu6", "sigmoid", "elu"])
def test_what_does_not_scale_is_named(name):
    model = randomize(chain(name))
    first = model.get_layer("first")
    first.set_weights([9 * one for one in first.get_weights()])
    before, after, findings = equalized(model)
    np.testing.assert_array_equal(kernel_of(after.get_layer("first")), kernel_of(before.get_layer("first")))
    assert f"the {name} of" in next(one.message for one in findings if one.subject == "first")
    assert off(after, before) < 5e-6


def test_layers_are_chosen_by_name():
    before, after, findings = equalized(randomize(chain()), exclude=["first"])
    np.testing.assert_array_equal(kernel_of(after.get_layer("first")), kernel_of(before.get_layer("first")))
    assert not np.allclose(kernel_of(after.get_layer("middle")), kernel_of(before.get_layer("middle")))
    assert "exclude pattern" in next(one.message for one in findings if one.subject == "first")
    with pytest.raises(RecipeError, match="no layer of the model matches"):
        equalized(randomize(chain()), include=["frist"])


def test_it_goes_with_four_bits_and_with_16_bit_activations():
    _, findings = squeeze(randomize(chain()), {"equalize": {}, "bits": {"weights": 4}})
    assert not {one.code for one in findings} & {"bits-missed", "settled-moved"}
    squeeze(
        randomize(NETS["depthwise"]()), {"equalize": {}, "quantize": {"mode": "int16x8", "io": "float32"}}
    )
    with pytest.raises(RecipeError, match="equalize goes with"):
        parse_recipe({"equalize": {}, "quantize": {"mode": "float16"}})


def test_a_model_without_channels_between_layers_stays_as_it_is():
    image = layers.Input((8, 8, 3))
    model = tf_keras.Model(image, layers.Dense(2, name="only")(layers.Flatten()(image)))
    before, after, findings = equalized(randomize(model))
    assert np.array_equal(before.get_weights()[0], after.get_weights()[0])
    assert {one.subject for one in findings} == {"only"}
