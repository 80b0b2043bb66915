import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from edgesqueeze.errors import BridgeError, UnsupportedModelError
from edgesqueeze.squeeze.opening import sameness as compare
from edgesqueeze.squeeze.opening.bridge import bridge, functional
from edgesqueeze.squeeze.opening.flatten import flatten
from edgesqueeze.squeeze.opening.load import adopt_model
from edgesqueeze.squeeze.opening.op_table import OPS
from edgesqueeze.squeeze.opening.save import unbridge

L = keras.layers
T = tf_keras.layers
ops = keras.ops


def randomize(model, seed=3):
    """Give every weight a value that matters: defaults such as zero biases hide mistakes."""
    rng = np.random.default_rng(seed)
    model.set_weights([_drawn(rng, w) for w in model.get_weights()])
    return model


def _drawn(rng, weight):
    if weight.dtype.kind != "f":
        return weight
    return rng.uniform(0.2, 0.9, weight.shape) if weight.ndim < 2 else rng.normal(0, 0.4, weight.shape)


def there_and_back(model):
    """Bridge a Keras 3 model, compare, go back, compare; the flat model."""
    randomize(model)
    before = model.get_weights()
    loaded = adopt_model(model)
    assert loaded.bridge_error < compare.TOLERANCE
    assert not any(isinstance(layer, tf_keras.Model) for layer in loaded.model.layers)
    assert loaded.model.name == model.name
    assert loaded.model.input_names == [i._keras_history.operation.name for i in model.inputs]
    back = unbridge(loaded.model)
    assert list(back.output_names) == list(functional(model).output_names)
    compare.require_same(model, back, compare.sample_inputs(loaded.model))
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    return loaded.model


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


def op_names(model):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    from ai_edge_litert.interpreter import Interpreter

    return [o["op_name"] for o in Interpreter(model_content=converter.convert())._get_ops_details()]


def test_sequential_becomes_functional():
    model = keras.Sequential(
        [L.Input((8, 8, 3), name="img"), L.Conv2D(4, 3, strides=2), L.Flatten(), L.Dense(3)]
    )
    flat = there_and_back(model)
    assert kinds(flat) == ["InputLayer", "Conv2D", "Flatten", "Dense"]


def test_a_shared_nested_model_is_inlined_once():
    inner = keras.Sequential([L.Input((4,)), L.Dense(4, name="d"), L.BatchNormalization()], name="inner")
    a, b = keras.Input((4,), name="b_first"), keras.Input((4,), name="a_second")
    dense = L.Dense(4, name="d", activation="relu")
    model = keras.Model([a, b], [inner(dense(a)), L.Add(name="sum")([inner(b), dense(b)])])
    flat = there_and_back(model)
    assert kinds(flat).count("Dense") == 2
    assert sorted(len(x._inbound_nodes) for x in flat.layers if isinstance(x, T.Dense)) == [2, 2]


def test_a_nested_model_at_the_end_keeps_the_output_name():
    inner = keras.Sequential(
        [L.Input((4,)), L.Dense(2, name="head"), L.Softmax(name="probabilities")], name="head"
    )
    i = keras.Input((4,))
    flat = there_and_back(keras.Model(i, inner(L.Dense(4)(i))))
    assert flat.output_names == ["head"]


def test_dictionaries_in_and_out():
    inputs = {"x": keras.Input((3,), name="x"), "a": keras.Input((2,), name="a")}
    y = L.Dense(2, name="y")(inputs["x"])
    flat = there_and_back(keras.Model(inputs, {"second": y, "first": y * inputs["a"]}))
    assert set(flat.output) == {"second", "first"}


def test_operators_become_standard_layers_where_there_are_some():
    i = keras.Input((6, 6, 4), name="i")
    x = L.Conv2D(4, 1)(i) + i
    x = ops.concatenate([ops.relu(x), ops.hard_silu(i) * x], axis=-1)
    x = ops.mean(x, axis=(1, 2))
    flat = there_and_back(keras.Model(i, ops.reshape(x, (-1, 2, 4))))
    assert "OpLayer" not in kinds(flat)


def _images(x):
    return [
        ops.mean(x[..., 1:] * 2.0 - 1, axis=-1),
        ops.max(x, axis=[1, 2], keepdims=True),
        ops.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]]),
        ops.average_pool(x, 2),
        ops.transpose(x, (0, 3, 1, 2)),
        ops.stack(ops.split(x, 2, axis=-1), axis=1),
        ops.swapaxes(x, 1, 3),
        ops.moveaxis(x, 1, -1),
        ops.clip(x, -0.5, 0.5) / (ops.abs(x) + 1),
        ops.image.resize(x, (3, 3)),
        ops.where(x > 0, x, ops.exp(x)),
        ops.take(x, [0, 2], axis=-1) ** 2,
        ops.einsum("bijc,cd->bijd", x, np.ones((4, 2), "float32")),
        ops.matmul(x, np.arange(12, dtype="float32").reshape(4, 3)) + np.arange(3),
        ops.normalize(x, axis=-1),
        ops.cast(ops.argmax(x, axis=-1), "float32"),
        ops.squeeze(ops.expand_dims(ops.sum(x, axis=1), 1), 1),
        ops.std(x, axis=1),
        ops.flip(x, axis=1),
        ops.repeat(ops.tile(x, [1, 2, 1, 1]), 2, axis=2),
        ops.log1p(ops.square(x)) - ops.rsqrt(ops.square(x) + 1.0),
        ops.leaky_relu(x, negative_slope=0.3) + ops.gelu(x),
        ops.one_hot(ops.argmax(x, axis=-1), 4),
        1.0 - x,
    ]


def test_operators_and_their_arguments():
    i = keras.Input((4, 4, 4), name="i")
    there_and_back(keras.Model(i, _images(L.Conv2D(4, 1)(i))))


def test_every_operation_of_the_table_exists_in_keras():
    missing = [name for name, op in OPS.items() if op.keras is None and not hasattr(ops, name)]
    assert not missing


ACTIVATIONS = {"linear", "relu6", *keras.activations.__dict__} & set(OPS) | {"hard_sigmoid"}


# threshold needs arguments, so a layer cannot name it.
@pytest.mark.parametrize("name", sorted(ACTIVATIONS - {"threshold"}))
def test_activations_alone_and_in_a_layer(name):
    i = keras.Input((8,), name="i")
    x = L.Dense(8, activation=name)(i)
    there_and_back(keras.Model(i, [x, L.Activation(name)(i)]))


def test_hard_silu_becomes_hard_swish():
    i = keras.Input((8,), name="i")
    assert "HARD_SWISH" in op_names(bridge(keras.Model(i, L.Dense(4, activation="hard_silu")(i))).model)


LAYERS = {
    "conv1d": ((12, 3), lambda: [L.Conv1D(4, 3, padding="causal", dilation_rate=2), L.MaxPooling1D(2)]),
    "conv2d": (
        (8, 8, 4),
        lambda: [L.Conv2D(4, 3, groups=2), L.DepthwiseConv2D(3, depth_multiplier=2), L.PReLU()],
    ),
    "separable": ((8, 8, 4), lambda: [L.SeparableConv2D(5, 3), L.Conv2DTranspose(3, 3, strides=2), L.ELU()]),
    "conv3d": ((5, 5, 5, 2), lambda: [L.Conv3D(3, 2), L.GlobalAveragePooling3D(keepdims=True)]),
    "pool": (
        (8, 8, 4),
        lambda: [L.ZeroPadding2D(1), L.Cropping2D(1), L.UpSampling2D(2), L.AveragePooling2D(3)],
    ),
    "norm": ((6, 4), lambda: [L.LayerNormalization(), L.GroupNormalization(2), L.UnitNormalization()]),
    "rms": ((6, 4), lambda: [L.RMSNormalization(), L.BatchNormalization(momentum=0.9, epsilon=0.01)]),
    "lstm": (
        (6, 4),
        lambda: [L.LSTM(3, return_sequences=True, recurrent_activation="hard_sigmoid"), L.GRU(2)],
    ),
    "bidirectional": ((6, 4), lambda: [L.Bidirectional(L.GRU(3, return_sequences=True)), L.SimpleRNN(3)]),
    "cells": ((6, 4), lambda: [L.RNN([L.LSTMCell(3), L.GRUCell(2)])]),
    "time": ((3, 6, 6, 2), lambda: [L.TimeDistributed(L.Conv2D(3, 3)), L.TimeDistributed(L.Flatten())]),
    "preprocess": ((9, 9, 3), lambda: [L.Rescaling(1 / 255.0, 0.1), L.Resizing(8, 8), L.CenterCrop(6, 6)]),
    "augment": (
        (8, 8, 3),
        lambda: [L.RandomFlip(), L.RandomRotation(0.1), L.GaussianNoise(0.1), L.Dropout(0.1)],
    ),
    "shape": ((4, 6), lambda: [L.Permute((2, 1)), L.Reshape((3, 8)), L.RepeatVector(2)][:2]),
    "spectral": (
        (8, 8, 3),
        lambda: [L.SpectralNormalization(L.Conv2D(3, 2)), L.LeakyReLU(0.2), L.ReLU(4.0, 0.1)],
    ),
    "adaptive": ((8, 8, 3), lambda: [L.AdaptiveAveragePooling2D((2, 2))]),
    "regularized": ((4,), lambda: [L.Dense(3, kernel_regularizer="l2", kernel_constraint="non_neg")]),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    shape, make = LAYERS[name]
    there_and_back(keras.Sequential([L.Input(shape, name="i"), *make()]))


def test_normalization_that_was_adapted():
    layer = L.Normalization()
    layer.adapt(np.random.default_rng(0).normal(3, 2, (50, 4)))
    i = keras.Input((4,), name="i")
    loaded = adopt_model(keras.Model(i, layer(i)))
    compare.require_same(loaded.model, unbridge(loaded.model), compare.sample_inputs(loaded.model))


def test_attention_and_masks():
    i = keras.Input((6,), dtype="int32", name="tokens")
    x = L.Embedding(9, 8, mask_zero=True)(i)
    x = L.LayerNormalization()(L.MultiHeadAttention(2, 4)(x, x) + x)
    there_and_back(keras.Model(i, L.LSTM(3)(L.Bidirectional(L.LSTM(4, return_sequences=True))(x))))


def test_initial_states_and_several_outputs_of_a_layer():
    i = keras.Input((5, 4), name="i")
    x, h, c = L.LSTM(4, return_state=True, return_sequences=True)(i)
    a, b = ops.split(L.LSTM(4)(x, initial_state=[h, c]), 2, axis=-1)
    there_and_back(keras.Model(i, [a, b, L.Attention()([x, x]), L.Dot(axes=1)([h, c])]))


def test_a_model_inside_time_distributed():
    inner = keras.Sequential([L.Input((4,)), L.Dense(3), L.BatchNormalization()])
    there_and_back(keras.Sequential([L.Input((5, 4), name="i"), L.TimeDistributed(inner)]))


class Scale(L.Layer):
    """Somebody's own layer with a weight."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="random_normal")

    def call(self, inputs):
        return inputs * self.scale


def test_a_custom_layer_runs_inside_and_converts():
    i = keras.Input((4,), name="i")
    model = keras.Model(i, L.Dense(2)(Scale(name="mine")(i)))
    loaded = adopt_model(model)
    assert [f.code for f in loaded.findings] == ["kept-as-keras-layer"]
    # The scale is a constant: the converter multiplies it into the kernel.
    assert op_names(loaded.model) == ["FULLY_CONNECTED"]
    assert type(unbridge(loaded.model).get_layer("mine")) is Scale


@pytest.mark.parametrize("library", [keras, tf_keras])
@pytest.mark.parametrize(("policy", "said"), [("mixed_bfloat16", "reduced"), ("float64", "double")])
def test_other_precision_becomes_float32(library, policy, said):
    i = library.Input((4, 1), name="i", dtype="float64" if policy == "float64" else None)
    model = library.Model(i, library.layers.Conv1D(3, 2, dtype=policy)(i))
    loaded = adopt_model(randomize(model))
    assert [f.code for f in loaded.findings] == [f"{said}-precision-to-float32"]
    assert (loaded.model.inputs[0].dtype, loaded.model.outputs[0].dtype) == (tf.float32, tf.float32)
    assert loaded.model.layers[1].dtype_policy.name == "float32"


def test_augmentation_is_dropped_with_a_note():
    i = keras.Input((8, 8, 3), dtype="uint8", name="i")
    loaded = adopt_model(keras.Model(i, L.Conv2D(2, 3)(L.RandomFlip(name="flip")(i))))
    assert [(f.code, f.subject) for f in loaded.findings] == [("augmentation-dropped", "flip")]


def test_an_unknown_operation_is_named_with_its_neighbours():
    i = keras.Input((4,))
    with pytest.raises(UnsupportedModelError, match="Arcsinh") as caught:
        bridge(keras.Model(i, ops.arcsinh(i)))
    assert "arctan" in caught.value.expected or "sinh" in caught.value.expected


def test_channels_first_is_refused():
    i = keras.Input((3, 8, 8))
    with pytest.raises(UnsupportedModelError, match="channels_first"):
        bridge(keras.Model(i, L.Conv2D(2, 3, data_format="channels_first", name="c")(i)))
    j = tf_keras.Input((3, 8, 8))
    with pytest.raises(UnsupportedModelError, match="channels_first"):
        flatten(tf_keras.Model(j, T.MaxPooling2D(data_format="channels_first")(j)))


def test_a_difference_is_an_error_that_names_the_layer(monkeypatch):
    monkeypatch.setattr(
        "edgesqueeze.squeeze.opening.bridge_layers.activations.SAME", {"relu": "tanh", "linear": "linear"}
    )
    i = keras.Input((4,), name="i")
    x = L.Dense(4, activation="relu", name="culprit")(L.Dense(4, name="fine")(i))
    with pytest.raises(BridgeError, match="'culprit'") as caught:
        adopt_model(keras.Model(i, L.Dense(2)(x)))
    assert float(caught.value.got) > 1e-4


def test_flatten_keeps_what_is_shared_and_operators_of_tf_keras():
    inner = tf_keras.Sequential([T.InputLayer((4,)), T.Dense(4, name="d"), T.Dropout(0.1)], name="inner")
    i, j = tf_keras.Input((4,), name="i"), tf_keras.Input((4,), name="j")
    x = inner(T.Dense(4, name="d")(i), training=False) + 2.0 * inner(j)[:, :4]
    model = tf_keras.Model([i, j], [tf.abs(x), inner(j)])
    loaded = adopt_model(model)
    assert loaded.family == "tf_keras"
    assert loaded.model.output_names == model.output_names
    assert len(loaded.model.get_layer("inner_d")._inbound_nodes) == 3
    assert not {id(layer) for layer in loaded.model.layers} & {id(layer) for layer in model._flatten_layers()}
    assert kinds(loaded.model).count("TFOpLambda") == 3


def _steep(slope, bias=0.0):
    """A model that multiplies differences in its input by ``slope``."""
    i = tf_keras.Input((4,), name="i")
    x = T.Dense(4, weights=[np.eye(4) * slope, np.full(4, bias)])(i)
    return tf_keras.Model(i, tf.sin(x))


def test_a_network_that_amplifies_rounding_is_measured_by_its_own_noise():
    values = [np.linspace(0.5, 0.9, 8, dtype="float32").reshape(2, 4)]
    # Both shifts are 3e-4 at the output; the steep network does as much by itself.
    assert compare.require_same(_steep(400.0), _steep(400.0, 3e-4), values) > compare.TOLERANCE
    with pytest.raises(BridgeError):
        compare.require_same(_steep(1.0), _steep(1.0, 3e-4), values)
    with pytest.raises(BridgeError):
        compare.require_same(_steep(400.0), _steep(400.0, 3e-2), values)


def test_names_that_tensorflow_forbids_become_plain():
    first, second = keras.Input((4,), name="größe"), keras.Input((3,), name="in put")
    outputs = [L.Dense(2, name="zweite ä")(first), L.Dense(3, name="_ß")(L.Dense(2, name="α")(second))]
    model = keras.Model([first, second], outputs, name="modèle")
    flat = bridge(model).model
    assert flat.input_names == ["größe", "in put"]
    assert flat.output_names == ["zweite__", "layer__"]
    data = [np.ones((2, 4), np.float32), np.ones((2, 3), np.float32)]
    for mine, theirs in zip(flat(data), model(data), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
