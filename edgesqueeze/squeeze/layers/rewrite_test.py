import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from edgesqueeze.squeeze.layers.rewrite import rewrite

layers = tf_keras.layers


def _values(model, seed=0):
    rng = np.random.default_rng(seed)
    feed = [rng.standard_normal((2, *i.shape[1:])).astype("float32") for i in model.inputs]
    return [np.asarray(o) for o in tf.nest.flatten(model(feed[0] if len(feed) == 1 else feed))]


def _same(a, b):
    for x, y in zip(_values(a), _values(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)


@pytest.fixture
def shared():
    """Two inputs through one shared layer, an operator node, and a layer with a keyword argument."""
    tf_keras.utils.set_random_seed(1)
    a, b = tf_keras.Input((4,), name="a"), tf_keras.Input((4,), name="b")
    dense = layers.Dense(4, name="dense")
    joined = layers.Add(name="join")([dense(a), dense(b)]) * 2.0 + tf.abs(a)[:, ::-1]
    normed = layers.BatchNormalization(name="bn")(joined, training=False)
    attended = layers.MultiHeadAttention(2, 3, name="mha")(
        layers.Reshape((2, 2))(normed), value=layers.Reshape((2, 2))(a)
    )
    return tf_keras.Model([a, b], [layers.Flatten(name="out")(attended), normed])


def test_a_clone_computes_the_same_and_shares_nothing(shared):
    copy = rewrite(shared)
    _same(shared, copy)
    assert [layer.name for layer in copy.layers] == [layer.name for layer in shared.layers]
    assert not {id(layer) for layer in copy.layers} & {id(layer) for layer in shared.layers}
    assert copy.input_names == shared.input_names
    assert copy.output_names == shared.output_names
    copy.get_layer("dense").set_weights([np.zeros((4, 4)), np.zeros(4)])
    assert np.any(shared.get_layer("dense").get_weights()[0])


def test_without_clone_kept_layers_are_the_same_objects(shared):
    other = rewrite(shared, clone=False)
    assert other.get_layer("dense") is shared.get_layer("dense")
    _same(shared, other)


def test_a_replacement_of_a_shared_layer_is_made_once_and_shared(shared):
    asked = []

    def double(layer):
        asked.append(layer.name)
        if layer.name != "dense":
            return None
        kernel, bias = layer.get_weights()
        return layers.Dense(4, name="dense", weights=[2 * kernel, 2 * bias])

    doubled = rewrite(shared, double)
    assert asked.count("dense") == 1
    assert len(doubled.get_layer("dense")._inbound_nodes) == 2
    np.testing.assert_allclose(
        doubled.get_layer("dense").get_weights()[0], 2 * shared.get_layer("dense").get_weights()[0]
    )


def test_a_chain_takes_the_place_of_one_layer():
    i = tf_keras.Input((6, 6, 3))
    x = layers.SeparableConv2D(5, 3, name="sep")(i)
    model = tf_keras.Model(i, layers.ReLU(name="relu")(x))

    def split(layer):
        if not isinstance(layer, layers.SeparableConv2D):
            return None
        depthwise, pointwise, bias = layer.get_weights()
        return [
            layers.DepthwiseConv2D(3, use_bias=False, name="sep_depthwise", weights=[depthwise]),
            layers.Conv2D(5, 1, name="sep", weights=[pointwise, bias]),
        ]

    rebuilt = rewrite(model, split)
    assert [layer.name for layer in rebuilt.layers[1:]] == ["sep_depthwise", "sep", "relu"]
    _same(model, rebuilt)


def test_dropping_layers_keeps_the_output_names(shared):
    rebuilt = rewrite(shared, lambda layer: [] if layer.name in ("out", "bn") else None)
    assert rebuilt.output_names == shared.output_names
    assert rebuilt.get_layer("bn").activation is tf_keras.activations.linear


def test_dictionaries_in_and_out_keep_their_keys():
    inputs = {"left": tf_keras.Input((2,), name="left"), "right": tf_keras.Input((3,), name="right")}
    y = layers.Dense(1, name="y")(inputs["left"])
    model = tf_keras.Model(inputs, {"first": y, "second": layers.Dense(2, name="z")(inputs["right"])})
    copy = rewrite(model)
    feed = {"left": np.ones((1, 2), "float32"), "right": np.ones((1, 3), "float32")}
    for key, value in model(feed).items():
        np.testing.assert_array_equal(value, copy(feed)[key])


def test_one_layer_that_makes_two_outputs():
    i, j = tf_keras.Input((2,)), tf_keras.Input((2,))
    dense = layers.Dense(2, name="d")
    model = tf_keras.Model([i, j], [dense(i), dense(j), i])
    copy = rewrite(model)
    assert copy.output_names == model.output_names
    _same(model, copy)


def test_a_model_inside_the_model_is_refused():
    inner = tf_keras.Sequential([layers.Dense(2, input_shape=(2,))])
    i = tf_keras.Input((2,))
    with pytest.raises(ValueError, match="flatten it first"):
        rewrite(tf_keras.Model(i, inner(i)))
