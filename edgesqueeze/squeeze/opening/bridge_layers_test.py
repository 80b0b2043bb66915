"""Every layer class that both libraries have, translated there and back, against Keras itself."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.squeeze.opening import bridge_layers
from edgesqueeze.squeeze.opening.bridge import copy_weights
from edgesqueeze.squeeze.opening.keras_layer import KerasLayer

L = keras.layers
T = tf_keras.layers
TOLERANCE = 1e-5

SEQUENCE, IMAGE, CUBE = (7, 4), (7, 6, 4), (4, 5, 6, 2)
FILM = (3, 5, 6, 2)
TOKENS = "tokens"
"""In place of a shape: whole numbers from 0 to 4, seven of them."""


def case(make, *shapes, **call):
    """A layer to be made, the shapes of what it is called with, and what else it is called with."""
    return make, shapes, call


def convolutions(name, rank):
    """Two cases for one of the convolutions: with each setting unlike its default in one of them."""
    shape = {1: SEQUENCE, 2: IMAGE, 3: CUBE}[rank]
    cls = getattr(L, name)
    transposed, depthwise = name.endswith("Transpose"), name.startswith("Depthwise")
    filters = () if depthwise else (6,)
    more = {} if transposed or depthwise or name.startswith("Separable") else {"groups": 2}
    if depthwise or name.startswith("Separable"):
        more = {"depth_multiplier": 2}
    return [
        case(lambda: cls(*filters, 3, strides=2, padding="same", activation="hard_silu", **more), shape),
        case(lambda: cls(*filters, 2, dilation_rate=2, use_bias=False), shape),
    ]


def pools(name, rank):
    shape = {1: SEQUENCE, 2: IMAGE, 3: CUBE}[rank]
    cls = getattr(L, name)
    if name.startswith("Global"):
        return [case(lambda: cls(), shape), case(lambda: cls(keepdims=True), shape)]
    return [case(lambda: cls(3, strides=2, padding="same"), shape), case(lambda: cls(2), shape)]


def recurrent(name, shape, *arguments):
    cls = getattr(L, name)
    both = {"return_sequences": True, "return_state": True}
    return [
        case(lambda: cls(*arguments, activation="relu", recurrent_activation="hard_sigmoid", **both), shape),
        case(lambda: cls(*arguments, go_backwards=True, use_bias=False, unroll=shape == SEQUENCE), shape),
    ]


CASES = {
    # dense, convolutions
    "Dense": [
        case(lambda: L.Dense(3, activation="leaky_relu"), (5,)),
        case(lambda: L.Dense(3, use_bias=False, activation=keras.activations.log_softmax), IMAGE),
        case(lambda: L.Dense(3, kernel_regularizer="l2", bias_constraint="non_neg"), (5,)),
    ],
    "EinsumDense": [
        case(lambda: L.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d", activation="gelu"), SEQUENCE)
    ],
    "Embedding": [
        case(lambda: L.Embedding(5, 3), TOKENS),
        case(lambda: L.Embedding(6, 2, mask_zero=True), TOKENS),
    ],
    **{f"Conv{rank}D": convolutions(f"Conv{rank}D", rank) for rank in (2, 3)},
    "Conv1D": [
        *convolutions("Conv1D", 1),
        case(lambda: L.Conv1D(3, 3, padding="causal", dilation_rate=2), SEQUENCE),
    ],
    **{f"Conv{rank}DTranspose": convolutions(f"Conv{rank}DTranspose", rank) for rank in (1, 2)},
    "Conv3DTranspose": convolutions("Conv3DTranspose", 3)[:1],
    **{f"DepthwiseConv{rank}D": convolutions(f"DepthwiseConv{rank}D", rank) for rank in (1, 2)},
    **{f"SeparableConv{rank}D": convolutions(f"SeparableConv{rank}D", rank) for rank in (1, 2)},
    # pooling, padding, resizing
    **{
        f"{kind}{rank}D": pools(f"{kind}{rank}D", rank)
        for kind in ("AveragePooling", "MaxPooling", "GlobalAveragePooling", "GlobalMaxPooling")
        for rank in (1, 2, 3)
    },
    "ZeroPadding1D": [case(lambda: L.ZeroPadding1D((1, 2)), SEQUENCE)],
    "ZeroPadding2D": [case(lambda: L.ZeroPadding2D(((1, 2), (0, 3))), IMAGE)],
    "ZeroPadding3D": [case(lambda: L.ZeroPadding3D(((1, 2), (0, 3), (1, 0))), CUBE)],
    "Cropping1D": [case(lambda: L.Cropping1D((1, 2)), SEQUENCE)],
    "Cropping2D": [case(lambda: L.Cropping2D(((1, 2), (0, 3))), IMAGE)],
    "Cropping3D": [case(lambda: L.Cropping3D(((1, 2), (0, 3), (1, 0))), CUBE)],
    "UpSampling1D": [case(lambda: L.UpSampling1D(3), SEQUENCE)],
    "UpSampling2D": [
        case(lambda: L.UpSampling2D((2, 3)), IMAGE),
        case(lambda: L.UpSampling2D(2, interpolation="bilinear"), IMAGE),
    ],
    "UpSampling3D": [case(lambda: L.UpSampling3D((1, 2, 3)), CUBE)],
    "CenterCrop": [case(lambda: L.CenterCrop(4, 3), IMAGE), case(lambda: L.CenterCrop(8, 9), IMAGE)],
    "RandomCrop": [case(lambda: L.RandomCrop(7, 6), IMAGE, training=False)],
    "Resizing": [
        case(lambda: L.Resizing(4, 9), IMAGE),
        case(lambda: L.Resizing(4, 9, interpolation="nearest"), IMAGE),
        case(lambda: L.Resizing(5, 5, crop_to_aspect_ratio=True), IMAGE),
    ],
    # normalization
    "BatchNormalization": [
        case(lambda: L.BatchNormalization(epsilon=0.1), IMAGE),
        case(lambda: L.BatchNormalization(axis=1, scale=False), SEQUENCE),
        case(lambda: L.BatchNormalization(center=False), (5,)),
    ],
    "LayerNormalization": [
        case(lambda: L.LayerNormalization(epsilon=0.1), SEQUENCE),
        case(lambda: L.LayerNormalization(axis=[1, 2], scale=False), SEQUENCE),
        case(lambda: L.LayerNormalization(axis=1, center=False), SEQUENCE),
    ],
    "GroupNormalization": [
        case(lambda: L.GroupNormalization(2, epsilon=0.1), IMAGE),
        case(lambda: L.GroupNormalization(-1, scale=False), IMAGE),
    ],
    "UnitNormalization": [
        case(lambda: L.UnitNormalization(), SEQUENCE),
        case(lambda: L.UnitNormalization(axis=1), SEQUENCE),
    ],
    "Normalization": [
        case(lambda: L.Normalization(mean=[1.0, 2.0, 3.0, 4.0], variance=[0.1, 1.0, 2.0, 3.0]), SEQUENCE),
        case(lambda: L.Normalization(axis=None, mean=2.0, variance=3.0), SEQUENCE),
        case(lambda: L.Normalization(mean=[1.0, 2.0], variance=[0.1, 1.0], invert=True), (2,)),
    ],
    # activations
    "Activation": [case(lambda: L.Activation("hard_silu"), SEQUENCE)],
    "ELU": [case(lambda: L.ELU(alpha=0.3), SEQUENCE)],
    "LeakyReLU": [case(lambda: L.LeakyReLU(negative_slope=0.1), SEQUENCE)],
    "PReLU": [case(lambda: L.PReLU(), SEQUENCE), case(lambda: L.PReLU(shared_axes=[1]), SEQUENCE)],
    "ReLU": [case(lambda: L.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.2), SEQUENCE)],
    "Softmax": [case(lambda: L.Softmax(axis=1), SEQUENCE)],
    # shapes
    "Flatten": [case(lambda: L.Flatten(), IMAGE)],
    "Identity": [case(lambda: L.Identity(), SEQUENCE)],
    "Permute": [case(lambda: L.Permute((3, 1, 2)), IMAGE)],
    "RepeatVector": [case(lambda: L.RepeatVector(3), (5,))],
    "Reshape": [case(lambda: L.Reshape((2, -1)), SEQUENCE)],
    # several inputs
    **{
        name: [case(lambda name=name: getattr(L, name)(), SEQUENCE, SEQUENCE)]
        for name in ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract")
    },
    "Concatenate": [
        case(lambda: L.Concatenate(axis=1), SEQUENCE, (2, 4)),
        case(lambda: L.Concatenate(), (2,), (3,)),
    ],
    "Dot": [
        case(lambda: L.Dot(axes=(1, 1)), SEQUENCE, (7, 3)),
        case(lambda: L.Dot(axes=1, normalize=True), (5,), (5,)),
    ],
    "Attention": [
        case(lambda: L.Attention(), SEQUENCE, SEQUENCE),
        case(lambda: L.Attention(use_scale=True, score_mode="concat"), SEQUENCE, SEQUENCE),
    ],
    "AdditiveAttention": [case(lambda: L.AdditiveAttention(), SEQUENCE, SEQUENCE)],
    # recurrent
    **{name: recurrent(name, SEQUENCE, 3) for name in ("LSTM", "GRU")},
    "SimpleRNN": [
        case(lambda: L.SimpleRNN(3, activation="relu", return_sequences=True, return_state=True), SEQUENCE),
        case(lambda: L.SimpleRNN(3, go_backwards=True, use_bias=False, unroll=True), SEQUENCE),
    ],
    "ConvLSTM1D": recurrent("ConvLSTM1D", (3, 6, 2), 2, 3),
    "ConvLSTM2D": recurrent("ConvLSTM2D", FILM, 2, 3),
    "ConvLSTM3D": recurrent("ConvLSTM3D", (2, *CUBE), 2, 3),
    "RNN": [
        case(
            lambda: L.RNN(L.GRUCell(3, reset_after=False), return_sequences=True, return_state=True), SEQUENCE
        ),
        case(lambda: L.RNN(L.LSTMCell(3), go_backwards=True, unroll=True), SEQUENCE),
    ],
    "StackedRNNCells": [
        case(lambda: L.RNN([L.LSTMCell(3), L.SimpleRNNCell(2, activation="relu")]), SEQUENCE)
    ],
    "Bidirectional": [
        case(lambda: L.Bidirectional(L.LSTM(3, return_sequences=True), merge_mode="ave"), SEQUENCE),
        case(
            lambda: L.Bidirectional(
                L.GRU(3), backward_layer=L.GRU(2, go_backwards=True), merge_mode="concat"
            ),
            SEQUENCE,
        ),
    ],
    "TimeDistributed": [case(lambda: L.TimeDistributed(L.Conv2D(3, 2, strides=2)), FILM)],
    "Masking": [case(lambda: L.Masking(mask_value=0.0), SEQUENCE)],
    # what works in training only
    "ActivityRegularization": [case(lambda: L.ActivityRegularization(0.1, 0.2), SEQUENCE)],
    "AlphaDropout": [case(lambda: L.AlphaDropout(0.4), SEQUENCE)],
    "Dropout": [case(lambda: L.Dropout(0.4, noise_shape=(None, 1, 4), seed=3), SEQUENCE)],
    "GaussianDropout": [case(lambda: L.GaussianDropout(0.4), SEQUENCE)],
    "GaussianNoise": [case(lambda: L.GaussianNoise(0.4), SEQUENCE)],
    "SpatialDropout1D": [case(lambda: L.SpatialDropout1D(0.4), SEQUENCE)],
    "SpatialDropout2D": [case(lambda: L.SpatialDropout2D(0.4), IMAGE)],
    "SpatialDropout3D": [case(lambda: L.SpatialDropout3D(0.4), CUBE)],
    # preprocessing
    "CategoryEncoding": [case(lambda: L.CategoryEncoding(num_tokens=5, output_mode="multi_hot"), TOKENS)],
    "Discretization": [case(lambda: L.Discretization(bin_boundaries=[-1.0, 0.0, 0.5]), SEQUENCE)],
    "Rescaling": [case(lambda: L.Rescaling(0.5, offset=-0.2), IMAGE)],
    "MultiHeadAttention": [
        case(lambda: L.MultiHeadAttention(2, 3, value_dim=5, use_bias=False), SEQUENCE, SEQUENCE),
        case(
            lambda: L.MultiHeadAttention(2, 3, output_shape=5), SEQUENCE, (3, 4), return_attention_scores=True
        ),
    ],
}

ELSEWHERE = {
    "Lambda": "holds a Python function",
    "SpectralNormalization": "bridge.py takes the layer inside",
    "InputLayer": "bridge.py makes inputs",
    "GRUCell": "in RNN",
    "LSTMCell": "in RNN",
    "SimpleRNNCell": "in RNN",
    "Layer": "no layer by itself",
    "Wrapper": "no layer by itself",
}
LISTS = (
    "Add",
    "Average",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
    "Concatenate",
    "Dot",
    "Attention",
    "AdditiveAttention",
)
"""Classes that are called with one list."""


def both_have():
    """Names of the layer classes of Keras 3 that tf_keras has too; other names of theirs left out."""
    names = {name for name, cls in vars(L).items() if isinstance(cls, type) and issubclass(cls, L.Layer)}
    return {name for name in names if hasattr(T, name) and getattr(L, name).__name__ == name}


def test_every_class_that_both_have_is_tried():
    augmentation = {name for name in both_have() if name.startswith("Random")} - {"RandomCrop"}
    assert (
        both_have() == set(CASES) | set(ELSEWHERE) | set(bridge_layers.OUTSIDE) & both_have() | augmentation
    )


@pytest.mark.parametrize("name", CASES)
def test_a_layer_computes_the_same_there_and_back(name):
    for number, (make, shapes, call) in enumerate(CASES[name]):
        layer, feed = make(), [values(shape, seed) for seed, shape in enumerate(shapes)]
        arguments = [feed] if type(layer).__name__ in LISTS else feed
        layer(*arguments, **call)
        randomize(layer, number)
        expected = layer(*arguments, **call)
        there = bridge_layers.to_tf_keras(layer, "there", inner)
        assert type(there) is getattr(T, type(layer).__name__)
        require_same(run(there, layer, arguments, call), expected)
        back = bridge_layers.to_keras(there, inner_back)
        assert type(back) is type(layer)
        assert back.name == "there"
        require_same(run(back, there, arguments, call), expected)


def values(shape, seed):
    rng = np.random.default_rng(seed)
    if shape == TOKENS:
        return rng.integers(0, 5, (2, 7)).astype("int32")
    return rng.normal(0, 1, (2, *shape)).astype("float32")


def randomize(layer, seed):
    """Give every weight a value that matters: defaults such as zero biases hide mistakes."""
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.uniform(0.2, 0.9, weight.shape) for weight in layer.get_weights()])


def run(layer, original, arguments, call):
    """Build a translated layer, give it the weights of the other, and call it."""
    layer(*arguments, **call)
    copy_weights(original, layer)
    return layer(*arguments, **call)


def require_same(found, expected):
    found, expected = tf.nest.flatten(found), tf.nest.flatten(expected)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=TOLERANCE, atol=TOLERANCE)


def inner(layer):
    name = layer.name.removeprefix("forward_").removeprefix("backward_")
    return bridge_layers.to_tf_keras(layer, name, inner)


def inner_back(layer):
    copy = bridge_layers.to_keras(layer, inner_back)
    copy.name = copy.name.removeprefix("forward_").removeprefix("backward_")
    return copy


def kept(layer, *arguments):
    """Whether a layer is kept as it is: tf_keras has none that does the same."""
    layer(*arguments)
    made = bridge_layers.to_tf_keras(layer, "there", inner)
    if isinstance(made, KerasLayer):
        require_same(made(*arguments), layer(*arguments))
        require_same(run(bridge_layers.to_keras(made, inner_back), layer, arguments, {}), layer(*arguments))
    return isinstance(made, KerasLayer)


def with_lora(rank):
    layer = L.Dense(3)
    layer.build((None, 4))
    if rank:
        layer.enable_lora(rank)
        randomize(layer, 1)
    return layer


# Settings that only Keras 3 follows: with False tf_keras does the same, with True it does not.
ONLY_KERAS = {
    "antialias": lambda on: L.Resizing(3, 3, antialias=on),
    "pad_to_aspect_ratio": lambda on: L.Resizing(3, 3, pad_to_aspect_ratio=on),
    "rms_scaling": lambda on: L.LayerNormalization(rms_scaling=on),
    "lora_rank": lambda on: with_lora(2 if on else None),
    "dilation_rate": lambda on: L.Conv3DTranspose(3, 2, dilation_rate=2 if on else 1),
}


@pytest.mark.parametrize("setting", ONLY_KERAS)
def test_a_setting_that_tf_keras_lacks_is_dropped_only_where_it_means_nothing(setting):
    make = ONLY_KERAS[setting]
    shape = {"lora_rank": (4,), "dilation_rate": CUBE}.get(setting, IMAGE)
    assert not kept(make(False), values(shape, 1))
    assert kept(make(True), values(shape, 1))


@pytest.mark.parametrize(
    "make",
    [
        lambda: L.MultiHeadAttention(2, 3, seed=4, flash_attention=False),
        lambda: L.Dropout(0.2, seed=4),
        lambda: L.LSTM(3, seed=4, use_cudnn=False),
        lambda: L.Resizing(3, 3, fill_mode="constant", fill_value=0.5),
    ],
)
def test_settings_that_mean_nothing_at_inference_are_dropped(make):
    layer = make()
    shape = IMAGE if isinstance(layer, L.Resizing) else SEQUENCE
    arguments = [values(shape, 1)] * (2 if isinstance(layer, L.MultiHeadAttention) else 1)
    assert not kept(layer, *arguments)


def test_what_tf_keras_has_no_class_for_is_kept():
    assert kept(L.RMSNormalization(), values(SEQUENCE, 1))
    assert kept(L.AdaptiveAveragePooling2D((2, 2)), values(IMAGE, 1))
    assert kept(L.Lambda(lambda x: x * 2 + 1), values(SEQUENCE, 1))


def shifted(x):
    return x + 0.5


def test_somebodys_own_classes_and_functions_are_kept():
    class Dense(L.Dense):
        def call(self, inputs):
            return super().call(inputs) + 1

    assert kept(Dense(3), values((4,), 1))
    with keras.saving.custom_object_scope({"shifted": shifted}):
        assert kept(L.Activation(shifted), values((4,), 1))
        assert kept(L.Dense(3, activation=shifted), values((4,), 1))


def test_regularizers_and_constraints_go_along_where_both_have_them():
    for kind in bridge_layers.REGULARIZERS:
        layer = L.Dense(3, kernel_regularizer=getattr(keras.regularizers, kind)(0.25))
        layer.build((None, 4))
        there = bridge_layers.to_tf_keras(layer, "there", inner)
        there.build((None, 4))
        back = bridge_layers.to_keras(there, inner_back)
        back.build((None, 4))
        assert type(back.kernel_regularizer) is type(layer.kernel_regularizer)
        weight = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
        wanted = float(layer.kernel_regularizer(weight))
        assert wanted > 0
        for one in (there, back):
            assert float(one.kernel_regularizer(tf.constant(weight))) == pytest.approx(wanted, rel=1e-5)
    for kind in bridge_layers.CONSTRAINTS:
        layer = L.Dense(3, kernel_constraint=getattr(keras.constraints, kind)())
        layer.build((None, 4))
        there = bridge_layers.to_tf_keras(layer, "there", inner)
        there.build((None, 4))
        back = bridge_layers.to_keras(there, inner_back)
        assert type(back.kernel_constraint) is type(layer.kernel_constraint)
        weight = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
        for one in (there, back):
            require_same(one.kernel_constraint(tf.constant(weight)), layer.kernel_constraint(weight))


class Halve(keras.regularizers.Regularizer):
    def get_config(self):
        return {}

    def __call__(self, x):
        return 0.5 * keras.ops.sum(x)


def test_somebodys_own_regularizer_is_left_out():
    layer = L.Dense(3, kernel_regularizer=Halve())
    assert not kept(layer, values((4,), 1))
    assert bridge_layers.to_tf_keras(layer, "there", inner).kernel_regularizer is None


@pytest.mark.parametrize("name", bridge_layers.OUTSIDE)
def test_what_no_runtime_has_is_refused(name):
    # Made without its arguments: some of these need a library that is not here.
    layer = object.__new__(getattr(L, name))
    object.__setattr__(layer, "name", "mine")
    with pytest.raises(UnsupportedModelError, match=f"'mine' is a {name}, which no TFLite runtime can run"):
        bridge_layers.to_tf_keras(layer, "there", inner)


@pytest.mark.parametrize(
    "make",
    [
        L.AugMix,
        L.CutMix,
        L.MixUp,
        L.RandAugment,
        L.RandomFlip,
        lambda: L.RandomBrightness(0.2),
        lambda: L.RandomRotation(0.2),
        lambda: L.RandomErasing(),
    ],
)
def test_augmentation_does_nothing_at_inference(make):
    layer = make()
    assert bridge_layers.is_inert(layer)
    picture = np.random.default_rng(0).uniform(0, 255, (2, *IMAGE[:2], 3)).astype("float32")
    require_same(layer(picture, training=False), picture)


def test_what_is_not_inert():
    class RandomThing(L.Layer):
        pass

    for layer in (RandomThing(), L.RandomCrop(2, 2), L.GaussianNoise(0.1), L.Dense(2)):
        assert not bridge_layers.is_inert(layer)
    assert bridge_layers.is_inert(T.RandomFlip())


def test_channels_first_and_quantized_layers_are_refused():
    with pytest.raises(UnsupportedModelError, match="channels_first"):
        bridge_layers.to_tf_keras(L.MaxPooling2D(data_format="channels_first"), "there", inner)
    layer = L.Dense(3)
    layer.build((None, 4))
    layer.quantize("int8")
    with pytest.raises(UnsupportedModelError, match="quantized already"):
        bridge_layers.to_tf_keras(layer, "there", inner)


@pytest.mark.parametrize("policy", bridge_layers.OTHER_FLOATS)
def test_other_precision_becomes_float32(policy):
    layer = L.Dense(3, dtype=policy)
    layer.build((None, 4))
    assert bridge_layers.to_tf_keras(layer, "there", inner).dtype_policy.name == "float32"


def test_what_keras_3_does_not_have_is_named():
    class Own(T.Layer):
        pass

    with pytest.raises(UnsupportedModelError, match=r"'mine' \(Own\)"):
        bridge_layers.to_keras(Own(name="mine"), inner_back)
    layer = T.Dense(3, activation=lambda x: x + 1, name="mine")
    with pytest.raises(UnsupportedModelError, match="activation that Keras 3 does not know"):
        bridge_layers.to_keras(layer, inner_back)
