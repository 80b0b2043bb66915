"""Adaptive rounding: outputs stay nearer to what they were, and the file has the chosen integers."""

import numpy as np
import pytest
import tf_keras

from edgesqueeze.errors import RecipeError
from edgesqueeze.recipe.filled import FilledRecipe
from edgesqueeze.recipe.passes import PASSES
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.squeeze.layers.grid import channel_maximum
from edgesqueeze.squeeze.layers.kernels import channel_shape, kernel_of
from edgesqueeze.squeeze.layers.weights import kernel_layers
from edgesqueeze.squeeze.passes.fold import fold
from edgesqueeze.squeeze.passes.moments import moments
from edgesqueeze.squeeze.passes.precision import Precision
from edgesqueeze.squeeze.passes.round import from_rows, to_rows
from edgesqueeze.squeeze.passes.state import Setting, State, Trained
from edgesqueeze.squeeze.passes.trainings import untrained
from runtime_tests.support.tiny_keras import (
    NETS,
    conv2d,
    images,
    passed,
    randomize,
    source_of,
    stored_kernels,
)

layers = tf_keras.layers
FOUR = {"bits": {"weights": 4, "first_and_last": "include"}}
BROKEN = {"kernel-not-found", "sparsity-missed", "clusters-missed", "settled-moved", "bits-missed"}


def made(model, raw, train=untrained, mode="int8"):
    """The folded model and the state after the passes of a recipe, without conversion."""
    folded, _ = fold(model)
    recipe = FilledRecipe.model_validate({**raw, "quantize": {"mode": mode, "io": "float32"}})
    source = source_of(folded, images(300))
    setting = Setting(folded, source, Precision(mode), 0, 1, train)
    state, findings = State(folded), []
    for row in PASSES:
        if row.options(recipe) is not None:
            outcome = row.run(state, row.options(recipe), setting)
            state, findings = outcome.state, [*findings, *outcome.findings]
    return folded, state, findings


def error(model, reference):
    """Root mean square of the difference of the logits, relative to their deviation, on other samples."""
    x = images(200, seed=9)
    wanted, found = (np.log(one(x).numpy()) for one in (reference, model))
    return float(np.sqrt(np.mean(np.square(found - wanted))) / wanted.std())


@pytest.mark.parametrize("name", ["conv2d", "depthwise", "conv1d"])
def test_four_bits_lose_much_less(name):
    model = randomize(NETS[name]())
    folded, plain, _ = made(model, FOUR)
    _, rounded, findings = made(model, {**FOUR, "round": {}})
    assert error(rounded.model, folded) < 0.5 * error(plain.model, folded)
    assert not findings


WINDOWS = {
    "strided": (layers.Conv2D(5, 3, strides=2, padding="same"), (8, 9, 4)),
    "dilated": (layers.Conv2D(5, 3, dilation_rate=2), (8, 9, 4)),
    "causal": (layers.Conv1D(5, 3, padding="causal", dilation_rate=2), (9, 4)),
    "sequence": (layers.Conv1D(5, 4, strides=2, padding="same"), (9, 4)),
    "depthwise sequence": (layers.DepthwiseConv1D(3, strides=2, depth_multiplier=2), (9, 4)),
    "depthwise": (layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), (8, 9, 4)),
    "dense": (layers.Dense(5), (3, 4)),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_moments_tell_what_a_layer_gives(name):
    layer, shape = WINDOWS[name]
    rng = np.random.default_rng(0)
    before = rng.normal(size=(40, *shape)).astype(np.float32)
    after = (before + rng.normal(0.1, 0.1, before.shape)).astype(np.float32)
    first, second = (layer(one).numpy().reshape(-1, layer(before).shape[-1]) for one in (before, after))
    found = moments(layer, before, after, 0)
    rows = to_rows(layer, kernel_of(layer))
    times = len(rows) // len(found.yy)
    means = [np.repeat(one, times, 0) for one in (found.x_mean, found.y_mean)]
    np.testing.assert_allclose(np.einsum("ri,ri->r", means[0], rows), first.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(np.einsum("ri,ri->r", means[1], rows), second.mean(axis=0), atol=1e-5)
    wide = np.repeat(found.yy, times, 0), np.repeat(found.yx, times, 0)
    centred = [one - one.mean(axis=0) for one in (first, second)]
    np.testing.assert_allclose(np.einsum("ri,rij,rj->r", rows, wide[0], rows), second.var(axis=0), rtol=1e-4)
    covariance = (centred[0] * centred[1]).mean(axis=0)
    np.testing.assert_allclose(np.einsum("ri,rij,rj->r", rows, wide[1], rows), covariance, rtol=1e-4)
    np.testing.assert_array_equal(from_rows(layer, rows), kernel_of(layer))


@pytest.mark.parametrize(
    "raw", [{}, FOUR, {"cluster": {"clusters": 8}}], ids=["int8", "four bits", "clusters"]
)
@pytest.mark.parametrize("pruned", [False, True])
def test_what_was_promised_is_in_the_file(raw, pruned):
    asked = {**raw, **({"prune": {"sparsity": 0.6}} if pruned else {})}
    found = passed(randomize(NETS["depthwise"]()), {**asked, "round": {}})
    assert not {one.code for one in found.findings} & BROKEN
    assert all(one.settled for one in found.promises.values())
    plain = passed(randomize(NETS["depthwise"]()), asked)
    pairs = list(zip(stored_kernels(found.tflite), stored_kernels(plain.tflite), strict=True))
    assert all(one.dtype == other.dtype for one, other in pairs)
    assert any(not np.array_equal(one.data, other.data) for one, other in pairs)


@pytest.mark.parametrize("mode", ["int8", "int16x8", "dynamic"])
def test_integers_of_eight_bits_are_chosen(mode):
    folded, state, findings = made(randomize(conv2d()), {"round": {}}, mode=mode)
    skipped = {one.subject for one in findings}
    assert skipped == ({"first", "middle", "last"} if mode == "dynamic" else set())
    for layer in kernel_layers(state.model):
        if layer.name in skipped:
            continue
        kernel = kernel_of(layer)
        levels = kernel / channel_maximum(kernel, channel_shape(layer)) * 127
        np.testing.assert_allclose(levels, np.rint(levels), atol=1e-3)
    assert error(state.model, folded) < 0.02


def test_what_training_found_stays():
    def train(student, steps, **how):
        return Trained(1, 0.0)

    _, before, _ = made(randomize(conv2d()), FOUR, train)
    _, after, findings = made(randomize(conv2d()), {**FOUR, "round": {}}, train)
    assert {one.subject for one in findings} == {"first", "middle", "last"}
    assert all("in training" in one.message for one in findings)
    for one, other in zip(before.model.get_weights(), after.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def shared():
    """A dense layer that is applied twice, a grouped and a transposed convolution, and an LSTM."""
    image = layers.Input((8, 8, 3), name="image")
    twice = layers.Dense(3, name="twice")
    x = layers.Conv2D(6, 3, groups=3, name="grouped")(twice(twice(image)))
    x = layers.Conv2DTranspose(4, 3, name="up")(x)
    x = layers.LSTM(4, name="remembers")(layers.Reshape((8, 32))(x))
    return tf_keras.Model(image, layers.Dense(2, "softmax", name="last")(x), name="tiny")


def test_what_is_not_rounded_is_named():
    _, _, findings = made(randomize(shared()), {"round": {}})
    said = {one.subject: one.message for one in findings if one.code == "round-skipped"}
    assert set(said) == {"twice", "grouped", "up", "remembers"}
    assert "2 times" in said["twice"]
    _, _, findings = made(randomize(conv2d()), {"round": {"exclude": ["mid*"]}})
    assert [(one.subject, one.message) for one in findings] == [("middle", "an exclude pattern matches it")]


def test_there_must_be_integers():
    with pytest.raises(RecipeError, match="round chooses integers"):
        parse_recipe({"round": {}, "quantize": {"mode": "none"}})


def test_a_layer_without_a_bias():
    image = layers.Input((8, 8, 3), name="image")
    x = layers.Conv2D(6, 3, use_bias=False, activation="relu", name="first")(image)
    x = layers.Dense(4, "softmax", use_bias=False, name="last")(layers.Flatten()(x))
    folded, state, _ = made(randomize(tf_keras.Model(image, x, name="tiny")), {**FOUR, "round": {}})
    assert not any(layer.use_bias for layer in kernel_layers(state.model))
    assert error(state.model, folded) < 0.3
