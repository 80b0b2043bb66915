"""Four bits: what is trained is what is stored, whatever else was asked for."""

import numpy as np
import pytest
import tf_keras

from edgesqueeze.errors import RecipeError
from edgesqueeze.graph.int4 import unpacked
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.runners import litert
from edgesqueeze.runners.samples import EvalData, data_samples
from edgesqueeze.squeeze.layers.grid import Grid, channel_maximum
from edgesqueeze.squeeze.layers.kernels import TRANSPOSED
from edgesqueeze.squeeze.passes.bits import EvenKernel, best_scales
from edgesqueeze.squeeze.passes.precision import Stored
from runtime_tests.support.tiny_keras import NETS, conv2d, passed, randomize, stored_kernels

FOUR = {"bits": {"weights": 4}}
BROKEN = {"kernel-not-found", "sparsity-missed", "clusters-missed", "settled-moved", "bits-missed"}


def integers(tensor):
    return unpacked(tensor.data, tensor.shape) if tensor.dtype == "int4" else tensor.data


def codes(made):
    return {one.code for one in made.findings}


@pytest.mark.parametrize("name", NETS)
def test_every_kernel_that_runtimes_take_has_four_bits(name):
    made = passed(randomize(NETS[name]()), FOUR)
    types = [tensor.dtype for tensor in stored_kernels(made.tflite)]
    transposed = [isinstance(one, TRANSPOSED) for one in made.model.layers]
    assert types.count("int8") == sum(transposed)
    assert types.count("int4") == len(types) - sum(transposed) >= 2
    for tensor in stored_kernels(made.tflite):
        if tensor.dtype == "int4":
            assert np.abs(integers(tensor)).max() == 7
    assert not codes(made) & BROKEN
    assert ("bits-skipped" in codes(made)) == any(transposed)


@pytest.mark.parametrize("sparsity", [0.3, 0.8])
def test_zeros_are_kept_exactly(sparsity):
    made = passed(randomize(NETS["depthwise"]()), {**FOUR, "prune": {"sparsity": sparsity}})
    for tensor in stored_kernels(made.tflite):
        assert tensor.dtype == "int4"
        values = integers(tensor)
        assert abs(np.mean(values == 0) - sparsity) <= max(0.01, 0.5 / values.size + 1e-9)
    assert not codes(made) & BROKEN


def test_the_file_computes_what_the_model_computes():
    made = passed(randomize(conv2d(), seed=3), FOUR)
    x = np.random.default_rng(1).normal(size=(12, 8, 8, 3)).astype(np.float32)
    wanted = made.model(x).numpy()
    rows = litert.run(made.tflite, data_samples(made.tflite, EvalData((x,))))
    (output,) = made.tflite.main.output_tensors
    found = np.concatenate([row[0] for row in rows]).astype(float)
    found = (found - output.quantization.zero_point) * output.quantization.scale
    # Activations have eight bits each.
    assert np.abs(found - wanted).max() < 0.06
    np.testing.assert_array_equal(found.argmax(axis=1), wanted.argmax(axis=1))


def test_it_runs_in_tflm():
    pytest.importorskip("tflite_micro", reason="tflite-micro is for x86-64 Linux only")
    from edgesqueeze.runners import tflm

    for net in ("conv2d", "depthwise", "dense"):
        made = passed(randomize(NETS[net]()), FOUR)
        samples = data_samples(made.tflite, EvalData((np.zeros((2, 8, 8, 3), np.float32),)))
        assert len(tflm.run(made.tflite, samples)) == 2
        (last,) = stored_kernels(made.tflite)[-1:]
        assert (last.dtype, last.quantization.scales.size) == ("int4", 1)


def kernel(mask=False, seed=0, shape=(3, 3, 4, 5)):
    value = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    if mask:
        value[np.abs(value) < 0.8] = 0
    return EvenKernel(value, Stored("int8", Grid(shape, (1, 1, 1, shape[-1]))), mask=mask), value


@pytest.mark.parametrize("mask", [False, True])
def test_training_sees_what_is_stored(mask):
    made, value = kernel(mask)
    np.testing.assert_allclose(made(0.0).numpy(), made.value(), rtol=1e-5, atol=1e-7)
    levels = made.value() / channel_maximum(made.value(), (1, 1, 1, 5)) * 7
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-4)
    if mask:
        np.testing.assert_array_equal(made.value() == 0, value == 0)


def test_gradients_pass_the_rounding_but_not_the_ends():
    import tensorflow as tf

    made, _ = kernel()
    made.kernel.assign(tf.where(tf.abs(made.kernel) < 0.5, made.kernel, 1.5))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(made(0.0) * 3.0)
    found = tape.gradient(total, [made.kernel, made.scale_change])
    inside = made.kernel.numpy() < 1
    expected = np.broadcast_to(3.0 * made._initial_scale, inside.shape)
    np.testing.assert_allclose(found[0].numpy(), np.where(inside, expected, 0), rtol=1e-6)
    assert np.all(found[1].numpy() != 0)


def test_scales_are_better_than_those_of_the_largest_weight():
    value = np.random.default_rng(0).normal(size=(400, 6)).astype(np.float32)
    stored = Stored("int8", Grid(value.shape, (1, 6)))

    def error(scale):
        levels = np.rint(np.clip(value / scale, -1, 1) * 7) / 7
        return np.square(levels * scale - value).sum(axis=0)

    assert np.all(error(best_scales(value, stored)) < 0.8 * error(channel_maximum(value, (1, 6))))


def test_a_kernel_of_zeros():
    made = EvenKernel(np.zeros((3, 2), np.float32), Stored("int8", Grid((3, 2), (1, 2))))
    assert not made.value().any()


def test_layers_are_chosen_by_name():
    made = passed(randomize(conv2d()), {"bits": {"weights": 4, "exclude": ["middle"]}})
    assert [one.dtype for one in stored_kernels(made.tflite)] == ["int4", "int8", "int4"]
    assert "bits-skipped" in codes(made)


def test_clustering_leaves_them_as_they_are():
    raw = {**FOUR, "cluster": {"clusters": 8}}
    raw["bits"] = {"weights": 4, "include": ["middle", "last"]}
    made = passed(randomize(conv2d()), raw)
    first, middle, last = stored_kernels(made.tflite)
    assert [one.dtype for one in (first, middle, last)] == ["int8", "int4", "int4"]
    assert np.unique(first.data).size <= 8 < np.unique(integers(middle)).size
    assert {one.subject for one in made.findings if one.code == "cluster-skipped"} == {"middle", "last"}
    assert not codes(made) & BROKEN


def test_recurrent_kernels_keep_eight_bits():
    x = tf_keras.Input((5, 6), name="x")
    y = tf_keras.layers.Dense(3, name="last")(tf_keras.layers.LSTM(8, name="it")(x))
    made = passed(randomize(tf_keras.Model(x, y, name="tiny")), FOUR)
    found = [one for one in made.findings if one.code == "bits-skipped"]
    assert {one.subject for one in found} == {"it"}
    assert {one.dtype for one in stored_kernels(made.tflite)} == {"int4", "int8"}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({**FOUR, "quantize": {"mode": "int16x8"}}, "go with mode int8"),
        ({"bits": {"weights": 3}}, "bits"),
    ],
)
def test_what_does_not_go_together_is_refused(raw, said):
    with pytest.raises(RecipeError, match=said):
        parse_recipe(raw)
