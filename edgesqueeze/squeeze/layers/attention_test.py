import keras
import numpy as np
import pytest
import tf_keras

from edgesqueeze.squeeze.layers.attention import Heads, spelled_heads
from edgesqueeze.squeeze.opening.load import load_model
from edgesqueeze.squeeze.opening.save import save_model
from edgesqueeze.squeeze.passes.fold import fold
from runtime_tests.support.tiny_keras import randomize

layers = tf_keras.layers
X = np.random.default_rng(0).normal(0, 1, (3, 5, 6)).astype(np.float32)


def model_of(make, width=6, library=tf_keras):
    sequence = library.layers.Input((5, width), name="sequence")
    return randomize(library.Model(sequence, make(library.layers, sequence), name="tiny"))


SPLIT = {
    "of itself": lambda layers, x: layers.MultiHeadAttention(2, 3, name="attention")(x, x),
    "without bias": lambda layers, x: layers.MultiHeadAttention(2, 3, use_bias=False)(x, x),
    "of two": lambda layers, x: layers.MultiHeadAttention(3, 4, value_dim=5, output_shape=7)(
        layers.Dense(4)(x), layers.Conv1D(6, 3)(x)
    ),
    "with a key": lambda layers, x: layers.MultiHeadAttention(2, 3)(x, layers.Dense(4)(x), key=x),
}


@pytest.mark.parametrize("name", SPLIT)
def test_an_attention_is_split_into_dense_layers(name):
    model = model_of(SPLIT[name])
    folded, _ = fold(model)
    assert not [one for one in folded.layers if type(one) is layers.MultiHeadAttention]
    assert len([one for one in folded.layers if type(one) is Heads]) == 1
    np.testing.assert_allclose(folded(X), model(X), atol=1e-5)
    np.testing.assert_allclose(spelled_heads(folded)(X), model(X), atol=1e-5)
    assert folded.output_names == model.output_names


def test_an_attention_that_is_called_twice_has_its_weights_once():
    def twice(layers, x):
        attention = layers.MultiHeadAttention(2, 3)
        y = attention(x, x)
        return attention(y, x)

    model = model_of(twice)
    folded, _ = fold(model)
    assert folded.count_params() == model.count_params()
    np.testing.assert_allclose(folded(X), model(X), atol=1e-5)


def masked(layers, x):
    x = layers.Masking()(x)
    return layers.MultiHeadAttention(2, 3)(x, x)


WHOLE = {
    "causal": lambda layers, x: layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True),
    "masked": masked,
    "given a mask": lambda layers, x: layers.MultiHeadAttention(2, 3)(
        x, x, attention_mask=layers.Dot((2, 2))([x, x])
    ),
    "scores": lambda layers, x: layers.MultiHeadAttention(2, 3)(x, x, return_attention_scores=True)[1],
    "two axes": lambda layers, x: layers.MultiHeadAttention(2, 3, attention_axes=(1, 2))(
        *[layers.Reshape((5, 3, 2))(x)] * 2
    ),
}


@pytest.mark.parametrize("name", WHOLE)
def test_any_other_attention_stays(name):
    model = model_of(WHOLE[name])
    folded, _ = fold(model)
    assert [one for one in folded.layers if type(one) is layers.MultiHeadAttention]
    np.testing.assert_allclose(folded(X), model(X), atol=1e-5)


@pytest.mark.parametrize("family", ["keras3", "tf_keras"])
def test_what_is_split_is_saved_in_layers_that_anyone_has(family, tmp_path):
    library = keras if family == "keras3" else tf_keras
    model = model_of(SPLIT["with a key"], library=library)
    model.save(tmp_path / "given.keras")
    folded, _ = fold(load_model(tmp_path / "given.keras").model)
    assert any(type(one) is Heads for one in folded.layers)
    save_model(folded, family, tmp_path / "saved.keras")
    again = library.models.load_model(tmp_path / "saved.keras")
    np.testing.assert_allclose(again(X), model(X), atol=1e-5)
