import keras
import pytest
import tf_keras

from edgesqueeze.squeeze.opening.effort import LINEAR, is_small


def _model(library, *layers, shape=(8, 8, 3)):
    x = first = library.Input(shape)
    for layer in layers:
        x = layer(x)
    return library.Model(first, x)


@pytest.fixture(params=[keras, tf_keras], ids=["keras3", "tf_keras"])
def library(request):
    return request.param


def test_ordinary_models_are_small(library):
    layers = library.layers
    inner = _model(library, layers.SeparableConv2D(4, 3), layers.BatchNormalization())
    assert is_small(_model(library, layers.Conv2D(3, 3, padding="same"), inner, layers.Flatten()))
    assert is_small(library.Sequential([library.Input((4,)), layers.Dense(2)]))


def test_sizes_that_only_a_call_has(library):
    layers = library.layers
    assert not is_small(_model(library, layers.ZeroPadding2D(6000)))
    wide = [layers.Conv2D(64, 5, padding="same"), layers.UpSampling2D(16), layers.Conv2D(64, 9)]
    assert not is_small(_model(library, *wide))
    assert not is_small(_model(library, layers.Dense(3000), layers.Dense(3000), shape=(2000, 3)))


def test_each_call_of_a_shared_layer_counts(library):
    layers = library.layers
    shared = layers.Conv2D(32, 3, padding="same")
    first = library.Input((64, 64, 32))
    x = shared(first)
    assert is_small(library.Model(first, x))
    for _ in range(60):
        x = shared(x)
    assert not is_small(library.Model(first, x))


def test_a_model_in_a_model_counts(library):
    assert not is_small(_model(library, _model(library, library.layers.ZeroPadding2D(6000))))


def test_no_bound_is_given_for_other_layers(library):
    layers = library.layers
    assert not is_small(_model(library, layers.MaxPooling2D(2)))
    assert not is_small(_model(library, layers.Conv2D(2, 3), shape=(None, None, 3)))

    class Dense(layers.Layer):
        def call(self, inputs):
            return inputs * 2.0

    assert not is_small(_model(library, Dense()))


def test_operations_that_are_no_layers_count():
    first = keras.Input((4,))
    assert not is_small(keras.Model(first, keras.ops.max(keras.ops.tile(first, (1, 10**8)), axis=1)))


def test_every_name_is_a_layer():
    assert all(hasattr(keras.layers, name) and hasattr(tf_keras.layers, name) for name in LINEAR)
