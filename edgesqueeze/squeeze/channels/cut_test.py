from dataclasses import replace

import numpy as np
import pytest
import tf_keras

from edgesqueeze.squeeze.channels.cut import cut
from edgesqueeze.squeeze.channels.graph import ChannelGraph, channel_graph
from edgesqueeze.squeeze.layers.kernels import kernel_of
from edgesqueeze.squeeze.passes.fold import fold
from runtime_tests.support.random_graphs import random_choice, random_model, reading_zeros
from runtime_tests.support.tiny_keras import NETS, images, randomize

layers = tf_keras.layers
X = images(3)


def conv(width, size=3, **options):
    return layers.Conv2D(width, size, padding="same", **options)


def after(make):
    """What stands between two convolutions."""

    def build():
        image = layers.Input((8, 8, 3))
        return tf_keras.Model(image, layers.Dense(2)(layers.Flatten()(make(conv(8)(image)))))

    return build


def squeeze_and_excite(x):
    y = layers.Dense(4, activation="relu")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    return layers.Multiply()([x, layers.Dense(8, activation="sigmoid")(y)])


def twice(x):
    shared = conv(8)
    return layers.Concatenate()([shared(x), shared(layers.ReLU()(x))])


KINDS = {
    "conv2d": lambda x: conv(6, strides=2, dilation_rate=1)(x),
    "no bias": lambda x: conv(6, use_bias=False)(x),
    "depthwise": lambda x: layers.DepthwiseConv2D(3, depth_multiplier=2)(x),
    "transposed": lambda x: layers.Conv2DTranspose(6, 3, strides=2)(x),
    "dense": lambda x: layers.Dense(6, activation="relu")(x),
    "flatten and dense": lambda x: layers.Dense(6)(layers.Flatten()(x)),
    "depthwise1d": lambda x: layers.DepthwiseConv1D(3, depth_multiplier=2)(layers.Reshape((64, 8))(x)),
    "transpose1d": lambda x: layers.Conv1DTranspose(6, 3, strides=2)(layers.Reshape((64, 8))(x)),
    "conv1d": lambda x: layers.Conv1D(6, 3)(layers.Reshape((64, 8))(x)),
    "add": lambda x: layers.Add()([x, conv(8)(x)]),
    "add of itself": lambda x: x + x,
    "multiply": lambda x: layers.Multiply()([x, conv(8)(x)]),
    "subtract": lambda x: layers.Subtract()([conv(8)(x), x]),
    "maximum": lambda x: layers.Maximum()([conv(8)(x), x]),
    "concatenate": lambda x: conv(6)(layers.Concatenate()([x, conv(4)(x)])),
    "concatenate rows": lambda x: layers.Concatenate(axis=1)([x, conv(8)(x)]),
    "concatenate and add": lambda x: layers.Add()([conv(12)(x), layers.Concatenate()([x, conv(4)(x)])]),
    "reshape": lambda x: layers.Reshape((4, 16, 8))(x),
    "squeeze and excite": squeeze_and_excite,
    "relu": lambda x: layers.ReLU(6.0)(x),
    "prelu": lambda x: layers.PReLU()(x),
    "shared prelu": lambda x: layers.PReLU(shared_axes=[1, 2])(x),
    "leaky relu": lambda x: layers.LeakyReLU()(x),
    "activation": lambda x: layers.Activation("sigmoid")(x),
    "batch norm": lambda x: layers.BatchNormalization()(layers.ReLU()(x)),
    "dropout": lambda x: layers.Dropout(0.5)(x),
    "average pool": lambda x: layers.AveragePooling2D()(x),
    "max pool": lambda x: layers.MaxPooling2D()(x),
    "padding": lambda x: layers.Cropping2D(2)(layers.ZeroPadding2D(3)(x)),
    "upsampling": lambda x: layers.UpSampling2D()(x),
    "global pools": lambda x: layers.Reshape((1, 1, 8))(layers.GlobalMaxPooling2D()(x)),
    "permute": lambda x: layers.Permute((2, 1, 3))(x),
    "shared layer": twice,
}
"""What follows a convolution of 8 channels, of which some are removed."""


def cut_and_whole(model, seed=0):
    """A model without random channels, and the whole one that reads zeros in their place."""
    graph = channel_graph(model)
    kept = random_choice(graph, seed)
    return graph, kept, cut(model, graph, kept), reading_zeros(model, graph, kept)


@pytest.mark.parametrize("kind", KINDS)
def test_channels_whose_outgoing_weights_are_zero_go_without_a_trace(kind):
    model = randomize(after(KINDS[kind])())
    _, kept, smaller, whole = cut_and_whole(model)
    assert not kept.all()
    assert smaller.count_params() < model.count_params()
    np.testing.assert_allclose(smaller(X), whole(X), atol=1e-5, rtol=1e-5)
    assert np.abs(np.asarray(model(X)) - np.asarray(whole(X))).max() > 1e-3


@pytest.mark.parametrize("name", NETS)
def test_folded_networks(name):
    model, _ = fold(randomize(NETS[name]()))
    _, _, smaller, whole = cut_and_whole(model)
    np.testing.assert_allclose(smaller(X), whole(X), atol=1e-5)


@pytest.mark.parametrize("seed", range(25))
def test_random_graphs(seed):
    model = random_model(seed)
    graph, kept, smaller, whole = cut_and_whole(model, seed)
    assert graph.count > 0
    x = X[:, :6, :6]
    for one, other in zip(as_list(smaller(x)), as_list(whole(x)), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4, rtol=1e-4)
    again = channel_graph(smaller)
    assert again.count == kept.sum()
    assert again.macs() <= graph.macs()


def as_list(outputs):
    return outputs if isinstance(outputs, list) else [outputs]


def test_heads_go_one_by_one():
    sequence = layers.Input((6, 8))
    x = layers.Dense(12, name="stream")(sequence)
    x = layers.Add()([x, layers.MultiHeadAttention(4, 5, value_dim=3, name="attention")(x, x)])
    model, _ = fold(randomize(tf_keras.Model(sequence, layers.Dense(2)(layers.Flatten()(x)))))
    graph = channel_graph(model)
    # Four heads, and the channels of the sum.
    assert graph.count == 4 + 12
    assert graph.macs() == 6 * (8 * 12 + 12 * 20 * 2 + 12 * 12 * 2) + 36 * 4 * (5 + 3) + 6 * 12 * 2
    kept = np.ones(graph.count, bool)
    kept[graph.roles["attention_query"].makes[5:10]] = False
    kept[graph.roles["stream"].makes[[1, 7]]] = False
    smaller = cut(model, graph, kept)
    assert smaller.get_layer("attention_heads").heads == 3
    shapes = {
        name: smaller.get_layer(f"attention_{name}").kernel.shape for name in ("key", "value", "output")
    }
    assert shapes == {"key": (10, 15), "value": (10, 9), "output": (9, 10)}
    x = np.random.default_rng(0).normal(0, 1, (3, 6, 8)).astype(np.float32)
    whole = reading_zeros(model, graph, kept)(x)
    np.testing.assert_allclose(smaller(x), whole, atol=1e-5)
    assert np.abs(np.asarray(model(x)) - np.asarray(whole)).max() > 1e-2


def test_a_layer_norm_takes_mean_and_spread_of_what_is_left():
    image = layers.Input((8, 8, 3))
    x = layers.LayerNormalization(name="norm")(conv(8, name="first")(image))
    model = randomize(tf_keras.Model(image, layers.Conv2D(2, 3, padding="same", name="last")(x)))
    graph = channel_graph(model)
    kept = np.ones(graph.count, bool)
    kept[graph.roles["first"].makes[[2, 5, 6]]] = False
    stay = [0, 1, 3, 4, 7]
    made = np.asarray(conv_of(model.get_layer("first"))(X), np.float64)[..., stay]
    norm, last = model.get_layer("norm"), model.get_layer("last")
    made = (made - made.mean(-1, keepdims=True)) / np.sqrt(made.var(-1, keepdims=True) + norm.epsilon)
    made = made * norm.gamma.numpy()[stay] + norm.beta.numpy()[stay]
    smaller = cut(model, graph, kept)
    reader = smaller.get_layer("last")
    np.testing.assert_array_equal(kernel_of(reader), kernel_of(last)[:, :, stay])
    np.testing.assert_allclose(smaller(X), conv_of(reader)(made.astype(np.float32)), atol=1e-5)


def conv_of(layer):
    """A layer alone, as a model."""
    image = layers.Input(layer.input_shape[1:])
    return tf_keras.Model(image, layer(image))


def test_a_wrong_group_is_noticed():
    model = randomize(after(KINDS["add"])())
    graph = channel_graph(model)
    kept = np.arange(graph.count) % 2 == 0
    right = cut(model, graph, kept)(X)
    whole = reading_zeros(model, graph, kept)(X)
    # As if the first channel of one summand met the second of the other.
    summand = [name for name, role in graph.roles.items() if role.makes is not None][1]
    shifted = replace(graph.roles[summand], makes=np.roll(graph.roles[summand].makes, 1))
    wrong = ChannelGraph({**graph.roles, summand: shifted}, graph.count, graph.held)
    np.testing.assert_allclose(right, whole, atol=1e-5)
    assert np.abs(np.asarray(cut(model, wrong, kept)(X)) - np.asarray(whole)).max() > 1e-2


def test_what_channels_always_were_goes_into_biases():
    image = layers.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, use_bias=False, name="middle")(conv(8, activation="relu", name="first")(image))
    model = randomize(tf_keras.Model(image, layers.Dense(2)(layers.Flatten()(x))))
    first = model.get_layer("first")
    kernel = kernel_of(first)
    kernel[..., :3] = 0
    first.set_weights([kernel, np.linspace(0.5, 1, 8)])
    graph = channel_graph(model)
    kept = np.ones(graph.count, bool)
    kept[graph.roles["first"].makes[:3]] = False
    means = {"middle": np.linspace(0.5, 1, 8).astype(np.float32)}
    smaller = cut(model, graph, kept, means)
    assert smaller.get_layer("first").filters == 5
    assert smaller.get_layer("middle").use_bias
    np.testing.assert_allclose(smaller(X), model(X), atol=1e-5)
    # Without the means the values are missing.
    assert np.abs(np.asarray(cut(model, graph, kept)(X)) - np.asarray(model(X))).max() > 1e-2


def test_the_model_stays_as_it_is():
    model = randomize(after(KINDS["add"])())
    before = [one.copy() for one in model.get_weights()]
    cut_and_whole(model)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
